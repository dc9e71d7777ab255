"""The conformance suite over every binding of one process."""

from collections.abc import Callable

import pytest

from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.calls.directory import Binding, Directory
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.conformance_calls import CHECKS, CallsUnderTest, Check, Feature
from emporion.chassis.testing.sample_service import SampleService, SampleShop
from emporion.contracts.contract import Message, Request


def by_client(binding: Binding) -> CallsUnderTest:
    runtime = system_runtime()
    telemetry = Telemetry(runtime)
    directory = Directory(Chain.of(runtime, telemetry))
    client = directory.clients("tester", binding).get(SampleService)
    shop = SampleShop(runtime)
    directory.add(SampleService, shop)

    async def send(method: str, request: Request, call: Call) -> Message:
        token = enter(call)
        try:
            reply: Message = await getattr(client, method)(request)
        finally:
            leave(token)
        return reply

    features = frozenset(Feature) - {Feature.CARRIES_IDENTITY}
    return CallsUnderTest(runtime, telemetry, shop, send, features)


def local_fast() -> CallsUnderTest:
    return by_client(Binding.LOCAL_FAST)


def local_strict() -> CallsUnderTest:
    return by_client(Binding.LOCAL_STRICT)


def edge() -> CallsUnderTest:
    runtime = system_runtime()
    telemetry = Telemetry(runtime)
    shop = SampleShop(runtime)
    inbound = Directory(Chain.of(runtime, telemetry)).add(SampleService, shop)
    methods = {name: inbound.method(rpc) for name, rpc in inbound.rpcs.items()}

    async def send(method: str, request: Request, call: Call) -> Message:
        reply: Message = await methods[method](request, call)
        return reply

    features = frozenset({Feature.CARRIES_IDENTITY, Feature.CARRIES_DEADLINE})
    return CallsUnderTest(runtime, telemetry, shop, send, features)


BINDINGS = (local_fast, local_strict, edge)
CASES = [
    pytest.param(binding, check, id=f"{binding.__name__}-{check.__name__}")
    for binding in BINDINGS
    for check, feature in CHECKS
    if feature is None or feature in binding().features
]


@pytest.mark.parametrize(("binding", "check"), CASES)
async def test_pitfall_4_every_binding_behaves_the_same(
    binding: Callable[[], CallsUnderTest], check: Check
) -> None:
    await check(binding())


def test_every_feature_is_checked_over_some_binding() -> None:
    assert {feature for _, feature in CHECKS if feature} == set(Feature)
    assert frozenset().union(*(binding().features for binding in BINDINGS)) == set(Feature)
