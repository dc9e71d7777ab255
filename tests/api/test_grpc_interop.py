"""A client generated from the published .proto files, by the standard tools, shops over gRPC."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.services import (
    Credentials,
    ServiceVerifier,
    Trust,
    either,
    trust_text,
    trusted,
)
from emporion.chassis.auth.verifier import TokenVerifier
from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings, Offer
from emporion.chassis.calls.grpc.serving import GrpcEdge
from emporion.chassis.http.health import Health
from emporion.platform.wire import wire_schema
from emporion.services.user.service import UserAssembly
from tests.api.shopfront import PASSWORD, Shopfront, open_shopfront

PROTO = Path(__file__).parents[2] / "contracts" / "proto"
CLIENT = '''
"""Knows gRPC and the generated modules; knows nothing of the shop's own code."""

import json
import sys

import grpc
from emporion.catalog.v1 import catalog_pb2 as catalog, catalog_pb2_grpc as catalogs
from emporion.inventory.v1 import inventory_pb2 as inventory, inventory_pb2_grpc as inventories
from emporion.order.v1 import order_pb2 as order, order_pb2_grpc as orders
from emporion.user.v1 import user_pb2 as user, user_pb2_grpc as users
from emporion.calls.v1 import calls_pb2 as calls, calls_pb2_grpc as exchange

address, password, service_token = sys.argv[1:]
channel = grpc.insecure_channel(address)
found = {}

people = users.UserServiceStub(channel)
account = people.SignUp(user.SignUp(email="ada@example.com", password=password, name="Ada"))
session = people.SignIn(user.SignIn(email="ada@example.com", password=password))
ada = (("authorization", "Bearer " + session.access_token),)

page = catalogs.CatalogServiceStub(channel).ListProducts(catalog.ListProducts(limit=2))
found["products"] = len(page.products)
variant = page.products[0].variants[0]
line = inventory.Line(sku=variant.sku, quantity=2)
wanted = order.PlaceOrder(idempotency_key="k-1", lines=[line], payment_token="tok_ok")
shop = orders.OrderServiceStub(channel)
placed = shop.PlaceOrder(wanted, metadata=ada, timeout=20)
again = shop.PlaceOrder(wanted, metadata=ada, timeout=20)
found["is_mine"] = placed.user_id == account.user_id
found["is_one_order"] = placed.order_id == again.order_id
found["is_total_right"] = placed.total.amount_minor == 2 * variant.price.amount_minor
found["status"] = order.OrderStatus.Name(placed.status)


def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except grpc.RpcError as error:
        trailer = dict(error.trailing_metadata())["emporion-error-bin"]
        return [error.code().name, calls.Error.FromString(trailer).slug]


stock = inventories.InventoryServiceStub(channel)
hold = inventory.Reserve(order_id=placed.order_id, lines=[line])
declined = order.PlaceOrder(idempotency_key="k-2", lines=[line], payment_token="tok_declined")
service = (("authorization", service_token),)
found["refused"] = {
    "without a token": refused(shop.PlaceOrder, wanted),
    "a person at an internal method": refused(stock.Reserve, hold, metadata=ada),
    "nobody at an internal method": refused(stock.Reserve, hold),
    "a service without the scope": refused(
        stock.ListWarehouses, inventory.AllWarehouses(), metadata=service
    ),
    "somebody else's": refused(shop.GetOrder, order.OrderOf(order_id="ord_" + "0" * 32),
                               metadata=ada),
    "a bad request": refused(shop.PlaceOrder, order.PlaceOrder(), metadata=ada),
    "a declined payment": refused(shop.PlaceOrder, declined, metadata=ada, timeout=20),
    "a wrong password": refused(
        people.SignIn, user.SignIn(email="ada@example.com", password="not the password")
    ),
}
held = stock.Reserve(hold, metadata=service)
found["a service at an internal method"] = held.order_id == placed.order_id

batch = calls.Calls(authorization=ada[0][1], calls=[
    calls.Call(id=1, method="emporion.order.v1.OrderService/GetOrder",
               request=order.OrderOf(order_id=placed.order_id).SerializeToString()),
    calls.Call(id=2, method="emporion.inventory.v1.InventoryService/Availability",
               request=inventory.AvailabilityOf(sku=variant.sku).SerializeToString()),
    calls.Call(id=3, method="emporion.order.v1.OrderService/Nothing"),
])
outcomes = {
    outcome.id: outcome
    for answer in exchange.CallsServiceStub(channel).Exchange(iter([batch]))
    for outcome in answer.outcomes
}
found["batch"] = [
    order.Order.FromString(outcomes[1].reply).order_id == placed.order_id,
    inventory.Availability.FromString(outcomes[2].reply).available > 0,
    outcomes[3].error.slug,
]
print(json.dumps(found))
'''


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the generated modules, with a client that uses them."""
    folder = tmp_path_factory.mktemp("generated")
    files = [str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={folder}",
         f"--grpc_python_out={folder}", *files], cwd=PROTO, check=True,
    )  # fmt: skip
    (folder / "emporion" / "__init__.py").touch()  # found before the installed package
    (folder / "client.py").write_text(CLIENT)
    return folder


async def serve(front: Shopfront, folder: Path) -> tuple[GrpcServer, str]:
    """The shop's gRPC server, and what a service shows there."""
    shop = front.shop
    clock = shop.runtime.clock
    key = SigningKey.from_secret("a key of the test, thirty-two b.")
    path = folder / "trusted.json"
    path.write_text(trust_text([trusted(key, ["order"])]))
    user = shop.assembly("user")
    assert isinstance(user, UserAssembly)
    authenticate = either(
        ServiceVerifier(Trust(path, clock), clock), TokenVerifier(user.public_keys, clock)
    )
    server = GrpcServer(
        Offer(shop.directory.inbounds, wire_schema(), Health(shop.probes)),
        GrpcEdge(shop.runtime, authenticate, shop.telemetry.trace_of),
        GrpcSettings(drain_grace_s=0.0),
    )
    await server.start()
    credentials = Credentials(key, clock, shop.runtime.ids)
    return server, credentials.authorization(service_identity("order"))


async def test_a_generated_client_shops_and_is_refused_where_it_must_be(generated, tmp_path):
    async with open_shopfront(tmp_path / "shop", is_audited=False) as front:
        server, token = await serve(front, tmp_path)
        try:
            found = await run(generated, f"127.0.0.1:{server.port}", token)
        finally:
            await server.drain()

    assert found == {
        "products": 2,
        "is_mine": True,
        "is_one_order": True,
        "is_total_right": True,
        "status": "ORDER_STATUS_PAID",
        "refused": {
            "without a token": ["UNAUTHENTICATED", "unauthenticated"],
            "a person at an internal method": ["PERMISSION_DENIED", "permission-denied"],
            "nobody at an internal method": ["UNAUTHENTICATED", "unauthenticated"],
            "a service without the scope": ["PERMISSION_DENIED", "permission-denied"],
            "somebody else's": ["NOT_FOUND", "not-found"],
            "a bad request": ["INVALID_ARGUMENT", "invalid-argument"],
            "a declined payment": ["FAILED_PRECONDITION", "payment-declined"],
            "a wrong password": ["UNAUTHENTICATED", "wrong-credentials"],
        },
        "a service at an internal method": True,
        "batch": [True, True, "unknown-method"],
    }


async def run(folder: Path, address: str, token: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "client.py", address, PASSWORD, token,
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)
