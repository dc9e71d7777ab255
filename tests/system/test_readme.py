"""The README's commands, run as they stand there, against a shop of their own."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.system.running import COMMAND, ROOT, environment, start

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
README = (ROOT / "README.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8080"
EMPORION = ".venv/bin/emporion"


def commands(text: str) -> list[str]:
    """What stands behind a `$` in the console blocks, continued lines joined."""
    found: list[str] = []
    for block in re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL):
        lines = iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ")
            while command.endswith("\\"):
                command = f"{command[:-1]} {next(lines).strip()}"
            found.append(command.partition("   #")[0].strip())
    return found


def run(script: str, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=environment(EMPORION_DATA=str(data)),
        cwd=ROOT,
    )


async def test_the_readmes_commands_do_what_it_says(tmp_path: Path) -> None:
    said = commands(README)
    curls = [command for command in said if "curl" in command]
    programs = [command for command in said if command.startswith(EMPORION)]
    assert len(curls) == 3
    assert len(programs) == 2, "load and audit"
    shop = start(tmp_path / "shop")
    try:
        await shop.until_open()
        sign_up, sign_in, buy = (curl.replace(ADDRESS, shop.url) for curl in curls)
        said_back = run(f"{sign_up}\necho\n{sign_in}\n{buy}\necho\n{buy}", tmp_path / "shop")
        assert said_back.returncode == 0, said_back.stderr
        user, order, again = (
            json.loads(line) for line in said_back.stdout.splitlines() if line.strip()
        )
        assert user["email"] == "ada@example.test"
        assert order["status"] == "paid"
        assert order["total"] == {"amount_minor": 500, "currency": "EUR"}
        assert again == order, "the same key gives the same order"

        program = shlex.join(COMMAND)
        for command in programs:
            line = command.replace(EMPORION, program).replace("--orders 2000", "--orders 200")
            line = line.replace("load ", f"load --url {shop.url} ") if " load " in line else line
            ended = run(line, tmp_path / "shop")
            assert ended.returncode == 0, ended.stdout + ended.stderr
    finally:
        await shop.stop()


def test_what_the_readme_says_of_make_exists() -> None:
    targets = re.findall(r"^\$ make (\w+)", README, flags=re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert targets == ["run", "test", "split"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
