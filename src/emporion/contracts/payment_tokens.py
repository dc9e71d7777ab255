"""Payment tokens: what stands for a payment method, and is never a card number."""

import re
from typing import Annotated

from msgspec import Meta

from emporion.contracts.contract import Request
from emporion.kernel.errors import InvalidArgument

PaymentToken = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.-]{1,200}$(?!\n)",
        description="The provider's token for a payment method; never a card number. The test "
        "provider knows tok_ok, tok_declined, tok_timeout, tok_late, tok_twice.",
        examples=["tok_ok"],
    ),
]


OptionalToken = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.-]{0,200}$(?!\n)",
        description="The provider's token for a payment method; never a card number. Needed "
        "unless gift cards pay everything, or it costs nothing.",
        examples=["tok_ok"],
    ),
]


class NoPaymentToken(InvalidArgument):
    """Something is left to be charged, and there is no token to charge it to (field `left`)."""

    slug = "no-payment-token"
    title = "Something is left to pay; send a payment token"


class CardNumberRefused(InvalidArgument, ValueError):
    """A card number came where only a provider's token may: it is not kept or logged."""

    slug = "card-number-refused"
    title = "This looks like a card number; send the payment provider's token for it"


def require_token(token: str) -> None:
    """Refuse what holds a card number: 13 to 19 digits that add up as those of cards do.

    Raises CardNumberRefused, which is a ValueError, too: a decoder reports it as its own.
    """
    for found in _DIGITS.findall(token):
        digits = [int(digit) for digit in found if digit.isdigit()]
        doubled = [2 * digit - 9 * (digit >= 5) for digit in digits[-2::-2]]  # noqa: PLR2004 - Luhn
        if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0:
            raise CardNumberRefused


_DIGITS = re.compile(r"[0-9](?:[._-]?[0-9]){12,18}")


class Paying(Request, frozen=True, kw_only=True):
    """A request that pays by a token, if anything is left to be charged."""

    payment_token: OptionalToken = ""

    def __post_init__(self) -> None:
        """No card number gets further than here."""
        require_token(self.payment_token)
