"""The conformance suite over REST: the same chain, with HTTP and problem documents below it."""

import asyncio

import msgspec
import pytest

from emporion.chassis.auth.identity import ANONYMOUS, Identity
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.calls.directory import Directory
from emporion.chassis.calls.outbound import Attempt
from emporion.chassis.http.app import Edge, HttpApp
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.asgi import AsgiClient
from emporion.chassis.testing.conformance_calls import CHECKS, CallsUnderTest, Check, Feature
from emporion.chassis.testing.sample_service import SampleService, SampleShop
from emporion.contracts.contract import Message, Request, Rpc
from emporion.kernel.errors import DeadlineExceeded, Internal
from emporion.platform.client.problem import read_problem, to_error
from emporion.platform.client.rest import to_http

FEATURES = frozenset({Feature.RETRIES})
"""Internal methods have no route; complaints name fields in HTTP's words; no deadline travels."""
CASES = [
    pytest.param(check, id=check.__name__)
    for check, feature in CHECKS
    if feature is None or feature in FEATURES
]


class RestRemote:
    """Implements `calls.remote.Remote` over an HTTP application in this process."""

    def __init__(self, chain: Chain, app: HttpApp) -> None:
        self._chain = chain
        self._client = AsgiClient(app)

    def attempt(self, rpc: Rpc, identity: Identity) -> Attempt:
        """See Remote."""

        async def attempt(request: Request, call: Call, parent_id: str) -> Message:
            flight = self._chain.wheel.enter(call.deadline_s)
            try:
                return await self._send(rpc, request, call)
            except asyncio.CancelledError:
                if self._chain.wheel.has_expired(flight):
                    raise DeadlineExceeded from None
                raise
            finally:
                self._chain.wheel.leave(flight)

        return attempt

    async def _send(self, rpc: Rpc, request: Request, call: Call) -> Message:
        verb, path, lines, body = to_http(rpc, request)
        headers = {"traceparent": call.trace.header(), "content-type": "application/json"}
        for line in lines.splitlines():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        answer = await self._client.send(verb, path, headers=headers, body=body)
        if answer.status < 400:
            return msgspec.json.decode(answer.body, type=rpc.reply)
        error = to_error(read_problem(answer.status, answer.body), rpc.raises)
        if not isinstance(error, Internal):
            error.fields = {name: it for name, it in error.fields.items() if name != "trace_id"}
        raise error


def rest() -> CallsUnderTest:
    runtime = system_runtime()
    telemetry = Telemetry(runtime)
    shop = SampleShop(runtime)
    serving = Directory(Chain.of(runtime, telemetry))
    serving.add(SampleService, shop)
    edge = Edge(runtime, lambda _: ANONYMOUS, telemetry.trace_of, lambda _: None)
    calling = Directory(Chain.of(runtime, telemetry))
    calling.add_remote(SampleService, RestRemote(calling.chain, HttpApp(serving.inbounds, edge)))
    client = calling.clients("tester").get(SampleService)

    async def send(method: str, request: Request, call: Call) -> Message:
        token = enter(call)
        try:
            reply: Message = await getattr(client, method)(request)
        finally:
            leave(token)
        return reply

    return CallsUnderTest(runtime, telemetry, shop, send, FEATURES)


@pytest.mark.parametrize("check", CASES)
async def test_pitfall_4_calls_over_rest_behave_like_local_ones(check: Check) -> None:
    await check(rest())
