"""The conformance suite over gRPC: calls that travel together, and plain single ones."""

from pathlib import Path

import pytest

from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.testing.conformance_calls import CHECKS, CallsUnderTest, Check, Feature
from emporion.chassis.testing.sample_service import SampleShop
from emporion.contracts.contract import Message, Request
from tests.chassis.calls.grpc.wired import wired

FEATURES = frozenset(Feature) - {Feature.CARRIES_IDENTITY}
CASES = [
    pytest.param(is_coalescing, check, id=f"{name}-{check.__name__}")
    for is_coalescing, name in ((True, "coalesced"), (False, "single"))
    for check, feature in CHECKS
    if feature is None or feature in FEATURES
]


@pytest.mark.parametrize(("is_coalescing", "check"), CASES)
async def test_pitfall_4_calls_between_processes_behave_like_local_ones(
    is_coalescing: bool, check: Check, tmp_path: Path
) -> None:
    async with wired(tmp_path, is_coalescing=is_coalescing) as ends:
        shop = SampleShop(ends.runtime)
        client = ends.client(await ends.serve(shop))

        async def send(method: str, request: Request, call: Call) -> Message:
            token = enter(call)
            try:
                reply: Message = await getattr(client, method)(request)
            finally:
                leave(token)
            return reply

        await check(CallsUnderTest(ends.runtime, ends.telemetry, shop, send, FEATURES))
