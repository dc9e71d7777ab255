"""Statements over arrays: what several ask with the same words is asked once, for all of them.

A statement's arguments become columns, `unnest($1::text[], ...)`, and the statement reads them
beside its tables. Three forms are known: INSERT of one row of values, UPDATE, and a SELECT without
an order. Everything else is asked one by one.
"""

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

FORMS_MAX = 2_048
PLACE = "asked_place"
BY_ITSELF = "OFFSET 0"
"""Keeps a SELECT apart from what it is joined to: it is planned as if it were asked alone."""
_PARAMETER = re.compile(r"'(?:[^']|'')*'|\$(\d+)")
_INSERT = re.compile(
    r"\s*(?P<into>INSERT\s+INTO\s+\w+(?:\s*\([^()]*\))?)\s*VALUES\s*(?P<rest>\(.*)",
    re.DOTALL | re.IGNORECASE,
)
_DO_NOTHING = re.compile(r"\s*ON\s+CONFLICT\s*(?:\([\w\s,]*\))?\s*DO\s+NOTHING\s*", re.IGNORECASE)
_UPDATE = re.compile(
    r"\s*(?P<change>UPDATE\s+\w+\s+SET\s(?:(?!\bSELECT\b|\bWHERE\b).)*)"
    r"\bWHERE\b(?P<where>(?:(?!\bRETURNING\b).)*)",
    re.DOTALL | re.IGNORECASE,
)
_SELECT = re.compile(
    r"\s*SELECT\b(?:(?!\bFOR\s+UPDATE\b|\bpg_advisory|\bORDER\s+BY\b|\bLIMIT\b).)*",
    re.DOTALL | re.IGNORECASE,
)


class Kind(Enum):
    """What a form over arrays answers."""

    INSERT = "how many rows there are now"
    INSERT_NEW = "how many of the rows were new"
    UPDATE = "the places of those that changed a row, once for each row"
    SELECT = "the place of who asked, then the row"


class Form(NamedTuple):
    """A statement over arrays, before its parameters have their types."""

    kind: Kind
    before: str
    after: str

    def text(self, types: Sequence[str]) -> str:
        """The statement, given the type of each parameter."""
        arrays = ", ".join(f"${number}::{name}[]" for number, name in enumerate(types, 1))
        names = ", ".join(f"p{number}" for number in range(1, len(types) + 1))
        source = f"unnest({arrays}) WITH ORDINALITY AS asked ({names}, {PLACE})"
        return f"{self.before} {source} {self.after}"


@lru_cache(maxsize=FORMS_MAX)
def over_arrays(text: str) -> Form | None:
    """The form of a statement with `$1`; None: there is none.

    What several rows would have to settle between them (a conflict that updates, rows that are
    locked or returned) has no form. Neither has a statement without parameters.
    """
    if "$1" not in text:
        return None
    if found := _INSERT.fullmatch(text):
        return _insert(found["into"], found["rest"])
    if found := _UPDATE.fullmatch(text):
        change, where = _columns(found["change"]), _columns(found["where"])
        return Form(Kind.UPDATE, f"{change} FROM", f"WHERE {where} RETURNING {PLACE}")
    if _SELECT.fullmatch(text):
        found_rows = f"({_columns(text)} {BY_ITSELF}) AS found"
        return Form(
            Kind.SELECT, f"SELECT {PLACE}, found.* FROM", f"CROSS JOIN LATERAL {found_rows}"
        )
    return None


def _insert(into: str, rest: str) -> Form | None:
    end = _end_of_parenthesis(rest)
    values, clause = rest[1:end], rest[end + 1 :]
    if not clause.strip():
        kind = Kind.INSERT
    elif _DO_NOTHING.fullmatch(clause):
        kind = Kind.INSERT_NEW
    else:
        return None
    return Form(kind, f"{into} SELECT {_columns(values)} FROM", clause.strip())


def _end_of_parenthesis(text: str) -> int:
    """Where the parenthesis closes that the text begins with. Literals hold none in our SQL."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return place
    return len(text)


def _columns(text: str) -> str:
    """`$3` becomes the third column of what is asked."""
    return _PARAMETER.sub(lambda found: f"asked.p{found[1]}" if found[1] else found[0], text)
