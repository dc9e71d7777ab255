"""A .proto file for each service, from the same declarations that answer its calls."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from msgspec import inspect as shapes

from emporion.chassis.surfaces.proto_model import (
    ProtoEnum,
    ProtoField,
    ProtoFile,
    ProtoMessage,
    ProtoMethod,
    upper_snake,
    zero_value,
)
from emporion.chassis.surfaces.schemas import events_of
from emporion.contracts.contract import Empty, Event, Retry, Rpc, Service, rpcs
from emporion.kernel.value import Value

EMPTY = "google.protobuf.Empty"
TIMESTAMP = "google.protobuf.Timestamp"
_FILE_OF = {
    EMPTY: "google/protobuf/empty.proto",
    TIMESTAMP: "google/protobuf/timestamp.proto",
}
_WORDS = "emporion.kernel.v1"
"""The package of what every contract may use."""
_SCALARS: dict[type[shapes.Type], str] = {
    shapes.StrType: "string",
    shapes.IntType: "int64",
    shapes.BoolType: "bool",
    shapes.FloatType: "double",
    shapes.BytesType: "bytes",
    shapes.DateTimeType: TIMESTAMP,
}


def proto_files(contracts: Sequence[type[Service]]) -> list[ProtoFile]:
    """One file a service and one for the kernel's words; field numbers are not given yet.

    Events are messages of their publisher's file. Raises TypeError for a type that has no form
    in protobuf, or that belongs to none of the contracts.
    """
    packages = packages_of(contracts)
    files = []
    kernel: dict[str, type[Any]] = {}
    for contract in contracts:
        writer = _Writer(packages, package_of(contract))
        files.append(writer.file(contract))
        kernel |= writer.kernel
    if kernel:
        writer = _Writer(packages, _WORDS)
        files.append(writer.words(list(kernel.values())))
    return files


def packages_of(contracts: Sequence[type[Service]]) -> dict[str, str]:
    """The proto package of each contract's modules."""
    return {
        module: package_of(contract)
        for contract in contracts
        for module in (contract.__module__, *contract.MODULES)
    }


def message_name(kind: type[Any], packages: Mapping[str, str]) -> str:
    """The full name of a message or an enum: `emporion.order.v1.Order`."""
    if kind is Empty:
        return EMPTY
    return f"{packages.get(kind.__module__, _WORDS)}.{kind.__name__}"


def package_of(contract: type[Service]) -> str:
    """The proto package of a contract: `emporion.order.v1`."""
    return f"emporion.{contract.NAME}.v{contract.VERSION}"


def _path(package: str) -> str:
    return f"{package.replace('.', '/')}/{package.split('.')[1]}.proto"


class _Writer:
    """Writes one file; collects what it refers to on the way."""

    def __init__(self, packages: dict[str, str], package: str) -> None:
        self._packages = packages
        self._package = package
        self._imports: set[str] = set()
        self._own: dict[str, type[Any]] = {}
        self.kernel: dict[str, type[Any]] = {}

    def file(self, contract: type[Service]) -> ProtoFile:
        methods = tuple(self._method(rpc) for rpc in rpcs(contract).values())
        for event in events_of(contract):
            self._refer(event)
        messages, enums = self._definitions(contract.__module__)
        return ProtoFile(
            path=_path(self._package),
            package=self._package,
            imports=tuple(sorted(self._imports)),
            messages=messages,
            enums=enums,
            service=contract.__name__,
            methods=methods,
            note=contract.SUMMARY,
        )

    def words(self, kinds: list[type[Any]]) -> ProtoFile:
        for kind in kinds:
            self._refer(kind)
        messages, enums = self._definitions("")
        return ProtoFile(
            path=_path(self._package),
            package=self._package,
            imports=tuple(sorted(self._imports)),
            messages=messages,
            enums=enums,
            note="Words that every contract may use.",
        )

    def _definitions(self, module: str) -> tuple[tuple[ProtoMessage, ...], tuple[ProtoEnum, ...]]:
        """Everything referred to, in the order of the module, and what that refers to in turn."""
        messages: dict[str, ProtoMessage] = {}
        enums: dict[str, ProtoEnum] = {}
        while missing := [
            kind for name, kind in self._own.items() if name not in messages and name not in enums
        ]:
            for kind in missing:
                if issubclass(kind, Enum):
                    enums[kind.__name__] = _enum(kind)
                else:
                    messages[kind.__name__] = self._message(kind)
        order = list(vars(sys.modules[module])) if module else sorted(self._own)
        ranks = {name: rank for rank, name in enumerate(order)}

        def rank(item: ProtoMessage | ProtoEnum) -> tuple[int, str]:
            return ranks.get(item.name, len(ranks)), item.name

        return tuple(sorted(messages.values(), key=rank)), tuple(sorted(enums.values(), key=rank))

    def _method(self, rpc: Rpc) -> ProtoMethod:
        request, reply = self._full(rpc.request), self._full(rpc.reply)
        return ProtoMethod(rpc.grpc_name, request, reply, _method_note(rpc))

    def _full(self, kind: type[Any]) -> str:
        name = self._refer(kind)
        return name if "." in name else f"{self._package}.{name}"

    def _message(self, kind: type[Any]) -> ProtoMessage:
        shape = shapes.type_info(kind)
        assert isinstance(shape, shapes.StructType)  # noqa: S101 - `_refer` saw to it
        where = kind.__name__
        fields = tuple(
            ProtoField(
                field.encode_name,
                self._labelled(field, f"{where}.{field.name}"),
                is_required=field.required,
                note=_described(field.type),
            )
            for field in shape.fields
        )
        return ProtoMessage(where, fields, _message_note(kind))

    def _labelled(self, field: shapes.Field, where: str) -> str:
        """The field's type; optional where absence means a default that is not the type's zero."""
        written = self._type(field.type, where)
        is_bare = not written.startswith(("optional ", "repeated ", "map<"))
        if is_bare and not field.required and field.default not in ("", 0, False):
            return f"optional {written}"
        return written

    def _type(self, shape: shapes.Type, where: str) -> str:
        shape = _bare(shape)
        if isinstance(shape, shapes.UnionType):
            choices = [item for item in shape.types if not isinstance(item, shapes.NoneType)]
            if len(choices) != 1:
                raise TypeError(f"{where}: a union has no form in protobuf")
            return f"optional {self._single(_bare(choices[0]), where)}"
        if isinstance(shape, shapes.ListType):
            return f"repeated {self._single(_bare(shape.item_type), where)}"
        if isinstance(shape, shapes.DictType):
            key, value = _bare(shape.key_type), _bare(shape.value_type)
            return f"map<{self._single(key, where)}, {self._single(value, where)}>"
        return self._single(shape, where)

    def _single(self, shape: shapes.Type, where: str) -> str:
        if isinstance(shape, shapes.StructType | shapes.EnumType):
            return self._refer(shape.cls)
        name = _SCALARS.get(type(shape))
        if name is None:
            raise TypeError(f"{where}: {type(shape).__name__} has no form in protobuf here")
        if name in _FILE_OF:
            self._imports.add(_FILE_OF[name])
        return name

    def _refer(self, kind: type[Any]) -> str:
        """The type's name as seen from this file."""
        if kind is Empty:
            self._imports.add(_FILE_OF[EMPTY])
            return EMPTY
        package = self._package_of(kind)
        if package == self._package:
            self._own[kind.__name__] = kind
            return kind.__name__
        self._imports.add(_path(package))
        return f"{package}.{kind.__name__}"

    def _package_of(self, kind: type[Any]) -> str:
        package = self._packages.get(kind.__module__)
        if package is not None:
            return package
        if not issubclass(kind, Value):
            raise TypeError(f"{kind.__name__} belongs to none of the contracts")
        self.kernel[kind.__name__] = kind
        return _WORDS


def _enum(kind: type[Enum]) -> ProtoEnum:
    prefix = upper_snake(kind.__name__)
    values = tuple(ProtoField(f"{prefix}_{member.name}", "") for member in kind)
    if any(value.name == zero_value(kind.__name__) for value in values):
        raise TypeError(f"{kind.__name__}.UNSPECIFIED is the name of the value 0")
    return ProtoEnum(kind.__name__, values, inspect.cleandoc(kind.__doc__ or ""))


def _bare(shape: shapes.Type) -> shapes.Type:
    return _bare(shape.type) if isinstance(shape, shapes.Metadata) else shape


def _described(shape: shapes.Type) -> str:
    if not isinstance(shape, shapes.Metadata):
        return ""
    return str((shape.extra_json_schema or {}).get("description", "")) or _described(shape.type)


def _message_note(kind: type[Any]) -> str:
    note = inspect.cleandoc(kind.__doc__ or "").partition("\n\nArgs:")[0]
    if issubclass(kind, Event):
        return f"{note}\n\nThe event `{kind.SPEC.name}`, ordered by `{kind.SPEC.key}`."
    return note


def _method_note(rpc: Rpc) -> str:
    words = {
        Retry.SAFE: "Reads only: may be repeated.",
        Retry.KEYED: f"May be repeated: `{rpc.key}` makes its effect happen once.",
        Retry.NEVER: "Never repeated automatically.",
    }[rpc.retry]
    scope = f"Scope `{rpc.access.scope}`." if rpc.access.scope else "Open to anyone."
    raises = ", ".join(sorted(kind.__name__ for kind in rpc.raises))
    refusals = f"\nRefusals: {raises}." if raises else ""
    return f"{rpc.summary}\n\n{words} {scope}{refusals}"
