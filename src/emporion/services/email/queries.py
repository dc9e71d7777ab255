"""What can be asked about mails."""

from collections.abc import Iterable

from emporion.contracts.email import ListMails, Mail, MailStatus, MailSummary
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.user import Contact, ContactsOf, UserService
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import MailId, UserId
from emporion.services.email import domain
from emporion.services.email.adapters.seals import erased
from emporion.services.email.domain import Status
from emporion.services.email.ports import MailStore, Seals, StoredMail, Writer


class Queries:
    """Reads of what is committed."""

    def __init__(
        self, store: MailStore, *, users: UserService, writer: Writer, seals: Seals
    ) -> None:
        self._seals = seals
        self._store = store
        self._users = users
        self._writer = writer

    async def page(self, request: ListMails) -> tuple[list[MailSummary], str]:
        """A page, newest first, and the cursor of the next one (empty: there is none).

        Raises UnknownCursor.
        """
        before = domain.seq_of_cursor(request.cursor)
        if before is None:
            raise UnknownCursor
        status = Status(request.status) if request.status else None
        mails = await self._store.page(
            order_id=request.order_id, status=status, before=before, limit=request.limit + 1
        )
        page = mails[: request.limit]
        next_cursor = str(page[-1].seq) if len(mails) > request.limit else ""
        return [summary(mail) for mail in page], next_cursor

    async def get(self, mail_id: MailId) -> Mail:
        """A mail with its text: as it was sent, or as it would be sent now. Raises NotFound."""
        mail = await self._store.find(domain.seq_of(mail_id))
        if mail is None:
            raise NotFound
        to = await self._reader_of(mail)
        text = self._writer.write(mail.template, mail.params, to)
        return Mail(mail=summary(mail), recipient=to.email, subject=text.subject, text=text.body)

    async def _reader_of(self, mail: StoredMail) -> Contact:
        if mail.contact is not None:
            return await self._seals.opened(mail.user_id, mail.contact)
        contacts = await contacts_of(self._users, [mail.user_id])
        return contacts.get(mail.user_id) or erased(mail.user_id)


async def contacts_of(users: UserService, user_ids: Iterable[UserId]) -> dict[UserId, Contact]:
    """Whom to write to, in one call; users that do not exist are left out.

    Raises Unavailable, DeadlineExceeded or ResourceExhausted when the users cannot be asked.
    """
    wanted = list(dict.fromkeys(user_ids))
    reply = await users.contacts(ContactsOf(user_ids=wanted))
    return {contact.user_id: contact for contact in reply.contacts}


def summary(mail: StoredMail) -> MailSummary:
    """A mail in a list."""
    return MailSummary(
        mail_id=domain.mail_id_of(mail.seq),
        template=mail.template,
        order_id=mail.order_id,
        user_id=mail.user_id,
        status=MailStatus(mail.status.value),
        attempts=mail.attempts,
        last_error=mail.last_error,
        created_at=to_datetime(mail.created_at_ms),
        sent_at=None if mail.sent_at_ms is None else to_datetime(mail.sent_at_ms),
    )
