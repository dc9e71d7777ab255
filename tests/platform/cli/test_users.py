"""`emporion users erase`, on the files of a shop that does not run."""

import subprocess
from pathlib import Path

import pytest

from tests.api.shopfront import open_shopfront
from tests.system.running import COMMAND, environment

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def erase(folder: Path, user_id: str, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [*COMMAND, "users", "erase", user_id, "--data", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=60,
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


async def test_a_person_is_erased_once_and_who_never_was_is_not_found(tmp_path: Path) -> None:
    async with open_shopfront(tmp_path) as front:
        ada = await front.person("ada")
    why = ("--reason", "asked by letter", "--yes")

    first = erase(tmp_path, ada.user_id, *why)
    again = erase(tmp_path, ada.user_id, *why)
    nobody = erase(tmp_path, "usr_" + "0" * 32, *why, code=1)
    nonsense = erase(tmp_path, "ada", *why, code=2)

    assert first == again
    assert f"{ada.user_id} is erased since 20" in first
    assert nobody.strip() == f"there is no user usr_{'0' * 32}"
    assert nonsense.strip() == "'ada' is not the id of a person: they begin with usr_"
