"""What comes back: statuses, headers, problem documents, and what is told of each request."""

import asyncio
import logging

import pytest

from emporion.chassis.calls.context import NEVER_S
from emporion.chassis.http.problem import STATUS_OF_CATEGORY, STATUS_OF_SLUG, status_of
from emporion.chassis.testing.asgi import AsgiClient, stalled
from emporion.kernel import errors
from emporion.kernel.errors import EmporionError

KEY = {"idempotency-key": "k-1"}
BODY = {"parts": [{"code": "bolt", "units": 2}]}


async def test_a_created_thing_is_told_with_its_address(sample):
    sample.door.reply = sample.Thing(code="a/b")

    answer = await sample.person.json("POST", "/api/things", BODY, headers=KEY)

    assert answer.status == 201
    assert answer.headers["location"] == "/api/things/a%2Fb"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.json()["code"] == "a/b"


async def test_an_open_outcome_is_accepted_not_created(sample):
    sample.door.reply = sample.Thing(code="t-1", mood=sample.Mood.OPEN)

    made = await sample.person.json("POST", "/api/things", BODY, headers=KEY)
    shown = await sample.person.get("/api/things/t-1")

    assert (made.status, made.headers["location"]) == (202, "/api/things/t-1")
    assert shown.status == 200


async def test_nothing_to_say_is_204_without_a_body(sample):
    answer = await sample.person.send("DELETE", "/api/things/t-1")

    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers


async def test_head_answers_like_get_without_the_body(sample):
    answer = await sample.person.send("HEAD", "/api/things/t-1")

    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 10


async def test_options_names_the_verbs(sample):
    answer = await sample.nobody.send("OPTIONS", "/api/things/t-1")

    assert answer.status == 204
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"


async def test_a_verb_that_is_not_there_is_405_with_those_that_are(sample):
    answer = await sample.person.send("PATCH", "/api/things/t-1")

    assert answer.status == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"
    assert sample.served[0].route == "(none)"


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/", "/api/things/", "/api/things//", "/API/things", "*", "/a" * 40, "/%FF"],
)
async def test_an_unknown_path_is_404(sample, path):
    answer = await sample.person.get(path)

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_fixed_path_wins_over_a_parameter(sample):
    answer = await sample.person.get("/api/things/all/newest")

    assert answer.status == 200
    assert sample.served[0].route == "/api/things/all/newest"


async def test_internal_methods_have_no_route(sample):
    answer = await sample.person.get("/api/secret/t-1")

    assert answer.status == 404


async def test_without_a_token_nothing_of_the_body_is_read(sample):
    sent = await sample.nobody.send("POST", "/api/things", body=[b"x"] * 9)

    assert sent.status == 401
    assert sent.headers["www-authenticate"] == 'Bearer realm="emporion"'
    assert sent.headers["connection"] == "close"


async def test_a_missing_scope_is_403(sample):
    answer = await sample.reader.json("POST", "/api/things", BODY, headers=KEY)

    assert answer.status == 403
    assert answer.json()["scope"] == "things:write"


async def test_a_stale_token_does_not_close_open_doors(sample):
    client = AsgiClient(sample.app, headers={"authorization": "Bearer stale"})

    assert (await client.json("POST", "/api/doors", {"name": "a"})).status == 200


@pytest.mark.parametrize("kind", [*errors.CATEGORIES.values(), EmporionError])
async def test_every_category_has_its_status(sample, kind):
    sample.door.error = kind("so it is", sku="a", status="paid", retry_after_s=2)

    answer = await sample.person.get("/api/things/t-1")

    problem = answer.json()
    assert answer.status == STATUS_OF_CATEGORY[kind.category]
    assert problem["type"] == f"urn:emporion:problem:{kind.slug}"
    assert (problem["title"], problem["detail"]) == (kind.title, "so it is")
    assert (problem["status"], problem["field_status"]) == (answer.status, "paid")
    assert (problem["sku"], answer.headers["retry-after"]) == ("a", "2")
    assert problem["trace_id"] == answer.headers["x-trace-id"]


def test_a_slug_may_have_a_status_of_its_own():
    class PaymentDeclined(errors.FailedPrecondition):
        slug = "payment-declined"

    assert (status_of(PaymentDeclined), status_of(errors.FailedPrecondition)) == (402, 409)
    assert all(400 <= status < 500 for status in STATUS_OF_SLUG.values())


async def test_an_unexpected_error_is_logged_and_tells_only_its_trace(sample, caplog):
    sample.door.error = KeyError("the secret detail")

    with caplog.at_level(logging.ERROR):
        answer = await sample.person.get("/api/things/t-1")

    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert answer.json()["trace_id"] in caplog.text
    assert "the secret detail" in caplog.text


async def test_the_clients_trace_goes_on_and_a_new_one_is_begun_without(sample):
    sent = "00-" + "12" * 16 + "-" + "34" * 8 + "-01"

    with_trace = await sample.person.get("/api/things/t-1", headers={"traceparent": sent})
    without = await sample.person.get("/api/things/t-1", headers={"traceparent": "nonsense"})

    assert with_trace.headers["x-trace-id"] == "12" * 16
    assert sample.door.calls[0][1].trace.header() == sent
    assert without.headers["x-trace-id"] == "ab" * 16


@pytest.mark.parametrize(("sent", "left_s"), [("1.5", 1.5), ("1e9", 60.0), ("inf", 60.0)])
async def test_the_clients_patience_becomes_the_deadline(sample, sent, left_s):
    await sample.person.get("/api/things/t-1", headers={"x-request-timeout-s": sent})

    assert sample.door.calls[0][1].deadline_s == sample.clock.monotonic_s() + left_s


async def test_a_patient_client_has_no_deadline(sample):
    await sample.person.get("/api/things/t-1")

    assert sample.door.calls[0][1].deadline_s == NEVER_S


@pytest.mark.parametrize("sent", ["0", "-1", "nan", "soon", ""])
async def test_a_timeout_that_is_none_is_refused(sample, sent):
    answer = await sample.person.get("/api/things/t-1", headers={"x-request-timeout-s": sent})

    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == "X-Request-Timeout-S"


async def test_each_request_is_recorded_once_under_its_template(sample):
    async def take_a_while() -> None:
        sample.clock.advance(0.25)

    sample.door.before = take_a_while
    await sample.person.get("/api/things/t-1")
    await sample.nobody.send("BREW", "/api/pots/7")

    one, two = sample.served
    assert (one.verb, one.route, one.status, one.duration_s) == (
        "GET",
        "/api/things/{code}",
        200,
        0.25,
    )
    assert one.subject.startswith("usr_1")
    assert (two.verb, two.route, two.status, two.subject) == ("OTHER", "(none)", 404, "")


@pytest.mark.parametrize("parts", [0, 1, 2])
async def test_a_client_that_hangs_up_is_recorded_and_not_answered(sample, parts):
    messages = []
    coming = [{"type": "http.request", "body": b"{", "more_body": True}] * parts

    async def receive():
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message):
        messages.append(message)

    scope = sample.person._scope("POST", "/api/doors", {"content-length": "5"})
    await sample.app(scope, receive, send)

    assert messages == []
    assert sample.served[0].status == 499


async def test_a_body_that_does_not_come_is_408(sample):
    messages = []

    async def send(message):
        messages.append(message)

    scope = sample.person._scope("POST", "/api/doors", {"content-length": "5"})
    waiting = asyncio.create_task(sample.app(scope, stalled, send))
    await sample.clock.run(4.5)
    assert not waiting.done()
    await sample.clock.run(2.0)
    await waiting

    assert messages[0]["status"] == 408
    assert not waiting.cancelled()


async def test_a_cancelled_request_is_answered_and_stays_cancelled(sample):
    messages = []

    async def send(message):
        messages.append(message)

    scope = sample.person._scope("POST", "/api/doors", {"content-length": "5"})
    waiting = asyncio.create_task(sample.app(scope, stalled, send))
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert messages[0]["status"] == 503


async def test_while_draining_every_answer_closes_its_connection(sample):
    before = await sample.person.get("/api/things/t-1")
    sample.app.begin_drain()
    after = await sample.person.get("/api/things/t-1")

    assert "connection" not in before.headers
    assert (after.status, after.headers["connection"]) == (200, "close")


async def test_what_is_not_http_is_let_be(sample):
    await sample.app({"type": "lifespan"}, stalled, stalled)

    assert sample.served == []
