"""What the OpenAPI and AsyncAPI documents say of a contract."""

from datetime import datetime

import pytest
import schemathesis

from emporion.chassis.auth.identity import Kind
from emporion.chassis.surfaces.asyncapi import asyncapi
from emporion.chassis.surfaces.examples import NoExample, example_of
from emporion.chassis.surfaces.openapi import openapi
from emporion.chassis.surfaces.schemas import sentences
from emporion.contracts.words import Instant
from emporion.kernel.money import Money

NAMES = {"title": "Bakery", "version": "1"}


@pytest.fixture
def document(bakery):
    return openapi([bakery()], **NAMES)


def test_every_public_method_has_its_operation_and_no_other(document):
    assert {
        f"{verb} {path}": operation["operationId"]
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
    } == {
        "post /api/loaves": "bakery_bake",
        "get /api/loaves": "bakery_list_loaves",
        "get /api/loaves/{loaf_id}": "bakery_get_loaf",
        "delete /api/loaves/{loaf_id}": "bakery_eat",
    }
    assert document["tags"] == [{"name": "bakery", "description": "Bread."}]


def test_an_operation_says_all_that_the_contract_says(document):
    bake = document["paths"]["/api/loaves"]["post"]

    assert (bake["summary"], bake["description"]) == ("Bake a loaf", "Slowly.\n\nWith care.")
    assert bake["security"] == [{"bearer": ["loaves:write"]}]
    key, timeout = bake["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert key["schema"]["pattern"] == "^[!-~]{1,255}$"
    assert timeout == {"$ref": "#/components/parameters/RequestTimeout"}
    body = bake["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["example"] == {"name": "xxx"}
    assert set(bake["responses"]) == {
        "201", "400", "401", "403", "404", "408", "409", "413", "415", "422", "429", "500", "503",
        "504",
    }  # fmt: skip
    assert "Location" in bake["responses"]["201"]["headers"]
    assert "too-hot" in bake["responses"]["409"]["content"]["application/problem+json"]["examples"]


def test_the_key_and_the_path_are_no_part_of_the_body(document):
    body = document["components"]["schemas"]["BakeBody"]

    assert list(body["properties"]) == ["name", "pieces", "crust", "note", "prices"]
    assert body["required"] == ["name"]
    assert body["additionalProperties"] is False


def test_query_parameters_carry_default_and_bounds(document):
    crust, limit, _ = document["paths"]["/api/loaves"]["get"]["parameters"]

    assert crust["schema"] == {"$ref": "#/components/schemas/Crust"}
    assert not crust["required"]
    assert limit["description"] == "How many."
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 5}
    assert document["paths"]["/api/loaves"]["get"]["security"] == []


def test_a_method_that_says_nothing_answers_204_without_content(document):
    assert "content" not in document["paths"]["/api/loaves/{loaf_id}"]["delete"]["responses"]["204"]


def test_a_reply_that_may_be_undecided_is_described_as_accepted(bakery):
    own = "    weights: dict[str, int] = {}\n"
    pending = (
        "    @property\n    def is_pending(self) -> bool:\n"
        '        """Whether it is in the oven."""\n        return True\n'
    )
    undecided = bakery((own, f"{own}\n{pending}"))

    responses = openapi([undecided], **NAMES)["paths"]["/api/loaves"]["post"]["responses"]

    assert "Location" in responses["202"]["headers"]
    assert responses["202"]["content"] == responses["201"]["content"]


def test_a_body_without_an_example_is_described_without(bakery):
    changed = bakery(("min_length=3", 'pattern="^x$"'))

    body = openapi([changed], **NAMES)["paths"]["/api/loaves"]["post"]["requestBody"]

    assert "example" not in body["content"]["application/json"]


def test_money_and_instants_say_their_bounds(document):
    schemas = document["components"]["schemas"]

    assert "EUR" in schemas["Money"]["properties"]["currency"]["enum"]
    assert schemas["Loaf"]["properties"]["baked_at"]["format"] == "date-time"
    assert schemas["Crust"]["type"] == "string"


def test_schemathesis_reads_the_document(document):
    schema = schemathesis.openapi.from_dict(document)

    assert len(list(schema.get_all_operations())) == 4


def test_every_event_is_a_message_in_a_cloudevents_envelope(bakery):
    document = asyncapi([bakery()], **NAMES)

    message = document["components"]["messages"]["LoafBaked"]
    envelope, own = message["payload"]["allOf"]
    assert (message["name"], message["summary"]) == ("loaves.baked", "A loaf is ready")
    assert envelope == {"$ref": "#/components/schemas/Envelope"}
    assert own["properties"]["type"] == {"const": "loaves.baked"}
    assert own["properties"]["source"] == {"const": "/emporion/bakery"}
    assert own["properties"]["data"] == {"$ref": "#/components/schemas/LoafBaked"}
    assert document["channels"]["loaves"]["messages"] == {
        "LoafBaked": {"$ref": "#/components/messages/LoafBaked"}
    }
    assert document["operations"]["loaves.baked"]["action"] == "send"


def test_two_events_of_one_name_are_refused(bakery):
    with pytest.raises(ValueError, match=r"loaves\.baked"):
        asyncapi([bakery(), bakery()], **NAMES)


def test_an_example_is_only_given_when_the_types_say_enough():
    assert example_of(list[bool]) == [True]
    assert example_of(Money) == {"amount_minor": 250, "currency": "EUR"}
    assert example_of(Instant) == "2026-01-01T12:00:00Z"
    assert example_of(datetime) == "2026-01-01T12:00:00Z"
    assert example_of(Kind) == "anonymous"
    assert example_of(int) == 1
    with pytest.raises(NoExample):
        example_of(float)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One.", ("One", "")),
        ("One. Two\nthree.", ("One", "Two three.")),
        ("  One\n  two.\n\n  Three.", ("One two", "Three.")),
        ("Once, at 2.50. Then\nmore.\n\nEnd.", ("Once, at 2.50", "Then more.\n\nEnd.")),
    ],
)
def test_a_docstring_becomes_summary_and_description(text, parts):
    assert sentences(text) == parts
