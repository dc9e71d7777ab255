"""The bill counts what the stacks hold, and every price says where it was seen."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import yaml

from emporion.platform.deploy.cost import REGION, bill, prices
from tests.platform.deploy.shops import committed_deployment, committed_templates


def resources(kind: str) -> Iterator[dict[str, Any]]:
    for template in committed_templates().values():
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                yield resource["Properties"]


def why(what: str) -> str:
    return next(one.why for one in bill(committed_deployment(), prices()) if one.what == what)


def test_as_many_metrics_are_paid_for_as_alarms_watch():
    watched = sum(
        sum("MetricStat" in one for one in alarm["Metrics"]) if "Metrics" in alarm else 1
        for alarm in resources("AWS::CloudWatch::Alarm")
    )

    assert why("alarms") == f"{watched} metrics watched"


def test_as_many_secrets_are_paid_for_as_there_are():
    of_databases = sum(1 for _ in resources("AWS::RDS::DBInstance"))
    written = sum(1 for _ in resources("AWS::SecretsManager::Secret"))

    assert why("secrets") == f"{written + of_databases}"


def test_every_price_says_where_it_was_seen_or_that_it_was_not():
    text = (files("emporion.platform.deploy") / "prices" / f"{REGION}.yaml").read_text("utf-8")
    said = re.compile(r"not seen|the same page|[a-z0-9.-]+\.[a-z]{2,4}/\S+|factualminds\.com")
    lines = text.splitlines()
    for name in yaml.safe_load(text):
        if name not in {"dated", "region"}:
            at = next(at for at, line in enumerate(lines) if line.startswith(f"{name}:"))
            comment = lines[at].partition(" # ")[2] or lines[at - 1].partition("# ")[2]
            assert said.search(comment), name
