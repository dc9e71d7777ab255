"""The SMTP adapter against a real server on this machine."""

import email
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller

from emporion.contracts.user import Contact
from emporion.kernel.errors import Internal, Unavailable
from emporion.platform.supervisor.ports import free_port
from emporion.services.email.adapters.smtp import Security, SmtpConfig, SmtpMailer
from emporion.services.email.ports import Fate, Letter, Text
from tests.services.email.office import ADA, BEA, CONTACTS

Answer = Callable[[str], str]


class Postmaster:
    """A mail server's mind: takes mails, and answers what the test wants."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.to: list[str] = []
        self.on_recipient: Answer = lambda address: "250 OK"
        self.on_data: Answer = lambda address: "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        answer = self.on_recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        address = envelope.rcpt_tos[0]
        answer = self.on_data(address)
        if answer.startswith("250"):
            message = email.message_from_bytes(envelope.content, policy=default)
            self.taken.append(message)
            self.to.append(address)
        if answer.startswith("drop"):
            server.transport.abort()
        return answer


@pytest.fixture
def postmaster() -> Postmaster:
    return Postmaster()


@pytest.fixture
def server(postmaster: Postmaster) -> Iterator[Controller]:
    controller = Controller(postmaster, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def mailer(server: Controller) -> SmtpMailer:
    return SmtpMailer(config(server.port))


def config(port: int, **changes: Any) -> SmtpConfig:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "sender": "shop@shop.example.test",
        "sender_name": "The Corner Shop",
        "security": Security.NONE,
        "timeout_s": 5.0,
    }
    return SmtpConfig(**(settings | changes))


def letter(name: str = "one", to: Contact = CONTACTS[ADA], subject: str = "Hello") -> Letter:
    dated = datetime(2026, 1, 1, tzinfo=UTC)
    return Letter(name, to, dated, lambda: Text(subject, "Grüße, 1 €\n"))


async def test_a_letter_arrives_as_it_was_written(mailer: SmtpMailer, postmaster: Postmaster):
    verdicts = await mailer.send([letter(to=CONTACTS[BEA], subject="Bestätigt")])

    assert [verdict.fate for verdict in verdicts] == [Fate.TAKEN]
    (message,) = postmaster.taken
    assert message["Subject"] == "Bestätigt"
    assert message["To"] == "Béa Müller <bea@example.test>"
    assert message["From"] == "The Corner Shop <shop@shop.example.test>"
    assert message["Message-ID"] == "<one@shop.example.test>"
    assert message["Date"].datetime == datetime(2026, 1, 1, tzinfo=UTC)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n") == "Grüße, 1 €\n"


async def test_a_batch_goes_over_one_connection_and_each_letter_has_its_verdict(
    mailer: SmtpMailer, postmaster: Postmaster
):
    answers = {"no@example.test": "550 no such mailbox", "full@example.test": "452 mailbox full"}
    postmaster.on_recipient = lambda address: answers.get(address, "250 OK")
    ada = CONTACTS[ADA]
    to_no = msgspec.structs.replace(ada, email="no@example.test")
    to_full = msgspec.structs.replace(ada, email="full@example.test")

    verdicts = await mailer.send(
        [letter("a"), letter("b", to_no), letter("c", to_full), letter("d")]
    )

    assert [verdict.fate for verdict in verdicts] == [
        Fate.TAKEN,
        Fate.REFUSED,
        Fate.DEFERRED,
        Fate.TAKEN,
    ]
    assert verdicts[1].error == "550 no such mailbox"
    assert [message["Message-ID"] for message in postmaster.taken] == [
        "<a@shop.example.test>",
        "<d@shop.example.test>",
    ]


@pytest.mark.parametrize(
    ("answer", "fate"),
    [("554 rejected as spam", Fate.REFUSED), ("451 local error", Fate.DEFERRED)],
)
async def test_the_servers_word_on_the_text_decides(
    mailer: SmtpMailer, postmaster: Postmaster, answer: str, fate: Fate
):
    postmaster.on_data = lambda address: answer

    verdicts = await mailer.send([letter("a")])

    assert [(verdict.fate, verdict.error) for verdict in verdicts] == [(fate, answer)]


async def test_after_a_lost_connection_the_rest_is_untried(
    mailer: SmtpMailer, postmaster: Postmaster
):
    postmaster.on_data = lambda address: "drop" if postmaster.taken else "250 OK"

    verdicts = await mailer.send([letter("a"), letter("b"), letter("c")])

    assert [verdict.fate for verdict in verdicts] == [Fate.TAKEN, Fate.DEFERRED, Fate.UNTRIED]


async def test_without_a_server_nothing_was_tried():
    with pytest.raises(Unavailable):
        await SmtpMailer(config(free_port())).send([letter()])


async def test_a_server_without_encryption_gets_nothing_when_encryption_is_asked_for(
    server: Controller, postmaster: Postmaster
):
    for security in (Security.STARTTLS, Security.TLS):
        strict = SmtpMailer(config(server.port, security=security, timeout_s=2.0))
        with pytest.raises(Unavailable):
            await strict.send([letter()])

    assert postmaster.taken == []


async def test_a_silent_server_is_not_waited_for_for_ever():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mailer = SmtpMailer(config(silent.getsockname()[1], timeout_s=0.2))
        with pytest.raises(Unavailable):
            await mailer.send([letter()])


async def test_a_name_cannot_smuggle_in_a_header(mailer: SmtpMailer, postmaster: Postmaster):
    eve = msgspec.structs.replace(CONTACTS[ADA], name="Eve\r\nBcc: all@example.test")

    await mailer.send([letter(to=eve)])

    (message,) = postmaster.taken
    assert message["Bcc"] is None
    assert postmaster.to == ["ada@example.test"]
    assert "Bcc: all@example.test" in message["To"]


@pytest.mark.parametrize("address", ["ada@example.test\r\nBcc: x@y.z", "", "@", "ü@example.test"])
async def test_an_address_that_cannot_stand_in_a_header_is_refused(
    mailer: SmtpMailer, postmaster: Postmaster, address: str
):
    broken = msgspec.structs.replace(CONTACTS[ADA], email=address)

    verdicts = await mailer.send([letter("a", broken), letter("b")])

    assert [verdict.fate for verdict in verdicts] == [Fate.REFUSED, Fate.TAKEN]
    assert len(postmaster.taken) == 1


async def test_a_letter_that_cannot_be_written_waits(mailer: SmtpMailer):
    def broken() -> Text:
        raise Internal("the template names something that does not exist")

    torn = Letter("a", CONTACTS[ADA], datetime(2026, 1, 1, tzinfo=UTC), broken)

    verdicts = await mailer.send([torn, letter("b")])

    assert [verdict.fate for verdict in verdicts] == [Fate.DEFERRED, Fate.TAKEN]


def test_the_password_is_not_shown():
    assert "hunter2" not in repr(config(25, username="shop", password="hunter2"))
