"""The shop as it is on AWS, against an emulator of it: see rehearsal.py."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest

from emporion.chassis.calls.grpc.peer import HEALTH_PATH
from tests.platform.ecs.rehearsal import Rehearsal, Task, bakery_till, rehearsal

BASKETS = 40
Opened = Callable[..., grpc.aio.Channel]


def without_a_certificate(shop: Rehearsal) -> Opened:
    """Trusts the shop's authority, and shows nothing itself."""
    secrets = shop.aws.client("secretsmanager")
    kept = json.loads(secrets.get_secret_value(SecretId="emporion/authority")["SecretString"])
    trusting = grpc.ssl_channel_credentials(kept["certificate"].encode())
    return partial(
        grpc.aio.secure_channel,
        credentials=trusting,
        options=[("grpc.ssl_target_name_override", "email")],
    )


async def answers(task: Task, opened: Opened) -> bool:
    """Whether a task says over such a channel how it does."""
    async with opened(f"127.0.0.1:{task.told.grpc_port}") as channel:
        try:
            check: Any = channel.unary_unary(HEALTH_PATH)
            await check(b"", timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.UNAVAILABLE
    return True


@pytest.mark.timeout(300)
async def test_bakery_baskets_are_sold_over_sns_sqs_cloud_map_and_secrets(tmp_path):
    async with rehearsal(tmp_path) as shop:
        till = bakery_till(tmp_path / "till.csv", baskets=BASKETS)
        words = ("--url", shop.url, "--baskets", str(till), "--shoppers", "8", "--json", "-")
        loaded = json.loads(await shop.run("load", *words))
        audit = await shop.audited()

        assert loaded["paid"] == BASKETS, loaded
        findings = {one["check"]: one for one in audit["findings"]}
        assert audit["is_balanced"]
        assert findings["one confirmation per sold order"]["examined"] == BASKETS
        assert findings["events delivered"]["total"] == 0
        assert not await answers(shop.tasks["rest"], grpc.aio.insecure_channel)
        assert not await answers(shop.tasks["rest"], without_a_certificate(shop))
        verdict, _, table = (await shop.proved()).partition("\n")
        told = json.loads(verdict)
        assert (told["shop"], told["audit_runs"], told["audit_violations"]) == ("emporion", 1, 0)
        assert "everything adds up" in table
        secrets = shop.aws.client("secretsmanager")
        secrets.put_secret_value(
            SecretId="emporion/settings/operator_password", SecretString="a-long-password-indeed"
        )
        said = await shop.task("core", "operator", "ada@shop.test")
        assert said.startswith("ada@shop.test is an operator (usr_")
        assert [task.stop() for task in shop.tasks.values()] == [0, 0]
