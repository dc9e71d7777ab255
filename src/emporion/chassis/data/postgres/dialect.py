"""Says in PostgreSQL's words what our statements say in the dialect that the engines share."""

import re
from functools import lru_cache
from itertools import count
from typing import NamedTuple

STATEMENTS_MAX = 2_048
_WORDS = re.compile(
    r"(?P<literal>'(?:[^']|'')*')"
    r"|json_each\(\?(?P<list>\d*)\)"
    r"|\?(?P<parameter>\d*)"
    r"|(?P<lock>/\* for update \*/)"
)


class Statement(NamedTuple):
    """A statement as PostgreSQL takes it, and whether it may change something."""

    text: str
    is_write: bool


@lru_cache(maxsize=STATEMENTS_MAX)
def translated(sql: str) -> Statement:
    """The statement, worked out once for each text.

    `?` and `?3` become `$1`, `$3`; `json_each(?)` the function that yields a column `value` from
    a JSON list of texts; a comment `/* for update */` the clause.
    """
    numbers = count(1)

    def number(given: str) -> str:
        return f"${given or next(numbers)}"

    def word(found: re.Match[str]) -> str:
        if found["literal"] is not None:
            return found["literal"]
        if found["lock"] is not None:
            return "FOR UPDATE"
        if found["list"] is not None:
            return f"json_array_elements_text(CAST({number(found['list'])} AS json))"
        return number(found["parameter"])

    return Statement(_WORDS.sub(word, sql), not sql.lstrip().upper().startswith("SELECT"))
