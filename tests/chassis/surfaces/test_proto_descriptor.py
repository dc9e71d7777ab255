"""Descriptors made at run time are those that protoc makes of the published text."""

import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from emporion.chassis.surfaces.proto import proto_files
from emporion.chassis.surfaces.proto_calls import CALLS_FILE
from emporion.chassis.surfaces.proto_descriptor import descriptors
from emporion.chassis.surfaces.proto_lock import locked, parse
from emporion.chassis.surfaces.published import generate
from emporion.platform.contracts import CONTRACTS

COMMITTED = Path("contracts/proto")


def by_protoc(folder: Path, target: Path) -> dict[str, FileDescriptorProto]:
    files = [str(path.relative_to(folder)) for path in folder.rglob("*.proto")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--descriptor_set_out={target}",
         *files], cwd=folder, check=True,
    )  # fmt: skip
    return {file.name: file for file in FileDescriptorSet.FromString(target.read_bytes()).file}


def ours(contracts, folder: Path) -> dict[str, FileDescriptorProto]:
    files = [
        locked(file, parse((folder / file.path).read_text()))[0]
        for file in (*proto_files(contracts), CALLS_FILE)
    ]
    return {file.name: file for file in descriptors(files)}


def test_the_published_contracts_are_described_as_protoc_does(tmp_path):
    assert ours(CONTRACTS, COMMITTED) == by_protoc(COMMITTED, tmp_path / "set")


def test_so_is_a_contract_with_maps_and_with_removed_fields_and_values(tmp_path, bakery):
    folder = tmp_path / "contracts"
    generate([bakery()], folder, title="Bakery", version="1")
    changed = bakery(
        ('    note: str = ""\n', ""),
        ('    HARD = "hard"\n', '    STALE = "stale"\n'),
    )
    generate([changed], folder, title="Bakery", version="1")
    text = (folder / "proto/emporion/bakery/v1/bakery.proto").read_text()
    assert text.count("reserved") == 4
    assert "map<string, int64>" in text

    root = folder / "proto"
    assert ours([changed], root) == by_protoc(root, tmp_path / "set")
