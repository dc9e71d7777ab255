"""The page of faults: switched on with a reason, counted down beside the map, and cleared."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.shopfront import Shopfront, open_shopfront
from tests.web.console.people import signed_in
from tests.web.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEEN_WITHIN_S = 5.0
HERE = "/console/faults"
SWITCH_ON = f"{HERE}/on"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_to_faults(tmp_path_factory) -> AsyncIterator[Shopfront]:
    """A shop in which faults are allowed."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    async with open_shopfront(folder, is_telling=True, allow_faults=True) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def operator(open_to_faults: Shopfront) -> AsyncIterator[Visitor]:
    yield await signed_in(open_to_faults)
    open_to_faults.shop.faults.end_all()


async def test_a_fault_is_switched_on_shown_with_its_end_and_cleared(operator):
    page = await operator.get(f"{HERE}?service=fraud")
    assert ("service", "fraud") in page.forms[SWITCH_ON].fields
    assert "Every service is well" in page.text

    on = await operator.submit(
        page, SWITCH_ON, kind="latency", latency_ms="250", share_percent="50", reason="a drill"
    )

    assert on.path == HERE
    assert "50 % of its calls and batches of events are 250 ms late" in on.text
    assert "60 s" in on.text and "a drill" in on.text
    now = await operator.get(f"{HERE}/now", hx_request="true")
    assert now.status == 200 and "<!doctype" not in now.html and "a drill" in now.text
    cleared = await operator.submit(now, f"{HERE}/fraud/clear")
    assert cleared.path == HERE and "Every service is well" in cleared.text


async def test_the_map_beside_it_shows_the_service_failing(operator, open_to_faults):
    await operator.submit(
        await operator.get(HERE), SWITCH_ON, service="recommendation", kind="errors"
    )
    front = open_to_faults
    for _ in range(3):
        asked = await front.send(front.operator, "GET", "/api/recommendations")
        assert asked.status == 503

    async with asyncio.timeout(SEEN_WITHIN_S):
        while True:
            now = await operator.get(f"{HERE}/now", hx_request="true")
            if "clients → recommendation" in now.text:
                break

    assert "100% fail" in now.text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("latency_ms", "0", "latency ms: Expected int >= 1"),
        ("latency_ms", "soon", "latency ms: Expected int, got str"),
        ("share_percent", "101", "share percent: Expected int <= 100"),
        ("duration_s", "601", "duration s: Expected int <= 600"),
        ("kind", "fire", "kind: not one of latency, errors"),
    ],
)
async def test_what_makes_no_fault_is_said_beside_what_was_typed(operator, name, value, said):
    page = await operator.get(HERE)

    shown = await operator.submit(page, SWITCH_ON, reason="kept", **{name: value})

    assert shown.status == 400
    assert "That is no fault" in shown.text, shown.html
    assert said in shown.text
    assert 'value="kept"' in shown.html
    assert "Every service is well" in shown.text


async def test_a_shop_without_faults_says_how_to_allow_them(front):
    operator = await signed_in(front)

    page = await operator.get(HERE)

    assert SWITCH_ON not in page.forms
    assert "Faults are not allowed in this shop" in page.text and "--allow-faults" in page.text
