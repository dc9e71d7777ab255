"""What a basket costs and why: the words that catalog and order share, and what staff set up."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, field

from emporion.contracts.contract import Message, Part, Reply, Request
from emporion.contracts.inventory import Line, Lines
from emporion.contracts.words import Cursor, Instant, Name, PageSize, Quantity, Sku, SkuRef, UserRef
from emporion.kernel.errors import FailedPrecondition, InvalidArgument, NotFound
from emporion.kernel.money import Money

_END = r"$(?!\n)"
SlugId = Annotated[
    str,
    Meta(
        pattern=f"^[a-z0-9][a-z0-9-]{{0,39}}{_END}",
        description="Chosen by you: 1..40 lower-case letters, digits and dashes.",
        examples=["summer-sale"],
    ),
]
Code = Annotated[
    str,
    Meta(
        pattern=f"^[A-Za-z0-9][A-Za-z0-9-]{{2,31}}{_END}",
        description="3..32 letters, digits and dashes; upper and lower case are alike.",
        examples=["SPRING-10"],
    ),
]
Codes = Annotated[list[Code], Meta(max_length=5)]
Country = Annotated[
    str, Meta(pattern=f"^([A-Z]{{2}})?{_END}", description="ISO 3166 alpha-2.", examples=["DE"])
]
DeliveryRef = Annotated[
    str, Meta(max_length=40, description="The id of a way of delivery.", examples=["post"])
]
RateBp = Annotated[int, Meta(ge=0, le=10_000, description="Basis points: 1900 are 19 %.")]
AmountMinor = Annotated[int, Meta(ge=0, le=10**11, description="Minor units.")]
Category = Annotated[str, Meta(min_length=1, max_length=100)]


class UnknownCode(NotFound):
    """There is no promotion with this code, or it is over (field `code`)."""

    slug = "unknown-code"
    title = "This code is not valid"


class CodeNotApplicable(FailedPrecondition):
    """The code takes nothing off this basket (field `code`)."""

    slug = "code-not-applicable"
    title = "The code does not apply to this basket"


class CodeUsedUp(FailedPrecondition):
    """A promotion was used as often as it may be (field `promotion_id`)."""

    slug = "code-used-up"
    title = "The code was used as often as it may be"


class NoDelivery(FailedPrecondition):
    """This way of delivery does not go there (fields `delivery`, `country`)."""

    slug = "no-delivery"
    title = "There is no such delivery to this country"


class BadPromotion(InvalidArgument):
    """A promotion that could take nothing off, or more than there is (field `field`)."""

    slug = "bad-promotion"
    title = "The promotion cannot work like this"


class PromotionKind(StrEnum):
    """What a promotion does: a share off, an amount off, or units free."""

    PERCENT = "percent"
    AMOUNT = "amount"
    BUY_GET = "buy-get"


class PutPromotion(Request, frozen=True, kw_only=True):
    """A promotion, whole. It covers the SKUs and categories named, or everything.

    `percent_bp` belongs to a percent promotion, `amount_minor` with `currency` to an amount, `buy`
    and `get` to buy-get: of every buy + get units the `get` cheapest are free.
    """

    promotion_id: SlugId
    name: Name
    kind: PromotionKind
    percent_bp: RateBp = 0
    amount_minor: AmountMinor = 0
    buy: Annotated[int, Meta(ge=0, le=1_000)] = 0
    get: Annotated[int, Meta(ge=0, le=1_000)] = 0
    currency: Annotated[str, Meta(pattern=f"^([A-Z]{{3}})?{_END}")] = ""
    skus: Annotated[list[Sku], Meta(max_length=200)] = field(default_factory=list)
    categories: Annotated[list[Category], Meta(max_length=50)] = field(default_factory=list)
    code: Annotated[str, Meta(pattern=f"^([A-Za-z0-9][A-Za-z0-9-]{{2,31}})?{_END}")] = ""
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    basket_minor_min: AmountMinor = 0
    priority: Annotated[int, Meta(ge=0, le=1_000, description="The lowest is applied first.")] = 100
    is_combinable: bool = True
    uses_max: Annotated[int, Meta(ge=0, le=10**9, description="Orders; 0: any number.")] = 0
    uses_per_user_max: Annotated[int, Meta(ge=0, le=10**6)] = 0


class Promotion(Reply, frozen=True, kw_only=True):
    """A promotion as it stands. `uses`: by how many orders it is used, if that is limited."""

    promotion_id: SlugId
    name: str
    kind: PromotionKind
    percent_bp: int
    amount_minor: int
    buy: int
    get: int
    currency: str
    skus: list[str]
    categories: list[str]
    code: str
    starts_at: Instant | None
    ends_at: Instant | None
    basket_minor_min: int
    priority: int
    is_combinable: bool
    uses_max: int
    uses_per_user_max: int
    uses: int
    is_archived: bool


class PromotionOf(Request, frozen=True, kw_only=True):
    """Which promotion."""

    promotion_id: SlugId


class ListPromotions(Request, frozen=True, kw_only=True):
    """Which promotions, by id."""

    is_archived: bool = False
    limit: PageSize = 50
    cursor: Cursor = ""


class PromotionPage(Reply, frozen=True, kw_only=True):
    """A page of promotions; `next_cursor` is empty on the last one."""

    promotions: list[Promotion]
    next_cursor: str


class CategoryRate(Part, frozen=True, kw_only=True):
    """The tax of a category of goods."""

    category: Category
    rate_bp: RateBp


class PutTaxes(Request, frozen=True, kw_only=True):
    """The taxes of a country. `is_included`: prices contain them; else they come on top."""

    country: Annotated[str, Meta(pattern=f"^[A-Z]{{2}}{_END}", examples=["DE"])]
    standard_bp: RateBp
    categories: Annotated[list[CategoryRate], Meta(max_length=50)] = field(default_factory=list)
    is_included: bool = True


class TaxesOf(Request, frozen=True, kw_only=True):
    """No parameters: of every country."""


class CountryTaxes(Message, frozen=True, kw_only=True):
    """The taxes of a country."""

    country: str
    standard_bp: int
    categories: list[CategoryRate]
    is_included: bool


class TaxTable(Reply, frozen=True, kw_only=True):
    """All countries that have taxes, by code."""

    countries: list[CountryTaxes]


class PutDelivery(Request, frozen=True, kw_only=True):
    """A way of delivery to those countries (none: everywhere), free from a worth of goods on."""

    delivery_id: SlugId
    name: Name
    price: Money
    countries: Annotated[
        list[Annotated[str, Meta(pattern=f"^[A-Z]{{2}}{_END}")]], Meta(max_length=250)
    ] = field(default_factory=list)
    free_from_minor: AmountMinor = 0
    is_archived: bool = False


class ListDeliveries(Request, frozen=True, kw_only=True):
    """Ways of delivery: all, or those that go to a country."""

    country: Country = ""


class DeliveryOption(Message, frozen=True, kw_only=True):
    """A way of delivery."""

    delivery_id: SlugId
    name: str
    price: Money
    countries: list[str]
    free_from_minor: int
    is_archived: bool


class Deliveries(Reply, frozen=True, kw_only=True):
    """Ways of delivery by id."""

    deliveries: list[DeliveryOption]


class DetailKind(StrEnum):
    """Of what a detail of a total tells."""

    GOODS = "goods"
    PROMOTION = "promotion"
    DELIVERY = "delivery"
    TAX = "tax"
    GIFT_CARD = "gift_card"
    """What of the total a gift card paid: the rest is charged."""


class PriceDetail(Message, frozen=True, kw_only=True):
    """A line of the explanation of a total; those that are not included add up to it.

    `ref` is the promotion's, delivery's or gift card's id. `is_included`: contained in the others
    already.
    """

    kind: DetailKind
    name: str
    ref: str
    amount: Money
    is_included: bool = False


class PriceBasket(Request, frozen=True, kw_only=True):
    """A basket to be priced. Without a country there is no tax, without a delivery none."""

    lines: Lines
    codes: Codes = field(default_factory=list)
    country: Country = ""
    delivery: DeliveryRef = ""


class QuoteBasket(Request, frozen=True, kw_only=True):
    """A basket that somebody is about to order."""

    user_id: UserRef
    lines: list[Line]
    codes: Codes = field(default_factory=list)
    country: Country = ""
    delivery: DeliveryRef = ""


class PricedLine(Message, frozen=True, kw_only=True):
    """A line at the catalogue's price at the time of the order.

    `total` is what is paid for it: `off` is taken off, and a tax that comes on top is in it.
    """

    sku: SkuRef
    name: str
    quantity: Quantity
    unit_price: Money
    total: Money
    off: Money | None = None
    tax: Money | None = None


class BasketQuote(Reply, frozen=True, kw_only=True):
    """What a basket costs. `counted`: the promotions in it whose uses are counted.

    No details: nothing but the lines.
    """

    lines: list[PricedLine]
    details: list[PriceDetail]
    total: Money
    counted: list[SlugId]


class UsePromotions(Request, frozen=True, kw_only=True):
    """An order uses promotions, once, however often this is said."""

    order_id: Annotated[str, Meta(min_length=1, max_length=64)]
    user_id: UserRef
    promotion_ids: Annotated[list[SlugId], Meta(max_length=50)]


class PromotionsUsed(Reply, frozen=True, kw_only=True):
    """Whether the order uses them (now)."""

    is_used: bool
