"""Sends the queued mails, in batches, beside everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.user import Contact, UserService
from emporion.kernel.addresses import without_addresses
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import EmporionError, Unavailable
from emporion.services.email import domain
from emporion.services.email.domain import Status
from emporion.services.email.ports import (
    DueMail,
    Fate,
    Letter,
    Mailer,
    MailStore,
    Progress,
    Seals,
    Verdict,
    Writer,
)
from emporion.services.email.queries import contacts_of

_NOBODY = Verdict(Fate.POINTLESS, "there is no such user any more")

BATCH_MAX = 100
SEALED_MAX = 200
SEAL_AGAIN_MS = 3_600_000
"""An older version that still runs beside this one may send some more."""
LINGER_S = 0.1
"""How long a small batch waits for company: a commit for one mail costs as much as for many."""
LOOK_AGAIN_MS = 60_000
"""The fallback beside the poke: a mail that nobody poked for leaves a minute late."""


@dataclass(frozen=True, slots=True)
class Letters:
    """What letters are written with, and what is kept of them sealed with."""

    writer: Writer
    seals: Seals


class Sender:
    """Takes due mails, finds out whom they go to, hands them to the mailer, writes down the rest.

    A mail leaves at least once. It may leave twice when the process dies between the mailer's
    answer and the commit of the batch; it then carries the same Message-ID.

    When the users or the mailer cannot be reached at all, the alarm pauses and no mail loses an
    attempt.
    """

    def __init__(
        self,
        store: MailStore,
        *,
        users: UserService,
        mailer: Mailer,
        letters: Letters,
        runtime: Runtime,
    ) -> None:
        self._store = store
        self._users = users
        self._mailer = mailer
        self._writer = letters.writer
        self._seals = letters.seals
        self._runtime = runtime
        self.alarm = Alarm("send mails", runtime, self.run_due)

    async def run_due(self) -> int | None:
        """Send a batch of what is due; when to run again (see Alarm).

        Raises Unavailable, after writing down what was sent, when the mailer went away.
        """
        number = await self._store.count_due(self._runtime.clock.now_ms(), limit=BATCH_MAX)
        if 0 < number < BATCH_MAX:
            await self._runtime.tasks.sleep(LINGER_S)
        mails = await self._store.due(self._runtime.clock.now_ms(), limit=BATCH_MAX)
        if mails:
            await self._send_or_give_back(mails)
        now_ms = self._runtime.clock.now_ms()
        if len(mails) == BATCH_MAX:
            return now_ms
        next_ms = await self._store.next_due_ms()
        return min(next_ms or now_ms + LOOK_AGAIN_MS, now_ms + LOOK_AGAIN_MS)

    async def _send_or_give_back(self, mails: Sequence[DueMail]) -> None:
        try:
            await self._send(mails)
        except EmporionError:
            await self._store.give_back(mails, self._runtime.clock.now_ms())
            raise

    async def _send(self, mails: Sequence[DueMail]) -> None:
        contacts = await contacts_of(self._users, [mail.user_id for mail in mails])
        addressed = [mail for mail in mails if mail.user_id in contacts]
        letters = [self._letter(mail, contacts[mail.user_id]) for mail in addressed]
        answers = await self._mailer.send(letters) if letters else []
        verdicts = {mail.seq: verdict for mail, verdict in zip(addressed, answers, strict=True)}
        now_ms = self._runtime.clock.now_ms()
        kept = await self._seals.sealed(contacts)
        progress = [
            _progress(mail, verdict, kept.get(mail.user_id), now_ms=now_ms)
            for mail in mails
            if (verdict := verdicts.get(mail.seq, _NOBODY)).fate is not Fate.UNTRIED
        ]
        await self._store.settle(progress)
        if len(progress) < len(mails):
            raise Unavailable("the mail server went away in the middle of a batch")

    def _letter(self, mail: DueMail, to: Contact) -> Letter:
        return Letter(
            name=domain.message_name(mail.template, mail.about or mail.order_id),
            to=to,
            dated=to_datetime(mail.created_at_ms),
            write=partial(self._writer.write, mail.template, mail.params, to),
            traceparent=mail.traceparent,
        )


class LateSealing:
    """Seals mails from before contacts were sealed; may stop and start again anywhere."""

    def __init__(self, store: MailStore, seals: Seals, runtime: Runtime) -> None:
        self._store = store
        self._seals = seals
        self._clock = runtime.clock
        self._next_ms = 0
        self.alarm = Alarm("seal mails from before", runtime, self.run_due)

    async def run_due(self) -> int:
        """Seal a batch; when to run again. Poked between, it does nothing. Raises Unavailable."""
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_ms:
            mails = await self._store.readable(SEALED_MAX)
            if mails:
                await self._store.seal(await self._seals.sealed_before(mails))
            self._next_ms = now_ms if len(mails) == SEALED_MAX else now_ms + SEAL_AGAIN_MS
        return self._next_ms


def _progress(mail: DueMail, verdict: Verdict, contact: bytes | None, *, now_ms: int) -> Progress:
    """What a verdict makes of a mail."""
    attempts, error = mail.attempts + 1, without_addresses(verdict.error)
    if verdict.fate is Fate.TAKEN:
        return Progress(Status.SENT, attempts, now_ms, error, contact, now_ms, mail.seq)
    if verdict.fate is Fate.POINTLESS:
        return Progress(Status.DROPPED, mail.attempts, now_ms, error, None, None, mail.seq)
    is_over = verdict.fate is Fate.REFUSED or domain.is_hopeless(mail.created_at_ms, now_ms)
    status = Status.FAILED if is_over else Status.QUEUED
    next_ms = now_ms + domain.pause_ms(attempts)
    return Progress(status, attempts, next_ms, error, None, None, mail.seq)
