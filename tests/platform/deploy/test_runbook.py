"""Whoever is woken by an alarm finds it in docs/aws.md."""

import re
from collections.abc import Iterator

from tests.platform.deploy.shops import committed_deployment, committed_templates
from tests.system.running import ROOT

ROW = re.compile(r"^\| `([A-Za-z-]+)` \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
ANY_NAME = re.compile(r"NAME|SOURCE")


def rows() -> dict[str, re.Pattern[str]]:
    """What stands in the first column, and the alarms that it is about."""
    text = (ROOT / "docs/aws.md").read_text()
    table = text.partition("## When an alarm goes off")[2].partition("\n## ")[0]
    prefix = committed_deployment().options.name
    return {
        name: re.compile(rf"{prefix}-{ANY_NAME.sub('[a-z]+', name)}") for name in ROW.findall(table)
    }


def alarms() -> Iterator[str]:
    for template in committed_templates().values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                yield resource["Properties"]["AlarmName"]


def test_every_alarm_of_the_stacks_has_its_row_and_every_row_its_alarm():
    found = rows()
    names = [*alarms()]

    unexplained = {name for name in names if not any(one.fullmatch(name) for one in found.values())}
    outdated = {row for row, one in found.items() if not any(one.fullmatch(name) for name in names)}

    assert len(names) > len(found) > 0
    assert (unexplained, outdated) == (set(), set())


def test_every_alarm_names_the_page():
    for template in committed_templates().values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                assert "docs/aws.md" in resource["Properties"]["AlarmDescription"]
