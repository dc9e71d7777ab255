"""Example values for the API description, built from what the fields' types say."""

from typing import Any, Final

from msgspec import inspect as shapes

from emporion.kernel.money import Money


class NoExample(Exception):
    """Nothing in the type says what a value looks like."""


_MONEY: Final = {"amount_minor": 250, "currency": "EUR"}
_INSTANT: Final = "2026-01-01T12:00:00Z"


def example_of(kind: Any) -> Any:
    """A value of that type, in JSON's terms. Raises NoExample when the types do not say enough.

    Optional fields are left out.
    """
    return _example(shapes.type_info(kind))


def _example(shape: shapes.Type) -> Any:
    if isinstance(shape, shapes.Metadata):
        given = (shape.extra_json_schema or {}).get("examples")
        return given[0] if given else _example(shape.type)
    if isinstance(shape, shapes.StructType):
        if shape.cls is Money:
            return dict(_MONEY)
        return {field.encode_name: _example(field.type) for field in shape.fields if field.required}
    if isinstance(shape, shapes.ListType):
        return [_example(shape.item_type)]
    return _scalar(shape)


def _scalar(shape: shapes.Type) -> Any:
    match shape:
        case shapes.EnumType():
            value: Any = next(iter(shape.cls)).value
        case shapes.DateTimeType():
            value = _INSTANT
        case shapes.IntType():
            value = 1 if shape.ge is None else shape.ge
        case shapes.BoolType():
            value = True
        case shapes.StrType() if shape.pattern is None:
            value = "x" * (shape.min_length or 1)
        case _:
            raise NoExample(repr(shape))
    return value
