"""The audit of fraud's books finds what somebody changed behind the service's back."""

import pytest

from emporion.chassis.data.database import Tx
from emporion.contracts.fraud import Decide
from emporion.services.fraud import audit
from tests.services.fraud.watch import Watch, order_id


async def found(watch: Watch) -> set[str]:
    return {violation.check async for violation in audit.violations(watch.database)}


async def test_books_in_order_are_told_to_be_so_and_name_every_order(watch: Watch):
    await watch.deliver(watch.paid(1), watch.paid(2))
    await watch.hold(3, 4, 5)
    await watch.ask("release", Decide(order_id=order_id(3), reason="known"))
    await watch.deliver(watch.cancelled(4))

    assert await found(watch) == set()
    assert [each async for each in audit.screened(watch.database)] == [
        order_id(number) for number in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE screening SET score = 99", audit.VERDICT),
        ("DELETE FROM review", audit.REVIEWED),
        ("UPDATE review SET status = 'released'", audit.DECIDED),
        ("UPDATE review SET decided_by = 'eve', decided_at_ms = 1", audit.DECIDED),
    ],
)
async def test_what_was_changed_behind_the_services_back_is_found(watch: Watch, statement, check):
    await watch.hold(1)

    async def meddle(tx: Tx) -> None:
        await tx.execute(statement)

    await watch.database.transaction(meddle)

    assert await found(watch) == {check}
