"""The REST description and the edge agree: what it allows is let in, what it forbids is not."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Trace
from emporion.chassis.http.app import Edge, HttpApp
from emporion.chassis.testing.asgi import Answer, AsgiClient
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.contract import rpcs
from emporion.kernel.errors import Conflict
from emporion.platform.contracts import CONTRACTS

COMMITTED = Path(__file__).parents[2] / "contracts" / "openapi.json"
SCHEMA = schemathesis.openapi.from_dict(msgspec.json.decode(COMMITTED.read_bytes()))
OPERATIONS: dict[str, Any] = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}
SCOPES = frozenset(
    rpc.access.scope
    for contract in CONTRACTS
    for rpc in rpcs(contract).values()
    if rpc.access.scope
)
LET_IN = 409
FEW = settings(
    max_examples=8,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # shrinking a request of this size takes minutes
    suppress_health_check=list(HealthCheck),
)


@cache
def cases(name: str, mode: GenerationMode) -> st.SearchStrategy[Any]:
    """Building a strategy costs more than drawing from it."""
    strategy: st.SearchStrategy[Any] = OPERATIONS[name].as_strategy(generation_mode=mode)
    return strategy


class Reached(Conflict):
    """The request went through the edge."""

    slug = "reached"


class Door:
    """Tells that it was reached."""

    def __init__(self, contract):
        self.contract = contract

    def method(self, rpc):
        async def answer(request, call):
            msgspec.json.decode(msgspec.json.encode(request), type=rpc.request)
            raise Reached

        return answer


@pytest.fixture(scope="module")
def client():
    person = Identity(Kind.PERSON, "usr_" + "1" * 32, SCOPES)
    edge = Edge(
        runtime=manual_runtime(),
        authenticate=lambda _: person,
        trace_of=lambda _: Trace("ab" * 16, "cd" * 8),
        record=lambda _: None,
    )
    return AsgiClient(HttpApp([Door(contract) for contract in CONTRACTS], edge))


def with_whole_numbers(value: Any) -> Any:
    """JSON Schema takes 2.0 for an integer; we take it for a mistake, with money above all."""
    if isinstance(value, dict):
        return {name: with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def send(client: AsgiClient, case: Any) -> Answer:
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://x")).prepare()
    parts = urlsplit(str(prepared.url))
    headers = {
        str(name).lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in prepared.headers.items()
    }
    body = prepared.body or b""
    return asyncio.run(
        client.send(
            str(prepared.method),
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            headers=headers,
            body=body if isinstance(body, bytes) else str(body).encode(),
        )
    )


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@FEW
@given(data=st.data())
def test_what_the_description_allows_is_let_in(client, *, name, data):
    case = data.draw(cases(name, GenerationMode.POSITIVE))
    if isinstance(case.body, dict):
        case.body = with_whole_numbers(case.body)

    answer = send(client, case)

    assert answer.status == LET_IN, (case.as_curl_command(), answer.body)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@FEW
@given(data=st.data())
def test_whatever_comes_instead_is_answered_as_described(client, *, name, data):
    operation = OPERATIONS[name]
    case = data.draw(cases(name, GenerationMode.NEGATIVE))

    answer = send(client, case)

    assert answer.status < 500
    assert (
        answer.status in {LET_IN, 404, 405}
        or str(answer.status) in (operation.definition.raw["responses"])
    )
