"""Discovery by DNS, against a name server of the test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from emporion.chassis.discovery.dns import DnsResolver, DnsSettings
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.testing.time import ManualClock, ManualTasks, settle
from emporion.kernel.errors import Unavailable


class NameServer(asyncio.DatagramProtocol):
    """Answers from `records`: (name, type) -> (ttl, texts)."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.is_failing = False
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        [question] = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        names = {known for known, _ in self.records}
        if self.is_failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif name not in names:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif (name, kind) in self.records:
            ttl, texts = self.records[name, kind]
            reply.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *texts))
        reply.flags |= dns.flags.RA
        self.transport.sendto(reply.to_wire(), addr)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    yield protocol
    transport.close()


def settings(server: NameServer, name: str, port: int | None) -> DnsSettings:
    own_port = server.transport.get_extra_info("sockname")[1]
    return DnsSettings(name, port, servers=("127.0.0.1",), server_port=own_port)


def by_address(server: NameServer) -> DnsResolver:
    return DnsResolver(settings(server, "{service}.shop.internal", 50_051), system_runtime().tasks)


async def test_every_address_of_the_name_is_an_instance(server):
    server.records["order.shop.internal.", "A"] = (5, ["10.0.0.1", "10.0.0.2"])
    server.records["order.shop.internal.", "AAAA"] = (5, ["fd00::1"])

    found = await by_address(server).endpoints("order")

    assert sorted(endpoint.address for endpoint in found) == [
        "10.0.0.1:50051", "10.0.0.2:50051", "[fd00::1]:50051"
    ]  # fmt: skip


async def test_srv_records_say_the_port_of_each_instance(server):
    server.records["_grpc._tcp.order.shop.", "SRV"] = (
        5, ["0 0 4001 one.order.shop.", "0 0 4002 two.order.shop."]
    )  # fmt: skip
    server.records["one.order.shop.", "A"] = (5, ["10.0.0.1"])
    server.records["two.order.shop.", "A"] = (5, ["10.0.0.2"])
    resolver = DnsResolver(
        settings(server, "_grpc._tcp.{service}.shop", None), system_runtime().tasks
    )

    found = await resolver.endpoints("order")

    assert sorted(found) == [Endpoint("10.0.0.1", 4001), Endpoint("10.0.0.2", 4002)]


async def test_a_name_that_does_not_exist_has_no_instances(server):
    assert await by_address(server).endpoints("nobody") == []


async def test_a_name_server_that_fails_is_told_apart_from_a_name_without_instances(server):
    server.is_failing = True
    with pytest.raises(Unavailable):
        await by_address(server).endpoints("order")


async def test_records_are_asked_for_again_when_they_expire_and_a_failure_keeps_the_last(
    server, caplog
):
    clock = ManualClock()
    resolver = DnsResolver(settings(server, "{service}.shop.internal", 1), ManualTasks(clock))
    server.records["order.shop.internal.", "A"] = (7, ["10.0.0.1"])
    told: list[list[str]] = []

    async def watch() -> None:
        async for endpoints in resolver.changes("order"):
            hosts = [endpoint.host for endpoint in endpoints]
            told.append(hosts)

    watching = asyncio.ensure_future(watch())
    await until(lambda: clock.next_due_s() is not None)
    asked = server.asked
    await clock.run(6.9)
    assert (told, server.asked) == ([["10.0.0.1"]], asked)

    server.is_failing = True
    clock.advance(0.2)
    await until(lambda: "cannot be found out" in caplog.text)
    assert told == [["10.0.0.1"]]

    server.is_failing = False
    server.records["order.shop.internal.", "A"] = (7, ["10.0.0.2"])
    await until(lambda: clock.next_due_s() is not None)
    clock.advance(1.0)
    await until(lambda: len(told) == 2)
    assert told[1] == ["10.0.0.2"]
    watching.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until it is so; real packets are on their way meanwhile."""
    async with asyncio.timeout(10):
        while not is_so():
            await settle(1)
