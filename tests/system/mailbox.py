"""A mail server that keeps what it takes, and the settings of a shop that uses it."""

from email.message import Message
from email.parser import BytesParser

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """A mail server that keeps what it takes."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        self.mails.append(BytesParser().parsebytes(envelope.content))
        return "250 kept"


def smtp_settings(port: int) -> dict[str, str]:
    """The variables of a shop that sends its mails there."""
    return {
        "EMPORION_SMTP_HOST": "127.0.0.1",
        "EMPORION_SMTP_PORT": str(port),
        "EMPORION_SMTP_SECURITY": "none",
    }
