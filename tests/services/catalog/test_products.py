"""Products: created, replaced, archived; their SKUs are theirs alone."""

import asyncio

import pytest

from emporion.contracts.catalog import (
    CreateProduct,
    GetProduct,
    PutProduct,
    QuotePrices,
    SkuTaken,
    UnknownSku,
    Variant,
)
from emporion.kernel.errors import InvalidArgument, NotFound
from emporion.kernel.ids import ProductId, Sku
from emporion.kernel.money import Money
from emporion.services.catalog.domain.product import PRICE_MINOR_MAX

UNKNOWN = ProductId("prd_" + "f" * 32)


def put(product, **changes):
    """The request that puts a product as it is, but for the changes."""
    fields = {
        name: getattr(product, name) for name in PutProduct.__struct_fields__ if name != "changes"
    }
    return PutProduct(**(fields | changes))


async def test_a_created_product_is_found_with_its_variants_in_their_order(shelf):
    created = await shelf.put("Croissant", ("plain", 250), ("almond", 310))

    found = await shelf.api.get_product(GetProduct(product_id=created.product_id))

    assert found == created
    assert [variant.sku for variant in found.variants] == ["plain", "almond"]
    assert not found.is_archived


async def test_an_unknown_product_is_not_found(shelf):
    for ask in (shelf.api.get_product, shelf.api.archive_product):
        with pytest.raises(NotFound):
            await ask(GetProduct(product_id=UNKNOWN))


async def test_a_product_can_be_created_under_an_id_of_the_caller(shelf):
    request = PutProduct(product_id=UNKNOWN, name="Tart", variants=shelf.variants(("tart", 400)))

    first = await shelf.api.put_product(request)

    assert await shelf.api.put_product(request) == first
    assert await shelf.api.get_product(GetProduct(product_id=UNKNOWN)) == first


async def test_variants_left_out_are_no_longer_sold_and_their_skus_are_free(shelf):
    product = await shelf.put("Croissant", ("plain", 250), ("almond", 310))

    await shelf.api.put_product(put(product, variants=shelf.variants(("plain", 260))))

    assert await shelf.price("plain") == "2.60 EUR"
    with pytest.raises(UnknownSku):
        await shelf.price("almond")
    await shelf.put("Almond croissant", ("almond", 320))
    assert await shelf.price("almond") == "3.20 EUR"


async def test_the_sku_of_another_product_is_refused_and_nothing_changes(shelf):
    owner = await shelf.put("Croissant", ("plain", 250))
    other = await shelf.put("Tart", ("tart", 400))

    with pytest.raises(SkuTaken) as refused:
        await shelf.put("Thief", ("new", 1), ("plain", 1))
    with pytest.raises(SkuTaken):
        await shelf.api.put_product(put(other, variants=shelf.variants(("plain", 1))))

    assert refused.value.fields == {"sku": "plain", "product_id": owner.product_id}
    assert await shelf.names() == ["Croissant", "Tart"]
    assert await shelf.price("plain") == "2.50 EUR"


async def test_of_two_products_created_at_once_with_one_sku_exactly_one_is_kept(shelf):
    outcomes = await asyncio.gather(
        *(shelf.put(f"Croissant {number}", ("plain", 250)) for number in range(10)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, SkuTaken) for outcome in outcomes) == 9
    assert len(await shelf.names()) == 1


async def test_an_archived_product_is_off_sale_but_stays_readable(shelf):
    product = await shelf.put("Croissant", ("plain", 250))

    archived = await shelf.api.archive_product(GetProduct(product_id=product.product_id))
    again = await shelf.api.archive_product(GetProduct(product_id=product.product_id))

    assert archived.is_archived
    assert again == archived
    assert await shelf.names() == []
    with pytest.raises(UnknownSku):
        await shelf.price("plain")
    assert (await shelf.api.get_product(GetProduct(product_id=product.product_id))) == archived


async def test_an_archived_product_keeps_its_skus_and_comes_back_when_it_is_put_again(shelf):
    product = await shelf.put("Croissant", ("plain", 250))
    await shelf.api.archive_product(GetProduct(product_id=product.product_id))

    with pytest.raises(SkuTaken):
        await shelf.put("Thief", ("plain", 1))
    back = await shelf.api.put_product(put(product))

    assert not back.is_archived
    assert await shelf.price("plain") == "2.50 EUR"


async def test_every_change_is_announced_once_and_no_change_is_not_announced(shelf):
    product = await shelf.put("Croissant", ("plain", 250), ("almond", 310))
    await shelf.api.put_product(put(product))
    await shelf.api.put_product(put(product, name="Le croissant"))
    await shelf.api.archive_product(GetProduct(product_id=product.product_id))
    await shelf.api.archive_product(GetProduct(product_id=product.product_id))

    announced = await shelf.announced()

    assert {change["product_id"] for change in announced} == {product.product_id}
    assert [change["is_archived"] for change in announced] == [False, False, True]
    assert announced[0]["skus"] == ["plain", "almond"]


async def test_putting_what_is_there_already_keeps_the_time_of_its_last_change(shelf):
    product = await shelf.put("Croissant", ("plain", 250))
    shelf.clock.advance(60)

    assert await shelf.api.put_product(put(product)) == product
    changed = await shelf.api.put_product(put(product, description="Buttery"))

    assert (changed.updated_at - product.updated_at).total_seconds() == 60


@pytest.mark.parametrize("amount_minor", [0, -1, PRICE_MINOR_MAX + 1])
async def test_a_price_is_above_zero_and_below_a_limit(shelf, amount_minor):
    with pytest.raises(InvalidArgument):
        await shelf.put("Croissant", ("plain", amount_minor))

    assert await shelf.names() == []


async def test_one_sku_twice_in_a_product_is_refused(shelf):
    with pytest.raises(InvalidArgument):
        await shelf.put("Croissant", ("plain", 250), ("plain", 260))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"name": "Crois\x00sant"},
        {"name": "Crois\nsant"},
        {"category": "a\x1b[31mb"},
        {"description": "a\x07b"},
    ],
)
async def test_blank_names_and_control_characters_are_refused(shelf, changes):
    fields = {"name": "Croissant", "variants": shelf.variants(("plain", 250))} | changes

    with pytest.raises(InvalidArgument):
        await shelf.api.create_product(CreateProduct(**fields))


async def test_a_description_may_have_several_lines(shelf):
    request = CreateProduct(
        name="Croissant", description="Butter.\n\tFlour.", variants=shelf.variants(("plain", 250))
    )

    assert (await shelf.api.create_product(request)).description == "Butter.\n\tFlour."


async def test_quotes_come_in_the_order_asked_for_with_what_a_customer_reads(shelf):
    price = Money(250, "EUR")
    variants = [
        Variant(sku=Sku("plain"), name="Croissant", price=price),
        Variant(sku=Sku("almond"), name="with almonds", price=Money(310, "EUR")),
    ]
    await shelf.api.create_product(CreateProduct(name="Croissant", variants=variants))

    asked = [Sku("almond"), Sku("plain"), Sku("almond")]
    quotes = (await shelf.api.quote(QuotePrices(skus=asked))).quotes

    assert [quote.sku for quote in quotes] == asked
    assert [quote.name for quote in quotes[:2]] == ["Croissant, with almonds", "Croissant"]
    assert quotes[1].price == price


async def test_a_new_product_name_is_quoted_from_then_on(shelf):
    product = await shelf.put("Croissant", ("plain", 250))
    await shelf.api.put_product(put(product, name="Le croissant"))

    quotes = await shelf.api.quote(QuotePrices(skus=[Sku("plain")]))

    assert quotes.quotes[0].name == "Le croissant, Plain"


async def test_a_price_that_was_quoted_before_is_the_new_one_once_its_change_is_answered(shelf):
    asked = QuotePrices(skus=[Sku("plain")])
    product = await shelf.put("Croissant", ("plain", 250))
    for amount_minor in (260, 270):
        await shelf.api.quote(asked)
        await shelf.api.put_product(put(product, variants=shelf.variants(("plain", amount_minor))))

        assert (await shelf.api.quote(asked)).quotes[0].price == Money(amount_minor, "EUR")

    await shelf.api.archive_product(GetProduct(product_id=product.product_id))
    with pytest.raises(UnknownSku):
        await shelf.api.quote(asked)


async def test_a_price_change_whose_caller_gave_up_is_quoted_all_the_same(shelf):
    asked = QuotePrices(skus=[Sku("plain")])
    product = await shelf.put("Croissant", ("plain", 250))
    await shelf.api.quote(asked)

    change = asyncio.ensure_future(
        shelf.api.put_product(put(product, variants=shelf.variants(("plain", 260))))
    )
    await asyncio.sleep(0)
    change.cancel()
    await asyncio.wait([change])
    await shelf.api.quote(asked)
    await shelf.put("Tart", ("tart", 400))  # the writer has come to the end of its queue

    assert (await shelf.api.quote(asked)).quotes[0].price == Money(260, "EUR")


async def test_every_sku_that_is_not_on_sale_is_named_once(shelf):
    await shelf.put("Croissant", ("plain", 250))

    asked = [Sku(sku) for sku in ("ghost", "plain", "phantom", "ghost")]
    with pytest.raises(UnknownSku) as refused:
        await shelf.api.quote(QuotePrices(skus=asked))

    assert refused.value.fields["skus"] == ["ghost", "phantom"]


async def test_what_cannot_be_a_sku_is_not_repeated(shelf):
    with pytest.raises(UnknownSku) as refused:
        await shelf.api.quote(QuotePrices(skus=[Sku("ada@example.test"), Sku("a b")]))

    assert refused.value.fields["skus"] == ["?"]
    assert refused.value.detail == "not on sale: ?"


async def test_skus_are_told_apart_by_case(shelf):
    await shelf.put("Croissant", ("plain", 250), ("Plain", 260))

    assert [await shelf.price("plain"), await shelf.price("Plain")] == ["2.50 EUR", "2.60 EUR"]
