"""The committed descriptions are a lock: numbers stay, and what breaks a peer is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from emporion.chassis.surfaces.proto_lock import parse
from emporion.chassis.surfaces.published import BreakingChange, check, generate

PROTO = "proto/emporion/bakery/v1/bakery.proto"
NAMES = {"title": "Bakery", "version": "1"}


@pytest.fixture
def folder(tmp_path, bakery):
    """A folder with the descriptions of the bakery as it was first."""
    directory = tmp_path / "contracts"
    generate([bakery()], directory, **NAMES)
    return directory


def proto(folder: Path) -> str:
    return (folder / PROTO).read_text("utf-8")


def test_what_was_generated_is_fresh_and_generated_only_once(folder, bakery):
    assert check([bakery()], folder, **NAMES) == []
    assert generate([bakery()], folder, **NAMES) == []


def test_a_change_makes_the_files_stale_until_they_are_generated(folder, bakery):
    changed = bakery(('"""Bake a loaf. Slowly.', '"""Bake a loaf. Quickly.'))

    assert check([changed], folder, **NAMES) == ["stale: openapi.json", f"stale: {PROTO}"]
    assert {path.name for path in generate([changed], folder, **NAMES)} == {
        "openapi.json",
        "bakery.proto",
    }
    assert check([changed], folder, **NAMES) == []


def test_what_was_never_generated_is_missing(tmp_path, bakery):
    assert f"missing: {PROTO}" in check([bakery()], tmp_path, **NAMES)


def test_the_files_compile(folder):
    root = folder / "proto"
    files = [str(path.relative_to(root)) for path in root.rglob("*.proto")]

    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.",
         "--descriptor_set_out=out.bin", *files],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert len(files) == 3


def test_a_new_field_gets_the_next_number_wherever_it_is_declared(folder, bakery):
    changed = bakery(("    name: Anno", '    baker: str = ""\n    name: Anno'))

    generate([changed], folder, **NAMES)

    assert "string name = 2;  // required\n" in proto(folder)
    assert "string baker = 7;\n" in proto(folder)


def test_a_removed_field_is_reserved_for_ever(folder, bakery):
    without = bakery(('    note: str = ""\n', ""))
    again = bakery(('    note: str = ""\n', '    remark: str = ""\n'))

    generate([without], folder, **NAMES)
    first = proto(folder)
    generate([again], folder, **NAMES)

    for text in (first, proto(folder)):
        assert 'message Bake {\n  reserved 5;\n  reserved "note";\n' in text
    assert "string remark = 7;" in proto(folder)
    with pytest.raises(BreakingChange, match=r"Bake\.note was removed before"):
        generate([bakery()], folder, **NAMES)


def test_a_removed_enum_value_is_reserved_too(folder, bakery):
    generate([bakery(('    HARD = "hard"\n', '    CRISP = "crisp"\n'))], folder, **NAMES)

    assert "  CRUST_CRISP = 3;\n" in proto(folder)
    assert 'reserved 2;\n  reserved "CRUST_HARD";' in proto(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("    loaf_id: str\n    crust", "    loaf_id: int\n    crust"), "was string and is int64"),
        (("list[Money] = []", "Money | None = None"), "prices was repeated"),
        (('    note: str = ""', "    note: str"), "note was optional and is required"),
        (("    name: Anno", "    baker: str\n    name: Anno"), "baker is new and required"),
        (("    crust: Crust\n", ""), "Loaf.crust was required and is removed"),
        (("async def eat(self", "async def devour(self"), "the method Eat is removed"),
        (("ListLoaves) -> Loaves", "ListLoaves) -> Loaf"), "ListLoaves was"),
        (("class LoafBaked(Event", "class LoafDone(Event"), "bakery.v1.LoafBaked is removed"),
        (('rest=get("/api/loaves")', 'rest=get("/api/bread")'), "GET /api/loaves is removed"),
    ],
)
def test_what_would_break_a_peer_is_refused(folder, bakery, *, change, said):
    before = proto(folder)

    problems = check([bakery(change)], folder, **NAMES)
    with pytest.raises(BreakingChange, match=r"bakery\.v1|GET") as refused:
        generate([bakery(change)], folder, **NAMES)

    assert any(problem.startswith("breaking: ") and said in problem for problem in problems)
    assert said in refused.value.detail
    assert proto(folder) == before


def test_a_new_version_stands_beside_the_old_one(folder, bakery):
    before = proto(folder)
    change = ("    loaf_id: str\n    crust", "    loaf_id: int\n    crust")

    generate([bakery(change, ('    NAME = "bakery"', '    NAME = "bakery"\n    VERSION = 2'))],
             folder, **NAMES)  # fmt: skip

    assert proto(folder) == before
    second = (folder / PROTO.replace("v1", "v2")).read_text("utf-8")
    assert "package emporion.bakery.v2;" in second
    assert "int64 loaf_id = 1;  // required" in second


def test_a_file_edited_by_hand_is_noticed(folder, bakery):
    path = folder / PROTO
    path.write_text(proto(folder).replace("message Bake {", "message Bake {\n  oneof x {"), "utf-8")

    with pytest.raises(ValueError, match="not a line of a generated file"):
        check([bakery()], folder, **NAMES)


def test_the_lock_reads_what_was_written(folder):
    lock = parse(proto(folder))

    assert {name: member.number for name, member in lock.messages["Bake"].fields.items()} == {
        "key": 1, "name": 2, "pieces": 3, "crust": 4, "note": 5, "prices": 6,
    }  # fmt: skip
    assert lock.messages["Loaf"].fields["eaten_at"].type == "optional google.protobuf.Timestamp"
    assert lock.messages["Loaf"].fields["weights"].type == "map<string, int64>"
    assert lock.messages["Bake"].fields["pieces"].type == "optional int64"
    assert lock.methods["Eat"] == ("emporion.bakery.v1.LoafOf", "google.protobuf.Empty")
    assert set(lock.enums["Crust"].fields) == {"CRUST_SOFT", "CRUST_HARD"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("    loaf_id: str\n    crust", "    loaf_id: str | int\n    crust"), "a union"),
        (("    loaf_id: str\n    crust", "    loaf_id: set[str]\n    crust"), "no form"),
        (('    SOFT = "soft"', '    UNSPECIFIED = "soft"'), "value 0"),
    ],
)
def test_a_type_without_a_form_in_protobuf_is_named(tmp_path, bakery, *, change, said):
    changes = [change]
    if "UNSPECIFIED" in change[1]:
        changes.append(("Crust.SOFT", "Crust.HARD"))

    with pytest.raises(TypeError, match=said):
        generate([bakery(*changes)], tmp_path, **NAMES)


def test_a_message_of_nobody_is_refused(tmp_path, bakery):
    changed = bakery(("loaves: list[Loaf]", "loaves: list[Message]"))

    with pytest.raises(TypeError, match="Message belongs to none"):
        generate([changed], tmp_path, **NAMES)
