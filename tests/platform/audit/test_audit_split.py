"""The audit over a shop whose data lie in PostgreSQL and MongoDB, and whose events in NATS."""

import asyncio
import shutil
from contextlib import AsyncExitStack

import msgspec
import psutil
import pytest

from emporion.kernel.errors import EmporionError
from emporion.platform.audit.run import audit_folder
from emporion.platform.audit.stored import stored_dead_letters, stored_lags, stored_sagas
from emporion.platform.audit.subscribers import REACTS_TO
from emporion.platform.data_folder import DataFolder, FolderInUse
from emporion.platform.reading.processes import files_of_processes, forget_processes, is_split
from emporion.platform.reading.refusals import NoShopHere, ReadOnly, ShopNotRunning
from emporion.platform.reading.shop import open_for_reading
from emporion.platform.shop_folder import open_for_writing
from emporion.services.order import audit as order
from emporion.services.payment.adapters.rehearsal import BOOK_FILE
from emporion.services.shipping import audit as shipping
from tests.engines.mongodb import sockets_collected
from tests.platform.audit.split_shop import altered, meddled, running, until_delivered
from tests.platform.audit.test_audit import (
    LAST_CONFIRMATION,
    ORDERS,
    SOLD_ORDER,
    SOLD_PAYMENT,
    load,
    said,
    sell_and_take_back,
)

__all__ = ["folder", "sockets_collected", "stopped"]
pytestmark = pytest.mark.timeout(300)
"""Servers are made and started for the first test; on a loaded machine that takes a minute."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The data folder of a shop that has sold a little and was stopped."""
    folder = tmp_path_factory.mktemp("audit-split") / "shop"

    async def sell(url: str) -> None:
        result = await load(url)
        assert result.tally.paid
        assert not result.tally.errors
        await until_delivered(lambda: stored_lags(folder))

    with running(folder) as url:
        asyncio.run(sell(url))
    return folder


@pytest.fixture(scope="module")
def folder(stopped, tmp_path_factory):
    """A copy of it, on which it runs."""
    copy = shutil.copytree(stopped, tmp_path_factory.mktemp("audit-running") / "shop")
    with running(copy):
        yield copy


@pytest.mark.usefixtures("sockets_collected")
async def test_a_stopped_split_shop_is_read_on_engines_that_run_only_meanwhile(stopped):
    report = await audit_folder(stopped, wait_s=0)

    assert said(report) == {}
    assert not report.is_running
    assert [p for p in psutil.process_iter(["cmdline"]) if str(stopped) in str(p.info)] == []


@pytest.mark.usefixtures("sockets_collected")
async def test_a_split_shop_that_took_some_of_its_orders_back_adds_up(stopped, tmp_path):
    copy = shutil.copytree(stopped, tmp_path / "shop")
    with running(copy) as url:
        await sell_and_take_back(url, copy)
        for service, edit, check in (
            ("order", "UPDATE order_return SET user_id = 'usr_x'", order.RETURNS),
            ("shipping", "UPDATE fulfilment SET status = 'ready'", shipping.FOLLOWS),
            ("shipping", "UPDATE shipment SET delivered_at_ms = NULL", shipping.DATED),
        ):
            async with meddled(copy, service, edit):
                report = await audit_folder(copy, wait_s=0)
            assert f"{service}: {check}" in said(report)


@pytest.mark.usefixtures("sockets_collected")
async def test_no_shop_starts_on_a_folder_while_it_is_read(stopped):
    async with open_for_reading(stopped):
        with pytest.raises(FolderInUse), DataFolder(stopped):
            pass


async def test_a_split_shop_adds_up_beside_its_processes(folder):
    report = await audit_folder(folder, wait_s=10)

    assert said(report) == {}
    assert report.is_running
    examined = {finding.check: finding.examined or 0 for finding in report.findings}
    assert examined["order: order events replay to the row"] == ORDERS
    assert examined["order: decided orders are announced"] == ORDERS
    assert 0 < examined["one confirmation per sold order"] < ORDERS
    assert examined["payment: provider's book = payments"]
    assert examined["no event lost at the broker"] >= sum(map(bool, REACTS_TO.values()))


async def test_what_is_stored_of_events_and_sagas_is_read_for_their_commands(folder):
    lags = {lag.subscriber: lag.waiting for lag in await stored_lags(folder)}

    assert {"email", "inventory"} <= lags.keys()
    assert not any(lags.values())
    assert not await stored_sagas(folder)
    assert not await stored_dead_letters(folder, 9)


@pytest.mark.parametrize(
    ("service", "statements", "check"),
    [
        (
            "payment",
            [f"UPDATE payment SET order_id = 'ord_x' WHERE order_id = {SOLD_PAYMENT}"],
            "every payment has its order",
        ),
        (
            "payment",
            [f"UPDATE payment SET amount_minor = amount_minor + 1 WHERE order_id = {SOLD_PAYMENT}"],
            "paid orders = captured payments",
        ),
        (
            "payment",
            ["DELETE FROM ledger_transfer WHERE seq = (SELECT max(seq) FROM ledger_transfer)"],
            "payment: ledger = payments",
        ),
        (
            "payment",
            ["UPDATE event SET at_ms = at_ms + 1 WHERE stream = (SELECT max(stream) FROM event)"],
            "payment: payment event chain unbroken",
        ),
        (
            "order",
            [f"UPDATE orders SET status = 'rejected' WHERE order_id = {SOLD_ORDER}"],
            "no money kept for unsold orders",
        ),
        (
            "order",
            [f"DELETE FROM outbox WHERE key = {SOLD_ORDER}"],
            "order: decided orders are announced",
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
async def test_meddling_with_tables_in_postgresql_is_found(folder, service, statements, check):
    async with meddled(folder, service, *statements):
        report = await audit_folder(folder, wait_s=0)

    assert check in said(report)
    assert report.violations


@pytest.mark.parametrize(
    ("collection", "chosen", "change", "check"),
    [
        (
            "level",
            {"sku": "croissant"},
            {"$inc": {"on_hand": 1, "free": 1}},
            "inventory: stock movements = level",
        ),
        ("hold", {"status": "committed"}, None, "paid orders have their stock"),
        ("hold", {"status": "committed"}, None, "inventory: reserved = open holds"),
    ],
)
async def test_meddling_with_documents_in_mongodb_is_found(
    folder, collection, chosen, change, check
):
    async with altered(folder, collection, chosen, change):
        report = await audit_folder(folder, wait_s=0)

    assert check in said(report)
    assert report.violations


SOME_CREATED = (
    "(SELECT event_id FROM outbox WHERE name = 'orders.created' ORDER BY position LIMIT 1 OFFSET 3)"
)


async def test_an_event_that_the_broker_took_and_never_gave_is_found(folder):
    async with AsyncExitStack() as stack:
        lost = await _one(folder, SOME_CREATED)
        earlier = f"UPDATE outbox SET sent_at_ms = sent_at_ms - 60000 WHERE event_id = '{lost}'"
        await stack.enter_async_context(meddled(folder, "order", earlier))
        forgotten = f"DELETE FROM inbox WHERE event_id = '{lost}'"
        await stack.enter_async_context(meddled(folder, "email", forgotten))
        report = await audit_folder(folder, wait_s=0)

    assert "never came to email" in said(report)["no event lost at the broker"]
    assert "1 events wait" in said(report)["events delivered"]


async def test_an_unconfirmed_order_whose_event_waits_is_told_but_is_no_violation(folder):
    async with meddled(folder, "email", "DELETE FROM mail", "DELETE FROM inbox"):
        report = await audit_folder(folder, wait_s=0)

    assert f"{ORDERS} events wait" in said(report)["events delivered"]
    assert report.violations == 0


async def _one(folder, chosen: str) -> str:
    """The one thing that a query of the order service's database finds."""
    async with open_for_reading(folder) as shop:
        ((found,),) = await shop.databases["order"].read(lambda tx: tx.fetch(f"SELECT {chosen}"))
        return str(found)


async def test_all_instances_of_payment_charge_at_one_provider_and_older_books_count(folder):
    (book,) = files_of_processes(folder, BOOK_FILE)
    assert book == folder / "processes" / BOOK_FILE  # common to all instances
    other = folder / "processes" / "payment-2"
    other.mkdir()
    (other / BOOK_FILE).write_bytes(book.read_bytes().splitlines(keepends=True)[0])
    try:
        report = await audit_folder(folder, wait_s=0)
    finally:
        shutil.rmtree(other)

    assert "charged 2 times" in said(report)["payment: provider's book = payments"]


@pytest.mark.parametrize("service", ["email", "inventory"])
async def test_what_is_opened_for_reading_cannot_be_written(folder, service):
    async def write(tx):
        if service == "inventory":
            return await tx.delete_all("level", {})
        return await tx.execute("DELETE FROM mail")

    async with open_for_reading(folder) as shop:
        with pytest.raises(ReadOnly):
            await shop.databases[service].transaction(write)
        with pytest.raises(EmporionError, match=r"read-only|a read writes nothing"):
            await shop.databases[service].read(write)


async def test_what_takes_a_running_shop_says_so(stopped):
    with pytest.raises(ShopNotRunning, match="emporion split"):
        async with open_for_writing(stopped, "user"):
            pass


async def test_a_shop_that_another_version_started_is_read(folder):
    told = folder / "run" / "shop-1.json"
    content = msgspec.json.decode(told.read_bytes())
    content["services"][0]["of_another_version"] = content["of_another_version"] = True
    told.write_bytes(msgspec.json.encode(content))

    report = await audit_folder(folder, wait_s=0)

    assert report.violations == 0


async def test_a_folder_is_read_as_that_of_the_shop_that_was_started_last(stopped, tmp_path):
    shutil.copytree(stopped / "run", tmp_path / "run")
    assert is_split(tmp_path)

    forget_processes(tmp_path)

    with pytest.raises(NoShopHere, match=r"no vault\.sqlite"):
        async with open_for_reading(tmp_path):
            pass
