"""The command line as a person meets it: it teaches, it says what is wrong in one line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version as installed_version

import pytest

from emporion.platform.cli.main import COMMANDS, GROUPS, main

SHOWN = [
    *([name] for name in COMMANDS),
    *([group, name] for group, (_, commands) in GROUPS.items() for name in commands),
]


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def emporion(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in [name for name in os.environ if name.startswith("EMPORION_")]:
        monkeypatch.delenv(name)

    def run(*words: str) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main(words)
        out, err = capsys.readouterr()
        return Ended(int(caught.value.code or 0), out, err)

    return run


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_every_command_shows_how_to_use_it_by_example(words, emporion):
    shown = emporion(*words, "--help")

    assert shown.code == 0
    assert f"emporion {' '.join(words)}" in shown.out.partition("For example:")[2]


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_told_as_a_command_and_as_an_option(word, emporion):
    assert emporion(word) == Ended(0, f"{installed_version('emporion')}\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["lod"], 2, "No such command 'lod'"),
        (["load", "--orders", "0"], 2, "--orders"),
        (["load", "--url", "ftp://x"], 2, "write it as http://127.0.0.1:8080"),
        (["load", "--run-id", "x"], 2, "--run-id"),
        (["load", "--run-id", "12345678-4", "--shoppers", "5"], 2, "leave --shoppers out"),
        (["load", "--url", "http://127.0.0.1:9", "--orders", "1"], 1, "cannot reach"),
        (["load", "--baskets", "none.csv"], 1, "none.csv: no such file"),
        (["import", "none.csv"], 1, "none.csv: no such file"),
        (["audit", "--data", "none"], 2, "none: there is no such folder"),
        (["audit", "--data", "."], 2, "holds no shop"),
        (["events", "lag", "--data", "none"], 1, "there is no such folder"),
        (["events", "redrive", "mail"], 2, "there is no service 'mail'"),
        (["sagas", "list", "--data", "none"], 1, "there is no such folder"),
        (["operator", "add", "a@b.test"], 2, "EMPORION_NEW_PASSWORD"),
        (["up", "--config", "none.toml"], 2, "none.toml"),
        (["up", "--environment", "staging"], 2, "staging"),
        (["new", "service", "shipping"], 1, "checkout"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else str(value)[:20],
)
def test_a_mistake_is_told_in_a_few_words_and_never_as_a_traceback(words, code, said, emporion):
    ended = emporion(*words)

    assert said in ended.err
    assert "Traceback" not in ended.err
    assert "defect of emporion" not in ended.err
    assert len(ended.err.splitlines()) <= 4
    assert ended.code == code


def test_the_effective_settings_are_shown_with_their_secrets_masked(emporion, monkeypatch):
    monkeypatch.setenv("EMPORION_PORT", "9000")
    monkeypatch.setenv("EMPORION_SMTP_PASSWORD", "hush")
    monkeypatch.setenv("EMPORION_PAYMENT_KEY", "hush")
    monkeypatch.setenv("EMPORION_PAYMENT_WEBHOOK_SECRET", "hush")
    monkeypatch.setenv("EMPORION_PAYMENT_PROVIDER", "stripe")
    shown = emporion("config", "--json")

    settings = json.loads(shown.out)
    assert settings["port"] == "9000"
    assert settings["smtp_password"] == "********"
    assert settings["payment_key"] == settings["payment_webhook_secret"] == "********"
    assert settings["payment_provider"] == "stripe"
    assert "hush" not in shown.out


def test_a_misspelt_setting_is_an_error(emporion, monkeypatch):
    monkeypatch.setenv("EMPORION_PROT", "9000")
    ended = emporion("config")

    assert ended.code == 2
    assert "there is no setting 'prot'" in ended.err


def test_a_defect_of_ours_is_one_line_too(emporion, monkeypatch):
    def break_down(**_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("emporion.platform.settings.load", break_down)
    ended = emporion("config")

    assert ended.code == 1
    assert ended.err.startswith("unexpected ZeroDivisionError: by zero\n")


def test_help_needs_none_of_the_libraries_that_do_the_work():
    heavy = {"msgspec", "aiohttp", "uvicorn", "uvloop", "apsw", "rich", "jinja2", "asyncio"}
    code = (
        "import sys; from emporion.platform.cli.main import build; build();"
        f"print(sorted({heavy!r} & sys.modules.keys()))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )

    assert loaded.stdout.strip() == "[]"
