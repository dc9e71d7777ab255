"""A letter as the message that goes over the wire, whoever takes it there."""

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

from emporion.contracts.user import Contact
from emporion.services.email.ports import Letter


def message_of(letter: Letter, *, sender: str, sender_name: str = "") -> EmailMessage:
    """The letter, with a Message-ID that is the same at every attempt.

    Raises ValueError when the address or name cannot stand in a header, and whatever
    `letter.write` raises.
    """
    text = letter.write()
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = Address(sender_name, addr_spec=sender)
    message["To"] = _address(letter.to)
    message["Subject"] = text.subject
    message["Date"] = letter.dated
    message["Message-ID"] = f"<{letter.name}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.body)
    return message


def _address(to: Contact) -> Address:
    """Raises ValueError when the address cannot stand in a header."""
    try:
        return Address(" ".join(to.name.split()), addr_spec=to.email)
    except (IndexError, MessageError) as error:  # how the parser says "no", beside ValueError
        raise ValueError(str(error)) from error
