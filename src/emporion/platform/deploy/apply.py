"""Deploys a shop, or one service of it: stacks in their order, migrations before their service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from emporion.kernel.errors import InvalidArgument
from emporion.platform.deploy.aws import Aws
from emporion.platform.deploy.deployment import Deployment

Template = Mapping[str, Any]
BASIS: Final = ("network", "data", "bus", "tasks")
"""In this order: each imports from those before it."""
LAST: Final = ("audit", "dashboard")
"""What looks at all services."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is deployed.

    Args:
        tag: of the image.
        certificate: of the load balancer, by its ARN; empty keeps the one that is there.
        service: only that ECS service, and its migration; empty: everything.
        has_services: whether more is deployed than what services stand on.
        runs_tasks: whether databases are prepared and migrated; not in an emulator.
    """

    tag: str
    certificate: str = ""
    service: str = ""
    has_services: bool = True
    runs_tasks: bool = True


async def apply(
    deployment: Deployment,
    templates: Mapping[str, Template],
    release: Release,
    *,
    aws: Aws,
    say: Callable[[str], None],
) -> None:
    """Bring AWS to what the templates say. Safe to repeat: what is there already is left alone.

    A failure leaves what was deployed before it; run it again. Raises InvalidArgument for an
    unknown service, DeploymentFailed, Unavailable.
    """
    names = [one.name for one in deployment.deployed]
    if release.service and release.service not in names:
        raise InvalidArgument(f"no service {release.service!r}; there are {', '.join(names)}")
    rollout = _Rollout(deployment, templates, release, aws, say)
    if release.service:
        await rollout.stack("tasks")
        await rollout.service(release.service)
        return
    for name in BASIS:
        await rollout.stack(name)
    await rollout.run("prepare", "prepare")
    if not release.has_services:
        return
    for name in names:
        await rollout.service(name)
    for name in LAST:
        await rollout.stack(name)


@dataclass(frozen=True, slots=True)
class _Rollout:
    deployment: Deployment
    templates: Mapping[str, Template]
    release: Release
    aws: Aws
    say: Callable[[str], None]

    @property
    def _prefix(self) -> str:
        return self.deployment.options.name

    async def service(self, name: str) -> None:
        """Its schema first: the old version still runs on it, so migrations only ever add."""
        if name in {one.name for one in self.deployment.ecs_services}:
            await self.run(f"{name}-migrate", name)
        await self.stack(name)

    async def stack(self, name: str) -> None:
        """One stack, with the parameters that it asks for."""
        stack = f"{self._prefix}-{name}"
        template = self.templates[stack]
        offered = {"ImageTag": self.release.tag, "CertificateArn": self.release.certificate}
        running = await self.aws.tasks_wanted(self._prefix, name)
        if running is not None:  # or the deployment would undo what scaling did
            offered["DesiredCount"] = str(running)
        asked = template.get("Parameters", {})
        parameters = {key: offered[key] for key in asked if offered.get(key)}
        tags = {"shop": self._prefix}
        owners = [one.owners for one in self.deployment.deployed if one.name == name]
        if owners:
            tags["owner"] = "+".join(owners[0])
        is_new = await self.aws.deploy(stack, template, parameters=parameters, tags=tags)
        self.say(f"{stack}: {'deployed' if is_new else 'nothing to do'}")

    async def run(self, family: str, group: str) -> None:
        """A task to its end, in the network of the shop."""
        if not self.release.runs_tasks:
            return
        network = await self.aws.outputs(f"{self._prefix}-network")
        groups = {key.removeprefix("ExportGroup").lower(): said for key, said in network.items()}
        await self.aws.run_once(
            f"{self._prefix}-{family}",
            cluster=network["ExportCluster"],
            subnets=network["ExportPrivateSubnets"].split(","),
            group=groups[group.replace("-", "")],
        )
        self.say(f"{self._prefix}-{family}: done")
