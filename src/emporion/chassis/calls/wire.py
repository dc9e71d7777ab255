"""Errors between processes: (slug, category, detail, fields) there, the declared class here."""

from collections.abc import Mapping

import msgspec

from emporion.kernel.errors import CATEGORIES, EmporionError, Field, Internal, InvalidArgument

_RETRIED = "is_retried"


class WireError(msgspec.Struct, frozen=True):
    """An error as it travels. `is_retried`: a layer below has retried already; do not add to it."""

    slug: str
    category: str
    detail: str
    fields: dict[str, Field] = {}
    is_retried: bool = False


class ErrorTable:
    """The errors a caller of one method can meet: those it declares, and the categories.

    Anything else a method raises arrives as its category, locally as well as remotely: a caller
    cannot come to depend on a class that the contract does not name.
    """

    def __init__(self, raises: tuple[type[EmporionError], ...]) -> None:
        self.known = frozenset(raises) | frozenset(CATEGORIES.values())
        self._by_slug = {(kind.category, kind.slug): kind for kind in raises}

    def as_declared(self, error: EmporionError) -> EmporionError:
        """The error itself when its class is known here, otherwise its like in a known class."""
        if type(error) in self.known:
            return error
        return self.from_wire(to_wire(error))

    def from_wire(self, wire: WireError) -> EmporionError:
        """The error that was meant; an unknown category counts as Internal."""
        kind = self._by_slug.get((wire.category, wire.slug)) or CATEGORIES.get(
            wire.category, Internal
        )
        error = kind.__new__(kind)
        EmporionError.__init__(error, wire.detail, **wire.fields)
        if wire.is_retried:
            mark_retried(error)
        return error


def to_wire(error: EmporionError) -> WireError:
    """What travels: never the stack, never the cause."""
    fields: Mapping[str, Field] = error.fields
    return WireError(error.slug, error.category, error.detail, dict(fields), is_retried(error))


def mark_retried(error: EmporionError) -> None:
    """Say that whoever met this error first has done the retrying."""
    vars(error)[_RETRIED] = True


def is_retried(error: EmporionError) -> bool:
    """Whether a retry layer below has given up on it: there is one retry layer only."""
    return _RETRIED in vars(error)


def invalid(error: Exception) -> InvalidArgument:
    """The InvalidArgument for a decoder's complaint; field `path` says where, like `$.lines[0]`."""
    problem, _, path = str(error).partition(" - at ")
    return InvalidArgument(problem, path=path.strip("`") or "$")
