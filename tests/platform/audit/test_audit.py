"""The whole audit over a real shop's files, and over files in which somebody has meddled."""

import asyncio
import shutil
from pathlib import Path

import apsw
import pytest

from emporion.platform.audit.look import Report
from emporion.platform.audit.run import audit_folder
from emporion.platform.cli.options import DEMO_OPERATOR_EMAIL, DEMO_OPERATOR_PASSWORD
from emporion.platform.client.address import Address
from emporion.platform.load.options import LoadOptions, Operator, RunId
from emporion.platform.load.run import LoadResult, LoadRun
from emporion.platform.process import serving
from emporion.platform.reading.refusals import NoShopHere
from emporion.platform.settings import Settings
from emporion.platform.shop_folder import database_file
from emporion.services.payment.adapters.rehearsal import BOOK_FILE

ORDERS = 30


async def load(url: str, *, orders: int = ORDERS, return_percent: float = 0.0) -> LoadResult:
    options = LoadOptions(
        address=Address.parse(url),
        run_id=RunId.new(3),
        operator=Operator(DEMO_OPERATOR_EMAIL, DEMO_OPERATOR_PASSWORD),
        orders=orders,
        decline_percent=30,
        return_percent=return_percent,
    )
    result = await LoadRun(options, None).run()
    assert result.adds_up
    return result


def settings(folder: Path) -> Settings:
    return Settings(port=0, data=str(folder), log_level="ERROR")


@pytest.fixture(scope="module")
def sold(tmp_path_factory):
    """The files of a shop that has sold a little and was stopped."""
    folder = tmp_path_factory.mktemp("audit") / "shop"

    async def sell() -> None:
        async with serving(settings(folder)) as running:
            result = await load(running.url)
            assert result.tally.paid
            assert result.tally.refusals["payment-declined"]
            assert not result.tally.errors
            report = await audit_folder(folder, wait_s=10)
            assert report.violations == 0
            assert report.is_running
            while any(lag.waiting for lag in await running.shop.bus.lag()):
                await asyncio.sleep(0.01)

    asyncio.run(sell())
    return folder


@pytest.fixture
def folder(sold, tmp_path):
    """A copy to meddle with."""
    return shutil.copytree(sold, tmp_path / "shop")


def said(report: Report) -> dict[str, str]:
    return {f.check: f.violations[0].detail for f in report.findings if f.total}


def meddle(folder: Path, service: str, *statements: str) -> None:
    connection = apsw.Connection(str(database_file(folder, service)))
    for statement in statements:
        connection.execute(statement).fetchall()
        assert connection.changes() or "TRIGGER" in statement, statement
    connection.close()


async def test_a_shop_that_was_stopped_adds_up(folder):
    report = await audit_folder(folder, wait_s=0)

    assert said(report) == {}
    assert not report.is_running
    examined = {finding.check: finding.examined or 0 for finding in report.findings}
    paid = examined["paid orders = captured payments"]
    assert examined["order: order events replay to the row"] == ORDERS
    assert 0 < paid < ORDERS
    assert examined["one confirmation per sold order"] == paid


async def test_a_shop_that_took_some_of_its_orders_back_adds_up(tmp_path):
    folder = tmp_path / "shop"
    async with serving(settings(folder)) as running:
        await sell_and_take_back(running.url, folder)


async def sell_and_take_back(url: str, folder: Path) -> None:
    """Orders that are shipped, delivered, sent back and refunded, whole or in part."""
    result = await load(url, return_percent=50)
    assert not result.tally.errors
    assert result.returned
    assert result.returned.counted.orders == round(result.tally.paid / 2)
    assert result.adds_up

    report = await audit_folder(folder, wait_s=30)
    assert report.violations == 0, said(report)
    examined = {finding.check: finding.examined or 0 for finding in report.findings}
    assert examined["refunds of returns = refunds <= captures"]


SOME_SOLD = "(SELECT max(order_id) FROM {table} WHERE status = '{status}')"
SOLD_ORDER = SOME_SOLD.format(table="orders", status="paid")
SOLD_PAYMENT = SOME_SOLD.format(table="payment", status="captured")
LAST_DECISION = "(SELECT max(position) FROM outbox WHERE name = 'orders.created')"
LAST_CONFIRMATION = "(SELECT max(seq) FROM mail WHERE template = 'order-confirmation')"
SOLD_HOLD = SOME_SOLD.format(table="hold", status="committed")


@pytest.mark.parametrize(
    ("service", "statements", "check"),
    [
        (
            "inventory",
            ["UPDATE level SET on_hand = on_hand + 1 WHERE sku = 'croissant'"],
            "inventory: stock movements = level",
        ),
        (
            "inventory",
            [f"DELETE FROM hold WHERE order_id = {SOLD_HOLD}"],
            "paid orders have their stock",
        ),
        (
            "inventory",
            [f"UPDATE hold SET order_id = 'ord_x' WHERE order_id = {SOLD_HOLD}"],
            "open holds = orders that need them",
        ),
        (
            "payment",
            [f"DELETE FROM payment WHERE order_id = {SOLD_PAYMENT}"],
            "paid orders = captured payments",
        ),
        (
            "payment",
            [f"UPDATE payment SET amount_minor = amount_minor + 1 WHERE order_id = {SOLD_PAYMENT}"],
            "paid orders = captured payments",
        ),
        (
            "payment",
            [f"UPDATE payment SET order_id = 'ord_x' WHERE order_id = {SOLD_PAYMENT}"],
            "every payment has its order",
        ),
        (
            "order",
            [f"UPDATE orders SET total_minor = 1 WHERE order_id = {SOLD_ORDER}"],
            "order: order events replay to the row",
        ),
        (
            "order",
            [f"UPDATE orders SET status = 'rejected' WHERE order_id = {SOLD_ORDER}"],
            "no money kept for unsold orders",
        ),
        (
            "order",
            [f"UPDATE orders SET status = 'pending' WHERE order_id = {SOLD_ORDER}"],
            "a saga works on each pending order",
        ),
        (
            "order",
            ["UPDATE saga SET state = 'running' WHERE id = (SELECT max(id) FROM saga)"],
            "no saga is left undone",
        ),
        (
            "order",
            ["DELETE FROM outbox WHERE position = (SELECT max(position) - 1 FROM outbox)"],
            "event logs have no gaps",
        ),
        (
            "order",
            [f"DELETE FROM outbox WHERE position = {LAST_DECISION}"],
            "order: decided orders are announced",
        ),
        (
            "payment",
            ["DELETE FROM ledger_transfer WHERE seq = (SELECT max(seq) FROM ledger_transfer)"],
            "payment: ledger = payments",
        ),
        (
            "payment",
            [f"UPDATE payment SET user_id = 'usr_x' WHERE order_id = {SOLD_PAYMENT}"],
            "payment: payment events replay to the row",
        ),
        (
            "payment",
            ["UPDATE event SET at_ms = at_ms + 1 WHERE stream = (SELECT max(stream) FROM event)"],
            "payment: payment event chain unbroken",
        ),
        (
            "email",
            [f"DELETE FROM mail WHERE seq = {LAST_CONFIRMATION}"],
            "one confirmation per sold order",
        ),
        (
            "analytics",
            ["DELETE FROM fact WHERE what || key = (SELECT max(what || key) FROM fact)"],
            "figures count each sold order",
        ),
        (
            "analytics",
            ["UPDATE tally SET amount_minor = amount_minor + 1"],
            "analytics: figures by minute = what happened",
        ),
    ],
)
async def test_meddling_is_found(folder, service, statements, check):
    meddle(folder, service, *statements)

    report = await audit_folder(folder, wait_s=0)

    assert check in said(report)
    assert report.violations


async def test_a_charge_that_only_the_provider_knows_of_is_found(folder):
    book = folder / BOOK_FILE
    lines = book.read_bytes().splitlines(keepends=True)
    book.write_bytes(b"".join([*lines, lines[0]]))

    report = await audit_folder(folder, wait_s=0)

    assert "charged 2 times" in said(report)["payment: provider's book = payments"]


async def test_an_unconfirmed_order_whose_event_waits_is_told_but_is_no_violation(folder):
    meddle(
        folder,
        "email",
        "DELETE FROM mail",
        "UPDATE bus_cursor SET position = 0 WHERE source = 'order'",
    )

    report = await audit_folder(folder, wait_s=0)

    assert f"{ORDERS} events wait" in said(report)["events delivered"]
    assert report.violations == 0


async def test_a_folder_without_a_shop_is_named(tmp_path):
    with pytest.raises(NoShopHere, match="there is no such folder"):
        await audit_folder(tmp_path / "none", wait_s=0)
