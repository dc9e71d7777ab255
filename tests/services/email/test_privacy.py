"""What the email service keeps of people: sealed, and nothing once they are erased."""

import msgspec

from emporion.contracts.email import Mail, MailOf, MailStatus
from emporion.contracts.vault import PersonOf
from emporion.services.email import commands
from emporion.services.email.ports import Fate, Verdict
from tests.services.email.office import ADA, CONTACTS, Office, Tray, confirmation, created

MINUTE_S = 60


async def everything(office: Office) -> str:
    return str(await office.rows("SELECT * FROM mail")).casefold()


async def only_mail(office: Office) -> Mail:
    (summary,) = await office.mails()
    return await office.service.get_mail(MailOf(mail_id=summary.mail_id))


async def erase(office: Office) -> None:
    """What the user service does, as far as mails are told."""
    await office.users.vault.destroy_key(PersonOf(person_id=ADA))
    del office.users.contacts_by_id[ADA]
    office.clock.advance(MINUTE_S)


async def test_whom_a_mail_went_to_is_not_readable_in_the_database(office: Office, tray: Tray):
    await office.deliver(created())
    await office.run()

    text = await everything(office)
    assert "example.test" not in text
    assert "'ada'" not in text
    assert (await only_mail(office)).recipient == "ada@example.test"


async def test_a_sent_mail_of_somebody_erased_says_so(office: Office, tray: Tray):
    await office.deliver(created())
    await office.run()

    await erase(office)

    mail = await only_mail(office)
    assert mail.recipient == "erased"
    assert "Hello erased" in mail.text
    assert mail.mail.status is MailStatus.SENT


async def test_what_a_mail_server_says_about_an_address_is_kept_without_it(
    office: Office, tray: Tray
):
    said = "550 5.1.1 <ada@example.test>: no such user"
    tray.verdicts[confirmation(1)] = Verdict(Fate.REFUSED, said)
    await office.deliver(created())
    await office.run()

    (mail,) = await office.mails()
    assert mail.last_error == "550 5.1.1 <(address)>: no such user"


async def test_a_mail_still_queued_when_its_reader_is_erased_is_dropped(office: Office, tray: Tray):
    tray.verdicts[confirmation(1)] = Verdict(Fate.DEFERRED, "later")
    await office.deliver(created())
    await office.run()

    await erase(office)
    await office.run()

    (mail,) = await office.mails()
    assert mail.status is MailStatus.DROPPED
    assert tray.sent == []


async def test_mails_from_before_are_sealed_in_batches(office: Office, tray: Tray, monkeypatch):
    monkeypatch.setattr(commands, "SEALED_MAX", 2)
    await office.deliver(*(created(number) for number in range(1, 6)))
    await office.run()
    contact = msgspec.json.encode(CONTACTS[ADA]).hex()
    literal = f"X'{contact}'" if office.database.engine == "sqlite" else f"'\\x{contact}'::bytea"

    async def as_before(tx):
        await tx.execute(f"UPDATE mail SET is_sealed = 0, contact = {literal}")

    await office.database.transaction(as_before)
    late = office.assembly.alarms[1]

    left = []
    for _ in range(3):
        office.clock.advance(1)
        await late._run_due()
        ((count,),) = await office.rows("SELECT count(*) FROM mail WHERE is_sealed = 0")
        left.append(count)

    assert left == [3, 1, 0]
    assert "example.test" not in await everything(office)
    for mail in await office.mails():
        found = await office.service.get_mail(MailOf(mail_id=mail.mail_id))
        assert found.recipient == "ada@example.test"
