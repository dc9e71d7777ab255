"""Instants, ids and aggregates keep their promises."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.contracts.words import ReadableNote
from emporion.kernel.addresses import without_addresses
from emporion.kernel.aggregate import Aggregate, NotInThisState
from emporion.kernel.clock import to_datetime, to_instant_ms
from emporion.kernel.ids import has_prefix


@given(st.integers(0, 4_102_444_800_000))
def test_an_instant_survives_the_way_to_a_datetime_and_back(instant_ms: int) -> None:
    assert to_instant_ms(to_datetime(instant_ms)) == instant_ms


def test_a_naive_time_names_no_instant() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_instant_ms(datetime.fromtimestamp(0, UTC).replace(tzinfo=None))


@pytest.mark.parametrize(
    ("candidate", "is_one"),
    [
        ("ord_" + "0" * 32, True),
        ("ord_" + "0" * 31, False),
        ("ord_" + "g" * 32, False),
        ("usr_" + "0" * 32, False),
        ("ord_" + "0" * 32 + "\n", False),
        ("", False),
    ],
)
def test_an_id_says_what_it_names(candidate: str, is_one: bool) -> None:
    assert has_prefix(candidate, "ord") is is_one


class Light(StrEnum):
    OFF = "off"
    ON = "on"


class SwitchedOn:
    pass


class SwitchedOff:
    pass


class Lamp(Aggregate[SwitchedOn | SwitchedOff]):
    START = Light.OFF
    LIFECYCLE = {  # noqa: RUF012
        (Light.OFF, SwitchedOn): Light.ON,
        (Light.ON, SwitchedOff): Light.OFF,
    }


def test_what_is_not_in_the_table_is_refused_and_changes_nothing() -> None:
    lamp = Lamp("lamp")
    with pytest.raises(NotInThisState):
        lamp.record(SwitchedOff())
    assert (lamp.status, lamp.version, lamp.pending) == (Light.OFF, 0, [])


@given(st.lists(st.sampled_from([SwitchedOn, SwitchedOff]), max_size=20))
def test_history_folds_to_what_was_recorded(kinds: list[type]) -> None:
    lamp, events = Lamp("lamp"), []
    for kind in kinds:
        event = kind()
        try:
            lamp.record(event)
        except NotInThisState:
            continue
        events.append(event)
    again = Lamp.from_history("lamp", events)
    assert (again.status, again.version) == (lamp.status, lamp.version)
    assert lamp.take_pending() == events
    assert lamp.stored_version == lamp.version


@pytest.mark.parametrize(
    ("note", "is_one"),
    [
        ("second delivery", True),
        ("", True),
        ("3 @ 2.50 EUR", True),
        ("for usr_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b", True),
        ("n" * 201, False),
        ("for ada@example.test", False),
        ("<ada@example>", False),
        ("two\nlines", False),
    ],
)
def test_a_note_that_stays_readable_has_no_address_in_it(note: str, is_one: bool) -> None:
    try:
        said = msgspec.convert(note, ReadableNote)
    except msgspec.ValidationError:
        said = None
    assert (said == note) is is_one


def test_addresses_are_taken_out_of_what_others_say() -> None:
    said = "550 <ada@example.test>: unknown (mailto:ada@example.test), 3 @ 2.50"
    assert without_addresses(said) == "550 <(address)>: unknown (mailto:(address)), 3 @ 2.50"
