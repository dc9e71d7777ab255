"""What every bus over a broker must keep beyond the promises of every bus.

Publishers and subscribers are on different buses here, as in different processes; a process that
dies is a bus that nobody asks any more.
"""

from contextlib import suppress
from functools import partial

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.events.bus import ParkedStatus
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.testing.broker_faults import (
    Away,
    Died,
    DiesAfterSending,
    ForgetsToAcknowledge,
    LosesSome,
    RefusesKey,
    SendsTwice,
)
from emporion.chassis.testing.broker_rig import BrokerRig
from emporion.chassis.testing.bus_rig import PUBLISHER, StepDone, Subscriber
from emporion.chassis.testing.conformance_bus import BusConformance, expect
from emporion.chassis.testing.time import SeededRandomness

FORGET_OLDEST = (
    "DELETE FROM outbox WHERE position IN (SELECT position FROM outbox ORDER BY position LIMIT 4)"
)


class BrokerConformance(BusConformance):
    """The promises of `events/broker`, each a test that an adapter inherits."""

    async def test_an_event_crosses_from_one_process_to_another(self, rig: BrokerRig) -> None:
        """The subscriber's process knows the publisher by name only."""
        mail = await rig.open_subscriber("mail")
        consumer, relay = rig.subscribing_bus(mail), rig.publishing_bus()
        await consumer.deliver_due()
        await rig.publish_each("a", range(10))
        await rig.run_in_turn(relay, consumer)
        expect(await mail.steps("a") == [*range(10)], what="all arrived, in order")

    async def test_what_is_published_while_the_broker_is_away_arrives_later(
        self, rig: BrokerRig
    ) -> None:
        """Publishing does not notice; the outbox keeps what is to be sent."""
        mail = await rig.open_subscriber("mail")
        consumer = rig.subscribing_bus(mail)
        await consumer.deliver_due()
        away = rig.publishing_bus(wrap=Away)
        await rig.publish_each("a", range(5))
        due_ms = await away.deliver_due()
        expect(due_ms is not None, what="it is tried again soon")
        number, oldest_at_ms = (await away.unsent())[PUBLISHER]
        expect(number == 5 and oldest_at_ms is not None, what=f"5 wait, not {number}")  # noqa: PLR2004
        await rig.run_in_turn(rig.publishing_bus(), consumer)
        expect(await mail.steps("a") == [*range(5)], what="then all arrived")

    async def test_a_relay_that_dies_between_acknowledgement_and_note_sends_again(
        self, rig: BrokerRig
    ) -> None:
        """And the event takes effect once all the same."""
        mail = await rig.open_subscriber("mail")
        consumer = rig.subscribing_bus(mail)
        await consumer.deliver_due()
        await rig.publish_steps("a", [1, 2])
        with suppress(Died):
            await rig.publishing_bus(wrap=DiesAfterSending).deliver_due()
        await consumer.deliver_due()
        await rig.run_in_turn(rig.publishing_bus(), consumer)
        expect(await mail.steps("a") == [1, 2], what="each once")

    async def test_a_repetition_that_the_broker_lets_through_is_recognised(
        self, rig: BrokerRig
    ) -> None:
        """The inbox remembers for longer than any broker does."""
        mail = await rig.open_subscriber("mail")
        consumer = rig.subscribing_bus(mail)
        await consumer.deliver_due()
        await rig.publish_steps("a", [1, 2, 3])
        await rig.run_in_turn(rig.publishing_bus(wrap=SendsTwice), consumer)
        expect(await mail.steps("a") == [1, 2, 3], what="each once, in order")
        expect((await consumer.lag())[0].duplicates == 3, what="and three were recognised")  # noqa: PLR2004

    async def test_a_consumer_that_dies_between_commit_and_acknowledgement_repeats_nothing(
        self, rig: BrokerRig
    ) -> None:
        """Its database knows how far it came."""
        mail = await rig.open_subscriber("mail")
        relay = rig.publishing_bus()
        for step in range(4):
            dying = rig.subscribing_bus(mail, wrap=ForgetsToAcknowledge)
            await dying.deliver_due()
            await rig.publish_steps("a", [step])
            await relay.deliver_due()
            await dying.deliver_due()
        await rig.redeliver()
        await rig.subscribing_bus(mail).deliver_due()
        expect(await mail.steps("a") == [*range(4)], what="each once")

    async def test_an_event_that_the_broker_refuses_holds_up_its_own_key_only(
        self, rig: BrokerRig
    ) -> None:
        """It stays in the outbox, and is sent when it is taken."""
        mail = await rig.open_subscriber("mail")
        consumer = rig.subscribing_bus(mail)
        await consumer.deliver_due()
        refused = {"a"}
        relay = rig.publishing_bus(wrap=lambda broker: RefusesKey(broker, refused))
        for step in range(3):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "bab"])
        await rig.run_in_turn(relay, consumer)
        expect(await mail.steps("a") == [], what="a waits")
        expect(await mail.steps("b") == [0, 0, 1, 1, 2, 2], what="b went on")
        refused.clear()
        rig.clock.advance(rig.broker_config.held_s)
        await rig.run_in_turn(relay, consumer)
        expect(await mail.steps("a") == [0, 1, 2], what="then a came, in order")

    async def test_order_and_effects_survive_any_mixture_of_losses(self, rig: BrokerRig) -> None:
        """Events and acknowledgements get lost, relays and consumers die, at random."""
        mail = await rig.open_subscriber("mail")
        await rig.subscribing_bus(mail).deliver_due()
        for seed in range(rig.stories):
            await self._lossy_story(rig, mail, seed)
        await rig.redeliver()
        await rig.run_in_turn(rig.publishing_bus(), rig.subscribing_bus(mail))
        for key in "abc":
            expect(
                await mail.steps(key) == [*range(10 * rig.stories)], what=f"{key} in order, once"
            )

    @staticmethod
    async def _lossy_story(rig: BrokerRig, mail: Subscriber, seed: int) -> None:
        random = SeededRandomness(seed)
        lossy = partial(LosesSome, random=random)
        relay, consumer = rig.publishing_bus(wrap=lossy), rig.subscribing_bus(mail)
        for step in range(10 * seed, 10 * seed + 10):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "abc"])
            if random.uniform(0, 1) < 0.5:  # noqa: PLR2004 - every other time
                relay = rig.publishing_bus(wrap=lossy)
            await relay.deliver_due()
            rig.clock.advance(2)
            if random.uniform(0, 1) < 0.5:  # noqa: PLR2004 - every other time
                consumer = rig.subscribing_bus(mail, wrap=ForgetsToAcknowledge)
            await consumer.deliver_due()

    async def test_what_was_sent_can_be_sent_again(self, rig: BrokerRig) -> None:
        """A broker may lose what it acknowledged; what subscribers handled is recognised."""
        mail = await rig.open_subscriber("mail")
        relay, consumer = rig.publishing_bus(), rig.subscribing_bus(mail)
        await consumer.deliver_due()
        await rig.publish_each("a", range(3))
        await rig.run_in_turn(relay, consumer)
        rig.clock.advance(10)
        since_ms = rig.clock.now_ms()
        await rig.publish_each("a", range(3, 5))
        await rig.run_in_turn(relay, consumer)
        expect(await relay.resend(PUBLISHER, since_ms=since_ms) == 2, what="the last two")  # noqa: PLR2004
        expect((await relay.unsent())[PUBLISHER][0] == 2, what="count as not sent")  # noqa: PLR2004
        await rig.run_in_turn(relay, consumer)
        expect((await relay.unsent())[PUBLISHER][0] == 0, what="they were sent")
        expect(await mail.steps("a") == [*range(5)], what="each took effect once")

    async def test_one_instance_of_a_service_carries_its_events_at_a_time(
        self, rig: BrokerRig
    ) -> None:
        """The other one takes over when the first has been silent for the time of a lease."""
        mail = await rig.open_subscriber("mail")
        first, second = rig.subscribing_bus(mail), rig.subscribing_bus(mail)
        relay = rig.publishing_bus()
        await first.deliver_due()
        await rig.publish_steps("a", [1])
        await relay.deliver_due()
        expect(await first.take_leases() == ["mail"], what="the first one has the lease")
        await second.deliver_due()
        expect(await mail.steps("a") == [], what="the second one does nothing")
        rig.clock.advance(rig.broker_config.lease_s + 1)
        await second.deliver_due()
        expect(await mail.steps("a") == [1], what="then it took over")

    async def test_an_instance_that_was_killed_goes_on_at_once_under_its_name(
        self, rig: BrokerRig
    ) -> None:
        """It waits for no lease but those of others; one of another name does wait."""
        mail = await rig.open_subscriber("mail")
        relay = rig.publishing_bus()
        killed = rig.subscribing_bus(mail, instance="mail-1")
        await killed.deliver_due()
        await rig.publish_steps("a", [1])
        await relay.deliver_due()
        expect(await killed.take_leases() == ["mail"], what="it has the lease, and is killed")
        expect(await rig.subscribing_bus(mail, instance="mail-2").take_leases() == [], what="wait")
        await rig.subscribing_bus(mail, instance="mail-1").deliver_due()
        expect(await mail.steps("a") == [1], what="it went on")

    async def test_what_was_sent_is_kept_for_a_while_and_what_was_not_for_good(
        self, rig: BrokerRig
    ) -> None:
        """Past retention and resend window it goes, but never the newest row."""
        rig.retain(60)
        relay = rig.publishing_bus()
        await rig.publish_each("a", range(3))
        await relay.deliver_due()
        rig.clock.advance(rig.broker_config.resend_window_s - 1)
        await relay.prune()
        expect(await self._outbox_size(rig) == 3, what="too early")  # noqa: PLR2004
        await rig.publish_steps("a", [3, 4])
        rig.clock.advance(61)
        await relay.prune()
        expect(await self._outbox_size(rig) == 2, what="those not sent stay")  # noqa: PLR2004
        await relay.deliver_due()
        expect((await relay.unsent())[PUBLISHER][0] == 0, what="and is sent")

    @staticmethod
    async def _outbox_size(rig: BrokerRig) -> int:
        async def read(tx: Tx) -> Row | None:
            return await tx.fetch_one("SELECT count(*) FROM outbox")

        row = await rig.publisher.read(read)
        return int(row[0]) if row else 0

    async def test_a_shop_that_moves_to_a_broker_loses_and_repeats_nothing(
        self, rig: BrokerRig
    ) -> None:
        """With events set aside, and back again."""
        mail = await rig.open_subscriber("mail")
        mail.failing.add("b")
        inside = InProcessBus(rig.runtime, rig.config, owner_of=lambda _: PUBLISHER)
        inside.join(PUBLISHER, rig.publisher)
        inside.join(mail.name, mail.database, mail.subscriptions)
        for step in range(3):
            await rig.publish(*[StepDone(thing=key, step=step) for key in "ab"])
        await inside.deliver_due()
        await rig.publish_steps("a", [3])
        await rig.publisher.transaction(lambda tx: tx.execute(FORGET_OLDEST))
        relay, consumer = rig.publishing_bus(), rig.subscribing_bus(mail)
        await rig.publish(*[StepDone(thing=key, step=4) for key in "ab"])
        await rig.publish_steps("a", range(5, 15))
        await rig.run_in_turn(relay, consumer)
        mail.failing.clear()
        expect(await consumer.redrive("mail") == 1, what="the first of b")
        await consumer.deliver_due()
        await rig.publish_steps("a", [15])
        await inside.deliver_due()
        expect(await mail.steps("a") == [*range(16)], what="a once each, in order")
        expect(await mail.steps("b") == [0, 1, 2, 4], what="b once each, in order")

    async def test_a_message_that_cannot_be_read_is_set_aside(self, rig: BrokerRig) -> None:
        """And holds up nothing else."""
        mail = await rig.open_subscriber("mail")
        relay, consumer = rig.publishing_bus(), rig.subscribing_bus(mail)
        await consumer.deliver_due()
        await relay.deliver_due()
        await rig.send_rubbish(StepDone.SPEC.name, b"not an event")
        await rig.publish_steps("a", [1])
        await rig.run_in_turn(relay, consumer)
        expect(await mail.steps("a") == [1], what="the event behind it arrived")
        aside = (await consumer.parked("mail", status=ParkedStatus.WAITING)).events
        expect(len(aside) == 1, what="the other one is kept")
