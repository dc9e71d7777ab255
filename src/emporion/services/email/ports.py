"""What the email service needs from outside: a mailer, a writer of texts, and a store."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from emporion.chassis.data.database import Tx
from emporion.contracts.user import Contact
from emporion.kernel.ids import OrderId, UserId
from emporion.services.email.domain import Status, Template


class Text(msgspec.Struct, frozen=True, gc=False):
    """What a mail says: one line of subject, and plain text."""

    subject: str
    body: str


class Letter(msgspec.Struct, frozen=True, gc=False):
    """A mail on its way.

    Args:
        name: the left side of its Message-ID.
        to: whom it goes to.
        dated: when it was queued; the same at every attempt.
        write: writes its text. Raises BrokenTemplate.
        traceparent: of the call that published what it tells of; empty: none.
    """

    name: str
    to: Contact
    dated: datetime
    write: Callable[[], Text]
    traceparent: str = ""


class Fate(StrEnum):
    """What became of a letter."""

    TAKEN = "taken"
    DEFERRED = "deferred"
    """Not now, or it is not known: try again later. It may have been taken."""
    REFUSED = "refused"
    """Never: trying again would be in vain."""
    POINTLESS = "pointless"
    """There is nobody to write to any more."""
    UNTRIED = "untried"
    """The connection went before its turn: nothing was done about it."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What became of a letter, and why when it was not taken."""

    fate: Fate
    error: str = ""


class Mailer(Protocol):
    """Who carries letters."""

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        """Hand over a batch of letters; a verdict for each, in order.

        Raises Unavailable when nothing could be handed over at all: none of them was tried.
        """
        ...


class ReadableMail(msgspec.Struct, frozen=True, gc=False):
    """What tells in a mail's row, from before it was sealed, whom it went to."""

    seq: int
    user_id: UserId
    contact: bytes
    last_error: str


class Seals(Protocol):
    """Makes whom a mail went to unreadable without that person's key, and readable.

    Every method raises Unavailable, DeadlineExceeded or ResourceExhausted when the keys cannot be
    asked for, or one was lost.
    """

    async def sealed(self, contacts: Mapping[UserId, Contact]) -> dict[UserId, bytes]:
        """Contacts, for being stored."""
        ...

    async def sealed_before(self, mails: Sequence[ReadableMail]) -> list[ReadableMail]:
        """Mails from before, for being stored again."""
        ...

    async def opened(self, user_id: UserId, contact: bytes) -> Contact:
        """A stored contact; of somebody who was erased it says so. Raises SealBroken."""
        ...


class Writer(Protocol):
    """Who writes the texts."""

    def write(self, template: Template, params: bytes, to: Contact) -> Text:
        """The text of a mail in its reader's language, from the parameters stored with it.

        Raises BrokenTemplate when template and parameters do not fit.
        """
        ...


class StoredMail(msgspec.Struct, frozen=True, gc=False):
    """A mail's row. Instants in ms since the epoch.

    `contact` is whom it was sent to, as of that time: sealed, None before.
    """

    seq: int
    template: Template
    order_id: OrderId
    user_id: UserId
    status: Status
    attempts: int
    last_error: str
    params: bytes
    contact: bytes | None
    created_at_ms: int
    sent_at_ms: int | None


class DueMail(msgspec.Struct, frozen=True, gc=False):
    """What the sender needs of a queued mail's row."""

    seq: int
    template: Template
    order_id: OrderId
    user_id: UserId
    attempts: int
    params: bytes
    created_at_ms: int
    about: str = ""
    traceparent: str = ""


class Progress(msgspec.Struct, frozen=True, gc=False):
    """What a batch did to a mail. `next_at_ms` matters while it is queued."""

    status: Status
    attempts: int
    next_at_ms: int
    last_error: str
    contact: bytes | None
    sent_at_ms: int | None
    seq: int


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A mail to be sent; `about` is the shipment or return that it tells of, if it is one's."""

    template: Template
    order_id: OrderId
    user_id: UserId
    params: bytes
    about: str = ""
    traceparent: str = ""


class MailStore(Protocol):
    """The mails. Every method raises Unavailable when the engine cannot answer."""

    async def queue(self, tx: Tx, mails: Sequence[Queued], *, at_ms: int) -> None:
        """Add mails that are due at once, each unless its order has such a one about the same.

        Runs inside the subscriber's transaction.
        """
        ...

    async def due(self, now_ms: int, *, limit: int) -> list[DueMail]:
        """Queued mails whose time has come, the longest due first.

        Where several instances send, each mail goes to one of them: until it is settled, given
        back, or five minutes are over.
        """
        ...

    async def give_back(self, mails: Sequence[DueMail], now_ms: int) -> None:
        """Those of the last `due` that were not settled are due again."""
        ...

    async def count_due(self, now_ms: int, *, limit: int) -> int:
        """How many `due` would give."""
        ...

    async def next_due_ms(self) -> int | None:
        """When the next queued mail is due, or None."""
        ...

    async def settle(self, progress: Sequence[Progress]) -> None:
        """Write down what became of mails that are still queued: all of it, or nothing."""
        ...

    async def readable(self, limit: int) -> list[ReadableMail]:
        """At most `limit` sent mails from before contacts were sealed, the oldest first."""
        ...

    async def seal(self, mails: Sequence[ReadableMail]) -> None:
        """Put sealed contacts in place of readable ones."""
        ...

    async def find(self, seq: int) -> StoredMail | None:
        """One mail, or None."""
        ...

    async def page(
        self, *, order_id: OrderId | None, status: Status | None, before: int, limit: int
    ) -> list[StoredMail]:
        """Up to `limit` mails numbered below `before`, newest first."""
        ...
