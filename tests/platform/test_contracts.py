"""The committed descriptions of the shop are those of its contracts."""

import subprocess
import sys
from pathlib import Path

import msgspec
import schemathesis

from emporion.chassis.http.shape import rest_shapes
from emporion.contracts.contract import Audience, rpcs
from emporion.platform.contracts import CONTRACTS, check, generate, rest_description

COMMITTED = Path(__file__).parents[2] / "contracts"


def test_the_committed_descriptions_are_fresh_and_break_nobody():
    assert check(COMMITTED) == [], "run `emporion contracts generate`"


def test_a_first_generation_writes_every_description(tmp_path):
    written = {str(path.relative_to(tmp_path)) for path in generate(tmp_path)}

    assert {"openapi.json", "asyncapi.json"} < written
    for contract in CONTRACTS:
        assert f"proto/emporion/{contract.NAME}/v1/{contract.NAME}.proto" in written


def test_the_committed_protos_compile(tmp_path):
    root = COMMITTED / "proto"
    files = [str(path.relative_to(root)) for path in root.rglob("*.proto")]

    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.",
         f"--descriptor_set_out={tmp_path / 'out.bin'}", *files],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_schemathesis_reads_the_rest_description():
    document = msgspec.json.decode((COMMITTED / "openapi.json").read_bytes())

    operations = list(schemathesis.openapi.from_dict(document).get_all_operations())

    assert len(operations) == sum(len(rest_shapes(contract)) for contract in CONTRACTS)


def test_every_json_body_has_an_example():
    without = [
        operation["operationId"]
        for operations in rest_description()["paths"].values()
        for operation in operations.values()
        if "requestBody" in operation
        and "example" not in operation["requestBody"]["content"]["application/json"]
    ]

    assert without == []


def test_only_public_methods_have_a_route():
    for contract in CONTRACTS:
        for rpc in rpcs(contract).values():
            is_public = rpc.access.audience is Audience.PUBLIC
            assert is_public == (rpc.rest is not None), f"{contract.NAME}.{rpc.name}"
