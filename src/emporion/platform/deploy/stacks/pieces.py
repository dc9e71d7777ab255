"""What all stacks have in common: names, tags, and what one exports for another."""

from collections.abc import Mapping
from typing import Any, Final

import aws_cdk as cdk

from emporion.platform.deploy.deployment import Deployment

POLICY_VERSION: Final = "2012-10-17"


def stack(app: cdk.App, deployment: Deployment, name: str) -> cdk.Stack:
    """An empty stack `NAME-name`; its tags come with the deployment, for all that is in it."""
    return cdk.Stack(
        app,
        f"{deployment.options.name}-{name}",
        synthesizer=cdk.BootstraplessSynthesizer(),
        description=f"{deployment.options.name}: {name}. Made by `emporion deploy synth`.",
    )


def export(made: cdk.Stack, deployment: Deployment, name: str, value: str) -> None:
    """Let other stacks import `value` by a name of the shop."""
    output = f"Export{word(name)}"
    cdk.CfnOutput(made, output, value=value, export_name=f"{deployment.options.name}-{name}")


def imported(deployment: Deployment, name: str) -> str:
    """What another stack exports by that name."""
    return str(cdk.Fn.import_value(f"{deployment.options.name}-{name}"))


def imported_list(deployment: Deployment, name: str) -> Any:
    """A list that another stack exports, joined by commas."""
    return cdk.Fn.split(",", imported(deployment, name))


def arn(service: str, resource: str) -> str:
    """The name of a resource in this account and region."""
    place = "${AWS::Region}:${AWS::AccountId}"
    return str(cdk.Fn.sub(f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"))


def policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": POLICY_VERSION, "Statement": [dict(one) for one in statements]}


def allow(
    actions: list[str], resources: list[str], condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A statement that allows these, and nothing else."""
    said: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {**said, "Condition": dict(condition)} if condition else said


def assumed_by(service: str) -> dict[str, Any]:
    """Who may take a role on: that service of AWS, for this account only."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        }
    )


def word(name: str) -> str:
    """A name as an id of a template: `order-email` is `OrderEmail`."""
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))
