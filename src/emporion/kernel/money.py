"""Money: integer minor units and an ISO 4217 currency. Never a float."""

from typing import Self

from emporion.kernel.errors import InvalidArgument
from emporion.kernel.value import Value

# Minor-unit digits per currency: ISO 4217, list one. Funds and precious metals are left out.
_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NPR NZD PAB PEN PGK PHP PKR PLN QAR "
    "RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY "
    "TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ZWG"
)
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
MINOR_DIGITS: dict[str, int] = {
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
AMOUNT_MINOR_MAX = 10**15
"""Ten trillion units of a two-digit currency: far below 2**63, so sums of a million fit."""


class UnknownCurrency(InvalidArgument, ValueError):
    """The code is not a currency of ISO 4217."""

    slug = "unknown-currency"
    title = "Unknown currency"


class AmountOutOfRange(InvalidArgument, ValueError):
    """More than 10**15 minor units."""

    slug = "amount-out-of-range"
    title = "The amount is too large"


class CurrencyMismatch(InvalidArgument):
    """Amounts in different currencies were added or compared."""

    slug = "currency-mismatch"
    title = "The amounts are in different currencies"


class Money(Value, frozen=True, gc=False, forbid_unknown_fields=True):
    """An amount of one currency.

    Args:
        amount_minor: integer minor units (cents for EUR, yen for JPY), |amount| <= 10**15.
        currency: upper-case ISO 4217 code.

    Raises UnknownCurrency or AmountOutOfRange. Both are ValueErrors too, so that a decoder
    reports them with the path of the field.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse what is not money."""
        if self.currency not in MINOR_DIGITS:
            code = self.currency[:8]
            raise UnknownCurrency(f"unknown currency {code!r}; use an ISO 4217 code such as EUR")
        if not -AMOUNT_MINOR_MAX <= self.amount_minor <= AMOUNT_MINOR_MAX:
            raise AmountOutOfRange("an amount has at most 10**15 minor units")

    @classmethod
    def zero(cls, currency: str) -> Self:
        """No money, in that currency."""
        return cls(0, currency)

    def __add__(self, other: Self) -> Self:
        """The sum; raises CurrencyMismatch."""
        self._same_currency(other)
        return type(self)(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: Self) -> Self:
        """The difference; raises CurrencyMismatch."""
        self._same_currency(other)
        return type(self)(self.amount_minor - other.amount_minor, self.currency)

    def times(self, quantity: int) -> Self:
        """`quantity` times the amount; exact, as both are integers."""
        return type(self)(self.amount_minor * quantity, self.currency)

    def _same_currency(self, other: Self) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")

    def __str__(self) -> str:
        """The amount in major units, e.g. `12.30 EUR`."""
        digits = MINOR_DIGITS[self.currency]
        sign = "-" if self.amount_minor < 0 else ""
        whole, part = divmod(abs(self.amount_minor), 10**digits)
        return f"{sign}{whole}{f'.{part:0{digits}d}' if digits else ''} {self.currency}"


def parse_amount_minor(text: str, currency: str) -> int:
    """Minor units of a decimal amount such as `12.30`.

    Raises UnknownCurrency, or ValueError when the text is not a plain decimal number or has more
    digits after the point than the currency has.
    """
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise UnknownCurrency(f"{currency[:8]!r} is not an ISO 4217 code")
    whole, _, part = text.strip().partition(".")
    if not (whole + part).isascii() or not whole.isdigit() or (part and not part.isdigit()):
        message = f"{text[:40]!r} is not an amount; write it as 12.30"
        raise ValueError(message)
    if len(part) > digits:
        message = f"{text[:40]!r} has more than {digits} digits after the point ({currency})"
        raise ValueError(message)
    return int(whole + part.ljust(digits, "0"))
