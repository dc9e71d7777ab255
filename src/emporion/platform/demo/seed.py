"""Fills an empty shop with the demo catalogue, and says how to place the first order."""

from importlib.resources import as_file, files

from emporion.chassis.calls.clients import Clients
from emporion.contracts.catalog import CatalogService, ListProducts
from emporion.platform.catalog_file import read_catalog
from emporion.platform.catalog_import import ImportSummary, import_catalog

CATALOGUE = "catalogue.csv"


async def seed(clients: Clients) -> ImportSummary | None:
    """Load the demo catalogue unless anything is on sale; what was loaded, or None.

    `clients` must be allowed to write products and stock. Safe to repeat, also after a crash in
    the middle: products and each line's stock are written once.
    """
    page = await clients.get(CatalogService).list_products(ListProducts(limit=1))
    if page.products:
        return None
    with as_file(files("emporion.platform.demo") / CATALOGUE) as path:
        return await import_catalog(clients, read_catalog(path))


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
