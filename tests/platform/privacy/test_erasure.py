"""A person is erased from the whole shop: nothing names them, and everything still adds up."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.order import OrderOf, OrderService
from emporion.contracts.user import ContactsOf, UserService
from emporion.kernel.ids import OrderId, UserId
from emporion.platform.data_folder import DataFolder
from emporion.platform.privacy import settings_of
from emporion.platform.shop import open_shop
from tests.api.parcels import delivered
from tests.api.shopfront import PASSWORD, Person, Shopfront, must, open_shopfront, slug_of
from tests.system.running import COMMAND, environment

NAME = "somerville"
PLACE = "Jedburgh"
"""Stands in what she writes, and nowhere else."""
NEEDLES = (NAME.encode(), PLACE.encode().lower())

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Life:
    """What somebody did in the shop, and the shop's folder before she was erased, and after."""

    person: Person
    cancelled: str
    kept: str
    backup: Path
    old_vault: Path
    after: Path
    log: bytes


async def live(front: Shopfront, person: Person) -> tuple[str, str]:
    """Buys, has it delivered, wants to send it back; buys again and calls that off."""
    kept = await delivered(front, person, "to-keep")
    line = {"lines": [{"sku": "croissant", "quantity": 1}], "reason": f"too cold for {PLACE}"}
    target = f"/api/orders/{kept}/returns"
    asked = must(await front.json(person, "POST", target, line, idempotency_key="back"))
    refusing = {"reason": f"the post to {PLACE} is slow"}
    refuse = f"/api/returns/{asked['return_id']}/refuse"
    must(await front.json(front.operator, "POST", refuse, refusing))
    cancelled = (await front.order(person, "to-cancel"))["order_id"]
    reason = {"reason": f"I move away from {PLACE}"}
    must(await front.json(person, "POST", f"/api/orders/{cancelled}/cancel", reason))
    await front.until_quiet()
    return kept, cancelled


def back_up(folder: Path, target: Path) -> None:
    """A copy of all databases, as they are now, and of the secrets: but not of the vault."""
    target.mkdir()
    for path in folder.glob("*.sqlite"):
        if path.name != "vault.sqlite":
            with (
                closing(sqlite3.connect(path)) as source,
                closing(sqlite3.connect(target / path.name)) as copy,
            ):
                source.backup(copy)
    shutil.copy(folder / "secrets.json", target)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder, backup = tmp_path_factory.mktemp("shop"), tmp_path_factory.mktemp("copy") / "shop"
    async with open_shopfront(folder) as front:
        person = await front.person(NAME)
        kept, cancelled = await live(front, person)
        back_up(folder, backup)
        with (
            closing(sqlite3.connect(folder / "vault.sqlite")) as source,
            closing(sqlite3.connect(backup.parent / "vault.sqlite")) as copy,
        ):
            source.backup(copy)
        erased = await front.json(person, "POST", "/api/users/me/erasure", {"password": PASSWORD})
        assert must(erased)["erased_at"]
        await front.until_quiet()
    shutil.copy(folder / "vault.sqlite", backup)
    old_vault = backup.parent / "vault.sqlite"
    log = front.log.getvalue()
    return Life(person, cancelled, kept, backup, old_vault=old_vault, after=folder, log=log)


async def asked(folder: Path, life: Life) -> dict[str, Any]:
    """What a shop on that folder knows of her."""
    runtime = system_runtime()
    async with open_shop(settings_of(folder), runtime, Telemetry(runtime, is_strict=True)) as shop:
        clients = shop.directory.clients("platform", scopes=frozenset({"operations:read"}))
        users, orders = clients.get(UserService), clients.get(OrderService)
        people = ContactsOf(user_ids=[UserId(life.person.user_id)])
        histories = [
            await orders.order_history(OrderOf(order_id=OrderId(id_)))
            for id_ in (life.kept, life.cancelled)
        ]
        found = {
            "contacts": (await users.contacts(people)).contacts,
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
    with closing(sqlite3.connect(folder / "user.sqlite")) as file:
        (sealed,) = file.execute("SELECT count(*) FROM account WHERE email <> ''").fetchone()
    assert sealed == (1 if place == "after" else 2)  # the operator; and, in the copy, her

    found = await asked(folder, life)

    assert found["contacts"] == []
    assert [fact for fact in found["facts"] if PLACE in fact] == []
    assert len([fact for fact in found["facts"] if '"reason":"erased"' in fact]) == 3


async def test_it_is_the_key_that_was_destroyed_and_nothing_else(life, tmp_path) -> None:
    """The copy with the vault of then: who keeps that has not erased anybody."""
    folder = tmp_path / "shop"
    shutil.copytree(life.backup, folder)
    shutil.copy(life.old_vault, folder / "vault.sqlite")

    found = await asked(folder, life)

    assert [contact.email for contact in found["contacts"]] == [life.person.email]
    assert len([fact for fact in found["facts"] if PLACE in fact]) == 3


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
