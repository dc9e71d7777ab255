"""The rules of a mail: which there are, when one is tried again, how it speaks to its reader."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from emporion.kernel.ids import MAIL, MailId
from emporion.kernel.money import MINOR_DIGITS, Money

FIRST_PAUSE_MS = 60_000
PAUSE_MS_MAX = 4 * 3_600_000
GIVE_UP_AFTER_MS = 4 * 86_400_000
"""A mail that could not be delivered for four days is told to staff as failed, not sent."""
_NEWEST = 2**63 - 1
_SEQ_DIGITS_MAX = 18


class Template(StrEnum):
    """The mails there are; an order gets at most one of each, or of each about a part of it."""

    CONFIRMATION = "order-confirmation"
    CANCELLATION = "order-cancellation"
    REJECTION = "order-rejection"
    SHIPPED = "order-shipped"
    DELIVERED = "order-delivered"
    REFUNDED = "order-refunded"


class Status(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"
    SENT = "sent"
    """The mail server (or the development mailbox) has taken it over."""
    FAILED = "failed"
    """It will not be tried again."""
    DROPPED = "dropped"
    """There was nobody to write to any more: nothing is left to do."""


def pause_ms(attempts: int) -> int:
    """How long to wait after that many attempts (>= 1): a minute, doubling up to four hours."""
    return min(FIRST_PAUSE_MS << min(attempts - 1, 16), PAUSE_MS_MAX)


def is_hopeless(created_at_ms: int, now_ms: int) -> bool:
    """Whether it has been tried for long enough."""
    return now_ms - created_at_ms >= GIVE_UP_AFTER_MS


def mail_id_of(seq: int) -> MailId:
    """The id of the mail with that number."""
    return MailId(f"{MAIL}_{seq:032x}")


def seq_of(mail_id: MailId) -> int:
    """The number in a mail's id; beyond every number there is when it cannot be one."""
    return min(int(mail_id[len(MAIL) + 1 :], 16), _NEWEST)


def seq_of_cursor(cursor: str) -> int | None:
    """The number below which a page of mails begins; None when it cannot be one of our cursors."""
    if not cursor:
        return _NEWEST
    if len(cursor) > _SEQ_DIGITS_MAX or not (cursor.isascii() and cursor.isdecimal()):
        return None
    return int(cursor)


_TEMPLATES = {template.value: template for template in Template}
"""Looked up instead of made: a mail a microsecond cheaper."""


def stored_name(template: Template, about: str) -> str:
    """What is unique among the mails of an order: the template, and which part it is about."""
    return f"{template}/{about}" if about else template


def parts_of(name: str) -> tuple[Template, str]:
    """The template, and the shipment or return that the mail is about, if any."""
    template, _, about = name.partition("/")
    return _TEMPLATES[template], about


def message_name(template: str, subject: str) -> str:
    """The left side of the Message-ID, of a mail about that order, shipment or return.

    The same at every attempt, so that a mail which was sent twice can be recognised.
    """
    return f"{template}.{subject}"


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes figures."""

    decimal: str
    group: str
    moment: str


DEFAULT_LANGUAGE = "en"
LANGUAGES = {
    "en": Language(decimal=".", group=",", moment="%d %B %Y, %H:%M %Z"),
    "de": Language(decimal=",", group=".", moment="%d.%m.%Y, %H:%M %Z"),
}


def language_of(locale: str) -> str:
    """The language to write in: that of the locale (`de-AT` -> `de`), or English."""
    language = locale.partition("-")[0]
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def money_text(amount: Money, language: str) -> str:
    """An amount as its reader writes it: `1,234.50 EUR`, `1.234,50 EUR`."""
    how = LANGUAGES[language]
    digits = MINOR_DIGITS[amount.currency]
    whole, part = divmod(abs(amount.amount_minor), 10**digits)
    sign = "-" if amount.amount_minor < 0 else ""
    fraction = f"{how.decimal}{part:0{digits}d}" if digits else ""
    return f"{sign}{whole:,}".replace(",", how.group) + f"{fraction} {amount.currency}"


def moment_text(moment: datetime, language: str, zone: tzinfo) -> str:
    """An instant on its reader's clock."""
    return moment.astimezone(zone).strftime(LANGUAGES[language].moment)
