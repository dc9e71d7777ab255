"""The SES adapter against an emulator of it, and against answers that that does not give."""

import email
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import boto3
import msgspec
import pytest
from moto.server import ThreadedMotoServer

from emporion.contracts.user import Contact
from emporion.kernel.errors import Internal, Unavailable
from emporion.platform.supervisor.ports import free_port
from emporion.services.email.adapters.ses import SesConfig, SesMailer
from emporion.services.email.ports import Fate, Letter, Text
from tests.services.email.office import ADA, CONTACTS

REGION = "us-east-1"
SENDER = "shop@shop.example.com"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


def letter(*, to: Contact = CONTACTS[ADA]) -> Letter:
    text = Text(subject="Your order", body="It is on its way: a pain au chocolat.")
    return Letter(
        name="confirmation.ord_1", to=to, dated=datetime(2026, 1, 2, tzinfo=UTC), write=lambda: text
    )


async def test_a_mail_is_handed_over_with_the_same_message_id_each_time(url):
    boto3.client("sesv2", region_name=REGION, endpoint_url=url).create_email_identity(
        EmailIdentity=SENDER
    )
    mailer = SesMailer(SesConfig(REGION, SENDER, url))

    verdicts = await mailer.send([letter(), letter()])

    assert [verdict.fate for verdict in verdicts] == [Fate.TAKEN, Fate.TAKEN]
    with urlopen(f"{url}/moto-api/data.json") as answer:  # noqa: S310 - ours
        kept = json.loads(answer.read())["ses"]["RawMessage"]
    messages = [email.message_from_string(one["raw_data"], policy=default) for one in kept]
    assert {message["Message-ID"] for message in messages} == {
        "<confirmation.ord_1@shop.example.com>"
    }
    assert messages[0]["To"].addresses[0].addr_spec == CONTACTS[ADA].email
    assert "pain au chocolat" in messages[0].get_content()


@pytest.fixture
def answering() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server that gives the answer that the test wants, and its address."""
    said: dict[str, Any] = {"status": 200, "code": "", "asked": 0}

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said["asked"] += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(said["status"])
            self.send_header("x-amzn-ErrorType", said["code"])
            self.end_headers()
            self.wfile.write(b'{"message": "said so"}')

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", said
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "fate"),
    [
        (400, "MessageRejected", Fate.REFUSED),
        (400, "BadRequestException", Fate.REFUSED),
        (429, "TooManyRequestsException", Fate.DEFERRED),
        (400, "SendingPausedException", Fate.DEFERRED),
        (403, "AccessDeniedException", Fate.DEFERRED),
        (500, "InternalFailure", Fate.DEFERRED),
    ],
)
async def test_what_ses_says_about_the_mail_is_final_and_the_rest_may_pass(
    answering, status, code, fate
):
    url, said = answering
    said |= {"status": status, "code": code}

    (verdict,) = await SesMailer(SesConfig(REGION, SENDER, url)).send([letter()])

    assert verdict.fate is fate
    assert code in verdict.error
    assert said["asked"] == 1  # the queue of mails tries again, not the client


async def test_an_address_that_cannot_stand_in_a_header_is_refused_unasked(answering):
    url, said = answering
    broken = msgspec.structs.replace(CONTACTS[ADA], email="ada@\n")

    (verdict,) = await SesMailer(SesConfig(REGION, SENDER, url)).send([letter(to=broken)])

    assert verdict.fate is Fate.REFUSED
    assert said["asked"] == 0


async def test_a_text_that_cannot_be_written_now_is_tried_later(answering):
    url, said = answering

    def broken() -> Text:
        raise Internal("a template is broken")

    mail = Letter(name="x", to=CONTACTS[ADA], dated=datetime(2026, 1, 2, tzinfo=UTC), write=broken)

    (verdict,) = await SesMailer(SesConfig(REGION, SENDER, url)).send([mail])

    assert (verdict.fate, said["asked"]) == (Fate.DEFERRED, 0)


async def test_when_ses_cannot_be_reached_no_mail_was_tried():
    nowhere = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Unavailable, match="SES does not take mails"):
        await SesMailer(SesConfig(REGION, SENDER, nowhere)).send([letter(), letter()])
