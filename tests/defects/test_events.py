"""Defects of events: written and never sent, lost in a crash or a restart, reacted to twice."""

import asyncio

import pytest

from emporion.chassis.events.inprocess import InProcessBus
from emporion.kernel.errors import Unavailable
from tests.defects.books import Mail

PAID_AND_ANNOUNCED = (
    "SELECT (SELECT count(*) FROM orders WHERE status = 'paid'),"
    " (SELECT count(*) FROM outbox WHERE name = 'orders.created')"
)


class Death(BaseException):
    """The process is gone in the middle of its work."""


def confirmations(*answers):
    return [Mail("order-confirmation", answer.json()["order_id"], "queued") for answer in answers]


WATCHED = ("email", "inventory")


async def handled(shop):
    """How many reactions of WATCHED were run, how many deliveries recognised, since the start."""
    lags = [lag for lag in await shop.shop.bus.lag() if lag.subscriber in WATCHED]
    return sum(lag.handled for lag in lags), sum(lag.duplicates for lag in lags)


async def test_defect_04_what_is_published_is_delivered_without_being_asked_for(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await shop.start()
    await shop.pass_time(1)

    answer = await ada.order(("croissant", 1))
    await shop.pass_time(2)

    order_id = answer.json()["order_id"]
    assert await shop.mails() == [Mail("order-confirmation", order_id, "sent")]
    assert await shop.rows("inventory", "SELECT order_id, status FROM hold") == [
        (order_id, "committed")
    ]
    assert await shop.audit() == []


async def test_defect_04_an_event_whose_reaction_fails_is_not_acknowledged(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await shop.break_mails()

    answer = await ada.order(("croissant", 1))
    retry_at_ms = await shop.deliver()
    assert await shop.mails() == []
    assert retry_at_ms is not None

    await shop.mend_mails()
    await shop.pass_time((retry_at_ms - shop.clock.now_ms()) / 1000)
    await shop.deliver()

    assert await shop.mails() == confirmations(answer)
    assert await shop.audit() == []


async def test_defect_04_a_redelivered_event_is_recognised(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    answers = [await ada.order(("croissant", 1)) for _ in range(3)]
    await shop.deliver()
    assert await handled(shop) == (6, 0)
    await shop.restart()

    for service in WATCHED:
        await shop.write(service, "UPDATE bus_cursor SET position = 0 WHERE source = 'order'")
    await shop.deliver()

    assert await handled(shop) == (0, 6)
    assert await shop.mails() == confirmations(*answers)
    assert await shop.audit() == []


async def test_defect_05_at_no_instant_is_an_order_paid_whose_event_is_not_stored(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    seen = shop.watch_commits("order", PAID_AND_ANNOUNCED)

    await ada.order(("croissant", 1))
    await shop.all(ada.order(("croissant", 1)) for _ in range(20))

    assert seen[-1] == (21, 21)
    assert [paid for paid, _ in seen] == [announced for _, announced in seen]


async def test_defect_05_an_event_outlives_a_crash_right_after_its_commit(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    answer = await ada.order(("croissant", 1))

    await shop.restart()
    await shop.deliver()

    assert await shop.mails() == confirmations(answer)
    assert await shop.audit() == []


@pytest.mark.parametrize("died_at", [1, 2, 3])
async def test_defect_15_an_event_whose_handling_is_cut_off_is_handled_after_a_restart(
    shop, died_at
):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    first = await ada.order(("croissant", 1))
    await shop.deliver()
    second = await ada.order(("croissant", 1))
    database, transactions = shop.shop.databases["email"], []
    commit = database.transaction

    async def die_at_the_nth(work):
        transactions.append(work)
        if len(transactions) >= died_at:
            raise Death
        return await commit(work)

    database.transaction = die_at_the_nth
    try:
        await shop.deliver()
    except Death:
        pass
    finally:
        del database.transaction
    await shop.restart()
    await shop.deliver()

    assert await shop.mails() == confirmations(first, second)
    assert await shop.audit() == []


async def test_defect_15_two_workers_of_one_subscriber_lose_and_repeat_nothing(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    second = InProcessBus(shop.runtime)
    for name, assembly in shop.shop.assemblies.items():
        second.join(name, shop.shop.databases[name], assembly.subscriptions)

    answers = []
    for _ in range(5):
        answers += await shop.all(ada.order(("croissant", 1)) for _ in range(4))
        await shop.live(asyncio.gather(shop.shop.bus.deliver_due(), second.deliver_due()))

    lags = [lag for bus in (shop.shop.bus, second) for lag in await bus.lag()]
    reactions = [lag.handled for lag in lags if lag.subscriber in WATCHED]
    assert sum(reactions) == len(WATCHED) * len(answers)
    assert sorted(await shop.mails()) == sorted(confirmations(*answers))
    assert await shop.audit() == []


async def test_defect_16_orders_go_on_while_the_mail_service_is_away(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await shop.shop.databases["email"].close()

    answer = await ada.order(("croissant", 1))
    assert answer.status == 201

    await shop.restart()
    await shop.deliver()
    assert await shop.mails() == confirmations(answer)


async def test_defect_16_mails_leave_later_and_once_each_when_the_mail_server_was_away(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.mailer.is_down = True

    answers = [await ada.order(("croissant", 1)) for _ in range(3)]
    await shop.deliver()
    with pytest.raises(Unavailable):
        await shop.send_mails()
    assert [answer.status for answer in answers] == [201] * 3
    assert shop.mailer.sent == []

    shop.mailer.is_down = False
    await shop.send_mails()
    await shop.send_mails()

    assert sorted(shop.mailer.sent) == sorted(
        f"order-confirmation.{answer.json()['order_id']}" for answer in answers
    )
    assert {mail.status for mail in await shop.mails()} == {"sent"}
    assert await shop.audit() == []
