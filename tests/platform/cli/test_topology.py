"""`emporion topology` shows what runs where, and refuses a wrong file by line."""

from pathlib import Path

import pytest

from emporion.platform.cli.main import main


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_every_service_is_shown_with_its_process_and_engine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("topology", "show", "per-service") == 0

    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if " inventory " in line)
    assert "mongodb" in row
    assert "bus nats, discovery registry, edge envoy" in lines[-1]


def test_a_right_file_is_said_to_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("topology", "check", "core") == 0

    assert capsys.readouterr().out == "core is a topology of 4 processes.\n"


def test_a_wrong_file_is_refused_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("processes: {all: [user]}\nengines: sqlite\nbuss: nats\n")

    assert run("topology", "check", str(file)) == 1

    told = capsys.readouterr().err
    assert f"{file}:3: buss: there is no key 'buss' here; did you mean 'bus'?" in told
