"""Answers the email contract."""

from emporion.contracts.email import EmailService, ListMails, Mail, MailOf, MailPage
from emporion.services.email.queries import Queries


class EmailApi(EmailService):
    """The contract, answered by queries: nobody asks for a mail, events do."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def list_mails(self, request: ListMails) -> MailPage:
        mails, next_cursor = await self._queries.page(request)
        return MailPage(mails=mails, next_cursor=next_cursor)

    async def get_mail(self, request: MailOf) -> Mail:
        return await self._queries.get(request.mail_id)
