"""`emporion trace` and `emporion boundaries`, beside a real running shop and on its files."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.platform.cli.test_operating import order
from tests.system.running import COMMAND, environment, start

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def emporion(folder: Path, *words: str, code: int = 0) -> str:
    """What a command says on a terminal of 80 columns."""
    done = subprocess.run(
        [*COMMAND, *words, "--data", str(folder)], capture_output=True, text=True, check=False,
        env={**environment(), "COLUMNS": "80"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_an_orders_story_is_told_while_the_shop_runs_and_when_it_is_over(tmp_path):
    folder = tmp_path / "shop"
    running = start(folder)
    try:
        await running.until_open()
        order_id = await order(running.url)
        told = emporion(folder, "trace", order_id)
        assert await running.stop() == 0
    finally:
        running.kill()

    for hop in ("edge POST /api/orders", "order place_order", "inventory reserve", "* order paid"):
        assert hop in told
    assert max(map(len, told.splitlines())) <= 80
    story = json.loads(emporion(folder, "trace", order_id, "--json"))
    assert story["order_id"] == order_id
    assert {"edge", "served", "data", "step", "reaction", "change"} <= {
        entry["kind"] for entry in story["entries"]
    }
    (trace_id,) = story["trace_ids"]
    assert f"trace {trace_id}" in emporion(folder, "trace", trace_id)

    report = emporion(folder, "boundaries")
    assert "order -> payment" in report
    assert "no two services talk so much" in report  # of one order nothing is concluded
    assert json.loads(emporion(folder, "boundaries", "--json"))["requests"] >= 1


def test_what_is_no_order_and_no_trace_is_refused(tmp_path):
    for wrong in ("ord_1", "f" * 31, "F" * 32):
        assert "is no order's id" in emporion(tmp_path, "trace", wrong, code=2)


def test_where_there_is_no_shop_that_is_said(tmp_path):
    assert emporion(tmp_path / "none", "trace", "f" * 32, code=1)
