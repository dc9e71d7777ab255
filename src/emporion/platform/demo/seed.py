"""Fills an empty shop with the demo catalogue, and says how to place the first order."""

from importlib.resources import as_file, files

from emporion.chassis.calls.clients import Clients
from emporion.contracts.catalog import CatalogService, ListProducts
from emporion.contracts.pricing import PromotionKind, PutDelivery, PutPromotion, PutTaxes
from emporion.kernel.money import Money
from emporion.platform.catalog_file import read_catalog
from emporion.platform.catalog_import import ImportSummary, import_catalog

CATALOGUE = "catalogue.csv"
NEAR = ["AT", "BE", "CH", "CZ", "DE", "DK", "FR", "IT", "LU", "NL", "PL"]
DELIVERIES = (
    PutDelivery(
        delivery_id="bicycle",
        name="By bicycle, tomorrow",
        price=Money(690, "EUR"),
        countries=["DE"],
    ),
    PutDelivery(
        delivery_id="post",
        name="By post, two to three days",
        price=Money(490, "EUR"),
        countries=NEAR,
        free_from_minor=5_000,
    ),
    PutDelivery(delivery_id="world", name="By air mail, a week or two", price=Money(1_490, "EUR")),
)
WELCOME = PutPromotion(
    promotion_id="welcome",
    name="Welcome: a tenth off",
    kind=PromotionKind.PERCENT,
    percent_bp=1_000,
    code="WELCOME-10",
)
TAXES = (
    PutTaxes(country="DE", standard_bp=700),
    PutTaxes(country="AT", standard_bp=1_000),
)


async def seed(clients: Clients) -> ImportSummary | None:
    """Load the demo catalogue unless anything is on sale; what was loaded, or None.

    `clients` must be allowed to write products and stock. Safe to repeat, also after a crash in
    the middle: products and each line's stock are written once.
    """
    page = await clients.get(CatalogService).list_products(ListProducts(limit=1))
    if page.products:
        return None
    await _offer(clients.get(CatalogService))
    with as_file(files("emporion.platform.demo") / CATALOGUE) as path:
        return await import_catalog(clients, read_catalog(path))


async def _offer(catalog: CatalogService) -> None:
    """Ways of delivery, a code to try, and taxes: prices contain them."""
    for delivery in DELIVERIES:
        await catalog.put_delivery(delivery)
    await catalog.put_promotion(WELCOME)
    for taxes in TAXES:
        await catalog.put_taxes(taxes)


def first_order(url: str) -> str:
    """How to sign up, sign in and order with curl, to be copied into a shell line by line."""
    return f"""\
Place the first order (paste this into another terminal):

  curl -sS {url}/api/users -H 'Content-Type: application/json' \\
    -d '{{"email":"ada@example.test","password":"correct-horse-battery","name":"Ada"}}'

  TOKEN=$(curl -sS {url}/api/users/sessions -H 'Content-Type: application/json' \\
    -d '{{"email":"ada@example.test","password":"correct-horse-battery"}}' \\
    | sed -E 's/.*"access_token": *"([^"]+)".*/\\1/')

  curl -sS {url}/api/orders -H "Authorization: Bearer $TOKEN" \\
    -H "Idempotency-Key: first-order" -H 'Content-Type: application/json' \\
    -d '{{"lines":[{{"sku":"croissant","quantity":2}}],"payment_token":"tok_ok"}}'

Then: emporion load --orders 1000, and emporion audit."""
