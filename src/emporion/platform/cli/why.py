"""`emporion why`: why a unit cannot be bought, why an order is as it is, and why a price."""

from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.exits import refuse
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    RunningUrl,
)

if TYPE_CHECKING:
    from emporion.chassis.calls.clients import Clients
    from emporion.contracts.catalog import Product, Variant
    from emporion.contracts.inventory_levels import WhyUnavailable
    from emporion.contracts.order_prices import WhyOrderPrice
    from emporion.contracts.pricing_why import WhyListPrice


def sku(
    sku: Annotated[str, typer.Argument(metavar="SKU", help="What is sold.")],
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Say why so many units can be bought: where they lie, and which orders hold them until when.

    And what it costs in the catalogue, unchanged since when.

    For example:

      emporion why sku croissant
    """
    target = target_of(data, url, email=operator_email, password=operator_password)
    why, price = consulted(target, lambda clients: _ask(clients, sku))
    print(why.says)
    print(price)
    for each in why.holds:
        until = f"until {each.until.isoformat()}" if each.until else "for good"
        print(f"  {each.order_id} holds {each.units} in {each.warehouse_id} {until}")
    if not why.is_complete:
        print("these are not all holds: ask again when fewer orders are under way")


async def _ask(clients: "Clients", sku: str) -> "tuple[WhyUnavailable, str]":
    from emporion.contracts.catalog import CatalogService, ListProducts
    from emporion.contracts.inventory import InventoryService
    from emporion.contracts.inventory_levels import AvailabilityOf
    from emporion.kernel.ids import Sku

    why = await clients.get(InventoryService).why_unavailable(AvailabilityOf(sku=Sku(sku)))
    found = await clients.get(CatalogService).list_products(ListProducts(search=sku, limit=200))
    sold = [(each, variant) for each in found.products for variant in each.variants]
    priced = [(each, variant) for each, variant in sold if variant.sku == sku]
    return why, _price(*priced[0]) if priced else f"{sku} is not on sale in the catalogue"


def _price(product: "Product", variant: "Variant") -> str:
    amount = f"{variant.price.amount_minor} {variant.price.currency} (minor units)"
    since = product.updated_at.isoformat()
    return f"its catalogue price is {amount}; its product was changed last at {since}"


def order(
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="Its id: `ord_` and 32 digits.")],
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Say why an order is as it is: its refusal, its saga, its payment, its stock, its screening.

    `emporion history ORDER` tells how it came to be so.

    For example:

      emporion why order ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f
    """
    from emporion.kernel.ids import ORDER, OrderId, has_prefix
    from emporion.web.past.why import why_order

    if not has_prefix(order_id, ORDER):
        refuse(f"{order_id!r} is no order's id: those are `ord_` and 32 hexadecimal digits")
    target = target_of(data, url, email=operator_email, password=operator_password)
    for reason in consulted(target, lambda clients: why_order(clients, OrderId(order_id))):
        print(f"{reason.service:9}  {reason.says}")


def price(
    what: Annotated[
        str, typer.Argument(metavar="ORDER|SKU", help="An order's id (`ord_...`), or a SKU.")
    ],
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Say why an order cost what it cost, step by step; or why a SKU costs what it costs today.

    Of an order: list prices and rules as they were then, each rounding, and what changed since.

    For example:

      emporion why price ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f
      emporion why price croissant
    """
    from emporion.contracts.catalog import CatalogService
    from emporion.contracts.order import OrderService
    from emporion.contracts.order_prices import PriceOfOrder
    from emporion.contracts.pricing_why import ListPriceOf
    from emporion.kernel.ids import ORDER, OrderId, Sku, has_prefix

    target = target_of(data, url, email=operator_email, password=operator_password)
    if has_prefix(what, ORDER):
        of = PriceOfOrder(order_id=OrderId(what))
        _tell_order(consulted(target, lambda ask: ask.get(OrderService).why_order_price(of)))
    else:
        sku = ListPriceOf(sku=Sku(what))
        _tell_unit(consulted(target, lambda ask: ask.get(CatalogService).why_price(sku)))


def _tell_order(why: "WhyOrderPrice") -> None:
    print(f"{why.total.amount_minor} {why.total.currency} (minor units), as of {why.priced_at}")
    for line in why.lines:
        print(f"  {line.sku}: {line.says}")
    for detail in why.details:
        named = f"{detail.kind} {detail.name}".rstrip()
        included = " (included)" if detail.is_included else ""
        print(f"  {named} {detail.amount.amount_minor}{included}: {detail.says}")
        if detail.since:
            print(f"    set up like that since {detail.since.isoformat()}")
        if detail.is_changed:
            print(f"    today: {detail.now}")
    print("some of it is different today" if why.is_changed else "all of it is the same today")


def _tell_unit(why: "WhyListPrice") -> None:
    print(f"{why.name}: {why.says}")
    for rule in why.rules:
        since = f", since {rule.since.isoformat()}" if rule.since else ""
        print(f"  {rule.kind} {rule.ref}: {rule.says}{since}")
