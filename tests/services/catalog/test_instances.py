"""Two instances of the catalog on one PostgreSQL database: no change is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from emporion.chassis.data.database import Database
from emporion.chassis.testing.databases import migrations_of, postgres_database
from emporion.kernel.ids import ProductId, Sku
from emporion.kernel.money import Money
from emporion.services.catalog.adapters.sql.products import SqlProductStore
from emporion.services.catalog.domain.product import Product, Variant

ID = ProductId("prd_" + "0" * 32)


@pytest.fixture
async def databases(tmp_path: Path) -> AsyncIterator[list[Database]]:
    tables = [migrations_of("catalog", "postgres")]
    async with (
        postgres_database(tmp_path, tables, source="catalog") as one,
        postgres_database(tmp_path, tables, source="catalog") as two,
    ):
        yield [one, two]


def bread(product_id: ProductId = ID) -> Product:
    return Product(product_id, "Bread", "", "", (), is_archived=False, updated_at_ms=0)


async def test_variants_added_at_both_are_all_there(databases) -> None:
    stores = [SqlProductStore(database) for database in databases]
    await stores[0].change(lambda _: ([bread()], None))

    def adding(number: int):
        variant = Variant(Sku(f"bread-{number}"), str(number), Money(100, "EUR"))

        def decide(found: Sequence[Product]) -> tuple[list[Product], None]:
            (product,) = found
            return [product._replace(variants=(*product.variants, variant))], None

        return decide

    await asyncio.gather(*(stores[n % 2].change(adding(n), ids=[ID]) for n in range(30)))

    product = await stores[0].find(ID)
    assert product is not None
    assert {variant.sku for variant in product.variants} == {f"bread-{n}" for n in range(30)}


async def test_a_name_that_both_look_for_is_made_once(databases) -> None:
    stores = [SqlProductStore(database) for database in databases]

    def make_unless_there(number: int):
        def decide(found: Sequence[Product]) -> tuple[list[Product], bool]:
            made = [] if found else [bread(ProductId(f"prd_{number:032x}"))]
            return made, bool(made)

        return decide

    made = await asyncio.gather(
        *(stores[n % 2].change(make_unless_there(n), names=["Bread"]) for n in range(10))
    )
    assert made.count(True) == 1
