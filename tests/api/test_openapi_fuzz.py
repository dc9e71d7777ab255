"""Whatever is sent, every answer keeps to the description, and none is our fault.

The short form sends boundary cases of the description as an operator, and a few drawn ones as each
kind of caller, always the same; `make fuzz` sends all of them and draws many more, other ones each
time.
"""

import os
from collections.abc import Iterator
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.live import Live, live_shop
from tests.api.parcels import shipped
from tests.api.shopfront import NOBODY, PROBLEM, TYPE_PREFIX, must

COMMITTED = Path(__file__).parents[2] / "contracts" / "openapi.json"
BOUNDARIES_MAX = 20
"""Of one operation, in the short form: every so many-th."""
DRAWN = int(os.environ.get("FUZZ_EXAMPLES", "0"))
SCHEMA = schemathesis.openapi.from_dict(msgspec.json.decode(COMMITTED.read_bytes()))
OPERATIONS: dict[str, Any] = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
CALLERS = ("nobody", "customer", "operator")
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FORM = settings(
    max_examples=DRAWN or 2,
    derandomize=not DRAWN,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
UNSAFE = b"Traceback", b'File "', b"emporion.services", b"sqlite", b"apsw", b"msgspec"


class Client:
    """Sends cases to a live shop, and looks at every answer."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.session = requests.Session()
        self.callers: dict[str, dict[str, str]] = {}
        self.known: dict[str, list[str]] = {}

    async def prepare(self) -> None:
        """Somebody to be, and things whose ids are worth asking for."""
        front = self.live.front
        customer = await front.person("fuzz")
        order = await front.order(customer, "fuzz")
        doomed = await front.person("doomed")
        await front.until_quiet()
        shipment = await shipped(front, customer, "fuzz-parcel")
        products = must(await front.send(NOBODY, "GET", "/api/products?limit=3"))["products"]
        mails = must(await front.send(front.operator, "GET", "/api/mails"))["mails"]
        worth = {"amount": {"amount_minor": 100, "currency": "EUR"}}
        card = must(await front.json(front.operator, "POST", "/api/gift-cards", worth))
        self.callers = {
            "nobody": {},
            "customer": {"Authorization": f"Bearer {customer.token}"},
            "operator": {"Authorization": f"Bearer {front.operator.token}"},
        }
        self.known = {
            "order_id": [order["order_id"]],
            "product_id": [product["product_id"] for product in products],
            "mail_id": [mail["mail_id"] for mail in mails],
            "sku": ["croissant", "baguette"],
            "warehouse_id": ["main"],
            "subscriber": ["email", "inventory"],
            "saga_id": [order["order_id"]],
            "service": ["email", "nobody"],
            "trace_id": ["f" * 32],
            "promotion_id": ["nothing"],
            "delivery_id": ["post", "dlv_" + "0" * 32],
            "hook_id": ["whk_" + "0" * 32],
            "card_id": [card["card"]["card_id"]],
            "country": ["DE"],
            "shipment_id": [shipment["shipment_id"]],
            "return_id": ["ret_" + "0" * 32],
            "provider": ["rehearsal", "stripe"],
            "user_id": [doomed.user_id, "usr_" + "0" * 32],
        }

    def send(self, case: Any, caller: str) -> schemathesis.Response:
        """Send it and check the answer. Raises AssertionError or schemathesis's FailureGroup."""
        for name in ("Authorization", "authorization"):
            case.headers.pop(name, None)
        response: schemathesis.Response = case.call(
            base_url=self.live.url,
            session=self.session,
            headers=self.callers[caller],
            timeout=20,
            allow_redirects=False,
        )
        try:
            _check(case, response)
        except AssertionError as error:
            command = case.as_curl_command()
            raise AssertionError(f"{error}\n{command}\n{response.text[:2_000]}") from None
        case.validate_response(response, checks=CHECKS)
        return response


def _check(case: Any, response: schemathesis.Response) -> None:
    """What holds for every answer, whatever the description says."""
    assert response.status_code < 500 or _asked_for_haste(case, response)
    content = response.content.replace(b'"engine":"sqlite"', b"")  # operators may ask for that
    assert not [word for word in UNSAFE if word in content]
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    assert response.headers["content-type"] == [PROBLEM]
    document = msgspec.json.decode(response.content)
    assert document["type"].startswith(TYPE_PREFIX)
    assert document["status"] == response.status_code
    assert document["title"] and document["detail"]
    if not document["type"].endswith(":malformed-request"):
        assert response.headers["x-trace-id"] == [document["trace_id"]]


def _asked_for_haste(case: Any, response: schemathesis.Response) -> bool:
    """Whether the client itself would not wait: then 504 is the right answer."""
    return response.status_code == 504 and "X-Request-Timeout-S" in case.headers


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[Client]:
    """A client of a live shop; at the end nothing unexpected may stand in the shop's log."""
    with live_shop(tmp_path_factory.mktemp("fuzz") / "data") as live:
        fuzzer = Client(live)
        live.run(fuzzer.prepare())
        yield fuzzer
        fuzzer.session.close()
        lines = live.front.log.getvalue().splitlines()
        assert [line for line in lines if b'"level":"error"' in line] == []


@cache
def drawn(name: str, mode: GenerationMode) -> st.SearchStrategy[Any]:
    """Building a strategy costs more than drawing from it."""
    strategy: st.SearchStrategy[Any] = OPERATIONS[name].as_strategy(generation_mode=mode)
    return strategy


def test_the_shop_serves_the_description_that_is_committed(client):
    served = requests.get(f"{client.live.url}/openapi.json", timeout=20)

    assert served.headers["content-type"] == "application/json"
    served_document, committed = served.json(), msgspec.json.decode(COMMITTED.read_bytes())
    for document in (served_document, committed):
        document["tags"].sort(key=itemgetter("name"))
    assert served_document == committed


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_at_the_boundaries_of_the_description_every_answer_keeps_to_it(client, name):
    operation = OPERATIONS[name]
    generation = SCHEMA.config.generation_for(operation=operation)

    found = SCHEMA.iter_coverage_cases(
        operation, generation_modes=MODES, generation_config=generation
    )
    cases = [case for case in found if case.method == operation.method.upper()]
    step = 1 if DRAWN else -(-len(cases) // BOUNDARIES_MAX)
    for case in cases[::step]:
        client.send(case, "operator")


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@FORM
@given(data=st.data())
def test_drawn_requests_of_anybody_are_answered_as_described(client, *, name, data):
    mode = data.draw(st.sampled_from(MODES))
    case = data.draw(drawn(name, mode))
    if case.path_parameters and data.draw(st.booleans()):
        case.path_parameters = {
            key: data.draw(st.sampled_from(client.known[key])) for key in case.path_parameters
        }

    answers = {caller: client.send(case, caller) for caller in CALLERS}

    if OPERATIONS[name].definition.raw["security"]:
        assert answers["nobody"].status_code in (401, 404, 405)
