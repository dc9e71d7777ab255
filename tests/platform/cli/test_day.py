"""A day of a shop from the command line alone: open, stock, sell, close, prove."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-c", "from emporion.platform.cli.main import main; main()"]
CATALOGUE = """\
sku;product;price;currency;variant;stock;warehouse
bagel;Bagel;1.80;EUR;;500;main
bagel-sesame;Bagel;1.95;EUR;sesame;500;east
"""
TILL = """\
Date,Time,Transaction,Item
2016-10-30,09:58:11,1,Bagel
2016-10-30,10:05:34,2,Jam
2016-10-30,10:05:34,2,Jam
"""

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


class Terminal:
    """Where somebody works with one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.environ = {
            "PATH": os.environ["PATH"],
            "EMPORION_DATA": "shop",
            "COLUMNS": "100",
            "PYTHONUNBUFFERED": "1",
        }

    def emporion(self, *words: str, code: int = 0, **environ: str) -> str:
        ended = subprocess.run(
            [*PROGRAM, *words],
            capture_output=True,
            text=True,
            timeout=50,
            cwd=self.folder,
            env=self.environ | environ,
            check=False,
        )
        assert ended.returncode == code, ended.stderr + ended.stdout
        assert "Traceback" not in ended.stderr
        assert "\x1b" not in ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def open(self) -> subprocess.Popen[str]:
        shop = subprocess.Popen(
            [*PROGRAM, "up", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=self.environ,
        )
        assert shop.stdout is not None
        said = re.search(r"http://\S+", shop.stdout.readline())
        assert said is not None
        self.environ["EMPORION_URL"] = said[0]
        return shop


@pytest.fixture
def terminal(tmp_path):
    (tmp_path / "catalogue.csv").write_text(CATALOGUE)
    (tmp_path / "till.csv").write_text(TILL)
    return Terminal(tmp_path)


def test_open_stock_sell_close_and_prove(terminal):
    shop = terminal.open()
    try:
        assert "1,000 units in 2 lines" in terminal.emporion("import", "catalogue.csv")
        assert "products unchanged" in terminal.emporion("import", "catalogue.csv")
        sold = terminal.emporion("load", "--orders", "20", "--shoppers", "2", "--json", "report")
        assert "orders/s" in sold
        report = json.loads((terminal.folder / "report").read_text())
        assert report["paid"] == 20
        baskets = terminal.emporion("load", "--baskets", "till.csv", "--shoppers", "2")
        assert "as the shop lists it" in baskets
        assert "DIFFERS" not in baskets
        beside = terminal.emporion("audit")
        assert "everything adds up (beside the running shop" in beside
        assert "boss@shop.test is an operator" in terminal.emporion(
            "operator", "add", "boss@shop.test", EMPORION_NEW_PASSWORD="ten-characters"
        )
        assert "inventory" in terminal.emporion("events", "lag")
    finally:
        shop.send_signal(signal.SIGTERM)
        shop.communicate(timeout=30)

    assert shop.returncode == 0
    assert "everything adds up (of a shop that is not running" in terminal.emporion("audit")
    assert "no saga is open" in terminal.emporion("sagas", "list")
    assert "no dead letters" in terminal.emporion("events", "dead-letters")
    assert "0 events" in terminal.emporion("events", "redrive", "email")
    assert "boss@shop.test is an operator" in terminal.emporion(
        "operator", "add", "boss@shop.test", EMPORION_NEW_PASSWORD="ten-characters"
    )

    shop = terminal.open()
    try:
        operator = {
            "EMPORION_OPERATOR_EMAIL": "boss@shop.test",
            "EMPORION_OPERATOR_PASSWORD": "ten-characters",
        }
        assert "would be created" in terminal.emporion(
            "import", "catalogue.csv", "--dry-run", **operator
        )
        wrong = operator | {"EMPORION_OPERATOR_PASSWORD": "something-else"}
        assert "wrong" in terminal.emporion("import", "catalogue.csv", code=1, **wrong)
    finally:
        shop.kill()
        shop.communicate(timeout=30)

    assert "everything adds up" in terminal.emporion("audit")
