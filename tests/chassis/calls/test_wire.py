"""Errors keep their meaning on the way, and lose what nobody else may see."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.calls.wire import (
    ErrorTable,
    WireError,
    invalid,
    is_retried,
    mark_retried,
    to_wire,
)
from emporion.chassis.testing.sample_service import Echo, TooLoud, Undeclared
from emporion.kernel.errors import CATEGORIES, EmporionError, FailedPrecondition, Internal

TABLE = ErrorTable((TooLoud,))
fields = st.dictionaries(
    st.sampled_from(["sku", "available", "wanted", "shortages", "detail", "title"]),
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=20)
    | st.lists(st.text(max_size=5), max_size=3),
    max_size=4,
)


class OddlyMade(FailedPrecondition):
    """Needs more than a detail to be made."""

    slug = "oddly-made"

    def __init__(self, first: str, second: int) -> None:
        super().__init__(f"{first} and {second}", second=second)


def there_and_back(error: EmporionError, table: ErrorTable = TABLE) -> EmporionError:
    wire = msgspec.json.decode(msgspec.json.encode(to_wire(error)), type=WireError)
    return table.from_wire(wire)


@given(st.sampled_from([TooLoud, *CATEGORIES.values()]), st.text(min_size=1, max_size=50), fields)
def test_a_known_error_comes_back_as_it_was(
    kind: type[EmporionError], detail: str, extra: dict[str, str | int | bool | list[str] | None]
) -> None:
    error = kind(detail, **extra)

    back = there_and_back(error)

    assert type(back) is kind
    assert (back.detail, back.fields) == (detail, extra)
    assert (back.slug, back.category) == (kind.slug, kind.category)


@pytest.mark.parametrize("kind", [TooLoud, *CATEGORIES.values()])
def test_a_known_error_stays_the_same_object_locally(kind: type[EmporionError]) -> None:
    error = kind("x")

    assert TABLE.as_declared(error) is error


def test_an_undeclared_error_becomes_its_category_with_detail_and_fields() -> None:
    declared = TABLE.as_declared(Undeclared("changed", version=3))

    assert type(declared) is CATEGORIES["Conflict"]
    assert (declared.detail, declared.fields) == ("changed", {"version": 3})


def test_a_class_that_is_made_in_its_own_way_comes_back_too() -> None:
    back = there_and_back(OddlyMade("this", 2), ErrorTable((OddlyMade,)))

    assert type(back) is OddlyMade
    assert back.detail == "this and 2"


def test_an_unknown_category_of_a_newer_peer_counts_as_internal() -> None:
    assert type(TABLE.from_wire(WireError("new", "Newer", "something"))) is Internal


def test_that_somebody_retried_already_travels_along() -> None:
    error = CATEGORIES["Unavailable"]("gone")
    assert not is_retried(there_and_back(error))

    mark_retried(error)

    assert is_retried(there_and_back(error))


def test_an_invalid_field_is_named_by_its_path() -> None:
    with pytest.raises(msgspec.ValidationError) as complaint:
        msgspec.json.decode(b'{"text": "x", "words": [{"text": ""}]}', type=Echo)

    refused = invalid(complaint.value)

    assert refused.fields == {"path": "$.words[0].text"}
    assert "length" in refused.detail
