"""Reading mails: as they were sent, or as they will be."""

import msgspec
import pytest

from emporion.contracts.email import ListMails, MailOf, MailStatus
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import MailId
from emporion.services.email.ports import Fate, Verdict
from tests.services.email.office import (
    ADA,
    BEA,
    NOBODY,
    Office,
    Tray,
    cancelled,
    confirmation,
    created,
    delivered,
    order_id,
    refunded,
    rejected,
    shipped,
)


async def test_a_confirmation_tells_what_was_bought_in_the_readers_words(office: Office):
    await office.deliver(created())
    (summary,) = await office.mails()

    mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))

    assert mail.recipient == "ada@example.test"
    assert mail.subject == f"Your order {order_id(1)} is confirmed"
    assert "Hello Ada," in mail.text
    assert "01 July 2026, 22:30 UTC" in mail.text
    assert "3 x Croissant at 411.50 EUR: 1,234.50 EUR" in mail.text
    assert "Total: 1,234.50 EUR" in mail.text
    assert mail.text.endswith("The Corner Shop\n")


async def test_a_confirmation_follows_locale_and_time_zone(office: Office):
    await office.deliver(created(1, BEA))
    (summary,) = await office.mails()

    mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))

    assert mail.subject.startswith(f"Ihre Bestellung {order_id(1)}")
    assert "Guten Tag Béa Müller," in mail.text
    assert "02.07.2026, 00:30 CEST" in mail.text
    assert "3 x Croissant zu 411,50 EUR: 1.234,50 EUR" in mail.text


@pytest.mark.parametrize("user_id", [ADA, BEA])
async def test_every_mail_can_be_written_in_every_language(office: Office, user_id):
    await office.deliver(created(1, user_id), cancelled(1, user_id), rejected(2, user_id))
    await office.deliver(shipped(1, user_id), delivered(1, user_id), refunded(1, user_id))

    for summary in await office.mails():
        mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))
        assert summary.order_id in mail.subject
        assert "{" not in mail.text
        assert "\n\n\n" not in mail.text


async def test_a_sent_mail_stays_as_it_was_sent_when_its_reader_moves(office: Office, tray: Tray):
    await office.deliver(created())
    await office.run()
    office.users.contacts_by_id[ADA] = msgspec.structs.replace(
        office.users.contacts_by_id[ADA], email="new@example.test", locale="de"
    )
    (summary,) = await office.mails()

    mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))

    assert mail.recipient == "ada@example.test"
    assert mail.text == tray.sent[0][1].body


async def test_a_mail_to_a_user_who_is_gone_can_still_be_read(office: Office):
    await office.deliver(created(1, NOBODY))
    (summary,) = await office.mails()

    mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))

    assert mail.recipient == "erased"
    assert "Croissant" in mail.text


async def test_an_unknown_mail_is_not_found(office: Office):
    for digits in ("0" * 31 + "9", "f" * 32):
        with pytest.raises(NotFound):
            await office.service.get_mail(MailOf(mail_id=MailId(f"mail_{digits}")))


@pytest.mark.parametrize("status", [None, *MailStatus])
async def test_pages_hold_every_mail_once_newest_first(
    office: Office, tray: Tray, status: MailStatus | None
):
    for number in range(1, 8):
        if number % 3 == 1:
            tray.verdicts[confirmation(number)] = Verdict(Fate.REFUSED, "no")
        if number % 3 == 2:
            tray.verdicts[confirmation(number)] = Verdict(Fate.DEFERRED, "later")
    await office.deliver(*(created(number) for number in range(1, 8)))
    await office.run()
    kinds = [MailStatus.SENT, MailStatus.FAILED, MailStatus.QUEUED]
    expected = [n for n in range(7, 0, -1) if status in (None, kinds[n % 3])]

    seen, cursor = [], ""
    while True:
        page = await office.service.list_mails(ListMails(status=status, limit=2, cursor=cursor))
        seen += [int(mail.order_id[4:], 16) for mail in page.mails]
        cursor = page.next_cursor
        if not cursor:
            break

    assert seen == expected


async def test_the_mails_of_an_order_are_listed_by_its_id(office: Office):
    await office.deliver(created(1), created(2), cancelled(1))

    page = await office.service.list_mails(ListMails(order_id=order_id(1)))

    assert [mail.template for mail in page.mails] == ["order-cancellation", "order-confirmation"]
    assert page.next_cursor == ""


@pytest.mark.parametrize("cursor", ["\u00b2", "-1", "1.0", "zzz", "9" * 19, "mail_1"])
async def test_a_cursor_that_is_none_of_ours_is_refused(office: Office, cursor: str):
    with pytest.raises(UnknownCursor):
        await office.service.list_mails(ListMails(cursor=cursor))


async def test_words_of_the_catalogue_are_text_and_never_templates(office: Office):
    await office.deliver(created(1, name="{{ 7 * 7 }} <b>\nBcc: eve@example.test"))
    (summary,) = await office.mails()

    mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))

    assert "{{ 7 * 7 }} <b>" in mail.text
    assert "\n" not in mail.subject


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc/passwd", "", "Europe", "\x00"])
async def test_an_unknown_time_zone_reads_as_utc(office: Office, zone: str):
    ada = msgspec.structs.replace(office.users.contacts_by_id[ADA], time_zone=zone)
    office.users.contacts_by_id[ADA] = ada
    await office.deliver(created())
    (summary,) = await office.mails()

    mail = await office.service.get_mail(MailOf(mail_id=summary.mail_id))

    assert "01 July 2026, 22:30 UTC" in mail.text
