"""Protobuf bytes to our messages and back, by code that is generated once for each message.

A message of the shop is turned into protobuf's own and serialised by that library, and the other
way round. What lies between is straight-line code written for the message's fields: a loop over
fields with a look at the kind of each costs twice as much, and this runs for every call.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Protocol

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message as ProtoMessage
from msgspec import inspect as shapes

from emporion.chassis.surfaces.proto_model import upper_snake

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400
Source = list[str]


class Names(Protocol):
    """Where a plan finds the protobuf form of a message or an enum."""

    def descriptor(self, kind: type[Any]) -> Descriptor:
        """The descriptor of a message."""
        ...

    def numbers(self, kind: type[Enum]) -> Mapping[str, int]:
        """The number of each value of an enum by its name in the .proto file."""
        ...


class Plans:
    """The code that fills and reads protobuf messages; one function each for a message, kept.

    `fill_<Message>(message, value)` sets the fields; it raises TypeError, ValueError, KeyError or
    AttributeError when the value is not what its type says. `read_<Message>(message)` gives a
    dict that `msgspec.convert` validates.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._scope: dict[str, Any] = {
            "EPOCH": EPOCH,
            "DAY_S": _DAY_S,
            "seconds": timedelta,
        }
        self._written: dict[type[Any], str] = {}
        self._enums: dict[type[Enum], str] = {}

    def fill(self, kind: type[Any]) -> Callable[[ProtoMessage, Any], None]:
        """The function that fills a message from a value of that type."""
        name = self._function(kind)
        found: Callable[[ProtoMessage, Any], None] = self._scope[f"fill_{name}"]
        return found

    def read(self, kind: type[Any]) -> Callable[[ProtoMessage], dict[str, Any]]:
        """The function that reads a message of that type."""
        name = self._function(kind)
        found: Callable[[ProtoMessage], dict[str, Any]] = self._scope[f"read_{name}"]
        return found

    def _function(self, kind: type[Any]) -> str:
        """Write both functions of a message, and those of the messages in it."""
        if kind not in self._written:
            name = f"{kind.__name__}_{len(self._written)}"
            self._written[kind] = name
            fill, read = self._fields(kind)
            source = [
                f"def fill_{name}(m, o):", *_indented(fill or ["pass"]),
                f"def read_{name}(m):", *_indented([*read, "return d"]),
            ]  # fmt: skip
            exec("\n".join(source), self._scope)  # noqa: S102 - made of the names of our own fields
        return self._written[kind]

    def _fields(self, kind: type[Any]) -> tuple[Source, Source]:
        shape = shapes.type_info(kind)
        if not isinstance(shape, shapes.StructType):
            raise TypeError(f"{kind.__name__} is not a message")
        described = self._names.descriptor(kind).fields_by_name
        fill: Source = []
        plain, present = [], []
        for field in shape.fields:
            part = _Field(self, field, described[field.encode_name])
            fill += part.fill()
            if part.has_presence:
                present += part.read_present()
            else:
                plain.append(f"{part.key!r}: {part.read(part.path)}")
        return fill, [f"d = {{{', '.join(plain)}}}", *present]

    def enum(self, kind: type[Enum]) -> str:
        """The name of two tables: `<name>_number` by value, and `<name>_value` by number."""
        name = self._enums.get(kind)
        if name is None:
            name = self._enums[kind] = f"{kind.__name__}_{len(self._enums)}"
            numbers, prefix = self._names.numbers(kind), upper_snake(kind.__name__)
            by_value = {member.value: numbers[f"{prefix}_{member.name}"] for member in kind}
            self._scope[f"{name}_number"] = by_value
            self._scope[f"{name}_value"] = _Values({n: value for value, n in by_value.items()})
        return name

    def name_of(self, kind: type[Any]) -> str:
        """The name in `fill_<name>` and `read_<name>`."""
        return self._function(kind)


class _Values(dict[int, Any]):
    """The values of an enum by number; a number of a newer version becomes what no enum accepts."""

    def __missing__(self, number: int) -> str:
        return f"value {number}"


class _Field:
    """Writes the code of one field."""

    def __init__(self, plans: Plans, field: shapes.Field, described: FieldDescriptor) -> None:
        self._plans = plans
        self._is_nullable, self._shape = _without_none(field.type)
        self._is_required = field.required
        self.key = field.encode_name
        self.path = f"m.{described.name}"
        self._value = f"o.{field.name}"
        self._name = described.name
        is_plural = isinstance(self._shape, shapes.ListType | shapes.DictType)
        if is_plural and self._is_nullable:
            raise TypeError(f"{described.full_name}: a list that may be missing has no form here")
        if self._is_nullable and not field.required and field.default is not None:
            raise TypeError(f"{described.full_name}: None would be read as its default")
        self.has_presence = described.has_presence and not is_plural

    def fill(self) -> Source:
        """Set it from `o` in `m`."""
        if not self._is_nullable:
            return self._fill(self._shape, self._value)
        return [
            f"v = {self._value}",
            "if v is not None:",
            *_indented(self._fill(self._shape, "v")),
        ]

    def _fill(self, shape: shapes.Type, value: str) -> Source:
        path = self.path
        if isinstance(shape, shapes.ListType):
            return self._fill_list(_bare(shape.item_type), value)
        if isinstance(shape, shapes.DictType):
            item = _bare(shape.value_type)
            if isinstance(item, shapes.StructType):
                inner = self._plans.name_of(item.cls)
                return [f"for k, x in {value}.items():", f"    fill_{inner}({path}[k], x)"]
            return [f"{path}.update({value})"]
        if isinstance(shape, shapes.StructType):
            inner = self._plans.name_of(shape.cls)
            return [f"s = {path}", "s.SetInParent()", f"fill_{inner}(s, {value})"]
        if isinstance(shape, shapes.DateTimeType):
            return [f"t = {path}", *_fill_instant("t", value)]
        return [f"{path} = {self._plain(shape, value)}"]

    def _fill_list(self, item: shapes.Type, value: str) -> Source:
        path = self.path
        if isinstance(item, shapes.StructType):
            inner = self._plans.name_of(item.cls)
            return [f"add = {path}.add", f"for x in {value}:", f"    fill_{inner}(add(), x)"]
        if isinstance(item, shapes.DateTimeType):
            return [
                f"for x in {value}:",
                f"    t = {path}.add()",
                *_indented(_fill_instant("t", "x")),
            ]
        if isinstance(item, shapes.EnumType):
            return [f"{path}.extend([{self._plain(item, 'x')} for x in {value}])"]
        return [f"{path}.extend({value})"]

    def _plain(self, shape: shapes.Type, value: str) -> str:
        if isinstance(shape, shapes.EnumType):
            return f"{self._plans.enum(shape.cls)}_number[{value}]"
        return value

    def read_present(self) -> Source:
        """Read it into `d` when it is there; nothing means None, or the default of the message."""
        lines = [
            f"if m.HasField({self._name!r}):",
            f"    d[{self.key!r}] = {self.read(self.path)}",
        ]
        if self._is_nullable and self._is_required:
            lines += ["else:", f"    d[{self.key!r}] = None"]
        return lines

    def read(self, path: str) -> str:
        """The expression of its value."""
        shape = self._shape
        if isinstance(shape, shapes.ListType):
            item = _bare(shape.item_type)
            one = self._read_one(item, "x")
            return f"list({path})" if one == "x" else f"[{one} for x in {path}]"
        if isinstance(shape, shapes.DictType):
            one = self._read_one(_bare(shape.value_type), "x")
            return f"{{k: {one} for k, x in {path}.items()}}"
        return self._read_one(shape, path)

    def _read_one(self, shape: shapes.Type, path: str) -> str:
        if isinstance(shape, shapes.StructType):
            return f"read_{self._plans.name_of(shape.cls)}({path})"
        if isinstance(shape, shapes.EnumType):
            return f"{self._plans.enum(shape.cls)}_value[{path}]"
        if isinstance(shape, shapes.DateTimeType):
            return f"EPOCH + seconds(0, {path}.seconds, {path}.nanos // 1000)"
        return path


def _fill_instant(target: str, value: str) -> Source:
    return [
        f"e = {value} - EPOCH",
        f"{target}.seconds = e.days * DAY_S + e.seconds",
        f"{target}.nanos = e.microseconds * 1000",
    ]


def _without_none(shape: shapes.Type) -> tuple[bool, shapes.Type]:
    """Whether None is allowed, and what else is; `proto_files` has refused other unions."""
    bare = _bare(shape)
    if not isinstance(bare, shapes.UnionType):
        return False, bare
    [choice] = [_bare(item) for item in bare.types if not isinstance(item, shapes.NoneType)]
    return True, choice


def _bare(shape: shapes.Type) -> shapes.Type:
    return _bare(shape.type) if isinstance(shape, shapes.Metadata) else shape


def _indented(lines: Source) -> Source:
    return [f"    {line}" for line in lines]


class Codec:
    """Encodes and decodes messages of one type."""

    __slots__ = ("_fill", "_kind", "_make", "_parse", "_read")

    def __init__(self, kind: type[Any], plans: Plans, form: type[ProtoMessage]) -> None:
        self._kind = kind
        self._fill = plans.fill(kind)
        self._read = plans.read(kind)
        self._make = form
        self._parse = form.FromString

    def encode(self, value: Any) -> bytes:
        """The bytes. Raises what `Plans` says when the value is not what its type says."""
        message = self._make()
        self._fill(message, value)
        return message.SerializeToString()

    def decode(self, data: bytes) -> Any:
        """The validated message.

        Raises protobuf's DecodeError, msgspec's ValidationError, ValueError or OverflowError.
        """
        return msgspec.convert(self._read(self._parse(data)), self._kind)
