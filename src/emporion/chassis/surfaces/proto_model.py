"""A .proto file as data, and the text of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_WIDTH = 97
STREAM = "stream "


@dataclass(frozen=True, slots=True)
class ProtoField:
    """A field of a message; `type` has its label in front: `optional string`, `repeated Line`.

    `is_required`: our JSON refuses a message without it, so whoever sends it must fill it.
    `number` 0: not given yet.
    """

    name: str
    type: str
    is_required: bool = False
    number: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Numbers and names that were used before and never will be again."""

    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtoMessage:
    """A message."""

    name: str
    fields: tuple[ProtoField, ...]
    note: str = ""
    reserved: Reserved = field(default_factory=Reserved)


@dataclass(frozen=True, slots=True)
class ProtoEnum:
    """An enum; its values are fields without a type. The value 0 is added when it is written."""

    name: str
    values: tuple[ProtoField, ...]
    note: str = ""
    reserved: Reserved = field(default_factory=Reserved)


@dataclass(frozen=True, slots=True)
class ProtoMethod:
    """A method of a service; its types by their full names.

    A method may be called like its request, and protoc looks for a bare name among the methods.
    `is_streamed`: any number of messages both ways.
    """

    name: str
    request: str
    reply: str
    note: str = ""
    is_streamed: bool = False

    @property
    def types(self) -> tuple[str, str]:
        """What goes in and what comes out, as the lock compares it."""
        label = STREAM if self.is_streamed else ""
        return label + self.request, label + self.reply


@dataclass(frozen=True, slots=True)
class ProtoFile:
    """A file: one service, or none for the kernel's words. `path` is relative to the root."""

    path: str
    package: str
    imports: tuple[str, ...]
    messages: tuple[ProtoMessage, ...]
    enums: tuple[ProtoEnum, ...]
    service: str = ""
    methods: tuple[ProtoMethod, ...] = ()
    note: str = ""


def zero_value(enum: str) -> str:
    """The name of an enum's value 0: `ORDER_STATUS_UNSPECIFIED`."""
    return f"{upper_snake(enum)}_UNSPECIFIED"


def upper_snake(name: str) -> str:
    """`OrderStatus` -> `ORDER_STATUS`."""
    words = "".join(f"_{char}" if char.isupper() else char for char in name)
    return words.lstrip("_").upper()


def render(file: ProtoFile) -> str:
    """The text of the file. What `parse` reads of it gives the same numbers."""
    lines = ["// Generated from the contracts, and the lock of the field numbers.", ""]
    lines += [*_note(file.note), 'syntax = "proto3";', "", f"package {file.package};", ""]
    lines += [f'import "{path}";' for path in file.imports]
    if file.imports:
        lines.append("")
    if file.service:
        lines += _service(file)
    for enum in file.enums:
        lines += _enum(enum)
    for message in file.messages:
        lines += _message(message)
    return "\n".join(lines).rstrip("\n") + "\n"


def _service(file: ProtoFile) -> list[str]:
    lines = [f"service {file.service} {{"]
    for method in file.methods:
        lines += _note(method.note, "  ")
        label = STREAM if method.is_streamed else ""
        asked, answered = f"{label}.{method.request}", f"{label}.{method.reply}"
        lines.append(f"  rpc {method.name}({asked}) returns ({answered});")
    return [*lines, "}", ""]


def _enum(enum: ProtoEnum) -> list[str]:
    lines = [*_note(enum.note), f"enum {enum.name} {{", *_reserved(enum.reserved)]
    lines.append(f"  {zero_value(enum.name)} = 0;")
    values = sorted(enum.values, key=lambda value: value.number)
    lines += [f"  {value.name} = {value.number};" for value in values]
    return [*lines, "}", ""]


def _message(message: ProtoMessage) -> list[str]:
    lines = [*_note(message.note), f"message {message.name} {{", *_reserved(message.reserved)]
    for member in sorted(message.fields, key=lambda member: member.number):
        lines += _note(member.note, "  ")
        mark = "  // required" if member.is_required else ""
        lines.append(f"  {member.type} {member.name} = {member.number};{mark}")
    return [*lines, "}", ""]


def _reserved(reserved: Reserved) -> list[str]:
    lines = []
    if reserved.numbers:
        lines.append(f"  reserved {', '.join(map(str, sorted(reserved.numbers)))};")
    if reserved.names:
        lines.append(
            "  reserved " + ", ".join(f'"{name}"' for name in sorted(reserved.names)) + ";"
        )
    return lines


def _note(text: str, indent: str = "") -> list[str]:
    return [f"{indent}// {line}".rstrip() for line in _wrapped(text, MAX_WIDTH - len(indent))]


def _wrapped(text: str, width: int) -> Iterable[str]:
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > width:
                yield line
                line = word
            else:
                line = f"{line} {word}".lstrip()
        yield line
