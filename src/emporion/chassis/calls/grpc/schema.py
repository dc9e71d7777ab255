"""The wire form of contracts: the descriptors, paths and codecs behind the published .proto."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from importlib.resources.abc import Traversable
from typing import Any

from google.protobuf import empty_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from emporion.chassis.calls.grpc.plan import Codec, Plans
from emporion.chassis.surfaces.proto import message_name, package_of, packages_of, proto_files
from emporion.chassis.surfaces.proto_calls import CALLS_FILE
from emporion.chassis.surfaces.proto_descriptor import descriptors
from emporion.chassis.surfaces.proto_lock import Lock, locked, parse
from emporion.chassis.surfaces.proto_model import ProtoFile
from emporion.contracts.contract import Rpc, Service

Committed = Callable[[str], str | None]
"""The text of a committed .proto file by its path, like `emporion/order/v1/order.proto`."""


def committed_in(folder: Traversable) -> Committed:
    """The files below a folder."""

    def text(path: str) -> str | None:
        file = folder.joinpath(*path.split("/"))
        return file.read_text("utf-8") if file.is_file() else None

    return text


def uncommitted(_: str) -> str | None:
    """No files: fields are numbered in the order in which they are declared."""
    return None


class Schema:
    """Contracts as protobuf knows them; made once at start-up, codecs when they are first needed.

    Args:
        contracts: every contract that this process serves or calls, and those whose messages
            they use.
        committed: where the numbers of fields come from. Raises ValueError for a file edited by
            hand, TypeError for a message that has no form in protobuf.
    """

    def __init__(
        self, contracts: Sequence[type[Service]], committed: Committed = uncommitted
    ) -> None:
        self._packages = packages_of(contracts)
        self._files = _numbered([*proto_files(contracts), CALLS_FILE], committed)
        self.pool = _pool(self._files)
        self._plans = Plans(self)
        self._codecs: dict[type[Any], Codec] = {}
        self._enums = {
            f"{file.package}.{enum.name}": {value.name: value.number for value in enum.values}
            for file in self._files
            for enum in file.enums
        }

    def codec(self, kind: type[Any]) -> Codec:
        """Encodes and decodes that message."""
        codec = self._codecs.get(kind)
        if codec is None:
            form = self.form(message_name(kind, self._packages))
            codec = self._codecs[kind] = Codec(kind, self._plans, form)
        return codec

    def form(self, name: str) -> type[ProtoMessage]:
        """Protobuf's own class of a message. Raises KeyError for an unknown name."""
        return GetMessageClass(self.pool.FindMessageTypeByName(name))

    def descriptor(self, kind: type[Any]) -> Descriptor:
        """See `plan.Names`."""
        return self.pool.FindMessageTypeByName(message_name(kind, self._packages))

    def numbers(self, kind: type[Enum]) -> Mapping[str, int]:
        """See `plan.Names`."""
        return self._enums[message_name(kind, self._packages)]


def service_name(contract: type[Service]) -> str:
    """The full gRPC name of a service: `emporion.order.v1.OrderService`."""
    return f"{package_of(contract)}.{contract.__name__}"


def method_name(contract: type[Service], rpc: Rpc) -> str:
    """The full name of a method: `emporion.order.v1.OrderService/GetOrder`."""
    return f"{service_name(contract)}/{rpc.grpc_name}"


def _numbered(files: list[ProtoFile], committed: Committed) -> list[ProtoFile]:
    """The files with the numbers that are committed; breaks are `emporion contracts check`'s."""
    numbered = []
    for file in files:
        text = committed(file.path)
        fixed, _ = locked(file, parse(text) if text is not None else Lock())
        numbered.append(replace(fixed, imports=tuple(sorted(set(fixed.imports)))))
    return numbered


def _pool(files: list[ProtoFile]) -> DescriptorPool:
    """A pool of its own: two versions of a contract can live in one process, in two of them."""
    pool = DescriptorPool()
    for known in (empty_pb2, timestamp_pb2, health_pb2, reflection_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    waiting: list[FileDescriptorProto] = descriptors(files)
    while waiting:
        # A file can be added once all that it imports are there.
        missing = {file.name for file in waiting}
        ready = [file for file in waiting if not missing & set(file.dependency)]
        if not ready:
            raise TypeError(f"files import each other: {', '.join(sorted(missing))}")
        for file in ready:
            pool.AddSerializedFile(file.SerializeToString())
        waiting = [file for file in waiting if file not in ready]
    return pool
