"""What the form of the checkout holds, from one showing to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from emporion.contracts.inventory import Line
from emporion.web.storefront import basket
from emporion.web.storefront.gift_cards import codes_in
from emporion.web.storefront.pricing import Wishes
from emporion.web.visit import Visit

KEY_BYTES: Final = 16
NOTHING: Final = "0"
"""What the form says when gift cards leave nothing to pay."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form holds. `seen` are the lines that it showed; the key makes it one order.

    `live` is the cart. When it is empty, an order under the key may have taken it. `cards` are
    codes of gift cards, `typed` is one that is to be added, `rest` what the form said they leave.
    """

    key: str
    wishes: Wishes
    payment: str
    seen: str
    live: Sequence[Line]
    cards: tuple[str, ...] = ()
    typed: str = ""
    rest: str = ""

    @classmethod
    def of(cls, visit: Visit, live: Sequence[Line]) -> "Chosen":
        """What was sent. While a part of the page is asked for, a code is still being typed."""
        form = visit.form
        wishes = Wishes(form.text("code"), form.text("country"), form.text("delivery"))
        return cls(
            form.text("key"),
            wishes,
            form.text("payment"),
            form.text("seen"),
            live,
            codes_in(form.all("card"), without=form.text("without")),
            "" if visit.is_partial else form.text("gift_card"),
            form.text("rest"),
        )

    @property
    def token(self) -> str:
        """What to charge; nothing, when gift cards pay all."""
        return "" if self.cards and self.rest == NOTHING else self.payment

    @property
    def lines(self) -> Sequence[Line]:
        """What the form is about, also when the cart was taken already."""
        return self.live or basket.read(self.seen)

    def with_new_key(self, visit: Visit) -> "Chosen":
        """For another try: an outcome that is known is replayed under the old key."""
        return replace(self, key=visit.site.runtime.random.token(KEY_BYTES))
