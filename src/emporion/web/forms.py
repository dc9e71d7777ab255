"""Forms: read from a body, and turned into messages of the contracts with a word for each fault."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from emporion.chassis.http.body import BodyReader
from emporion.chassis.http.complaint import complaint
from emporion.chassis.http.exchange import Exchange
from emporion.chassis.http.problem import MalformedBody, UnsupportedMediaType
from emporion.contracts.contract import Request
from emporion.kernel.errors import InvalidArgument

R = TypeVar("R", bound=Request)
FORM_BYTES_MAX: Final = 64 * 1024
FIELDS_MAX: Final = 500
_FORM: Final = b"application/x-www-form-urlencoded"


class Fields:
    """The fields of a form or of a query, as sent."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """A field without the blanks around it; empty when it was not sent."""
        return self._values.get(name, [""])[0].strip()

    def exactly(self, name: str) -> str:
        """A field as it is: a password may begin with a blank."""
        return self._values.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self._values.get(name, [])


NO_FIELDS: Final = Fields({})


def read_query(exchange: Exchange) -> Fields:
    """The query of an address. Raises InvalidArgument for one that cannot be read."""
    return _fields(exchange.scope["query_string"])


async def read_form(exchange: Exchange, bodies: BodyReader) -> Fields:
    """The form in a body of at most FORM_BYTES_MAX.

    Raises UnsupportedMediaType, MalformedBody, BodyTooLarge, BodyTooSlow, or ClientGone.
    """
    media_type = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != _FORM or b"content-encoding" in exchange.headers:
        raise UnsupportedMediaType(f"a form is sent as {_FORM.decode()}")
    body = bodies.at_hand(exchange, FORM_BYTES_MAX)
    if body is None:
        body = await bodies.read(exchange, FORM_BYTES_MAX)
    return _fields(body)


def _fields(data: bytes) -> Fields:
    values: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise MalformedBody("the fields cannot be read") from error
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return Fields(values)


def message(kind: type[R], /, **values: Any) -> R:
    """The request that a form asks for; texts become numbers where the contract has numbers.

    Raises InvalidArgument, with the first field that is wrong in its field `field`.
    """
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        field, said = complaint(error, kind)
        raise InvalidArgument(said, field=field) from error
