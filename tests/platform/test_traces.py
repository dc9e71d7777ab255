"""What became of an order can be followed from the request to the subscribers by its trace."""

from emporion.contracts.order import OrderCreated
from emporion.platform.audit.subscribers import REACTS_TO
from tests.defects.whole_shop import WholeShop

TOLD = [name for name, events in REACTS_TO.items() if OrderCreated.SPEC.name in events]


async def test_reactions_to_several_orders_together_are_in_the_trace_of_each_order(tmp_path):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    for _ in range(3):
        assert (await ada.order(("croissant", 1))).status == 201
    await shop.deliver()

    spans = shop.telemetry.spans
    ordered = [span for span in spans.ring if span.name.endswith("place_order")]
    assert len({span.trace_id for span in ordered}) == 3
    for order in ordered:
        told = "react to orders.created"
        reactions = [s for s in spans.of_trace(order.trace_id) if s.name == told]
        assert sorted(s.service for s in reactions) == sorted(TOLD)
        assert {s.caller for s in reactions} == {"order"}
        assert {str(s.fields) for s in reactions} == {"{'events': 3}"}
    await shop.close()
