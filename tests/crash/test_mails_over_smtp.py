"""What a kill does to mails on their way over SMTP: at least once, and recognisable."""

from collections import Counter

import pytest
from aiosmtpd.controller import Controller

from emporion.platform.supervisor.ports import free_port
from tests.crash.hooks import Call, Point, When
from tests.crash.life import Death, Life, Template
from tests.system import files
from tests.system.mailbox import Mailbox, smtp_settings
from tests.system.shoppers import Plan

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]
HANDED_OVER = Call("emporion.services.email.adapters.smtp:SmtpMailer.send")


async def test_mails_handed_over_in_the_instant_of_a_kill_come_again_under_the_same_name(
    template: Template, tmp_path
):
    mailbox, port = Mailbox(), free_port()
    life = Life(template.copy(tmp_path / "data"), Plan(seed=2), settings=smtp_settings(port))
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        point = Point("mails", "handed over", HANDED_OVER, When.AFTER)
        outcome = await life.end_under_load(template.customers, [Death(point, 1)])
    finally:
        server.stop()

    assert outcome.complaints == []
    times = Counter(str(mail["Message-ID"]) for mail in mailbox.mails)
    assert set(times.values()) == {1, 2}
    marked = files.number(life.data, "email", "SELECT count(*) FROM mail WHERE status = 'sent'")
    assert len(times) == marked
