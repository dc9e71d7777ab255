"""Amounts, moments and links as a page shows them."""

from datetime import datetime
from typing import Final

from emporion.kernel.money import MINOR_DIGITS, Money

SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def money(amount: Money) -> str:
    """An amount such as `€1,234.50`, or `12.00 CHF` where the symbol is no common one."""
    digits = MINOR_DIGITS[amount.currency]
    whole, part = divmod(abs(amount.amount_minor), 10**digits)
    sign = "\N{MINUS SIGN}" if amount.amount_minor < 0 else ""
    figures = f"{whole:,}{f'.{part:0{digits}d}' if digits else ''}"
    symbol = SYMBOLS.get(amount.currency)
    if symbol is None:
        return f"{sign}{figures}\N{NO-BREAK SPACE}{amount.currency}"
    return f"{sign}{symbol}{figures}"


def moment(at: datetime) -> str:
    """An instant to the minute, in UTC: `30 Nov 2026, 14:05 UTC`."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its word: `1 item`, `2 items`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def safe_path(text: str) -> str:
    """A path of this shop, or `/`: nobody is led elsewhere by a link that looks like ours."""
    is_ours = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if is_ours and text.isascii() and text.isprintable() else "/"
