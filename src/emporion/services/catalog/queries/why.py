"""Why a price: what prices and rules were when a basket was priced, and what they are today."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from emporion.contracts.catalog import Quote
from emporion.contracts.pricing import DetailKind, PriceDetail, PricedLine
from emporion.contracts.pricing_why import (
    ExplainPrices,
    PriceRule,
    PricesExplained,
    WhyDetail,
    WhyLine,
    WhyListPrice,
)
from emporion.kernel.clock import Clock, to_datetime, to_instant_ms
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import Sku
from emporion.kernel.money import Money
from emporion.services.catalog.domain.basket import Delivery, Taxes
from emporion.services.catalog.domain.promotion import Item, Promotion
from emporion.services.catalog.domain.reasons import (
    Bearing,
    delivery_says,
    delivery_step,
    promotion_says,
    rate_named,
    tax_step,
    taxes_say,
)
from emporion.services.catalog.ports import (
    ListPrice,
    PastPrices,
    ProductStore,
    Rule,
    RulesStore,
    RuleThen,
)

R = TypeVar("R", Promotion, Taxes, Delivery)
NOT_RECORDED = "what the rule was then is not recorded"
GIFT_CARD_SAYS = "a gift card paid this much of the total; it takes nothing off the price"
COUNTRY_LETTERS = 2
"""What the `ref` of a tax begins with."""


class WhyQueries:
    """Prices and rules, as they are and as they were."""

    def __init__(
        self, products: ProductStore, rules: RulesStore, past: PastPrices, *, clock: Clock
    ) -> None:
        self._products = products
        self._rules = rules
        self._past = past
        self._clock = clock

    async def list_price(self, sku: Sku) -> WhyListPrice:
        """See CatalogService.why_price."""
        (quote,) = await self._products.quotes([sku])
        if quote is None:
            raise NotFound(f"nothing is sold under {sku}")
        now_ms = self._clock.now_ms()
        changes = (await self._past.prices([sku], now_ms))[sku]
        since, earlier = _run(changes, quote.price)
        before = earlier.price if earlier and earlier.is_on_sale else None
        return WhyListPrice(
            sku=sku,
            name=quote.name,
            price=quote.price,
            since=_instant(since),
            before=before,
            says=_list_says(quote.price, since, before),
            rules=await self._rules_about(quote, now_ms),
        )

    async def _rules_about(self, quote: Quote, now_ms: int) -> list[PriceRule]:
        """What may be taken off a unit or come on top, as it stands."""
        rules = await self._rules.rules()
        unit = Item(quote.sku, 1, quote.price.amount_minor, quote.category)
        currency = quote.price.currency
        found: list[tuple[DetailKind, str, str, str, Rule]] = [
            (DetailKind.PROMOTION, one.promotion_id, one.name, promotion_says(one), one)
            for one in rules.promotions
            if one.is_open(now_ms) and one.covers(unit) and one.currency in {"", currency}
        ]
        found += [
            (DetailKind.TAX, country, country, taxes_say(one), one)
            for country, one in rules.taxes.items()
        ]
        found += [
            (DetailKind.DELIVERY, ref, one.name, delivery_says(one), one)
            for ref, one in rules.deliveries.items()
            if not one.is_archived and one.currency == currency
        ]
        told = []
        for kind, ref, name, says, rule in found:
            then = await self._past.rule(type(rule), ref, now_ms)
            since = _instant(then.since_ms) if then else None
            told.append(PriceRule(kind=kind, ref=ref, name=name, says=says, since=since))
        return told

    async def explain(self, request: ExplainPrices) -> PricesExplained:
        """See CatalogService.explain_prices."""
        at_ms = to_instant_ms(request.at)
        skus = list({Sku(line.sku): None for line in request.lines})
        past = await self._past.prices(skus, at_ms)
        today = dict(zip(skus, await self._products.quotes(skus), strict=True))
        basket = _Basket(request, past)
        return PricesExplained(
            lines=[
                _line(line, past[Sku(line.sku)], today[Sku(line.sku)]) for line in request.lines
            ],
            details=[await self._detail(detail, basket, at_ms=at_ms) for detail in request.details],
        )

    async def _detail(self, detail: PriceDetail, basket: "_Basket", *, at_ms: int) -> WhyDetail:
        match detail.kind:
            case DetailKind.PROMOTION:
                then, now = await self._both(Promotion, detail.ref, at_ms)
                told = _why(detail, then, now, says=_promotion_step(then, detail))
                return _unless_over(told, now, now_ms=self._clock.now_ms())
            case DetailKind.DELIVERY:
                charged, asked = await self._both(Delivery, detail.ref, at_ms)
                return _why(detail, charged, asked, says=_delivery(charged, detail, basket))
            case DetailKind.TAX:
                taxes, today = await self._both(Taxes, detail.ref[:COUNTRY_LETTERS], at_ms)
                return _why(detail, taxes, today, says=_tax(taxes, detail, basket))
            case DetailKind.GIFT_CARD:
                return _why(detail, None, None, says=GIFT_CARD_SAYS)
            case DetailKind.GOODS:
                return _why(detail, None, None, says="the units at their list prices")

    async def _both(
        self, kind: type[R], ref: str, at_ms: int
    ) -> tuple[RuleThen | None, RuleThen | None]:
        """A rule as it was then, and as it is."""
        then = await self._past.rule(kind, ref, at_ms)
        return then, await self._past.rule(kind, ref, self._clock.now_ms())


class _Basket:
    """What taxes and deliveries are reckoned from."""

    def __init__(self, request: ExplainPrices, past: dict[Sku, list[ListPrice]]) -> None:
        self.bearing = []
        for line in request.lines:
            goods_minor = line.unit_price.amount_minor * line.quantity
            left_minor = goods_minor - (line.off.amount_minor if line.off else 0)
            changes = past[Sku(line.sku)]
            category = changes[0].category if changes else ""
            self.bearing.append(Bearing(category, left_minor))
        self.goods_minor = sum(each.amount_minor for each in self.bearing)
        self.bearing += [
            Bearing("", detail.amount.amount_minor)
            for detail in request.details
            if detail.kind is DetailKind.DELIVERY
        ]


def _run(changes: Sequence[ListPrice], price: Money) -> tuple[int | None, ListPrice | None]:
    """Since when it was that price without a gap, and what came before.

    Changes within the moment between asking and ordering are passed over.
    """
    since_ms: int | None = None
    for change in changes:
        is_it = change.is_on_sale and change.price == price
        if is_it:
            since_ms = change.since_ms
        elif since_ms is not None:
            return since_ms, change
    return since_ms, None


def _line(line: PricedLine, changes: Sequence[ListPrice], today: Quote | None) -> WhyLine:
    since, _ = _run(changes, line.unit_price)
    now = today.price if today else None
    says = [f"{line.quantity} at the list price of {_minor(line.unit_price)}, {_since(since)}"]
    if line.off:
        says.append(f"{line.off.amount_minor} taken off")
    if line.tax:
        says.append(f"tax in it or on it {line.tax.amount_minor}")
    says.append(f"{line.total.amount_minor} to pay")
    is_changed = now != line.unit_price
    if is_changed:
        says.append(f"today {_minor(now)}" if now else "not sold any more")
    return WhyLine(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        says="; ".join(says),
        since=_instant(since),
        price_now=now,
        is_changed=is_changed,
    )


def _why(
    detail: PriceDetail, then: RuleThen | None, now: RuleThen | None, *, says: str
) -> WhyDetail:
    is_changed = then is not None and (now is None or now.rule != then.rule)
    return WhyDetail(
        kind=detail.kind,
        name=detail.name,
        ref=detail.ref,
        amount=detail.amount,
        is_included=detail.is_included,
        says=says,
        since=_instant(then.since_ms) if then else None,
        is_changed=is_changed,
        now=_rule_says(now.rule) if is_changed and now else "",
    )


def _unless_over(told: WhyDetail, now: RuleThen | None, *, now_ms: int) -> WhyDetail:
    """A promotion whose time has passed is another one, though nobody changed it."""
    rule = now.rule if now else None
    if told.is_changed or not isinstance(rule, Promotion) or rule.is_open(now_ms):
        return told
    return replace(told, is_changed=True, now="its time is over")


def _promotion_step(then: RuleThen | None, detail: PriceDetail) -> str:
    if then is None or not isinstance(then.rule, Promotion):
        return NOT_RECORDED
    shared = "rounded once, half a unit up, and shared among its lines by largest remainder"
    return f"{promotion_says(then.rule)}: {-detail.amount.amount_minor}, {shared}"


def _delivery(then: RuleThen | None, detail: PriceDetail, basket: _Basket) -> str:
    if then is None or not isinstance(then.rule, Delivery):
        return NOT_RECORDED
    if then.rule.price_of(basket.goods_minor) != detail.amount.amount_minor:
        return NOT_RECORDED
    return delivery_step(then.rule, basket.goods_minor)


def _tax(then: RuleThen | None, detail: PriceDetail, basket: _Basket) -> str:
    if then is None or not isinstance(then.rule, Taxes):
        return NOT_RECORDED
    rate_bp = rate_named(then.rule, detail.name)
    if rate_bp is None:
        return NOT_RECORDED
    tax_minor, says = tax_step(then.rule, rate_bp, basket.bearing)
    return says if tax_minor == detail.amount.amount_minor else NOT_RECORDED


def _rule_says(rule: Rule) -> str:
    match rule:
        case Promotion():
            return "archived" if rule.is_archived else promotion_says(rule)
        case Taxes():
            return taxes_say(rule)
        case Delivery():
            return "not offered any more" if rule.is_archived else delivery_says(rule)


def _list_says(price: Money, since_ms: int | None, before: Money | None) -> str:
    was = f"; it was {_minor(before)} until then" if before else ""
    return f"its list price is {_minor(price)}, {_since(since_ms)}{was}"


def _since(since_ms: int | None) -> str:
    if since_ms is None:
        return "since when is not recorded"
    return f"since {to_datetime(since_ms).isoformat()}"


def _instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else to_datetime(at_ms)


def _minor(amount: Money) -> str:
    return f"{amount.amount_minor} {amount.currency} (minor units)"
