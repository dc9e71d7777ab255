"""Calls that travel together: one message for many, and each with a fate of its own."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.chassis.calls.grpc import stream as stream_module
from emporion.chassis.calls.grpc.server import GrpcServer
from emporion.chassis.calls.grpc.serving import EXCHANGE_PATH
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.testing.sample_service import (
    HANG_S,
    Done,
    Echo,
    Echoed,
    Put,
    SampleService,
    SampleShop,
    TooLoud,
)
from emporion.kernel.errors import (
    DeadlineExceeded,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from tests.chassis.calls.grpc.wired import Wired, wired


@pytest.fixture
async def ends(tmp_path) -> AsyncIterator[Wired]:
    async with wired(tmp_path) as made:
        yield made


def count_messages(server: GrpcServer) -> list[int]:
    """How many calls each message held that the server has read; grows while it runs."""
    exchanges = server._exchanges
    parse, sizes = exchanges.parse_calls, []

    def counted(data: bytes) -> Any:
        message = parse(data)
        sizes.append(len(message.calls))
        return message

    exchanges.parse_calls = counted
    return sizes


async def test_calls_made_at_once_travel_in_few_messages_and_each_gets_its_own_reply(ends):
    server = await ends.serve(SampleShop(ends.runtime))
    client, sizes = ends.client(server), count_messages(server)

    replies = await asyncio.gather(*(client.echo(Echo(text=f"{n}")) for n in range(400)))

    assert [reply.text for reply in replies] == [f"{n}" for n in range(400)]
    assert sum(sizes) == 400
    assert len(sizes) <= 20
    assert max(sizes) <= stream_module.BATCH_CALLS_MAX


async def test_a_call_on_its_own_is_sent_at_once(ends):
    server = await ends.serve(SampleShop(ends.runtime))
    client, sizes = ends.client(server), count_messages(server)
    for _ in range(3):
        await client.echo(Echo(text="x"))
    assert sizes == [1, 1, 1]


async def test_a_call_that_hangs_holds_up_no_other_one_of_its_message(ends):
    shop = SampleShop(ends.runtime)
    server = await ends.serve(shop)
    client, sizes = ends.client(server), count_messages(server)
    hanging = [asyncio.ensure_future(client.hang(Echo(text="x"))) for _ in range(3)]

    reply = await client.echo(Echo(text="quick"))

    assert (reply.text, shop.hung, sizes) == ("quick", 3, [4])
    outcomes = await asyncio.gather(*hanging, return_exceptions=True)
    assert {type(one) for one in outcomes} == {DeadlineExceeded}


async def test_each_call_has_its_own_trace_deadline_and_error(ends: Wired):
    server = await ends.serve(SampleShop(ends.runtime))
    client, sizes = ends.client(server), count_messages(server)
    now_s = ends.runtime.clock.monotonic_s()

    async def echo(number: int) -> Echoed:
        trace = Trace(f"{number:032x}", "b" * 16)
        token = enter(Call(service_identity("tester"), trace, now_s + number))
        try:
            return await client.echo(Echo(text=f"{number}"))
        finally:
            leave(token)

    *replies, refused = await asyncio.gather(
        *(echo(number) for number in (1, 2)),
        client.refuse(Echo(text="x")),
        return_exceptions=True,
    )

    assert len(sizes) == 1
    assert type(refused) is TooLoud
    for number, reply in zip((1, 2), replies, strict=True):
        assert isinstance(reply, Echoed)
        assert reply.trace_id == f"{number:032x}"
        assert number - 1 < reply.time_left_s <= number


async def test_a_call_that_is_given_up_is_cancelled_at_the_callee_and_no_other_one(ends):
    shop = SampleShop(ends.runtime)
    client = ends.client(await ends.serve(shop))
    waiting = [asyncio.ensure_future(client.hang(Echo(text="x"))) for _ in range(2)]
    await shop.is_hanging.wait()
    while shop.hung < 2:
        await asyncio.sleep(0)

    waiting[0].cancel()

    while shop.hung == 2:
        await asyncio.sleep(0)
    assert shop.hung == 1
    [first, second] = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(second, DeadlineExceeded)


async def test_callers_of_one_process_keep_their_identities_apart(ends):
    server = await ends.serve(SampleShop(ends.runtime))
    remotes = ends.remotes_to(server)
    clients = [ends.client_of(remotes, name) for name in ("tester", "other")]

    replies = await asyncio.gather(
        *(client.internal_echo(Echo(text="x")) for client in clients for _ in range(5))
    )

    assert [reply.caller for reply in replies] == ["service:tester"] * 5 + ["service:other"] * 5


async def test_a_caller_whose_key_is_not_trusted_is_refused_call_by_call(ends):
    client = ends.client(await ends.serve(SampleShop(ends.runtime)), caller="stranger")
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await client.echo(Echo(text="x"))


async def test_a_key_that_is_trusted_later_lets_the_same_stream_pass(ends):
    from emporion.chassis.auth.services import trust_text, trusted
    from tests.chassis.calls.grpc.wired import KEY

    ends.trust_file.write_text(trust_text([]))
    client = ends.client(await ends.serve(SampleShop(ends.runtime)))
    with pytest.raises(Unavailable):  # no key is known at all: it cannot say who that is
        await client.put_unkeyed(Put(put_key="a"))

    ends.trust_file.write_text(trust_text([trusted(KEY, ["tester"])]))
    async with asyncio.timeout(20):
        await answered(client)

    assert (await client.internal_echo(Echo(text="x"))).caller == "service:tester"
    with pytest.raises(PermissionDenied):
        await client.staff_echo(Echo(text="x"))


async def test_a_request_that_is_too_long_is_refused_and_the_others_go_on(ends):
    client = ends.client(await ends.serve(SampleShop(ends.runtime)))
    long = Put(put_key="x" * 5_000_000)
    outcomes = await asyncio.gather(
        client.put(long), client.echo(Echo(text="x")), return_exceptions=True
    )
    assert [type(one) for one in outcomes] == [ResourceExhausted, Echoed]


async def test_more_calls_than_may_wait_are_refused_and_not_queued(ends, monkeypatch):
    monkeypatch.setattr(stream_module, "WAITING_MAX", 5)
    client = ends.client(await ends.serve(SampleShop(ends.runtime)))
    outcomes = await asyncio.gather(
        *(client.put_unkeyed(Put(put_key="a")) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, ResourceExhausted) for one in outcomes) == 3


async def test_where_nobody_listens_calls_fail_at_once_as_unavailable(ends):
    client = ends.client_at(Endpoint("127.0.0.1", 9))
    started_s = ends.runtime.clock.monotonic_s()
    with pytest.raises(Unavailable):
        await client.put_unkeyed(Put(put_key="a"))
    assert ends.runtime.clock.monotonic_s() - started_s < 4  # of the five that it had


async def test_a_callee_without_the_batch_method_is_called_one_by_one(ends):
    server = await ends.serve(SampleShop(ends.runtime))
    del server._router._methods[EXCHANGE_PATH]
    client = ends.client(server)

    replies = await asyncio.gather(*(client.internal_echo(Echo(text=f"{n}")) for n in range(9)))

    assert [reply.text for reply in replies] == [f"{n}" for n in range(9)]
    assert {reply.caller for reply in replies} == {"service:tester"}
    with pytest.raises(TooLoud):
        await client.refuse(Echo(text="x"))


PROGRAM = """
import asyncio, sys
from pathlib import Path
from emporion.chassis.testing.sample_service import SampleShop
from emporion.chassis.calls.grpc.server import GrpcSettings
from tests.chassis.calls.grpc.wired import Wired

async def main():
    ends = Wired(Path(sys.argv[1]), settings=GrpcSettings(port=int(sys.argv[2])))
    server = await ends.serve(SampleShop(ends.runtime))
    print(server.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class OtherProcess:
    """A server in a process of its own."""

    def __init__(self, folder: Any, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), str(port)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def other(tmp_path) -> Iterator[OtherProcess]:
    made = OtherProcess(tmp_path)
    yield made
    if made.process.poll() is None:
        made.end()


async def answered(client: SampleService) -> Done:
    """The first answer, once the callee is there again."""
    while True:
        try:
            return await client.put_unkeyed(Put(put_key="a"))
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_a_callee_that_is_killed_leaves_its_calls_unknown_and_is_found_again(
    ends, other, tmp_path
):
    client = ends.client_at(Endpoint("127.0.0.1", other.port))
    await client.echo(Echo(text="x"))
    waiting = [asyncio.ensure_future(client.hang(Echo(text="x"))) for _ in range(3)]
    await client.echo(Echo(text="it has those before this one"))
    started_s = ends.runtime.clock.monotonic_s()

    other.end()

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, Unavailable | DeadlineExceeded) for one in outcomes)
    assert ends.runtime.clock.monotonic_s() - started_s < HANG_S * 20
    again = OtherProcess(tmp_path, other.port)
    try:
        async with asyncio.timeout(20):
            reply = await answered(client)
        assert reply.attempts == 1
    finally:
        again.end()
