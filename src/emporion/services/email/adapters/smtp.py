"""Mailer on SMTP.

A mail leaves at least once: when this process dies between the server's "accepted" and our
commit, it is sent again, with the same Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from http import HTTPStatus

import aiosmtplib

from emporion.kernel.errors import EmporionError, Unavailable
from emporion.services.email.adapters.message import message_of
from emporion.services.email.ports import Fate, Letter, Verdict

TIMEOUT_S = 15.0
PERMANENT = HTTPStatus.INTERNAL_SERVER_ERROR.value
"""SMTP replies from 500 on mean: never. (RFC 5321, 4.2.1)"""
ERROR_LENGTH_MAX = 200


class Security(StrEnum):
    """How the connection is protected."""

    NONE = "none"
    """Not at all: for a relay on this machine."""
    STARTTLS = "starttls"
    """Upgraded before anything is said; no upgrade, no mail."""
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """Where to hand mails over, and as whom.

    Args:
        host, port, security: the server. Certificates are checked.
        username, password: empty: no sign-in.
        sender, sender_name: the From address.
        timeout_s: for each answer of the server.
    """

    host: str
    port: int
    sender: str
    sender_name: str = ""
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = TIMEOUT_S

    @property
    def domain(self) -> str:
        """The sender's domain: the right side of Message-IDs, and our name in EHLO."""
        return self.sender.rpartition("@")[2]


class SmtpMailer:
    """The port. One connection a batch, its letters one after the other."""

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        config = self._config
        server = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            username=config.username or None,
            password=config.password or None,
            local_hostname=config.domain,
            timeout=config.timeout_s,
            use_tls=config.security is Security.TLS,
            start_tls=config.security is Security.STARTTLS,
        )
        try:
            await server.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"the mail server does not take mails: {_said(error)}") from error
        try:
            return [await self._hand_over(server, letter) for letter in letters]
        finally:
            await _leave(server)

    async def _hand_over(self, server: aiosmtplib.SMTP, letter: Letter) -> Verdict:
        if not server.is_connected:
            return Verdict(Fate.UNTRIED)
        try:
            message = self.message(letter)
        except EmporionError as error:  # the text cannot be written now: a template may be mended
            return Verdict(Fate.DEFERRED, error.detail[:ERROR_LENGTH_MAX])
        except ValueError as error:
            return Verdict(Fate.REFUSED, f"cannot be addressed: {error}"[:ERROR_LENGTH_MAX])
        try:
            await server.send_message(message)
        except (aiosmtplib.SMTPException, OSError) as error:
            if isinstance(error, (OSError, TimeoutError)):
                server.close()  # what was said and what not is unclear: not another word
            return Verdict(_fate(error), _said(error))
        return Verdict(Fate.TAKEN)

    def message(self, letter: Letter) -> EmailMessage:
        """The letter as it goes over the wire.

        Raises ValueError when the address or name cannot stand in a header, and whatever
        `letter.write` raises.
        """
        config = self._config
        return message_of(letter, sender=config.sender, sender_name=config.sender_name)


def _fate(error: Exception) -> Fate:
    """A 5xx about this recipient or this text is final; everything else may pass."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused(
            recipients=[aiosmtplib.SMTPRecipientRefused() as one]
        ):
            return Fate.REFUSED if one.code >= PERMANENT else Fate.DEFERRED
        case aiosmtplib.SMTPDataError(code=code) if code >= PERMANENT:
            return Fate.REFUSED
        case aiosmtplib.SMTPNotSupported():
            return Fate.REFUSED
        case _:
            return Fate.DEFERRED


def _said(error: Exception) -> str:
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[one, *_]):
            return _said(one)
        case aiosmtplib.SMTPResponseException(code=code, message=message):
            return f"{code} {message}"[:ERROR_LENGTH_MAX]
        case _:
            return f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]


async def _leave(server: aiosmtplib.SMTP) -> None:
    if not server.is_connected:
        return
    try:
        await server.quit()
    except (aiosmtplib.SMTPException, OSError):
        server.close()  # the letters are handed over; how the server says goodbye is its affair
