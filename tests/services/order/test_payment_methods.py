"""What others learn of a payment token: whether it is the same as another, and nothing else."""

from pathlib import Path
from typing import cast

import pytest

from emporion.chassis.calls.context import enter, leave
from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.testing.databases import migrations_of, sqlite_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.inventory import Line
from emporion.contracts.order import OrderService, PlaceOrder
from emporion.contracts.payment import PaymentDeclined
from emporion.kernel.ids import Sku
from emporion.services.order.commands.steps import PaymentMethods
from emporion.services.order.service import build
from tests.services.order.cards import gift_cards
from tests.services.order.fakes import ADA, neighbours, signed_in


async def told(folder: Path, key: str) -> list[bytes]:
    """What is published of an order by one token, and of one by another that is declined."""
    runtime = manual_runtime()
    migrations = [migrations_of("order")]
    async with sqlite_database(folder, migrations, source="order", runtime=runtime) as database:
        catalog, inventory, payments = neighbours()

        class Neighbours:
            def get(self, contract):
                names = {
                    "CatalogService": catalog,
                    "InventoryService": inventory,
                    "GiftCardService": gift_cards(),
                }
                return names.get(contract.__name__, payments)

        engine = SagaEngine("order", database, runtime)
        settings = {"payment_method_key": key}
        assembly = build(Needs(runtime, database, Neighbours(), engine, settings))
        engine.register(assembly.sagas)
        api = cast("OrderService", assembly.implementation)
        entered = enter(signed_in(ADA))
        lines = [Line(sku=Sku("bread"), quantity=1)]
        try:
            await api.place_order(
                PlaceOrder(idempotency_key="a", lines=lines, payment_token="tok_ok")
            )
            with pytest.raises(PaymentDeclined):
                await api.place_order(
                    PlaceOrder(idempotency_key="b", lines=lines, payment_token="tok_declined")
                )
        finally:
            leave(entered)

        async def work(tx: Tx) -> list[bytes]:
            return [row[0] for row in await tx.fetch("SELECT payload FROM outbox")]

        return await database.read(work)


async def test_events_name_the_payment_method_and_never_its_token(tmp_path: Path):
    methods = PaymentMethods("a key")

    created, rejected = await told(tmp_path, "a key")

    assert methods.name("tok_ok").encode() in created
    assert methods.name("tok_declined").encode() in rejected
    assert b"tok_" not in created + rejected


async def test_without_a_key_payment_methods_have_no_name(tmp_path: Path):
    for payload in await told(tmp_path, ""):
        assert b'"payment_method":""' in payload
        assert b"tok_" not in payload


def test_a_name_depends_on_token_and_key():
    one, other = PaymentMethods("one"), PaymentMethods("other")

    assert one.name("tok_a") == PaymentMethods("one").name("tok_a")
    assert len({one.name("tok_a"), one.name("tok_b"), other.name("tok_a")}) == 3
    assert len(one.name("t" * 200)) == 32
    assert one.name("") == ""
