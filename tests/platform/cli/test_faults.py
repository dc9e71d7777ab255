"""Faults from the command line, on a real shop: seen on its map in time, listed, cleared."""

import os
import time
from pathlib import Path

import pytest

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import ServiceMap, ServiceMapOf
from emporion.platform.operating import Target, operate
from emporion.platform.settings import Settings
from tests.platform.cli.test_operating import emporion, order
from tests.system.running import environment, start

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
SEEN_WITHIN_S = 5.0


async def faults_on_map(folder: Path, url: str, service: str) -> int:
    """Calls of a service in the last ten seconds that failed on us."""
    settings = Settings()
    email, password = settings.operator_email, settings.operator_password

    async def look(desk: OperationsService) -> ServiceMap:
        return await desk.service_map(ServiceMapOf(window_s=10))

    told = await operate(Target(folder=folder, url=url, email=email, password=password), look)
    return sum(edge.faults for edge in told.edges if edge.service == service)


async def test_a_fault_is_switched_on_seen_on_the_map_within_seconds_listed_and_cleared(tmp_path):
    folder = tmp_path / "shop"
    shop = start(folder, environ=environment(EMPORION_ALLOW_FAULTS="true"))
    try:
        await shop.until_open()
        assert await faults_on_map(folder, shop.url, "payment") == 0
        said = emporion(
            folder, "faults", "set", "payment", "errors", "--seconds", "60", "--reason", "a drill"
        )
        assert (
            said == "payment in shop, for 60 s: 100 % of its calls and reactions to events fail"
            ": unavailable\n"
        )

        began_s = time.monotonic()
        await order(shop.url)  # answers after its last attempt
        while not await faults_on_map(folder, shop.url, "payment"):
            assert time.monotonic() - began_s < SEEN_WITHIN_S
        assert time.monotonic() - began_s < SEEN_WITHIN_S

        listed = emporion(folder, "faults", "list")
        assert all(word in listed for word in ("payment", "errors", "a drill", "shop"))
        assert emporion(folder, "faults", "clear") == "cleared: payment\n"
        assert emporion(folder, "faults", "list") == "no fault is on\n"
        assert "switch on fault of payment" in emporion(folder, "sagas", "deeds")
        unknown = emporion(folder, "faults", "set", "nobody", "hang", code=1)
        assert unknown.startswith("there is no service 'nobody'; there are analytics, ")
    finally:
        shop.kill()


async def test_a_shop_without_the_setting_refuses_and_says_how_to_allow_it(tmp_path):
    folder = tmp_path / "shop"
    shop = start(folder)
    try:
        await shop.until_open()
        refused = emporion(folder, "faults", "set", "email", "hang", code=1)
        listed = emporion(folder, "faults", "list")
    finally:
        shop.kill()

    assert "start it with --allow-faults" in refused
    assert refused.count(os.linesep) == 1
    assert listed == "no fault is on, and none is allowed\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "email", "fire"), "there is no fault 'fire'; there are latency, errors, hang"),
        (("set", "email", "errors", "--error", "x"), "there is no error 'x'; there are unavail"),
        (("set", "email", "hang"), "no shop runs on "),
        (("list",), "no shop runs on "),
        (("clear",), "no shop runs on "),
    ],
)
def test_what_can_never_be_is_said_in_one_line(tmp_path, words, said):
    refused = emporion(tmp_path / "none", "faults", *words, code=2)

    assert refused.startswith(said)
    assert refused.count(os.linesep) == 1
