"""What the CDK makes of a deployment: run by `make deploy-check`, which installs it."""

from dataclasses import replace
from pathlib import Path

import yaml

from emporion.platform.deploy.changes import changes
from emporion.platform.deploy.check import check
from emporion.platform.deploy.composing import compose
from emporion.platform.deploy.manifest import Manifest, Rollout, Strategy
from emporion.platform.deploy.manifest_file import manifests
from emporion.platform.deploy.options import Size
from emporion.platform.deploy.synth import FOLDER, stale, synthesize
from tests.platform.deploy.shops import committed_deployment, committed_templates
from tests.system.running import ROOT


def templates_with(**services: Manifest) -> dict[str, dict[str, object]]:
    deployment = compose(committed_deployment().options, {**manifests(), **services})
    return {Path(name).stem: yaml.safe_load(text) for name, text in synthesize(deployment).items()}


def test_what_is_committed_is_what_is_made():
    assert stale(synthesize(committed_deployment()), ROOT / FOLDER) == []


def test_a_change_of_one_manifest_changes_that_service_only():
    order = manifests()["order"]
    scaling = replace(order.auto_scaling, max_capacity=40, cpu_threshold=60)
    bigger = replace(order, cpu=1_024, memory=2_048, desired_count=4, auto_scaling=scaling)

    found = changes(committed_templates(), templates_with(order=bigger))

    assert {change.stack for change in found} == {"emporion-order"}
    assert {change.what for change in found} == {
        "Parameters.DesiredCount",
        "Task",
        "Scaling",
        "CpuPolicy",
        "AtItsLimitAlarm",
    }


def test_a_canary_and_a_blue_green_rollout_have_a_second_target_group():
    order = manifests()["order"]
    for strategy in (Strategy.CANARY, Strategy.BLUE_GREEN):
        made = templates_with(order=replace(order, rollout=Rollout(strategy)))
        resources = made["emporion-order"]["Resources"]
        assert isinstance(resources, dict)
        service = resources["Service"]["Properties"]

        assert service["DeploymentConfiguration"]["Strategy"] == strategy.name
        behind = service["LoadBalancers"][0]["AdvancedConfiguration"]
        assert behind["AlternateTargetGroupArn"] == {"Ref": "OtherTargets"}
        rollout = service["DeploymentConfiguration"]
        assert rollout["Alarms"]["Rollback"]
        assert rollout["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert int(rollout["BakeTimeInMinutes"]) == 10
        if strategy is Strategy.CANARY:
            assert int(rollout["CanaryConfiguration"]["CanaryPercent"]) == 10
        assert check({**committed_templates(), **made}, committed_deployment()) == []


def test_a_large_shop_has_a_database_instance_a_service_and_keeps_the_rules():
    small = committed_deployment()
    large = replace(small, options=replace(small.options, size=Size.LARGE, zones=3))
    made = {Path(name).stem: yaml.safe_load(text) for name, text in synthesize(large).items()}
    resources = made["emporion-data"]["Resources"]
    kinds = [one["Type"] for one in resources.values()]

    assert kinds.count("AWS::RDS::DBInstance") == len(small.services)
    assert resources["VaultDatabase"]["Properties"]["BackupRetentionPeriod"] == 1
    assert resources["OrderDatabase"]["Properties"]["BackupRetentionPeriod"] == 14
    assert check(made, large) == []
