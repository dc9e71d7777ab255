"""What the crash matrix can watch for, and what a place to kill at is."""

from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """On which side of the thing."""

    BEFORE = "before"
    AFTER = "after"
    AMID = "amid"
    """While it is under way: pages of a checkpoint are half copied."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a service's database that holds a transaction of `work`.

    BEFORE: its statements have run, COMMIT has not. AFTER: it is durable, and nobody was told.

    Args:
        database: the service.
        work: what the transaction is for, as victim.py labels it.
        result: only transactions whose result has this status.
    """

    database: str
    work: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function, `module:Class.name` or `module:name`.

    Args:
        target: the function.
        work: only calls within what victim.py labels so; empty: all.
    """

    target: str
    work: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """The doing or undoing of a saga's step, as victim.py labels it."""

    work: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Moving a service's write-ahead log into its file."""

    database: str


Hook = Commit | Call | Step | Checkpoint


@dataclass(frozen=True, slots=True)
class Point:
    """Where to kill.

    Args:
        stage: the part of the shop's life it belongs to; a heading of the table.
        name: what the point is called.
        hook: what is watched.
        when: on which side of it.
        hits: at which occurrences to kill, one kill each.
        needs: what many orders must meet so that the point is reached: a name in shoppers.MIXES.
    """

    stage: str
    name: str
    hook: Hook
    when: When
    hits: tuple[int, ...] = (1, 4, 15)
    needs: str = ""

    @property
    def title(self) -> str:
        """`order: before the commit of the charge`."""
        return f"{self.stage}: {self.name}"
