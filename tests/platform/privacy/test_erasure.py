"""A person is erased from the whole shop: nothing names them, and everything still adds up."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.fraud import FraudService, ScreeningOf
from emporion.contracts.order import OrderOf, OrderService
from emporion.contracts.payment import PaymentOf, PaymentService
from emporion.contracts.shipping import FulfilmentOf, ShippingService
from emporion.contracts.user import ContactsOf, UserService
from emporion.kernel.ids import OrderId, UserId
from emporion.platform.data_folder import DataFolder
from emporion.platform.privacy import settings_of
from emporion.platform.shop import STAFF_SCOPES, open_shop
from tests.api.shopfront import PASSWORD, Person, must, open_shopfront, slug_of
from tests.platform.privacy.lives import (
    NAME,
    NEEDLES,
    PLACE,
    WEBHOOK_SECRET,
    be_refunded_again,
    be_suspected,
    be_told_of,
    call_off,
    mistake,
    pay_with_a_card,
    redrive,
    send_back,
)
from tests.system.files import copy_file, number
from tests.system.running import COMMAND, environment

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Life:
    """What somebody did in the shop, and the shop's folder before she was erased, and after."""

    person: Person
    cancelled: str
    kept: str
    held: list[OrderId]
    backup: Path
    old_vault: Path
    after: Path
    log: bytes


def back_up(folder: Path, target: Path) -> None:
    """A copy of all databases, as they are now, and of the secrets: but not of the vault."""
    target.mkdir()
    for path in folder.glob("*.sqlite"):
        if path.name != "vault.sqlite":
            copy_file(path, target / path.name)
    shutil.copy(folder / "secrets.json", target)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder, backup = tmp_path_factory.mktemp("shop"), tmp_path_factory.mktemp("copy") / "shop"
    async with open_shopfront(
        folder, is_telling=True, payment_webhook_secret=WEBHOOK_SECRET
    ) as front:
        person = await front.person(NAME)
        kept = await send_back(front, person)
        cancelled = await call_off(front, person)
        await be_refunded_again(front, person, cancelled)
        await pay_with_a_card(front, person)
        held = await be_suspected(front, person)
        await be_told_of(front, person)
        await mistake(front, person)
        await front.until_no_saga_is_open()
        back_up(folder, backup)
        copy_file(folder / "vault.sqlite", backup.parent / "vault.sqlite")
        erased = await front.json(person, "POST", "/api/users/me/erasure", {"password": PASSWORD})
        assert must(erased)["erased_at"]
        await redrive(front)
    shutil.copy(folder / "vault.sqlite", backup)
    old_vault = backup.parent / "vault.sqlite"
    return Life(
        person,
        cancelled,
        kept,
        held,
        backup,
        old_vault=old_vault,
        after=folder,
        log=front.log.getvalue(),
    )


async def asked(folder: Path, life: Life) -> dict[str, Any]:
    """What a shop on that folder knows of her."""
    runtime = system_runtime()
    async with open_shop(settings_of(folder), runtime, Telemetry(runtime, is_strict=True)) as shop:
        clients = shop.directory.clients("platform", scopes=STAFF_SCOPES | {"operations:read"})
        users, orders = clients.get(UserService), clients.get(OrderService)
        payments, frauds = clients.get(PaymentService), clients.get(FraudService)
        shipping = clients.get(ShippingService)
        people = ContactsOf(user_ids=[UserId(life.person.user_id)])
        histories = [
            await orders.order_history(OrderOf(order_id=OrderId(id_)))
            for id_ in (life.kept, life.cancelled)
        ]
        paid = await payments.payment_history(PaymentOf(order_id=OrderId(life.cancelled)))
        found = {
            "contacts": (await users.contacts(people)).contacts,
            "staff": [
                *[(await frauds.get_review(ScreeningOf(order_id=id_))).reason for id_ in life.held],
                (await shipping.get_fulfilment(FulfilmentOf(order_id=life.held[2]))).release_reason,
                *(each.reason for each in paid.healings),
            ],
            "facts": [change.facts for history in histories for change in history.changes],
        }
    assert isinstance(runtime.tasks, SystemTasks)
    await runtime.tasks.cancel_all()
    return found


def named_in(folder: Path) -> list[str]:
    """The files below a folder that name her, in any case of letters."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    return [
        path.name
        for path in files
        if any(needle in path.read_bytes().lower() for needle in NEEDLES)
    ]


async def test_no_byte_of_any_file_names_her_nor_a_line_of_the_log(life) -> None:
    assert named_in(life.after) == []
    assert not any(needle in life.log.lower() for needle in NEEDLES)


async def test_a_copy_from_before_does_not_name_her_either(life) -> None:
    assert named_in(life.backup) == []


@pytest.mark.parametrize("place", ["after", "backup"])
async def test_neither_the_shop_nor_a_copy_from_before_can_read_her_again(life, place) -> None:
    folder: Path = getattr(life, place)
    sealed = number(folder, "user", "SELECT count(*) FROM account WHERE email <> ''")
    assert sealed == (1 if place == "after" else 2)  # the operator; and, in the copy, her

    found = await asked(folder, life)

    assert found["contacts"] == []
    assert [fact for fact in found["facts"] if PLACE in fact] == []
    assert len([fact for fact in found["facts"] if '"reason":"erased"' in fact]) == 3
    assert [note for note in found["staff"] if note] == ["erased"] * 4


async def test_it_is_the_key_that_was_destroyed_and_nothing_else(life, tmp_path) -> None:
    """The copy with the vault of then: who keeps that has not erased anybody."""
    folder = tmp_path / "shop"
    shutil.copytree(life.backup, folder)
    shutil.copy(life.old_vault, folder / "vault.sqlite")

    found = await asked(folder, life)

    assert [contact.email for contact in found["contacts"]] == [life.person.email]
    assert len([fact for fact in found["facts"] if PLACE in fact]) == 3
    assert len([note for note in found["staff"] if PLACE in note]) == 4


async def test_the_trail_and_the_books_stand(life) -> None:
    for words in (["audit"], ["audit", "--trail"]):
        done = subprocess.run(
            [*COMMAND, *words, "--data", str(life.after)],
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


async def test_she_cannot_come_back_and_her_orders_stay(life, tmp_path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(life.after, folder)
    async with open_shopfront(folder) as front:
        credentials = {"email": life.person.email, "password": PASSWORD}
        refused = await front.json(Person(), "POST", "/api/users/sessions", credentials)
        gone = await front.send(life.person, "GET", "/api/users/me")
        order = must(await front.send(front.operator, "GET", f"/api/orders/{life.kept}"))

    assert slug_of(refused) == "wrong-credentials"
    assert slug_of(gone) == "unauthenticated"
    assert order["user_id"] == life.person.user_id
    assert not DataFolder.is_held(folder)
