"""What is published is a CloudEvents 1.0 envelope, in the transaction that made it true."""

import json

import pytest

from emporion.chassis.events import outbox
from emporion.chassis.testing.bus_rig import StepDone
from emporion.chassis.testing.time import START_MS, SeededIds
from emporion.contracts.contract import Event, EventSpec
from emporion.contracts.order import OrderCreated

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def row(event: Event, *, traceparent: str = TRACEPARENT) -> outbox.OutboxRow:
    return outbox.row(
        event, source="shop", ids=SeededIds(), now_ms=START_MS + 123, traceparent=traceparent
    )


def test_an_event_becomes_a_cloudevents_envelope():
    event_id, name, topic, key, occurred_at_ms, payload = row(StepDone(thing="a", step=3))

    assert (name, topic, key) == ("things.step_done", "things", "a")
    assert occurred_at_ms == START_MS + 123
    assert json.loads(payload) == {
        "specversion": "1.0",
        "id": event_id,
        "source": "/emporion/shop",
        "type": "things.step_done",
        "subject": "a",
        "time": "2026-01-01T00:00:00.123000Z",
        "datacontenttype": "application/json",
        "traceparent": TRACEPARENT,
        "data": {"thing": "a", "step": 3},
    }


def test_an_envelope_without_a_trace_says_nothing_about_one():
    assert "traceparent" not in json.loads(row(StepDone(thing="a", step=1), traceparent="")[-1])


def test_a_later_version_of_an_event_says_so():
    class Renamed(Event, frozen=True, kw_only=True):
        SPEC = EventSpec("things.renamed", key="thing", version=2)
        thing: str

    assert json.loads(row(Renamed(thing="a"))[-1])["dataversion"] == 2


def test_each_event_has_an_id_of_its_own():
    ids = SeededIds()
    rows = [
        outbox.row(StepDone(thing="a", step=1), source="s", ids=ids, now_ms=0, traceparent="")
        for _ in range(3)
    ]

    assert len({each[0] for each in rows}) == 3
    assert all(each[0].startswith("evt_") for each in rows)


def test_an_event_whose_key_is_no_field_of_it_is_refused():
    class Keyless(Event, frozen=True, kw_only=True):
        SPEC = EventSpec("things.lost", key="thing")
        other: str

    with pytest.raises(TypeError, match="Keyless has no field 'thing'"):
        row(Keyless(other="a"))


def test_an_event_belongs_to_the_service_whose_contract_declares_it():
    assert outbox.owner_of(OrderCreated) == "order"
