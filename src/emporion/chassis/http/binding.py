"""From the parts of an HTTP request to the method's request message, validated on the way."""

from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from emporion.chassis.http.complaint import complaint
from emporion.chassis.http.exchange import Exchange
from emporion.chassis.http.problem import (
    IdempotencyKeyRequired,
    InvalidBody,
    InvalidParameter,
    MalformedBody,
    UnknownParameter,
    UnsupportedMediaType,
    wrong_at,
)
from emporion.chassis.http.shape import KEY_HEADER, Field, RestShape, definition
from emporion.contracts.contract import Request
from emporion.kernel.errors import InvalidArgument

PARAMETERS_MAX: Final = 32
_asdict: Final = msgspec.structs.asdict
_JSON: Final = frozenset(
    {
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/json;charset=utf-8",
    }
)


class Binding:
    """Reads the request of one method; everything that can be is prepared when it is built."""

    def __init__(self, shape: RestShape) -> None:
        self._shape = shape
        self._request: type[Request] = shape.rpc.request
        self._path = tuple(field.name for field in shape.path)
        self._lists = frozenset(field.name for field in shape.query if _is_list(field))
        self._query = frozenset(field.name for field in shape.query)
        self._key = shape.header.name if shape.header is not None else None
        self._named = tuple((field.name, title.lower().encode()) for field, title in shape.named)
        self._titles = {field.name: title for field, title in shape.named}
        self._raw = shape.raw.name if shape.raw is not None else None
        beside = [*shape.path, *shape.query, *([shape.header] if shape.header else [])]
        beside += [field for field, _ in shape.named]
        self._beside = _parameters(shape, beside) if beside else None
        self._decode: Any = None
        if shape.body_type is not None:
            self._decode = msgspec.json.Decoder(shape.body_type).decode
        self._body = tuple(field.name for field in shape.body)
        self._is_plain = self._beside is None and self._decode is not None

    def read(self, exchange: Exchange, body: bytes) -> Request:
        """The request message, validated.

        Raises UnknownParameter, InvalidParameter, IdempotencyKeyRequired, UnsupportedMediaType,
        MalformedBody or InvalidBody, each naming the field.
        """
        beside = self._read_beside(exchange, exchange.scope["query_string"])
        if self._raw is not None:
            return self._request(**beside, **{self._raw: body})
        if self._decode is None:
            return self._request(**beside)
        sent = self._read_body(exchange, body)
        if self._is_plain:
            whole: Request = sent
            return whole
        for name in self._body:
            beside[name] = getattr(sent, name)
        return self._request(**beside)

    def _read_beside(self, exchange: Exchange, query: bytes) -> dict[str, Any]:
        """What does not travel in the body."""
        values: dict[str, Any] = self._read_query(query) if query else {}
        if self._path:
            values.update(zip(self._path, exchange.path_values, strict=True))
        if self._beside is None:
            return {}
        if self._key is not None:
            key = exchange.headers.get(b"idempotency-key")
            if key is not None:
                values[self._key] = key.decode("latin-1")
            elif self._shape.rpc.is_key_required:
                raise IdempotencyKeyRequired(
                    f"a repeated request must be recognisable: send {KEY_HEADER}"
                )
        for name, title in self._named:
            if title in exchange.headers:
                values[name] = exchange.headers[title].decode("latin-1")
        try:
            read = msgspec.convert(values, self._beside, strict=False)
        except msgspec.ValidationError as error:
            raise self._invalid_parameter(error) from None
        return _asdict(read)

    def _read_query(self, query: bytes) -> dict[str, Any]:
        try:
            pairs = parse_qsl(
                query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=PARAMETERS_MAX,
            )
        except ValueError:
            raise InvalidParameter("the query string is not valid") from None
        values: dict[str, Any] = {}
        for name, value in pairs:
            if name not in self._query:
                raise wrong_at(UnknownParameter, name[:60], "there is no such parameter here")
            if name in self._lists:
                values.setdefault(name, []).append(value)
            elif name in values:
                raise wrong_at(InvalidParameter, name, "given twice")
            else:
                values[name] = value
        return values

    def _invalid_parameter(self, error: msgspec.ValidationError) -> InvalidArgument:
        field, said = complaint(error, self._beside)
        if field == self._key:
            field = KEY_HEADER
        field = self._titles.get(field, field)
        return wrong_at(InvalidParameter, field, said)

    def _read_body(self, exchange: Exchange, body: bytes) -> Any:
        """The body decoded: the request itself when everything travels in it."""
        if not body and self._shape.is_body_optional:
            body = b"{}"
        elif exchange.headers.get(b"content-type") not in _JSON:
            _check_media_type(exchange)
        if b"content-encoding" in exchange.headers:
            raise UnsupportedMediaType
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise wrong_at(InvalidBody, *complaint(error, self._shape.body_type)) from None
        except UnicodeDecodeError:
            raise MalformedBody("a text in it is not UTF-8") from None
        except msgspec.DecodeError as error:
            raise MalformedBody(str(error) if body else "there is no body") from None
        except RecursionError:
            raise MalformedBody("it is nested too deeply") from None


def _check_media_type(exchange: Exchange) -> None:
    declared = exchange.headers.get(b"content-type", b"")
    media_type, _, parameters = declared.partition(b";")
    charset = parameters.strip().lower().replace(b'"', b"")
    if media_type.strip().lower() != b"application/json" or charset not in {
        b"",
        b"charset=utf-8",
        b"charset=utf8",
    }:
        raise UnsupportedMediaType


def _parameters(shape: RestShape, fields: list[Field]) -> type[msgspec.Struct]:
    """What travels beside the body, as one struct: converting to it is one call."""
    return msgspec.defstruct(
        f"{shape.rpc.grpc_name}Parameters",
        [definition(field) for field in fields],
        frozen=True,
        kw_only=True,
        gc=False,
    )


def _is_list(field: Field) -> bool:
    shape = msgspec.inspect.type_info(field.type)
    while isinstance(shape, msgspec.inspect.Metadata):  # it has a description, or examples
        shape = shape.type
    return isinstance(shape, msgspec.inspect.ListType)
