"""The committed .proto file as the lock: numbers stay, what is removed is reserved for ever."""

import re
from dataclasses import dataclass, field, replace

from emporion.chassis.surfaces.proto_model import (
    ProtoEnum,
    ProtoField,
    ProtoFile,
    ProtoMessage,
    Reserved,
)

_BLOCK = re.compile(r"^(?P<kind>message|enum|service) (?P<name>\w+) \{$")
_FIELD = re.compile(
    r"^  (?P<type>[\w.<>, ]+) (?P<name>\w+) = (?P<number>\d+);(?P<required>  // required)?$"
)
_VALUE = re.compile(r"^  (?P<name>\w+) = (?P<number>\d+);$")
_RPC = re.compile(
    r"^  rpc (?P<name>\w+)\((?P<in>stream )?\.(?P<request>[\w.]+)\)"
    r" returns \((?P<out>stream )?\.(?P<reply>[\w.]+)\);$"
)
_RESERVED = re.compile(r"^  reserved (?P<what>.+);$")


@dataclass(slots=True)
class Locked:
    """One message or enum as committed."""

    fields: dict[str, ProtoField] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Lock:
    """What the committed file promises."""

    messages: dict[str, Locked] = field(default_factory=dict)
    enums: dict[str, Locked] = field(default_factory=dict)
    methods: dict[str, tuple[str, str]] = field(default_factory=dict)


def parse(text: str) -> Lock:
    """Read a file that `render` wrote. Raises ValueError on a line it cannot have written."""
    lock, kind, current = Lock(), "", Locked()
    for line in text.splitlines():
        block = _BLOCK.match(line)
        if block is not None:
            kind, current = block["kind"], Locked()
            if kind != "service":
                (lock.messages if kind == "message" else lock.enums)[block["name"]] = current
        elif line == "}":
            kind = ""
        elif kind and not line.strip().startswith("//"):
            _read(lock, kind, current=current, line=line)
    return lock


def _read(lock: Lock, kind: str, *, current: Locked, line: str) -> None:
    pattern = {"message": _FIELD, "enum": _VALUE, "service": _RPC}[kind]
    reserved, match = _RESERVED.match(line), pattern.match(line)
    if reserved is not None:
        for part in reserved["what"].split(", "):
            if part.isdigit():
                current.numbers.add(int(part))
            else:
                current.names.add(part.strip('"'))
    elif match is None:
        raise ValueError(f"not a line of a generated file: {line!r}")
    elif kind == "service":
        asked = (match["in"] or "") + match["request"]
        lock.methods[match["name"]] = (asked, (match["out"] or "") + match["reply"])
    elif kind == "enum":
        if int(match["number"]):
            current.fields[match["name"]] = ProtoField(
                match["name"], "", number=int(match["number"])
            )
    else:
        current.fields[match["name"]] = ProtoField(
            match["name"],
            match["type"],
            is_required=match["required"] is not None,
            number=int(match["number"]),
        )


def locked(file: ProtoFile, lock: Lock) -> tuple[ProtoFile, list[str]]:
    """The file with the numbers of the lock, and each change that would break a peer.

    A new field gets the next number that was never used; the numbers and names of removed ones
    become reserved.
    """
    breaks: list[str] = []
    messages, enums = [], []
    for message in file.messages:
        before = lock.messages.get(message.name)
        breaks += _broken_fields(file.package, message, before)
        fields, reserved = _numbered(message.fields, before or Locked())
        messages.append(replace(message, fields=fields, reserved=reserved))
    for enum in file.enums:
        before = lock.enums.get(enum.name)
        breaks += _revived(f"{file.package}.{enum.name}", enum.values, before)
        values, reserved = _numbered(enum.values, before or Locked())
        enums.append(replace(enum, values=values, reserved=reserved))
    breaks += _removed(file, lock)
    return replace(file, messages=tuple(messages), enums=tuple(enums)), breaks


def _numbered(
    fields: tuple[ProtoField, ...], before: Locked
) -> tuple[tuple[ProtoField, ...], Reserved]:
    names = {member.name for member in fields}
    gone = {name: old.number for name, old in before.fields.items() if name not in names}
    reserved = Reserved(
        tuple(sorted(before.numbers | set(gone.values()))), tuple(sorted(before.names | set(gone)))
    )
    used = [old.number for old in before.fields.values()]
    free = max([0, *used, *before.numbers]) + 1
    numbered = []
    for member in fields:
        old = before.fields.get(member.name)
        if old is None:
            numbered.append(replace(member, number=free))
            free += 1
        else:
            numbered.append(replace(member, number=old.number))
    return tuple(numbered), reserved


def _broken_fields(package: str, message: ProtoMessage, before: Locked | None) -> list[str]:
    if before is None:
        return []
    where = f"{package}.{message.name}"
    breaks = _revived(where, message.fields, before)
    now = {member.name: member for member in message.fields}
    for name, old in before.fields.items():
        member = now.get(name)
        if member is None:
            if old.is_required:
                breaks.append(
                    f"{where}.{name} was required and is removed: give it a default first"
                )
        elif member.type != old.type:
            breaks.append(f"{where}.{name} was {old.type} and is {member.type}")
        elif member.is_required and not old.is_required:
            breaks.append(f"{where}.{name} was optional and is required")
    breaks += [
        f"{where}.{name} is new and required: give it a default"
        for name, member in now.items()
        if member.is_required and name not in before.fields
    ]
    return breaks


def _revived(where: str, fields: tuple[ProtoField, ...], before: Locked | None) -> list[str]:
    names = before.names if before is not None else set()
    return [
        f"{where}.{member.name} was removed before: choose another name"
        for member in fields
        if member.name in names
    ]


def _removed(file: ProtoFile, lock: Lock) -> list[str]:
    messages: list[ProtoMessage | ProtoEnum] = [*file.messages, *file.enums]
    kept = {message.name for message in messages}
    breaks = [
        f"{file.package}.{name} is removed"
        for name in [*lock.messages, *lock.enums]
        if name not in kept
    ]
    now = {method.name: method.types for method in file.methods}
    for name, types in lock.methods.items():
        if name not in now:
            breaks.append(f"{file.package}: the method {name} is removed")
        elif now[name] != types:
            breaks.append(f"{file.package}: {name} was {types} and is {now[name]}")
    return breaks
