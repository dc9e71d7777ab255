"""Deliveries and sagas from the command line: beside a real running shop, and on its files."""

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emporion.platform.data_folder import DataFolder, address_in, write_address
from tests.system import files
from tests.system.accounts import sign_up
from tests.system.polling import eventually
from tests.system.running import COMMAND, Running, environment, start
from tests.system.wire import Wire

PATIENCE_S = 20.0
BREAK = "CREATE TRIGGER broken BEFORE INSERT ON mail BEGIN SELECT RAISE(ABORT, 'broken'); END"
MEND = "DROP TRIGGER broken"
BURY = "UPDATE parked SET status = 'dead', next_at_ms = NULL"
"""What three days of failures come to."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
async def shop(folder: Path) -> AsyncIterator[Running]:
    running = start(folder)
    try:
        await running.until_open()
        yield running
    finally:
        running.kill()


def emporion(folder: Path, *words: str, code: int = 0, **environ: Any) -> str:
    """What a command says."""
    done = subprocess.run(
        [*COMMAND, *words, "--data", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment(), "COLUMNS": "200", **environ},
        timeout=60,
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def write(folder: Path, *statements: str) -> None:
    """Change the mails' database, beside the shop."""
    files.write(folder / "email.sqlite", *statements)


def count(folder: Path, sql: str) -> int:
    """The one number of a statement on the mails' database."""
    return files.number(folder, "email", sql)


async def order(url: str, name: str = "ada") -> str:
    """A new customer's order of one croissant; its id."""
    (customer,) = await sign_up(url, [name])
    wire = Wire(url)
    try:
        reply = await wire.ask(
            "POST",
            "/api/orders",
            {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"},
            headers={**customer.headers, "Idempotency-Key": "basket-1"},
        )
    finally:
        await wire.close()
    return str(reply.document["order_id"])


async def test_a_dead_letter_of_a_running_shop_is_redriven_and_takes_effect_once(folder, shop):
    write(folder, BREAK)
    order_id = await order(shop.url)
    await eventually(
        lambda: count(folder, "SELECT count(*) FROM parked") == 1,
        within_s=PATIENCE_S,
        what="the mail's reaction has failed",
    )
    write(folder, MEND, BURY)
    assert "orders.created" in emporion(folder, "events", "dead-letters", code=1)

    reason = ("--reason", "mended")
    assert "1 events" in emporion(folder, "events", "redrive", "email", *reason)
    await eventually(
        lambda: count(folder, "SELECT count(*) FROM mail") == 1,
        within_s=PATIENCE_S,
        what="the mail is queued",
    )

    assert "0 events" in emporion(folder, "events", "redrive", "email", "--url", shop.url)
    assert "no dead letters" in emporion(folder, "events", "dead-letters")
    assert count(folder, f"SELECT count(*) FROM mail WHERE order_id = '{order_id}'") == 1
    assert await shop.stop() == 0
    lines = [json.loads(line) for line in shop.said.splitlines()]
    (line,) = [line for line in lines if line["message"].startswith("1 events are delivered again")]
    assert line["fields"] == {"actor": line["user_id"]}
    assert "mended" not in shop.said  # why is kept with the deed


async def test_a_subscriber_is_paused_beside_the_shop_and_resumed_on_its_files(folder, shop):
    assert "resume email" in emporion(folder, "events", "pause", "email")
    await order(shop.url)
    shown = emporion(folder, "events", "lag")
    assert "paused" in shown
    assert "oldest s" in shown
    assert await shop.stop() == 0
    assert address_in(folder) == ""

    assert "delivered to email" in emporion(folder, "events", "resume", "email")
    again = start(folder)
    try:
        await again.until_open()
        await eventually(
            lambda: count(folder, "SELECT count(*) FROM mail") == 1,
            within_s=PATIENCE_S,
            what="the mail is queued",
        )
        replay = ("events", "replay", "email", "order", "--since", "2020-01-01")
        assert "after position 0" in emporion(folder, *replay)
        assert "no saga is open" in emporion(folder, "sagas", "list")
    finally:
        again.kill()
    assert count(folder, "SELECT count(*) FROM mail") == 1


async def test_what_an_operator_cannot_have_is_told_in_a_line(folder, shop):
    wrong: dict[str, Any] = {"EMPORION_OPERATOR_PASSWORD": "something-else"}
    saga_id = "ord_" + "0" * 32

    assert "wrong" in emporion(folder, "events", "lag", code=1, **wrong)
    assert "subscribes" in emporion(folder, "events", "pause", "catalog", code=1)
    assert "Not found" in emporion(folder, "sagas", "retry", saga_id, code=1)
    assert "saga_id" in emporion(folder, "sagas", "retry", "x", code=2)


async def test_an_operator_is_added_beside_the_running_shop_by_another_one(folder, shop):
    secret: dict[str, Any] = {"EMPORION_NEW_PASSWORD": "ten-characters"}
    as_grace: dict[str, Any] = {
        "EMPORION_OPERATOR_EMAIL": "grace@b.test",
        "EMPORION_OPERATOR_PASSWORD": "ten-characters",
    }
    wrong: dict[str, Any] = {"EMPORION_OPERATOR_PASSWORD": "something-else"}
    add = ("operator", "add", "grace@b.test")

    assert "wrong" in emporion(folder, *add, code=1, **secret, **wrong)
    assert "is an operator" in emporion(folder, *add, **secret)
    assert "inventory" in emporion(folder, "events", "lag", **as_grace)
    assert "stop the shop" in emporion(folder, *add, code=1, **secret)

    shop.kill()
    reset: dict[str, Any] = {"EMPORION_NEW_PASSWORD": "another-one"}
    assert "is an operator" in emporion(folder, *add, **reset)


async def test_a_shop_that_does_not_answer_is_read_from_its_files(folder, shop):
    url = address_in(folder)
    assert url == shop.url
    write_address(folder, "http://127.0.0.1:9")

    said = emporion(folder, "events", "lag")
    assert "cannot reach" in said
    assert "inventory" in said
    assert "cannot reach" in emporion(folder, "events", "redrive", "email", code=1)


async def test_the_address_of_a_killed_shop_is_not_asked(folder, shop):
    shop.kill()
    assert address_in(folder) == shop.url

    assert "no saga is open" in emporion(folder, "sagas", "list")
    assert "0 events" in emporion(folder, "events", "redrive", "email")
    assert address_in(folder) == ""


def test_a_folder_that_is_held_by_something_else_is_not_written(folder):
    emporion(folder, "events", "lag", code=1)
    with DataFolder(folder):
        assert "takes no requests" in emporion(folder, "events", "redrive", "email", code=1)
