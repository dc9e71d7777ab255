"""What is wrong with a value, in words for whoever wrote the client."""

import re
from typing import Any, Final

import msgspec
from msgspec import inspect as shapes

_PLACE: Final = re.compile(r"(?P<said>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`")
_UNKNOWN: Final = "Object contains unknown field"
_STEP: Final = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_PATTERN: Final = "matching regex"
_ENUM: Final = "Invalid enum value"
_PATH_CHARS_MAX: Final = 200
_SAID_CHARS_MAX: Final = 300


def complaint(error: msgspec.ValidationError, kind: Any) -> tuple[str, str]:
    """The path of the field, e.g. `lines[0].sku`, and what is wrong with it.

    A value of the wrong form is told what its field is for and an example, not a pattern, as far
    as `kind`, the type that was decoded, says so. What was sent is not repeated.
    """
    match = _PLACE.match(str(error))
    assert match is not None  # noqa: S101 - every text matches
    said, path = match["said"], match["path"] or ""
    named = _NAMED.match(said)
    if named is not None:
        path = f"{path}.{named['name']}" if path else named["name"]
        said = "there is no such field" if said.startswith(_UNKNOWN) else "is missing"
    elif _PATTERN in said:
        said = _form_wanted(kind, path)
    elif said.startswith(_ENUM):
        said = _choices(kind, path)
    return path[:_PATH_CHARS_MAX], said.replace("`", "")[:_SAID_CHARS_MAX]


def _form_wanted(kind: Any, path: str) -> str:
    hints, _ = _found_at(shapes.type_info(kind), _STEP.findall(path))
    words = "not in the form it must have"
    if "description" in hints:
        words = f"{words}: {hints['description'].removesuffix('.')}"
    if hints.get("examples"):
        words = f"{words}; for example {hints['examples'][0]}"
    return words


def _choices(kind: Any, path: str) -> str:
    _, shape = _found_at(shapes.type_info(kind), _STEP.findall(path))
    if not isinstance(shape, shapes.EnumType):
        return "not one of its values"
    return f"not one of {', '.join(str(member.value) for member in shape.cls)}"


def _found_at(shape: shapes.Type, steps: list[str]) -> tuple[dict[str, Any], shapes.Type | None]:
    """The field at the end of the path: what the schema says beside its type, and the type."""
    hints: dict[str, Any] = {}
    if isinstance(shape, shapes.Metadata):
        hints, shape = shape.extra_json_schema or {}, shape.type
    if isinstance(shape, shapes.UnionType):
        some = (each for each in shape.types if not isinstance(each, shapes.NoneType))
        return _found_at(next(some), steps)
    if not steps:
        return hints, shape
    if isinstance(shape, shapes.ListType):
        return _found_at(shape.item_type, steps[1:])
    if isinstance(shape, shapes.StructType):
        for field in shape.fields:
            if field.encode_name == steps[0]:
                return _found_at(field.type, steps[1:])
    return {}, None
