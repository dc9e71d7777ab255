"""Whatever bytes come: an answer of ours, never a 5xx, and a problem document for every error."""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emporion.chassis.testing.asgi import AsgiClient

VERBS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
KNOWN = ["/api/things", "/api/things/a", "/api/things/all/newest", "/api/doors", "/api/parts"]
TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="?#"), max_size=40)
PATHS = st.sampled_from(KNOWN) | st.builds("{}/{}".format, st.sampled_from(KNOWN), TEXT) | TEXT
QUERIES = st.just("") | st.text(st.characters(max_codepoint=255), max_size=60)
BODIES = st.binary(max_size=300) | st.sampled_from(
    [
        b'{"parts":[{"code":"a","units":1}]}',
        b'{"code":"a"}',
        b'{"units":' + b"9" * 5000 + b"}",
        b'{"name":"\\u0000"}',
        b'{"name":"a","name":"b"}',
        b"[]",
        b'"',
    ]
)
NAMES = st.sampled_from(
    [
        "authorization",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "idempotency-key",
        "traceparent",
        "x-request-timeout-s",
    ]
)
VALUES = st.text(st.characters(max_codepoint=255), max_size=30) | st.sampled_from(
    ["Bearer person", "application/json", "1", "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "²"]
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    verb=VERBS,
    path=PATHS,
    query=QUERIES,
    body=BODIES | st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    headers=st.dictionaries(NAMES, VALUES, max_size=6),
)
@example(
    verb="POST",
    path="/api/doors",
    query="",
    body=b"{",
    headers={"content-type": "application/json"},
)
def test_no_request_breaks_the_application(sample, *, verb, path, query, body, headers):
    client = AsgiClient(
        sample.app,
        headers={
            "authorization": "Bearer person",
            "content-type": "application/json",
            "idempotency-key": "k",
        },
    )
    target = f"{path}?{query}" if query else path

    answer = asyncio.run(client.send(verb, target, headers=headers, body=body))

    assert answer.status < 500
    if answer.status >= 400 and verb != "HEAD":
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answer.status
        assert problem["type"].startswith("urn:emporion:problem:")
        assert problem["title"]
        assert problem["detail"]
    assert answer.headers["x-trace-id"]
