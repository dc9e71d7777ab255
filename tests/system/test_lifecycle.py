"""Start, stop and kill a real process: who notices, and who does not."""

import asyncio
import contextlib
import signal
import socket
from pathlib import Path

import pytest

from tests.system import running
from tests.system.accounts import Customer, sign_up
from tests.system.polling import eventually
from tests.system.wire import NoAnswer, NotSent, Reply, Wire

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
ENOUGH_ORDERS = 200


class Persistent:
    """A customer who orders without a pause until the shop takes no connection any more."""

    def __init__(self, url: str, customer: Customer, number: int) -> None:
        self.answers: list[int] = []
        self.failures: list[str] = []
        self._wire = Wire(url)
        self._customer = customer
        self._number = number

    async def order(self) -> None:
        """Order, and count what happens to each request."""
        document = {"lines": [{"sku": "baguette", "quantity": 1}], "payment_token": "tok_ok"}
        try:
            while True:
                key = {"Idempotency-Key": f"drain-{self._number}-{len(self.answers)}"}
                reply = await self._wire.ask(
                    "POST", "/api/orders", document, headers=self._customer.headers | key
                )
                self.answers.append(reply.status)
        except NotSent:
            return  # the door is closed, and was closed before anything was asked
        except NoAnswer as error:
            self.failures.append(str(error))
        finally:
            await self._wire.close()


async def test_a_shop_asked_to_stop_under_load_fails_no_request(tmp_path):
    data = tmp_path / "data"
    shop = running.start(data)
    try:
        await shop.until_open()
        customers = await sign_up(shop.url, ["ada", "bob"])
        crowd = [Persistent(shop.url, customers[n % 2], n) for n in range(16)]
        async with asyncio.TaskGroup() as ordering:
            for one in crowd:
                ordering.create_task(one.order())
            await eventually(
                lambda: sum(len(one.answers) for one in crowd) > ENOUGH_ORDERS,
                within_s=60,
                what="the load is under way",
            )
            shop.process.send_signal(signal.SIGTERM)
        code = await shop.until_dead(within_s=30)
    finally:
        shop.kill()

    assert [failure for one in crowd for failure in one.failures] == []
    assert {status for one in crowd for status in one.answers} == {201}
    assert code == 0
    assert running.audit(data)[0] == 0


async def test_a_second_shop_on_the_same_folder_says_that_it_is_in_use(tmp_path):
    first = running.start(tmp_path / "data")
    try:
        await first.until_open()
        second = running.start(tmp_path / "data")
        code = await second.until_dead(within_s=30)
        assert await first.stop() == 0
    finally:
        first.kill()

    assert code == 1
    assert second.said.splitlines() == [
        f"{tmp_path / 'data'} is in use by a running shop; stop it, or choose another --data"
    ]


async def test_a_busy_port_is_named_and_nothing_is_started(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shop = running.start(tmp_path / "data", port=port)
        try:
            code = await shop.until_dead(within_s=30)
        finally:
            shop.kill()

    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in shop.said
    assert "Traceback" not in shop.said


async def test_sessions_outlive_a_killed_process(tmp_path):
    data = tmp_path / "data"
    shop = running.start(data)
    try:
        await shop.until_open()
        (customer,) = await sign_up(shop.url, ["ada"])
        shop.kill()
        shop = running.start(data)
        await shop.until_open()
        wire = Wire(shop.url)
        me = await wire.ask("GET", "/api/users/me", headers=customer.headers)
        token = {"refresh_token": customer.refresh_token}
        fresh = await wire.ask("POST", "/api/users/sessions/refresh", token)
        await wire.close()
        assert await shop.stop() == 0
    finally:
        shop.kill()

    assert (me.status, me.document["email"]) == (200, customer.email)
    assert fresh.status == 200
    assert fresh.document["access_token"] != customer.access_token


async def test_readiness_is_off_while_the_shop_drains(tmp_path):
    tries = [await _readiness_at_the_end(tmp_path / "data") for _ in range(2)]

    # Who looks once a fifth of a second sees it; a machine that stops us for longer may hide it.
    assert (503, "draining") in tries
    assert set(tries) <= {(503, "draining"), (200, "ok")}


async def _readiness_at_the_end(data: Path) -> tuple[int, str]:
    """The last that `/readyz` said before the door was closed."""
    shop = running.start(data)
    last = (0, "")
    try:
        await shop.until_open()
        wire = Wire(shop.url)
        last = _said(await wire.ask("GET", "/readyz"))
        shop.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(NotSent, NoAnswer):
            while last[0] == 200:
                last = _said(await wire.ask("GET", "/readyz"))
        await wire.close()
        assert await shop.until_dead(within_s=30) == 0
    finally:
        shop.kill()
    return last


def _said(reply: Reply) -> tuple[int, str]:
    return reply.status, str(reply.document["status"])
