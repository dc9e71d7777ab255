"""Complaints name the field and say what it wants, never a pattern or a word of Python."""

from enum import StrEnum
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from emporion.chassis.http.complaint import complaint

Code = Annotated[
    str, Meta(pattern="^[a-z]{2}$(?!\n)", description="Two small letters.", examples=["ab"])
]
Bare = Annotated[str, Meta(pattern="^x$")]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    code: Code
    maybe: Code | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inners: list[Inner] = []
    bare: Bare = "x"
    count: Annotated[int, Meta(le=3)] = 0
    colour: Colour | None = None


@pytest.mark.parametrize(
    ("sent", "path", "said"),
    [
        (
            b'{"inners":[{"code":"ab"},{"code":"?"}]}',
            "inners[1].code",
            "not in the form it must have: Two small letters; for example ab",
        ),
        (
            b'{"inners":[{"code":"ab","maybe":"?"}]}',
            "inners[0].maybe",
            "not in the form it must have: Two small letters; for example ab",
        ),
        (b'{"bare":"?"}', "bare", "not in the form it must have"),
        (b'{"colour":"secret"}', "colour", "not one of red, blue"),
        (b'{"count":4}', "count", "Expected int <= 3"),
        (b'{"inners":[{}]}', "inners[0].code", "is missing"),
        (b'{"inners":[{"code":"ab","colour":1}]}', "inners[0].colour", "there is no such field"),
        (b"[]", "", "Expected object, got array"),
    ],
)
def test_a_complaint_says_where_and_what_is_wanted(sent, path, said):
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(sent, type=Outer)

    assert complaint(raised.value, Outer) == (path, said)
