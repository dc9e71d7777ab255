"""Email: order confirmations to people, as an independent subscriber."""

from enum import StrEnum
from typing import ClassVar, Protocol

from emporion.contracts.contract import (
    Message,
    Reply,
    Request,
    Service,
    get,
    query,
    staff,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.words import Cursor, Instant, MailId, OrderId, PageSize, UserId
from emporion.kernel.errors import NotFound


class MailStatus(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class ListMails(Request, frozen=True, kw_only=True):
    """Which mails, newest first."""

    order_id: OrderId | None = None
    status: MailStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class MailOf(Request, frozen=True, kw_only=True):
    """Which mail."""

    mail_id: MailId


class MailSummary(Message, frozen=True, kw_only=True):
    """A mail in a list: what, about which order, and how it went."""

    mail_id: MailId
    template: str
    order_id: OrderId
    user_id: UserId
    status: MailStatus
    attempts: int
    last_error: str
    created_at: Instant
    sent_at: Instant | None


class MailPage(Reply, frozen=True, kw_only=True):
    """A page of mails."""

    mails: list[MailSummary]
    next_cursor: str


class Mail(Reply, frozen=True, kw_only=True):
    """A mail with its text, rendered as it is (or will be) sent."""

    mail: MailSummary
    recipient: str
    subject: str
    text: str


class EmailService(Service, Protocol):
    """Order confirmation, as an independent subscriber."""

    NAME: ClassVar[str] = "email"
    SUMMARY: ClassVar[str] = "Order confirmations to people, as an independent subscriber."

    @query(access=staff("mails:read"), rest=get("/api/mails"), raises=(UnknownCursor,))
    async def list_mails(self, request: ListMails) -> MailPage:
        """Mails, newest first. Raises UnknownCursor."""

    @query(access=staff("mails:read"), rest=get("/api/mails/{mail_id}"), raises=(NotFound,))
    async def get_mail(self, request: MailOf) -> Mail:
        """One mail with its text. Raises NotFound."""
