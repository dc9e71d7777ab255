"""What every bus must keep, whatever carries the events: one suite for all adapters.

An adapter's test module makes a `BusRig` for its engine as the fixture `rig` and subclasses
`BusConformance`; what the adapter declares it cannot do is skipped by the feature's name.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.chassis.data.database import Tx
from emporion.chassis.events.bus import ParkedStatus
from emporion.chassis.testing.bus_rig import (
    CONFIG,
    PUBLISHER,
    BusRig,
    Planted,
    StepDone,
    ThingClosed,
)

GIVE_UP_S = CONFIG.retry.give_up_after_s


def expect(is_so: bool, *, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raises AssertionError naming what was expected."""
    if not is_so:
        raise AssertionError(what)


class BusConformance:
    """The promises of `events/bus.py`, each a test that an adapter inherits."""

    async def test_an_event_reaches_every_subscriber_once(self, rig: BusRig) -> None:
        """Each subscriber has its own copy of the history."""
        mail, stock = await rig.subscribe("mail"), await rig.subscribe("stock")
        await rig.publish_steps("a", range(20))
        await rig.settle()
        for each in (mail, stock):
            expect(await each.steps("a") == [*range(20)], what=f"{each.name} has all, in order")

    async def test_an_event_of_a_transaction_that_failed_is_never_delivered(
        self, rig: BusRig
    ) -> None:
        """The outbox row lives and dies with its transaction."""
        mail = await rig.subscribe("mail")

        async def fails(tx: Tx) -> None:
            await tx.publish(StepDone(thing="a", step=1))
            raise Planted

        with suppress(Planted):
            await rig.publisher.transaction(fails)
        await rig.settle()
        expect(await mail.effects() == [], what="nothing was delivered")

    async def test_events_that_nobody_wants_are_passed_by(self, rig: BusRig) -> None:
        """They neither reach a reaction nor count as lag."""
        mail = await rig.subscribe("mail")
        for _ in range(5):
            await rig.publish(*[ThingClosed(thing="a")] * 5)
        await rig.publish_steps("a", [1])
        await rig.settle()
        expect(await mail.effects() == [("a", 1)], what="the one wanted event arrived")
        expect((await rig.bus.lag())[0].waiting == 0, what="nothing waits")

    async def test_a_failed_reaction_leaves_no_effect_and_is_retried(self, rig: BusRig) -> None:
        """An exception is never an acknowledgement."""
        mail = await rig.subscribe("mail")
        mail.failing.add("a")
        await rig.publish_steps("a", [1])
        await rig.pass_time(60)
        expect(await mail.effects() == [], what="the failed reaction was rolled back")
        expect(mail.attempts >= 4, what="it was tried again and again")  # noqa: PLR2004
        mail.failing.clear()
        await rig.pass_time(3600)
        expect(await mail.effects() == [("a", 1)], what="it happened once in the end")

    async def test_a_failing_event_holds_up_its_own_key_only(self, rig: BusRig) -> None:
        """Later events of its key wait behind it, in order; other keys go on."""
        mail = await rig.subscribe("mail")
        mail.failing.add("a")
        for step in range(6):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "bacad"])
        await rig.settle()
        for key in "bcd":
            expect(await mail.steps(key) == [*range(6)], what=f"{key} went on")
        expect(await mail.steps("a") == [], what="a waits")
        mail.failing.clear()
        await rig.pass_time(3600)
        expected = [step for step in range(6) for _ in range(2)]
        expect(await mail.steps("a") == expected, what="a came later, in order, once each")

    async def test_a_broken_subscriber_holds_up_nobody_else(self, rig: BusRig) -> None:
        """E-mail is down; the stock still learns of every order."""
        mail, stock = await rig.subscribe("mail"), await rig.subscribe("stock")
        mail.is_broken = True
        await rig.publish(*[StepDone(thing=f"key{number}", step=1) for number in range(100)])
        await rig.settle()
        expect(len(await stock.effects()) == 100, what="stock has all")  # noqa: PLR2004
        expect(await mail.effects() == [], what="mail has none")
        mail.is_broken = False
        await rig.pass_time(2 * 3600)
        got = await mail.effects()
        expect(len(got) == len(set(got)) == 100, what="then mail got each once")  # noqa: PLR2004

    async def test_retries_of_a_broken_subscriber_are_bounded(self, rig: BusRig) -> None:
        """A day of outage with many events is no storm."""
        mail = await rig.subscribe("mail")
        mail.is_broken = True
        await rig.publish(*[StepDone(thing=f"key{number}", step=1) for number in range(rig.many)])
        await rig.pass_time(3600)
        waiting = (await rig.bus.lag())[0]
        most = rig.config.failures_in_a_row_max + 3600 / (rig.config.broken_pause_s_max / 2) + 20
        expect(mail.attempts <= 2 * most, what=f"{mail.attempts} attempts in an hour")
        expect(waiting.parked <= most, what=f"{waiting.parked} events were set aside")

    async def test_a_dead_letter_is_kept_and_unblocks_its_key(self, rig: BusRig) -> None:
        """After the give-up time, and not before."""
        mail = await rig.subscribe("mail")
        mail.failing.add("a")
        await rig.publish_steps("a", [1])
        await rig.pass_time(GIVE_UP_S - 7200)
        expect(not (await rig.bus.parked("mail")).events, what="not dead yet")
        await rig.pass_time(3 * 3600)
        dead = (await rig.bus.parked("mail")).events
        expect([letter.key for letter in dead] == ["a"], what="now it is dead")
        expect("Planted" in dead[0].last_error, what="its error is kept")
        mail.failing.clear()
        await rig.publish_steps("a", [2])
        await rig.settle()
        expect(await mail.steps("a") == [2], what="its key goes on")
        expect((await rig.bus.lag())[0].dead == 1, what="it is counted")

    async def test_a_redriven_dead_letter_takes_effect_once(self, rig: BusRig) -> None:
        """One by its id, many by name, or all."""
        mail = await rig.subscribe("mail")
        mail.failing |= {"a", "b", "c"}
        for key in "abc":
            await rig.publish_steps(key, [1])
        await rig.pass_time(GIVE_UP_S + 7200)
        dead = (await rig.bus.parked("mail")).events
        mail.failing.clear()
        expect(await rig.bus.redrive("mail", event_ids=[dead[0].event_id]) == 1, what="one")
        await rig.settle()
        expect(await mail.effects() == [("a", 1)], what="only that one")
        expect(await rig.bus.redrive("mail", name="things.closed") == 0, what="none of that name")
        expect(await rig.bus.redrive("mail") == 2, what="all others")  # noqa: PLR2004
        await rig.settle()
        expect(await mail.effects() == [("a", 1), ("b", 1), ("c", 1)], what="each once")
        expect(await rig.bus.redrive("mail") == 0, what="nothing is left")

    async def test_redriving_brings_waiting_retries_forward(self, rig: BusRig) -> None:
        """The bug is fixed: nobody waits an hour for the next attempt."""
        mail = await rig.subscribe("mail")
        mail.failing.add("a")
        await rig.publish_steps("a", [1, 2, 3])
        await rig.pass_time(GIVE_UP_S / 2)
        mail.failing.clear()
        expect(await rig.bus.redrive("mail") == 1, what="the first of the key")
        await rig.settle()
        expect(await mail.steps("a") == [1, 2, 3], what="and those behind it")

    async def test_dead_letters_are_listed_in_pages(self, rig: BusRig) -> None:
        """Each once, oldest first."""
        mail = await rig.subscribe("mail")
        keys = [f"key{number}" for number in range(5)]
        mail.failing |= {*keys}
        for key in keys:
            await rig.publish_steps(key, [1])
        await rig.settle()
        seen: list[str] = []
        cursor = ""
        while True:
            page = await rig.bus.parked("mail", status=ParkedStatus.WAITING, limit=2, cursor=cursor)
            seen += [letter.key for letter in page.events]
            cursor = page.next_cursor
            if not cursor:
                break
        expect(seen == keys, what=f"five keys in order, not {seen}")

    async def test_a_late_subscriber_gets_the_whole_history(self, rig: BusRig) -> None:
        """And ends equal to one that was there from the start."""
        if not rig.bus.features.has_history:
            return
        early = await rig.subscribe("early")
        for step in range(30):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "ab"])
        await rig.settle()
        late = await rig.subscribe("late")
        await rig.settle()
        expect(await late.effects() == await early.effects(), what="both are equal")

    async def test_a_restart_loses_nothing_and_repeats_nothing(self, rig: BusRig) -> None:
        """Also with events waiting and set aside."""
        mail = await rig.subscribe("mail")
        mail.failing.add("a")
        for step in range(10):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "ab"])
            await rig.settle()
            rig.restart()
        mail.failing.clear()
        await rig.pass_time(3600)
        for key in "ab":
            expect(await mail.steps(key) == [*range(10)], what=f"{key} once each, in order")

    async def test_two_buses_over_one_subscriber_lose_and_repeat_nothing(self, rig: BusRig) -> None:
        """A second worker may be slow to find out that it is not alone."""
        mail = await rig.subscribe("mail")
        workers: list[Callable[[], Awaitable[int | None]]] = [
            rig.new_bus().deliver_due for _ in range(3)
        ]
        for step in range(40):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "abc"])
            await workers[step % 3]()
        await rig.settle()
        for key in "abc":
            expect(await mail.steps(key) == [*range(40)], what=f"{key} once each, in order")

    async def test_the_reaction_runs_under_the_trace_of_the_publisher(self, rig: BusRig) -> None:
        """With the subscriber's own identity and a deadline."""
        mail = await rig.subscribe("mail")
        trace = Trace("a" * 32, "b" * 16)
        token = enter(Call(trace=trace))
        try:
            await rig.publish_steps("a", [1])
        finally:
            leave(token)
        await rig.settle()
        call = mail.calls[0]
        expect(call.trace == trace, what="the publisher's trace goes on")
        expect(call.identity.subject == "mail", what="the service acts for itself")
        expect(call.deadline_s < float("inf"), what="with a time limit")

    async def test_a_paused_subscriber_gets_everything_when_it_resumes(self, rig: BusRig) -> None:
        """It stays paused over a restart; the others go on."""
        if not rig.bus.features.has_pause:
            return
        mail, stock = await rig.subscribe("mail"), await rig.subscribe("stock")
        await rig.publish_steps("a", [1])
        await rig.settle()
        await rig.bus.pause("mail")
        await rig.publish_steps("a", [2, 3])
        await rig.settle()
        rig.restart()
        await rig.settle()
        expect(await mail.steps("a") == [1], what="mail is paused")
        expect(await stock.steps("a") == [1, 2, 3], what="stock is not")
        lag = {each.subscriber: each for each in await rig.bus.lag()}
        expect(lag["mail"].is_paused and lag["mail"].waiting == 2, what="lag shows it")  # noqa: PLR2004
        await rig.bus.resume("mail")
        await rig.settle()
        expect(await mail.steps("a") == [1, 2, 3], what="each once")

    async def test_a_replay_delivers_again_from_where_it_is_told(self, rig: BusRig) -> None:
        """The effects happen again: that is what a replay is for."""
        if not rig.bus.features.has_replay:
            return
        mail, stock = await rig.subscribe("mail"), await rig.subscribe("stock")
        await rig.publish_steps("a", [1, 2, 3])
        await rig.settle()
        rig.clock.advance(60)
        since_ms = rig.clock.now_ms()
        await rig.publish_steps("a", [4, 5])
        await rig.settle()
        await rig.bus.replay("mail", PUBLISHER, since_ms=since_ms)
        await rig.settle()
        expect(await mail.steps("a") == [1, 2, 3, 4, 5, 4, 5], what="the last two again")
        await rig.bus.replay("mail", PUBLISHER)
        await rig.settle()
        expect((await mail.steps("a"))[7:] == [1, 2, 3, 4, 5], what="everything again")
        expect(await stock.steps("a") == [1, 2, 3, 4, 5], what="for that subscriber only")

    async def test_a_replay_takes_up_what_was_set_aside(self, rig: BusRig) -> None:
        """Dead letters after the position leave: the log has them."""
        if not rig.bus.features.has_replay:
            return
        mail = await rig.subscribe("mail")
        mail.failing.add("a")
        await rig.publish_steps("a", [1])
        await rig.pass_time(GIVE_UP_S + 7200)
        mail.failing.clear()
        await rig.bus.replay("mail", PUBLISHER)
        await rig.settle()
        expect(await mail.steps("a") == [1], what="handled by the replay")
        expect(not (await rig.bus.parked("mail")).events, what="no dead letter is left")
