"""A .proto file as the descriptor that protoc would make of its text."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from emporion.chassis.surfaces.proto_model import ProtoEnum, ProtoFile, ProtoMessage, zero_value

_SCALARS: Final[Mapping[str, FieldDescriptorProto.Type.ValueType]] = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_MAP = re.compile(r"map<(?P<key>\w+), (?P<value>[\w.]+)>")


def descriptors(files: Sequence[ProtoFile]) -> list[FileDescriptorProto]:
    """A descriptor for each file; their fields must have been given numbers.

    Comments are left out. Files that they import and that are not ours must be added to a pool
    beside them.
    """
    enums = {f"{file.package}.{enum.name}" for file in files for enum in file.enums}
    return [_File(file, enums).described() for file in files]


class _File:
    """Describes one file."""

    def __init__(self, file: ProtoFile, enums: set[str]) -> None:
        self._file = file
        self._enums = enums

    def described(self) -> FileDescriptorProto:
        file = self._file
        described = FileDescriptorProto(name=file.path, package=file.package, syntax="proto3")
        described.dependency.extend(file.imports)
        for message in file.messages:
            self._message(described.message_type.add(), message)
        for enum in file.enums:
            _enum(described.enum_type.add(), enum)
        if file.service:
            service = described.service.add(name=file.service)
            for method in file.methods:
                _ = service.method.add(
                    name=method.name,
                    input_type=f".{method.request}",
                    output_type=f".{method.reply}",
                    client_streaming=method.is_streamed or None,
                    server_streaming=method.is_streamed or None,
                )
        return described

    def _message(self, described: DescriptorProto, message: ProtoMessage) -> None:
        described.name = message.name
        optional = []
        for member in sorted(message.fields, key=lambda member: member.number):
            field = described.field.add(name=member.name, number=member.number)
            field.json_name = _json_name(member.name)
            field.label = FieldDescriptorProto.LABEL_OPTIONAL
            label, _, bare = member.type.rpartition(" ")
            entry = _MAP.fullmatch(member.type)
            if entry is not None:
                self._map(described, field, entry=entry)
                continue
            self._type(field, bare)
            if label == "repeated":
                field.label = FieldDescriptorProto.LABEL_REPEATED
            elif label == "optional":
                field.proto3_optional = True
                optional.append(field)
        for field in optional:
            # Protobuf models presence as a union of one, behind all others.
            field.oneof_index = len(described.oneof_decl)
            _ = described.oneof_decl.add(name=f"_{field.name}")
        _reserve(described, message)

    def _map(
        self, described: DescriptorProto, field: FieldDescriptorProto, *, entry: re.Match[str]
    ) -> None:
        nested = described.nested_type.add(name=_entry_name(field.name))
        nested.options.map_entry = True
        for number, part in enumerate(("key", "value"), 1):
            half = nested.field.add(name=part, number=number, json_name=part)
            half.label = FieldDescriptorProto.LABEL_OPTIONAL
            self._type(half, entry[part])
        field.label = FieldDescriptorProto.LABEL_REPEATED
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{self._file.package}.{described.name}.{nested.name}"

    def _type(self, field: FieldDescriptorProto, name: str) -> None:
        scalar = _SCALARS.get(name)
        if scalar is not None:
            field.type = scalar
            return
        full = name if "." in name else f"{self._file.package}.{name}"
        is_enum = full in self._enums
        field.type = (
            FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
        )
        field.type_name = f".{full}"


def _enum(described: EnumDescriptorProto, enum: ProtoEnum) -> None:
    described.name = enum.name
    _ = described.value.add(name=zero_value(enum.name), number=0)
    for value in sorted(enum.values, key=lambda value: value.number):
        _ = described.value.add(name=value.name, number=value.number)
    for number in sorted(enum.reserved.numbers):
        _ = described.reserved_range.add(start=number, end=number)
    described.reserved_name.extend(enum.reserved.names)


def _reserve(described: DescriptorProto, message: ProtoMessage) -> None:
    for number in sorted(message.reserved.numbers):
        _ = described.reserved_range.add(start=number, end=number + 1)
    described.reserved_name.extend(message.reserved.names)


def _json_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _entry_name(field: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in field.split("_")) + "Entry"
