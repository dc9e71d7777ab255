"""Several instances of one service: calls go to those that are there and take them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.testing.sample_service import Echo, Put, SampleService, SampleShop
from emporion.kernel.errors import Unavailable
from tests.chassis.calls.grpc.wired import Wired, wired

NOBODY = Endpoint("127.0.0.1", 9)


@pytest.fixture
async def ends(tmp_path) -> AsyncIterator[Wired]:
    async with wired(tmp_path) as made:
        yield made


class Changing:
    """A resolver whose answer the test changes."""

    def __init__(self, endpoints: Sequence[Endpoint] = ()) -> None:
        self._endpoints = list(endpoints)
        self._changed = asyncio.Event()

    def become(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = list(endpoints)
        self._changed.set()

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        return self._endpoints

    async def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        while True:
            self._changed.clear()
            yield list(self._endpoints)
            await self._changed.wait()


def at(server: GrpcServer) -> Endpoint:
    return Endpoint("127.0.0.1", server.port)


class Counted(SampleShop):
    """Counts what it is asked."""

    asked = 0

    async def put_unkeyed(self, request: Put):
        self.asked += 1
        return await self.put(request)


async def test_calls_are_spread_over_the_instances(ends):
    shops = [Counted(ends.runtime) for _ in range(3)]
    client = ends.client(*[await ends.serve(shop) for shop in shops])

    await asyncio.gather(*(client.put_unkeyed(Put(put_key=f"{n}")) for n in range(300)))

    assert all(80 <= shop.asked <= 120 for shop in shops)


async def test_an_instance_that_is_not_there_costs_no_call_even_one_that_must_not_be_repeated(ends):
    shop = Counted(ends.runtime)
    client = ends.client_at(NOBODY, at(await ends.serve(shop)))

    for number in range(40):
        await client.put_unkeyed(Put(put_key=f"{number}"))

    assert shop.asked == 40


async def test_an_instance_that_drains_is_left_before_it_refuses_and_none_of_its_calls_fail(ends):
    leaving, staying = Counted(ends.runtime), Counted(ends.runtime)
    server = await ends.serve(leaving)
    client = ends.client(server, await ends.serve(staying))
    stop = asyncio.Event()
    failures: Counter[str] = Counter()
    done = 0

    async def shop_on() -> None:
        nonlocal done
        while not stop.is_set():
            try:
                await client.put_unkeyed(Put(put_key=f"{done}"))
                done += 1
            except Unavailable as error:
                failures[error.detail] += 1

    shoppers = [asyncio.ensure_future(shop_on()) for _ in range(8)]
    while leaving.asked < 50:
        await asyncio.sleep(0)
    await server.drain()
    until = staying.asked + 100
    while staying.asked < until:
        await asyncio.sleep(0)
    stop.set()
    await asyncio.gather(*shoppers)

    assert not failures
    assert leaving.asked + staying.asked == done


async def test_an_instance_that_drains_gets_no_call_although_it_would_still_take_it(tmp_path):
    settings = GrpcSettings(drain_grace_s=60.0)
    async with wired(tmp_path, settings=settings) as ends:
        leaving, staying = Counted(ends.runtime), Counted(ends.runtime)
        server = await ends.serve(leaving)
        ends.settings = GrpcSettings(drain_grace_s=0.0)
        remotes = ends.remotes_to(server, await ends.serve(staying))
        client = ends.client_of(remotes)
        await asyncio.gather(*(client.put_unkeyed(Put(put_key=f"{n}")) for n in range(20)))
        asked, listener = leaving.asked, server._server
        assert asked > 0
        assert listener is not None

        draining = asyncio.ensure_future(server.drain())
        async with asyncio.timeout(20):
            while not remotes.remote(SampleService).balancer.ejections:
                await asyncio.sleep(0)
        await asyncio.gather(*(client.put_unkeyed(Put(put_key=f"{n}")) for n in range(20)))

        assert not draining.done()
        assert (leaving.asked, staying.asked) == (asked, 40 - asked)
        draining.cancel()
        await listener.stop(0)


async def test_a_call_that_was_cut_off_is_not_made_again_elsewhere_by_itself(ends):
    class Hung(Counted):
        async def put_unkeyed(self, request: Put):
            self.asked += 1
            await asyncio.Event().wait()

    shops = [Hung(ends.runtime) for _ in range(2)]
    servers = [await ends.serve(shop) for shop in shops]
    waiting = asyncio.ensure_future(ends.client(*servers).put_unkeyed(Put(put_key="a")))
    while not any(shop.asked for shop in shops):
        await asyncio.sleep(0)

    [asked] = [server for shop, server in zip(shops, servers, strict=True) if shop.asked]
    assert asked._server is not None
    await asked._server.stop(0)

    with pytest.raises(Unavailable):
        await waiting
    assert sum(shop.asked for shop in shops) == 1


async def test_instances_are_rolled_one_by_one_without_a_failed_call(ends):
    shops = [Counted(ends.runtime) for _ in range(4)]
    servers = [await ends.serve(shop) for shop in shops[:2]]
    resolver = Changing([at(server) for server in servers])
    client = ends.client_by(resolver)
    stop = asyncio.Event()
    failures: list[Exception] = []

    async def shop_on(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                await client.put_unkeyed(Put(put_key=f"{name}-{number}"))
            except Unavailable as error:
                failures.append(error)

    shoppers = [asyncio.ensure_future(shop_on(f"{n}")) for n in range(8)]
    for shop in shops[2:]:
        while any(one.asked < 30 for one in shops if one in served_by(servers, shops)):
            await asyncio.sleep(0)
        fresh = await ends.serve(shop)
        old = servers.pop(0)
        servers.append(fresh)
        draining = asyncio.ensure_future(old.drain())
        resolver.become([at(server) for server in servers])
        await draining
    while shops[2].asked < 30 or shops[3].asked < 30:
        await asyncio.sleep(0)
    stop.set()
    await asyncio.gather(*shoppers)

    assert failures == []


def served_by(servers: list[GrpcServer], shops: list[Counted]) -> list[Counted]:
    """The shops behind these servers."""
    doors = [door for server in servers for door in server._offer.doors]
    return [shop for shop in shops if any(door._implementation is shop for door in doors)]


async def test_an_instance_that_comes_back_is_asked_again(ends):
    first, second = Counted(ends.runtime), Counted(ends.runtime)
    server, other = await ends.serve(first), await ends.serve(second)
    client = ends.client(server, other)
    await asyncio.gather(*(client.put_unkeyed(Put(put_key=f"{n}")) for n in range(20)))
    port = server.port
    await server.drain()
    await client.put_unkeyed(Put(put_key="while it is away"))

    ends.settings = GrpcSettings(port=port, drain_grace_s=0.02)
    back = Counted(ends.runtime)
    await ends.serve(back)

    async with asyncio.timeout(20):
        while not back.asked:
            await client.put_unkeyed(Put(put_key="a"))
            await asyncio.sleep(0.01)


async def test_a_service_that_discovery_does_not_know_yet_is_waited_for_until_the_deadline(ends):
    class Late(Changing):
        async def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
            await self._changed.wait()
            yield self._endpoints
            await asyncio.Event().wait()

    resolver = Late()
    client = ends.client_by(resolver)
    waiting = asyncio.ensure_future(client.echo(Echo(text="x")))
    server = await ends.serve(SampleShop(ends.runtime))
    resolver.become([at(server)])
    assert (await waiting).text == "x"


class Quiet(Changing):
    """Knows of a change when it is asked, and tells nobody by itself."""

    async def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        yield list(self._endpoints)
        await asyncio.Event().wait()


async def test_who_takes_the_place_of_the_only_instance_is_found_before_discovery_tells(ends):
    old, new = Counted(ends.runtime), Counted(ends.runtime)
    server = await ends.serve(old)
    resolver = Quiet([at(server)])
    client = ends.client_by(resolver)
    await client.put_unkeyed(Put(put_key="a"))

    resolver.become([at(await ends.serve(new))])
    await server.drain()
    for number in range(3):
        await client.put_unkeyed(Put(put_key=f"{number}"))

    assert (old.asked, new.asked) == (1, 3)


async def test_a_service_without_instances_is_unavailable(ends):
    client = ends.client_by(Changing())
    with pytest.raises(Unavailable):
        await client.put_unkeyed(Put(put_key="a"))


async def test_a_service_of_this_process_is_called_here_although_a_way_elsewhere_is_known(ends):
    here = Counted(ends.runtime)
    directory = ends.directory_by(Changing())
    client = directory.clients("tester").get(SampleService)

    directory.add(SampleService, here)
    await client.put_unkeyed(Put(put_key="a"))

    assert here.asked == 1
    with pytest.raises(ValueError, match="known already"):
        directory.add_remote(SampleService, ends.remotes_by(Changing()).remote(SampleService))
