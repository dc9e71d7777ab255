"""Dockerfile, compose file and workflow, looked at by their linters: nothing of them runs here."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.running import ROOT

WORKFLOW = ".github/workflows/deploy.yaml"
LINTERS = {
    "Dockerfile": (["hadolint", "--no-color"],),
    "compose.yaml": (["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],),
    WORKFLOW: (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        ["zizmor", "--offline", "--no-progress", "--quiet", "--format", "plain"],
    ),
}
PLANTS = [
    ("Dockerfile", "USER 10001:10001", "USER root", "DL3002"),
    ("Dockerfile", "FROM ${PYTHON} AS build", "FROM python:latest AS build", "DL3007"),
    ("compose.yaml", "read_only: true", "read_onyl: true", "read_onyl"),
    (WORKFLOW, "needs: test", "needs: 7", "needs"),
    (WORKFLOW, "before=$BEFORE", "before=${{ github.event.head_commit.message }}", "template-inj"),
    (WORKFLOW, "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "a/b@v4", "unpinned"),
    (WORKFLOW, ", persist-credentials: false", "", "artipacked"),
]


def complaints(name: str, path: Path) -> str:
    """What the linters of that file say about one at `path`; empty when they say nothing."""
    said = ""
    for words in LINTERS[name]:
        program = Path(sys.executable).parent / words[0]
        ended = subprocess.run(
            [program, *words[1:], path], capture_output=True, text=True, check=False
        )
        said += f"{ended.stdout}{ended.stderr}" if ended.returncode else ""
    return said


@pytest.mark.parametrize("name", LINTERS)
def test_the_committed_file_has_no_finding(name: str):
    assert complaints(name, ROOT / name) == ""


@pytest.mark.parametrize(("name", "old", "new", "said"), PLANTS)
def test_a_planted_mistake_is_found(tmp_path: Path, name: str, old: str, new: str, said: str):
    text = (ROOT / name).read_text()
    assert old in text
    planted = tmp_path / name
    planted.parent.mkdir(parents=True, exist_ok=True)

    planted.write_text(text.replace(old, new))

    assert said in complaints(name, planted)
