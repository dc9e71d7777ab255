"""Errors on the wire and in storage: slug, category, detail and fields; and the class again."""

from collections.abc import Sequence

import msgspec

from emporion.kernel.errors import CATEGORIES, EmporionError, Field, Internal


class WireError(msgspec.Struct, frozen=True, gc=False):
    """An error as data."""

    slug: str
    category: str
    title: str
    detail: str
    fields: dict[str, Field]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(WireError)


def to_wire(error: EmporionError) -> WireError:
    """An error as data."""
    return WireError(error.slug, error.category, error.title, error.detail, dict(error.fields))


def from_wire(data: WireError, known: Sequence[type[EmporionError]] = ()) -> EmporionError:
    """The error again: of the class in `known` that has its slug, else of its category.

    An error of the category keeps slug and title, so that whoever passes it on loses nothing.
    """
    for kind in known:
        if kind.slug == data.slug:
            return kind(data.detail, **data.fields)
    error = CATEGORIES.get(data.category, Internal)(data.detail, **data.fields)
    error.slug = data.slug
    error.title = data.title
    return error


def encode(error: EmporionError) -> bytes:
    """JSON."""
    return _encoder.encode(to_wire(error))


def decode(data: bytes, known: Sequence[type[EmporionError]] = ()) -> EmporionError:
    """The error of `encode`. Raises msgspec.DecodeError when it is not one."""
    return from_wire(_decoder.decode(data), known)
