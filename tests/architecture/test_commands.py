"""The words of the Makefile are explained, CI uses them, and the locks are whole."""

import os
import re
import subprocess
import tomllib

import pytest

from tests.architecture.tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; .*)? \\$", re.MULTILINE)
ADDRESS = re.compile(r"https?://|file://|--(?:extra-)?index-url|--find-links")


def test_every_word_is_explained_by_make_help():
    words = re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE)
    made = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert sorted(words) == sorted(re.findall(r"^  make (\S+)", made.stdout, re.MULTILINE))
    assert {"install", "run", "test", "check", "crash", "bench", "docs"} <= set(words)


def test_ci_runs_what_everybody_runs():
    script = ROOT / ".ci/run"

    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert "make --no-print-directory test" in script.read_text()
    assert "make --no-print-directory engines" in script.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_every_package_with_hashes_and_no_address(lock):
    text = lock.read_text()
    pinned = PINNED.findall(text)
    requirements = [line for line in text.splitlines() if line and line[0] not in " #"]

    assert len(pinned) == len(requirements) > 0
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=\S+==)", text))
    assert not ADDRESS.search(text)


def test_the_locks_agree_on_every_version():
    """A package may have a version for each Python; each lock that has it has the same ones."""
    versions: dict[str, set[frozenset[str]]] = {}
    for lock in LOCKS:
        pinned = PINNED.findall(lock.read_text())
        for name in {name for name, _ in pinned}:
            found = frozenset(version for other, version in pinned if other == name)
            versions.setdefault(name, set()).add(found)

    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("group", ["runtime", "engines", "dev", "bench", "build"])
def test_every_declared_dependency_is_locked(group):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"] | {"runtime": project["project"]["dependencies"]}
    wanted = [entry for entry in groups[group] if isinstance(entry, str)]
    wanted += [
        name
        for entry in groups[group]
        if isinstance(entry, dict)
        for name in groups[entry["include-group"]]
    ]
    declared = {re.split(r"[\[><=~! ;]", name)[0].lower() for name in wanted}
    locked = {name for name, _ in PINNED.findall((ROOT / f"requirements/{group}.lock").read_text())}

    assert declared - locked == set()
