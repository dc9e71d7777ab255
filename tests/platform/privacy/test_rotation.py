"""The secret of a shop on one machine is put in another's place, from the command line."""

import shutil
import subprocess
from pathlib import Path

import pytest

from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.privacy import known_keys, settings_of
from emporion.platform.privacy_standing import standing
from tests.api.shopfront import PASSWORD, must, open_shopfront
from tests.system.files import number
from tests.system.polling import eventually
from tests.system.running import COMMAND, environment

NAME = "somerville"
PATIENCE_S = 20.0

pytestmark = pytest.mark.timeout(120)


def emporion(folder: Path, *words: str, code: int = 0, **environ: str) -> str:
    """What a command says."""
    done = subprocess.run(
        [*COMMAND, "privacy", *words, "--data", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment(), "COLUMNS": "200", **environ},
        timeout=60,
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


async def to_do(folder: Path) -> list[str]:
    return [each.what for each in await standing(folder) if each.to_do]


def is_made_anew(folder: Path) -> bool:
    """Whether nothing is left in which the old secret is needed."""
    keys = known_keys(settings_of(folder), SecretsFile.open(folder))
    assert keys is not None
    _, old = keys.names
    return not (
        number(folder, "vault", "SELECT count(*) FROM person_key WHERE wrapped_by = ?", old)
        or number(folder, "user", "SELECT count(*) FROM account WHERE indexed_by = ?", old)
    )


async def test_a_generated_secret_is_rotated_while_nobody_notices(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    async with open_shopfront(folder) as front:
        person = await front.person(NAME)
        assert "is in use" in emporion(folder, "rotate", code=1)
        await front.until_quiet()
    assert await to_do(folder) == []
    old = tmp_path / "old"
    shutil.copytree(folder, old)

    assert "start the shop" in emporion(folder, "rotate")
    assert "is under way" in emporion(folder, "rotate", code=1)
    assert "still needed" in emporion(folder, "rotate", "--finish", code=1)
    assert "made anew by themselves" in emporion(folder, "check", code=1)
    async with open_shopfront(folder) as front:
        assert (await front.sign_in(person.email, PASSWORD)).token
        await eventually(lambda: is_made_anew(folder), within_s=PATIENCE_S, what="all is made anew")
        assert "is forgotten" in emporion(folder, "rotate", "--finish")
    assert "none is under way" in emporion(folder, "rotate", "--finish", code=1)
    assert "sealed with the current privacy_key" in emporion(folder, "check")

    async with open_shopfront(folder) as front:
        again = await front.sign_in(person.email, PASSWORD)
        assert must(await front.send(again, "GET", "/api/users/me"))["name"] == NAME
    shutil.copy(old / "secrets.json", folder)  # the secret from before opens nothing any more
    assert "an unknown secret" in emporion(folder, "check", code=1)


def test_what_cannot_be_rotated_is_told_in_a_line(tmp_path: Path) -> None:
    assert "no such folder" in emporion(tmp_path / "none", "rotate", code=2)
    assert "no such folder" in emporion(tmp_path / "none", "check", code=2)
    assert "none was generated" in emporion(tmp_path, "rotate", code=1)
    is_set = {"EMPORION_PRIVACY_KEY": "something"}
    assert "privacy_key_other" in emporion(tmp_path, "rotate", code=1, **is_set)
