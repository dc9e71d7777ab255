"""What a basket costs: today's prices, and what the shop's rules make of them."""

from collections.abc import Iterable, Sequence

from emporion.contracts.inventory import Line
from emporion.contracts.pricing import (
    BasketQuote,
    CodeNotApplicable,
    CodeUsedUp,
    DetailKind,
    NoDelivery,
    PriceBasket,
    PriceDetail,
    PricedLine,
    QuoteBasket,
    UnknownCode,
)
from emporion.kernel.clock import Clock
from emporion.kernel.ids import UserId
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.catalog.domain.basket import Delivery, Priced, price
from emporion.services.catalog.domain.promotion import Item, Promotion
from emporion.services.catalog.ports import Rules, RulesStore, UseStore
from emporion.services.catalog.queries.products import ProductQueries

RULES_KEPT_MS = 1_000
"""How long rules stand that another instance may have changed meanwhile."""
_NO_RULES = Rules((), {}, {})


class StandingRules:
    """The rules, read again at most once a second, and after each change made here."""

    def __init__(self, store: RulesStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rules = _NO_RULES
        self._until_ms = 0

    def now_ms(self) -> int:
        """The instant that a change of them holds from."""
        return self._clock.now_ms()

    def changed(self) -> None:
        """They were changed here: what is asked from now on sees it."""
        self._until_ms = 0

    async def now(self) -> Rules:
        """As they stand."""
        now_ms = self._clock.now_ms()
        if now_ms >= self._until_ms:
            self._rules = await self._store.rules()
            self._until_ms = now_ms + RULES_KEPT_MS
        return self._rules


class BasketQueries:
    """Prices of baskets."""

    def __init__(
        self, products: ProductQueries, rules: StandingRules, *, uses: UseStore, clock: Clock
    ) -> None:
        self._products = products
        self._rules = rules
        self._uses = uses
        self._clock = clock

    async def quote(
        self, request: PriceBasket | QuoteBasket, user_id: UserId | None
    ) -> BasketQuote:
        """See CatalogService.quote_basket; `user_id` is None for somebody unknown."""
        lines = request.lines
        skus = list({line.sku: None for line in lines})
        quotes = {quote.sku: quote for quote in (await self._products.quote(skus)).quotes}
        currency = quotes[skus[0]].price.currency
        for quote in quotes.values():
            if quote.price.currency != currency:
                raise CurrencyMismatch(f"{currency} and {quote.price.currency} in one order")
        rules = await self._rules.now()
        open_now = self._open(rules, request.codes, currency)
        promotions = await self._usable(open_now, user_id)
        delivery = _delivery(rules, request, currency)
        taxes = rules.taxes.get(request.country)
        names = [quotes[line.sku].name for line in lines]
        prices = [quotes[line.sku].price for line in lines]
        if not promotions and delivery is None and taxes is None:
            return _plain(lines, names, prices)
        items = [
            Item(line.sku, line.quantity, unit.amount_minor, quotes[line.sku].category)
            for line, unit in zip(lines, prices, strict=True)
        ]
        priced = price(items, promotions, taxes=taxes, delivery=delivery)
        _refuse_idle_codes(request.codes, priced)
        return _explained(priced, names, prices)

    def _open(self, rules: Rules, codes: Sequence[str], currency: str) -> list[Promotion]:
        """Those given now, in that currency, whose codes were said. Raises UnknownCode."""
        if not rules.promotions and not codes:
            return []
        now_ms, said = self._clock.now_ms(), {code.upper() for code in codes}
        found = [
            one
            for one in rules.promotions
            if one.is_open(now_ms)
            and one.currency in {"", currency}
            and (not one.code or one.code in said)
        ]
        known = {one.code for one in found}
        for code in codes:
            if code.upper() not in known:
                raise UnknownCode("no such code, or it is over", code=code)
        return found

    async def _usable(
        self, promotions: Sequence[Promotion], user_id: UserId | None
    ) -> list[Promotion]:
        """Those that are not used up. Raises CodeUsedUp when one that was asked for is."""
        limited = [one.promotion_id for one in promotions if one.is_limited]
        if not limited:
            return list(promotions)
        uses, usable = await self._uses.uses(limited, user_id), list[Promotion]()
        for one in promotions:
            if not one.is_limited or not one.is_used_up(*uses[one.promotion_id]):
                usable.append(one)
            elif one.code:
                raise CodeUsedUp(
                    f"{one.name} was used as often as it may be", promotion_id=one.promotion_id
                )
        return usable


def _delivery(rules: Rules, request: PriceBasket | QuoteBasket, currency: str) -> Delivery | None:
    if not request.delivery:
        return None
    found = rules.deliveries.get(request.delivery)
    if found is None or not found.serves(request.country, currency):
        raise NoDelivery(
            "it does not go there, or not for this currency: GET /api/deliveries lists those",
            delivery=request.delivery,
            country=request.country,
        )
    return found


def _refuse_idle_codes(codes: Iterable[str], priced: Priced) -> None:
    used = {one.code for one in priced.used}
    for code in codes:
        if code.upper() not in used:
            raise CodeNotApplicable("it takes nothing off this basket", code=code)


def _plain(lines: Sequence[Line], names: Sequence[str], prices: Sequence[Money]) -> BasketQuote:
    """Nothing taken off and nothing on top: the lines say it all."""
    priced = [
        PricedLine(
            sku=line.sku,
            name=name,
            quantity=line.quantity,
            unit_price=unit,
            total=unit.times(line.quantity),
        )
        for line, name, unit in zip(lines, names, prices, strict=True)
    ]
    total_minor = sum([line.total.amount_minor for line in priced])
    total = Money(total_minor, prices[0].currency)
    return BasketQuote(lines=priced, details=[], total=total, counted=[])


def _explained(priced: Priced, names: Sequence[str], prices: Sequence[Money]) -> BasketQuote:
    currency = prices[0].currency
    lines = [
        PricedLine(
            sku=one.item.sku,
            name=name,
            quantity=one.item.quantity,
            unit_price=unit,
            total=Money(one.total_minor, currency),
            off=Money(one.off_minor, currency) if one.off_minor else None,
            tax=Money(one.tax_minor, currency) if one.tax_minor else None,
        )
        for one, name, unit in zip(priced.items, names, prices, strict=True)
    ]
    details = [
        PriceDetail(
            kind=DetailKind(one.what.value),
            name=one.name,
            ref=one.ref,
            amount=Money(one.amount_minor, currency),
            is_included=one.is_included,
        )
        for one in priced.details
    ]
    return BasketQuote(
        lines=lines,
        details=details,
        total=Money(priced.total_minor, currency),
        counted=[one.promotion_id for one in priced.used if one.is_limited],
    )
