"""The shop as it is on AWS, against an emulator of it: see rehearsal.py."""

import json

import pytest

from tests.platform.ecs.rehearsal import bakery_till, rehearsal

BASKETS = 40


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
