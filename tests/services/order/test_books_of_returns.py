"""The events of an order replay to the rows of its returns, and what was edited there is found."""

import pytest

from emporion.chassis.data.database import Tx
from emporion.contracts.order_returns import RefuseReturn
from emporion.services.order import audit
from tests.services.order.test_returns import approved, arrived, ask, receive


async def lived(s) -> tuple[str, str]:
    """Two returns of an order: one refused, one refunded; the id of the latter is the second."""
    order_id = await arrived(s, bread=3)
    refused = (await ask(s, order_id, "r1", bread=1)).return_id
    await s.api.refuse_return(RefuseReturn(return_id=refused, reason="eaten"))
    refunded = await approved(s, order_id, "r2", bread=2)
    s.engine._runtime.clock.advance(5)
    await receive(s, refunded, bread=1, lost=1)
    assert await s.books_balance()
    return refused, refunded


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE order_return SET status = 'approved' WHERE status = 'refunded'",
        "UPDATE order_return SET refund_minor = refund_minor + 1 WHERE status = 'refunded'",
        "UPDATE order_return SET user_id = 'usr_x' WHERE status = 'refunded'",
        "UPDATE order_return SET currency = 'CHF' WHERE status = 'refunded'",
        "UPDATE order_return SET updated_at_ms = updated_at_ms + 1 WHERE status = 'refunded'",
        "UPDATE order_return SET details = replace(details, 'r2', 'r3') WHERE details LIKE '%r2%'",
        "DELETE FROM order_return WHERE status = 'refunded'",
        "UPDATE order_return SET order_id = 'ord_x' WHERE status = 'refunded'",
        "UPDATE order_return SET return_id = 'ret_x' WHERE status = 'refused'",
    ],
)
async def test_a_row_of_a_return_that_was_edited_is_found(shop, edit: str) -> None:
    async with shop() as s:
        refused, refunded = await lived(s)

        async def work(tx: Tx) -> None:
            assert await tx.execute(edit) == 1

        await s.database.transaction(work)
        found = {(each.check, each.subject) async for each in audit.violations(s.database)}
        assert (audit.RETURNS, refused if "ret_x" in edit else refunded) in found
        assert {check for check, _ in found} == {audit.RETURNS}
