"""The rules of `emporion deploy check`: each finds its violation; what is committed keeps them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from emporion.platform.deploy.check import check
from emporion.platform.deploy.manifest_file import manifests
from emporion.platform.deploy.quotas import RULE
from tests.platform.deploy.shops import committed_deployment, committed_templates

NO_PATHS: dict[str, Any] = {"Conditions": []}
Break = Callable[[dict[str, Any]], object]


def properties(resource: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda template: template["Resources"][resource]["Properties"]


def shop_container(template: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = properties("Task")(template)["ContainerDefinitions"][0]
    return container


def paths_of(template: dict[str, Any], rule: str) -> list[str]:
    paths: list[str] = properties(rule)(template)["Conditions"][0]["PathPatternConfig"]["Values"]
    return paths


def statements(template: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties("TaskRole")(template)["Policies"][0]["PolicyDocument"][
        "Statement"
    ]
    return found


def test_the_committed_templates_keep_every_rule():
    assert check(committed_templates(), committed_deployment()) == []


def test_nobody_erased_is_in_a_backup_of_the_data_or_for_long_in_one_of_the_vault():
    data = committed_templates()["emporion-data"]
    vault = data["Resources"]["VaultDatabase"]
    exported = data["Outputs"]["ExportDatabaseVault"]

    assert vault["Properties"]["BackupRetentionPeriod"] == 1
    assert vault["DeletionPolicy"] == vault["UpdateReplacePolicy"] == "Retain"
    assert exported["Value"] == {"Fn::GetAtt": ["VaultDatabase", "Endpoint.Address"]}
    for name in ("vault", *(one for one in manifests() if one != "vault")):
        told = json.dumps(committed_templates()[f"emporion-{name}"]["Resources"]["Task"])
        assert ("${VaultHost}" in told) is (name == "vault"), name
        assert ("${ShopHost}" in told) is (name != "vault"), name


PLANTS: list[tuple[str, Break, str]] = [
    ("order", lambda t: shop_container(t).update(User="0:0"), "runs as root"),
    ("order", lambda t: shop_container(t).pop("User"), "order runs as root"),
    ("order", lambda t: shop_container(t).update(Privileged=True), "order is privileged"),
    (
        "order",
        lambda t: shop_container(t).update(ReadonlyRootFilesystem=False),
        "can write to its root file system",
    ),
    ("order", lambda t: shop_container(t).pop("HealthCheck"), "has no health check"),
    ("order", lambda t: shop_container(t).pop("LogConfiguration"), "writes no log"),
    ("order", lambda t: shop_container(t).pop("LinuxParameters"), "keeps capabilities of Linux"),
    (
        "order",
        lambda t: shop_container(t)["Environment"].append({"Name": "DB_PASSWORD", "Value": "x"}),
        "may have a secret in DB_PASSWORD",
    ),
    ("order", lambda t: statements(t)[0].update(Resource="*"), "GetSecretValue on everything"),
    ("order", lambda t: statements(t)[0].update(Action=["sqs:*"]), "allows more than it names"),
    (
        "order",
        lambda t: properties("TaskRole")(t)["AssumeRolePolicyDocument"]["Statement"][0].pop(
            "Condition"
        ),
        "for other accounts",
    ),
    (
        "order",
        lambda t: properties("Service")(t)["DeploymentConfiguration"].pop(
            "DeploymentCircuitBreaker"
        ),
        "does not roll back a version that does not start",
    ),
    (
        "order",
        lambda t: properties("Service")(t)["DeploymentConfiguration"].pop("Alarms"),
        "does not roll back when its alarms go off",
    ),
    (
        "order",
        lambda t: properties("Service")(t)["NetworkConfiguration"]["AwsvpcConfiguration"].update(
            AssignPublicIp="ENABLED"
        ),
        "has tasks with a public address",
    ),
    (
        "order",
        lambda t: properties("Service")(t).update(EnableExecuteCommand=True),
        "lets people into running tasks",
    ),
    ("order", lambda t: properties("Logs")(t).pop("RetentionInDays"), "keeps logs for ever"),
    ("order", lambda t: properties("Task")(t).update(Cpu="256"), "the manifest says 512"),
    ("order", lambda t: properties("Scaling")(t).update(MaxCapacity=19), "the manifest says 20"),
    ("order", lambda t: properties("Scaling")(t).update(MinCapacity=1), "the manifest says 2"),
    (
        "order",
        lambda t: t["Parameters"]["DesiredCount"].update(Default=2),
        "is 2, but the manifest says 3",
    ),
    ("order", lambda t: t["Resources"].pop("CpuPolicy"), "does not track 70 % of CPU"),
    (
        "order",
        lambda t: shop_container(t)["Environment"].pop(0),
        "answers other services in the clear",
    ),
    (
        "order",
        lambda t: shop_container(t).update(
            Environment=[
                one for one in shop_container(t)["Environment"] if "EMF" not in one["Name"]
            ]
        ),
        "watches what no task tells",
    ),
    (
        "network",
        lambda t: properties("OrderFromFraud")(t).update(CidrIp="0.0.0.0/0"),
        "is open to everybody",
    ),
    (
        "network",
        lambda t: properties("OrderGroup")(t).pop("SecurityGroupEgress"),
        "lets everything out",
    ),
    (
        "network",
        lambda t: properties("Https")(t).update(SslPolicy="ELBSecurityPolicy-2016-08"),
        "takes old versions of TLS",
    ),
    (
        "network",
        lambda t: properties("Http")(t)["DefaultActions"][0].update(Type="forward"),
        "answers in the clear",
    ),
    (
        "web",
        lambda t: paths_of(t, "Rule45002").append("/more*"),
        "names 6 paths and verbs, more than 5",
    ),
    (
        "web",
        lambda t: paths_of(t, "Rule45002").__setitem__(0, "/*/*"),
        "has 6 wildcards, more than 5",
    ),
    (
        "webhook",
        lambda t: t["Resources"].update(
            {f"Rule{number}": {"Type": RULE, "Properties": NO_PATHS} for number in range(100)}
        ),
        "is one of more than 100 rules of the listener",
    ),
    (
        "data",
        lambda t: properties("ShopDatabase")(t).update(StorageEncrypted=False),
        "StorageEncrypted is not true",
    ),
    (
        "data",
        lambda t: properties("ShopDatabase")(t).update(PubliclyAccessible=True),
        "PubliclyAccessible is not false",
    ),
    (
        "data",
        lambda t: properties("ShopDatabase")(t).pop("BackupRetentionPeriod"),
        "is not backed up",
    ),
    (
        "data",
        lambda t: t["Resources"]["ShopDatabase"].pop("DeletionPolicy"),
        "is lost when its stack is deleted",
    ),
    (
        "data",
        lambda t: properties("VaultDatabase")(t).update(BackupRetentionPeriod=14),
        "keeps backups of the vault beyond a day",
    ),
    (
        "data",
        lambda t: t["Resources"]["VaultDatabase"].update(DeletionPolicy="Snapshot"),
        "leaves a snapshot of the vault",
    ),
    (
        "bus",
        lambda t: properties("EmailFromOrderQueue")(t).pop("RedrivePolicy"),
        "has no dead letters",
    ),
    (
        "bus",
        lambda t: properties("EmailFromOrderPolicy")(t)["PolicyDocument"]["Statement"][0].pop(
            "Condition"
        ),
        "lets anybody send",
    ),
]


@pytest.mark.parametrize(("stack", "plant", "said"), PLANTS, ids=[one[2] for one in PLANTS])
def test_a_planted_violation_is_found(stack: str, plant: Break, said: str):
    templates = committed_templates()

    plant(templates[f"emporion-{stack}"])

    found = check(templates, committed_deployment())
    assert [finding.template for finding in found] == [f"emporion-{stack}"] * len(found)
    assert any(said in finding.show() for finding in found), [one.show() for one in found]


def test_a_service_without_a_template_is_found():
    templates = committed_templates()
    del templates["emporion-order"]

    (found,) = check(templates, committed_deployment())

    assert found.show() == "emporion-order: : there is no template of this service"


def test_the_numbers_of_the_article_are_those_of_the_order_service():
    order = manifests()["order"]

    assert (order.cpu, order.memory, order.desired_count) == (512, 1_024, 3)
    assert (order.target_group, order.container_port) == ("order", 8_080)
    scaling = order.auto_scaling
    assert (scaling.min_capacity, scaling.max_capacity, scaling.cpu_threshold) == (2, 20, 70)
