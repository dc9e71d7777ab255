"""`emporion topology` shows what runs where, and refuses a wrong file by line."""

from pathlib import Path

import pytest

from emporion.platform.cli.main import main
from emporion.platform.topology.model import ENGINES_OF


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

    assert capsys.readouterr().out == f"core is a topology of {len(ENGINES_OF) - 2} processes.\n"


def test_a_wrong_file_is_refused_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("processes: {all: [user]}\nengines: sqlite\nbuss: nats\n")

    assert run("topology", "check", str(file)) == 1

    told = capsys.readouterr().err
    assert f"{file}:3: buss: there is no key 'buss' here; did you mean 'bus'?" in told


@pytest.mark.parametrize("command", ["up", "check"])
def test_a_shop_with_a_wrong_topology_does_not_begin_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file = tmp_path / "shop.yaml"
    rest = ", ".join(set(ENGINES_OF) - {"user", "catalog", "order"})
    file.write_text(
        f"processes:\n  one: [user, catalog, order]\n  two: [{rest}]\n"
        "engines: postgres\nbus: in-process\n"
    )
    words = {
        "up": ("up", "--topology", str(file), "--data", str(tmp_path / "data")),
        "check": ("topology", "check", str(file)),
    }

    assert run(*words[command]) == 1

    assert f"{file}:5: bus: the in-process bus does not reach" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_secret_that_is_not_there_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDER_DSN", raising=False)
    file = tmp_path / "shop.yaml"
    file.write_text(
        f"processes:\n  all: [{', '.join(ENGINES_OF)}]\n"
        "engines:\n  default: sqlite\n  order: {kind: postgres, address: env:ORDER_DSN}\n"
    )

    assert run("up", "--topology", str(file), "--data", str(tmp_path / "data")) == 1

    told = capsys.readouterr().err
    assert f"{file}:5: the variable ORDER_DSN is not set; export it before you start" in told
    assert not (tmp_path / "data" / "run").exists()
