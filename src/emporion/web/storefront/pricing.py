"""What lines cost now, by the catalogue, and which of them are not sold any more."""

from collections.abc import Sequence
from dataclasses import dataclass

from emporion.contracts.catalog import CatalogService, UnknownSku
from emporion.contracts.inventory import Line
from emporion.contracts.pricing import BasketQuote, PriceBasket, PricedLine
from emporion.kernel.ids import Sku
from emporion.web.storefront.goods import Goods, SoldAs
from emporion.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Wishes:
    """What changes a price beside the goods: a code, where they go, and how."""

    code: str = ""
    country: str = ""
    delivery: str = ""


@dataclass(frozen=True, slots=True)
class LineShown:
    """A line of the cart. Without `priced` it is not sold any more; `sold` leads to its page.

    What is not sold is not looked up: a guest's cookie may name whatever it likes.
    """

    sku: Sku
    quantity: int
    priced: PricedLine | None
    sold: SoldAs | None


@dataclass(frozen=True, slots=True)
class Priced:
    """Lines with their prices. Without a quote there is nothing that could be bought."""

    lines: Sequence[LineShown]
    quote: BasketQuote | None

    @property
    def is_whole(self) -> bool:
        """Whether every line is sold."""
        return all(line.priced is not None for line in self.lines)


async def price(
    visit: Visit, goods: Goods, lines: Sequence[Line], *, wishes: Wishes | None = None
) -> Priced:
    """Price lines. Raises the refusals of CatalogService.price_basket but UnknownSku."""
    wishes = wishes or Wishes()
    known = list(lines)
    quote = None
    while known and quote is None:
        try:
            quote = await visit.ask(CatalogService).price_basket(
                PriceBasket(
                    lines=known,
                    codes=[wishes.code] if wishes.code else [],
                    country=wishes.country,
                    delivery=wishes.delivery,
                )
            )
        except UnknownSku as error:
            known = _without(known, error)
    priced = {line.sku: line for line in quote.lines} if quote is not None else {}
    sold = await goods.find(visit, [Sku(sku) for sku in priced])
    return Priced(
        [
            LineShown(Sku(line.sku), line.quantity, priced.get(line.sku), sold.get(Sku(line.sku)))
            for line in lines
        ],
        quote,
    )


def _without(lines: list[Line], error: UnknownSku) -> list[Line]:
    """The lines without those that an error names. Raises it when it names none of them."""
    named = error.fields.get("skus")
    unknown = set(map(str, named)) if isinstance(named, list | tuple) else set()
    left = [line for line in lines if line.sku not in unknown]
    if len(left) == len(lines):
        raise error
    return left
