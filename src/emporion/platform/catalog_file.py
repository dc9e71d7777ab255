"""The catalogue file: a CSV of SKUs with product, price, and the stock that comes with them."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from emporion.contracts.catalog import ImportRow
from emporion.contracts.contract import BULK_BYTES_MAX
from emporion.contracts.inventory import MovementReason, MoveStock
from emporion.kernel.ids import Sku, WarehouseId
from emporion.platform.table_file import Table, TableRow

REQUIRED = ("sku", "product", "price", "currency")
OPTIONAL = ("variant", "description", "category", "stock", "warehouse")
DEFAULT_WAREHOUSE = "main"
CHUNK_ROWS_MAX = 1_000
CHUNK_BYTES_MAX = BULK_BYTES_MAX - 1_024
VARIANTS_MAX = 100
STOCK_UNITS_MAX = 1_000_000_000
_WAREHOUSE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """A catalogue file in which nothing is wrong that can be seen without the shop.

    Args:
        file: its name as given.
        digest: names its content: 16 hex digits.
        products: its rows, those of one product together, in the order of first appearance.
        receipts: the stock to receive; the keys are those of this content and line, so that
            importing the same file again adds nothing.
    """

    file: str
    digest: str
    products: Sequence[Sequence[ImportRow]]
    receipts: Sequence[MoveStock]

    def chunks(self) -> Iterator[list[ImportRow]]:
        """All rows in chunks that one request can carry; a product is never split."""
        chunk: list[ImportRow] = []
        chunk_bytes = 0
        for rows in self.products:
            rows_bytes = len(msgspec.json.encode(rows))
            is_full = len(chunk) + len(rows) > CHUNK_ROWS_MAX
            if chunk and (is_full or chunk_bytes + rows_bytes > CHUNK_BYTES_MAX):
                yield chunk
                chunk, chunk_bytes = [], 0
            chunk.extend(rows)
            chunk_bytes += rows_bytes
        if chunk:
            yield chunk

    @property
    def warehouses(self) -> list[str]:
        """The warehouses that receive stock, in the order of first appearance."""
        return list(dict.fromkeys(receipt.warehouse_id for receipt in self.receipts))


def read_catalog(path: Path) -> CatalogFile:
    """Read and check a catalogue file. Raises BadFile with every mistake found."""
    table = Table(path, required=REQUIRED, optional=OPTIONAL)
    digest = hashlib.sha256(table.content).hexdigest()[:16]
    products: dict[str, list[ImportRow]] = {}
    receipts: list[MoveStock] = []
    first_line_of: dict[str, int] = {}
    for row in table:
        sku, product = row.cells["sku"], row.cells["product"]
        if sku in first_line_of:
            table.report(row.line, "sku", f"{sku!r} stands in line {first_line_of[sku]} already")
        first_line_of.setdefault(sku, row.line)
        rows = products.setdefault(product, [])
        rows.append(_import_row(row))
        if len(rows) == VARIANTS_MAX + 1:
            table.report(row.line, "product", f"a product has at most {VARIANTS_MAX} variants")
        receipt = _receipt(table, row, digest)
        if receipt is not None:
            receipts.append(receipt)
    if not products and not table.mistakes:
        table.report(2, "", "there are no products below the header")
    table.raise_mistakes()
    return CatalogFile(str(path), digest, list(products.values()), receipts)


def _import_row(row: TableRow) -> ImportRow:
    cells = row.cells
    return ImportRow(
        line=row.line,
        sku=cells["sku"],
        product=cells["product"],
        price=cells["price"],
        currency=cells["currency"],
        variant=cells.get("variant", ""),
        description=cells.get("description", ""),
        category=cells.get("category", ""),
    )


def _receipt(table: Table, row: TableRow, digest: str) -> MoveStock | None:
    text = row.cells.get("stock", "")
    warehouse = row.cells.get("warehouse", "") or DEFAULT_WAREHOUSE
    if not _WAREHOUSE.fullmatch(warehouse):
        table.report(row.line, "warehouse", "use 1..40 lower-case letters, digits and `-`")
        return None
    if text in {"", "0"}:
        return None
    units = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1  # noqa: PLR2004 - longer is too much anyway
    if not 0 <= units <= STOCK_UNITS_MAX:
        table.report(row.line, "stock", f"{text[:40]!r} is not a whole number of units, 0..10^9")
        return None
    if units == 0:
        return None
    return MoveStock(
        movement_key=f"import-{digest}-{row.line}",
        sku=Sku(row.cells["sku"]),
        warehouse_id=WarehouseId(warehouse),
        quantity=units,
        reason=MovementReason.RECEIVED,
        note=f"catalogue file, line {row.line}",
    )
