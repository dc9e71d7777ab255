"""What a request may hold, and what is said about one that is wrong."""

import pytest

from emporion.chassis.testing.asgi import AsgiClient
from emporion.kernel.money import Money

KEY = {"idempotency-key": "k-1"}
BODY = {"parts": [{"code": "bolt", "units": 2}]}


async def test_path_header_and_body_become_one_validated_request(sample):
    answer = await sample.person.json(
        "POST",
        "/api/things",
        {**BODY, "price": {"amount_minor": 5, "currency": "EUR"}},
        headers=KEY,
    )

    request, call = sample.door.calls[0]
    assert answer.status == 201
    assert request.key == "k-1"
    assert request.parts[0].units == 2
    assert request.price == Money(5, "EUR")
    assert call.identity.subject.startswith("usr_1")


async def test_path_parameters_are_decoded_and_checked(sample):
    good = await sample.person.json("PUT", "/api/things/a%2Dz", {"units": 3})
    bad = await sample.person.json("PUT", "/api/things/A_Z", {"units": 3})

    assert (good.status, sample.door.calls[0][0].code) == (200, "a-z")
    assert bad.status == 400
    assert bad.json()["errors"][0]["field"] == "code"


async def test_an_encoded_slash_stays_inside_its_segment(sample):
    answer = await sample.person.get("/api/things/a%2Fb")

    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == "code"


async def test_query_parameters_are_converted_to_their_types(sample):
    answer = await sample.nobody.get(
        "/api/things?limit=7&mood=open&is_old=true&codes=a&codes=b-%63"
    )

    request = sample.door.calls[0][0]
    assert answer.status == 200
    assert (request.limit, request.mood, request.is_old) == (7, "open", True)
    assert request.codes == ["a", "b-c"]


@pytest.mark.parametrize(
    ("query", "slug", "field"),
    [
        ("lmit=7", "unknown-parameter", "lmit"),
        ("limit=seven", "invalid-parameter", "limit"),
        ("limit=0", "invalid-parameter", "limit"),
        ("limit=1&limit=2", "invalid-parameter", "limit"),
        ("mood=sad", "invalid-parameter", "mood"),
        ("codes=a&codes=B", "invalid-parameter", "codes[1]"),
    ],
)
async def test_a_wrong_query_parameter_is_named(sample, *, query, slug, field):
    answer = await sample.nobody.get(f"/api/things?{query}")

    problem = answer.json()
    assert (answer.status, problem["type"]) == (400, f"urn:emporion:problem:{slug}")
    assert problem["errors"][0]["field"] == field
    assert not sample.door.calls


@pytest.mark.parametrize("query", ["limit=%FF", "mood=\xff", "&".join(["limit=1"] * 40)])
async def test_a_query_that_cannot_be_read_is_refused(sample, query):
    answer = await sample.nobody.get(f"/api/things?{query}")

    assert answer.status == 400


async def test_a_query_on_a_method_that_takes_none_is_refused(sample):
    answer = await sample.person.json("POST", "/api/things?dry=1", BODY, headers=KEY)

    assert answer.json()["type"].endswith("unknown-parameter")


@pytest.mark.parametrize(
    ("body", "status", "slug", "field"),
    [
        (b"", 400, "malformed-body", None),
        (b"{", 400, "malformed-body", None),
        (b'{"parts": [{"code": "\xff"}]}', 400, "malformed-body", None),
        (b'{"parts": [{"code": "\\ud800"}]}', 400, "malformed-body", None),
        (b"[" * 100_000, 422, "invalid-body", ""),
        (b'{"price": ' + b"[" * 100_000, 422, "invalid-body", "price"),
        (b"{}", 422, "invalid-body", "parts"),
        (b"null", 422, "invalid-body", ""),
        (b'{"parts": []}', 422, "invalid-body", "parts"),
        (b'{"parts": [{"code": "bolt"}]}', 422, "invalid-body", "parts[0].units"),
        (b'{"parts": [{"code": "bolt", "units": 0}]}', 422, "invalid-body", "parts[0].units"),
        (b'{"parts": [{"code": "bolt", "units": 1.5}]}', 422, "invalid-body", "parts[0].units"),
        (b'{"parts": [{"code": "bolt", "units": 1e999}]}', 422, "invalid-body", "parts[0].units"),
        (b'{"parts": [{"code": "B", "units": 1}]}', 422, "invalid-body", "parts[0].code"),
        (b'{"parts": [{"code": "b", "units": 1}], "key": "x"}', 422, "invalid-body", "key"),
        (b'{"parts": [{"code": "b", "units": 1}], "zz": 1}', 422, "invalid-body", "zz"),
        (
            b'{"price": {"amount_minor": 1, "currency": "XXX"}, "parts": []}',
            422,
            "invalid-body",
            "price",
        ),
    ],
)
async def test_a_wrong_body_is_told_apart_from_a_broken_one(sample, *, body, status, slug, field):
    headers = {**KEY, "content-type": "application/json"}

    answer = await sample.person.send("POST", "/api/things", headers=headers, body=body)

    problem = answer.json()
    assert (answer.status, problem["type"]) == (status, f"urn:emporion:problem:{slug}")
    assert field is None or problem["errors"][0]["field"] == field
    assert not sample.door.calls


async def test_a_body_nested_too_deeply_is_refused(sample):
    body = b'{"parts": [{"code": "b", "units": 1, "x": ' + b"[" * 200_000

    answer = await sample.person.send(
        "POST", "/api/things", headers={**KEY, "content-type": "application/json"}, body=body
    )

    assert answer.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_another_media_type_is_refused(sample, headers):
    answer = await sample.person.send(
        "POST", "/api/things", headers={**KEY, **headers}, body=b'{"parts": []}'
    )

    assert answer.status == 415


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-8", 'Application/JSON; charset="UTF-8"', "application/json;"],
)
async def test_json_may_be_declared_in_several_ways(sample, media_type):
    answer = await sample.person.send(
        "POST", "/api/doors", headers={"content-type": media_type}, body=b'{"name":"a"}'
    )

    assert answer.status == 200


async def test_an_absent_body_means_no_fields_when_none_is_required(sample):
    answer = await sample.person.send("PUT", "/api/things/a")

    assert answer.status == 200
    assert sample.door.calls[0][0].units == 1


async def test_a_keyed_command_without_its_key_is_refused(sample):
    answer = await sample.person.json("POST", "/api/things", BODY)

    assert answer.status == 400
    assert answer.json()["type"].endswith("idempotency-key-required")


async def test_a_key_that_is_not_printable_is_refused(sample):
    for key in ("", "a b", "\xe9", "k" * 256):
        answer = await sample.person.json(
            "POST", "/api/things", BODY, headers={"idempotency-key": key}
        )
        assert answer.status == 400, key
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_an_optional_key_may_be_left_out(sample):
    without = await sample.person.json("POST", "/api/parts", {"code": "a"})
    with_key = await sample.person.json("POST", "/api/parts", {"code": "a"}, headers=KEY)

    assert (without.status, with_key.status) == (200, 200)
    assert [request.key for request, _ in sample.door.calls] == ["", "k-1"]


async def test_a_declared_length_beyond_the_limit_is_refused_unread(sample):
    answer = await sample.person.send(
        "POST",
        "/api/parts",
        headers={"content-type": "application/json", "content-length": "501"},
        body=b"{}",
    )

    assert answer.status == 413
    assert answer.json()["bytes_max"] == 500


async def test_a_chunked_body_is_read_up_to_the_limit_only(sample):
    headers = {"content-type": "application/json"}

    good = await sample.person.send(
        "POST", "/api/parts", headers=headers, body=[b'{"co', b'de":', b'"a"}']
    )
    endless = await sample.person.send(
        "POST", "/api/parts", headers=headers, body=[b" " * 100] * 1000
    )

    assert good.status == 200
    assert endless.status == 413
    assert endless.headers["connection"] == "close"


async def test_a_length_that_is_no_number_is_refused(sample):
    for length in ("-1", "1e3", "9" * 400):
        answer = await sample.person.send(
            "POST", "/api/parts", headers={"content-length": length}, body=b"{}"
        )
        assert answer.status == 413


async def test_a_client_address_is_not_needed(sample):
    client = AsgiClient(sample.app, address="")

    answer = await client.json("POST", "/api/doors", {"name": "a"})

    assert answer.status == 200


@pytest.mark.parametrize("body", [b'{"a": 1}', b"\x00\xff no JSON", b""])
async def test_a_raw_body_arrives_as_it_was_sent_with_its_header(sample, body):
    headers = {"x-mark": "abc", "content-type": "anything/at-all"}
    answer = await sample.nobody.send("POST", "/api/bells/b-1", body=body, headers=headers)

    request, _ = sample.door.calls[0]
    assert answer.status == 204
    assert (request.code, request.mark, request.content) == ("b-1", "abc", body)


@pytest.mark.parametrize("headers", [{}, {"x-mark": "a"}])
async def test_a_header_that_carries_a_field_is_checked_and_named(sample, headers):
    answer = await sample.nobody.send("POST", "/api/bells/b-1", body=b"{}", headers=headers)

    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == "X-Mark"


async def test_what_is_signed_may_come_as_often_as_it_does(sample):
    for _ in range(20):
        answer = await sample.nobody.send("POST", "/api/bells/b-1", headers={"x-mark": "abc"})
        assert answer.status == 204


async def test_a_raw_body_has_a_limit(sample):
    answer = await sample.nobody.send(
        "POST", "/api/bells/b-1", body=b"x" * (256 * 1024 + 1), headers={"x-mark": "abc"}
    )

    assert answer.status == 413
