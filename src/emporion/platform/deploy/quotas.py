"""What one load balancer of AWS takes: more is refused in the middle of a deployment.

Application Load Balancer guide, page `load-balancer-limits`, looked up on 2026-11-30.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Template = Mapping[str, Any]
RULES_MAX: Final = 100
"""Beside the default one; AWS gives more to who asks."""
TARGET_GROUPS_MAX: Final = 100
VALUES_MAX: Final = 5
WILDCARDS_MAX: Final = 5
RULE: Final = "AWS::ElasticLoadBalancingV2::ListenerRule"
GROUP: Final = "AWS::ElasticLoadBalancingV2::TargetGroup"


def over_quota(templates: Mapping[str, Template]) -> Iterator[tuple[str, str, str]]:
    """Template, resource and what is too much; of a sum, those that are beyond it."""
    of_kind: dict[str, list[tuple[str, str, Template]]] = {RULE: [], GROUP: []}
    for name, template in templates.items():
        for logical, resource in template.get("Resources", {}).items():
            if resource["Type"] in of_kind:
                of_kind[resource["Type"]].append((name, logical, resource["Properties"]))
    for kind, limit, what in (
        (RULE, RULES_MAX, "rules of the listener"),
        (GROUP, TARGET_GROUPS_MAX, "target groups"),
    ):
        for name, logical, _ in of_kind[kind][limit:]:
            yield name, logical, f"is one of more than {limit} {what}"
    for name, logical, properties in of_kind[RULE]:
        for message in _of_rule(properties):
            yield name, logical, message


def _of_rule(properties: Template) -> Iterator[str]:
    values = [
        value
        for condition in properties["Conditions"]
        for said in condition.values()
        if isinstance(said, Mapping)
        for value in said["Values"]
    ]
    if len(values) > VALUES_MAX:
        yield f"names {len(values)} paths and verbs, more than {VALUES_MAX}"
    wildcards = sum(value.count("*") + value.count("?") for value in values)
    if wildcards > WILDCARDS_MAX:
        yield f"has {wildcards} wildcards, more than {WILDCARDS_MAX}"
