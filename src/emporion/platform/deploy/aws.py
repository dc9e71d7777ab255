"""CloudFormation and ECS for `emporion deploy`: stacks by change set, tasks that run once."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Self

from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from emporion.kernel.errors import FailedPrecondition, Unavailable

BODY_BYTES_MAX: Final = 51_200
"""Of a template that is sent with the request itself."""
WAIT_S: Final = 5
WAITS_MAX: Final = 720
"""An hour: a canary bakes, and a database takes its time."""
NOTHING_NEW: Final = ("didn't contain changes", "No updates are to be performed")


class DeploymentFailed(FailedPrecondition):
    """AWS did not do what it was asked; the stack says why."""

    slug = "deployment-failed"
    title = "The deployment failed"


class Aws:
    """The two clients. Credentials come as boto finds them.

    Args:
        region: of the stacks.
        endpoint_url: of an emulator; empty: AWS.
    """

    def __init__(self, region: str, *, endpoint_url: str = "") -> None:
        self._region = region
        self._endpoint_url = endpoint_url or None
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        session = get_session()
        for service in ("cloudformation", "ecs"):
            client = session.create_client(
                service, region_name=self._region, endpoint_url=self._endpoint_url
            )
            self._clients[service] = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def template(self, stack: str) -> Mapping[str, Any] | None:
        """What is deployed as that stack; None when nothing is. Raises Unavailable."""
        async with _answered():
            try:
                found = await self._clients["cloudformation"].get_template(StackName=stack)
            except ClientError as error:
                if _is_unknown(error):
                    return None
                raise
        body = found["TemplateBody"]
        read: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
        return read

    async def outputs(self, stack: str) -> Mapping[str, str]:
        """What the stack exports, by the name of the output. Raises Unavailable."""
        async with _answered():
            found = await self._clients["cloudformation"].describe_stacks(StackName=stack)
        return {
            output["OutputKey"]: str(output["OutputValue"])
            for output in found["Stacks"][0].get("Outputs", ())
        }

    async def tasks_wanted(self, cluster: str, service: str) -> int | None:
        """How many tasks run as scaling has it now; None before the first deployment.

        Raises Unavailable.
        """
        async with _answered():
            try:
                found = await self._clients["ecs"].describe_services(
                    cluster=cluster, services=[service]
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "ClusterNotFoundException":
                    return None
                raise
        active = [one for one in found["services"] if one["status"] == "ACTIVE"]
        return int(active[0]["desiredCount"]) if active else None

    async def deploy(
        self,
        stack: str,
        template: Mapping[str, Any],
        *,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> bool:
        """Make the stack, or bring it up to date; whether there was anything to do.

        Raises DeploymentFailed when CloudFormation refuses or has to roll back, Unavailable when
        it does not answer.
        """
        body = json.dumps(template, separators=(",", ":"))
        if len(body.encode()) > BODY_BYTES_MAX:
            raise DeploymentFailed(f"{stack}: the template is larger than {BODY_BYTES_MAX:,} bytes")
        client = self._clients["cloudformation"]
        async with _answered():
            exists = await self._exists(stack)
            change_set = f"deploy-{int(time.time())}"
            await client.create_change_set(
                StackName=stack,
                ChangeSetName=change_set,
                ChangeSetType="UPDATE" if exists else "CREATE",
                TemplateBody=body,
                Capabilities=["CAPABILITY_IAM"],
                Parameters=_parameters(template, parameters, is_update=exists),
                Tags=_pairs("Key", "Value", tags),
            )
            if not await self._has_changes(stack, change_set):
                await client.delete_change_set(StackName=stack, ChangeSetName=change_set)
                return False
            await client.execute_change_set(StackName=stack, ChangeSetName=change_set)
            await self._settled(
                stack, "stack_update_complete" if exists else "stack_create_complete"
            )
        return True

    async def _exists(self, stack: str) -> bool:
        try:
            found = await self._clients["cloudformation"].describe_stacks(StackName=stack)
        except ClientError as error:
            if _is_unknown(error):
                return False
            raise
        status = str(found["Stacks"][0]["StackStatus"])
        if status == "ROLLBACK_COMPLETE":  # its first deployment failed: AWS changes it no more
            raise DeploymentFailed(
                f"{stack}: nothing is left of its first deployment, which failed: "
                f"aws cloudformation delete-stack --stack-name {stack}, then again"
            )
        return status != "REVIEW_IN_PROGRESS"

    async def _has_changes(self, stack: str, change_set: str) -> bool:
        client = self._clients["cloudformation"]
        for _ in range(WAITS_MAX):
            found = await client.describe_change_set(StackName=stack, ChangeSetName=change_set)
            match found["Status"]:
                case "CREATE_COMPLETE":
                    return True
                case "FAILED":
                    reason = str(found.get("StatusReason", ""))
                    if any(words in reason for words in NOTHING_NEW):
                        return False
                    raise DeploymentFailed(f"{stack}: {reason}")
                case _:
                    await asyncio.sleep(WAIT_S)
        raise DeploymentFailed(f"{stack}: the change set is not made after an hour")

    async def _settled(self, stack: str, waiter: str) -> None:
        client = self._clients["cloudformation"]
        bounds = {"Delay": WAIT_S, "MaxAttempts": WAITS_MAX}
        try:
            await client.get_waiter(waiter).wait(StackName=stack, WaiterConfig=bounds)
        except WaiterError as error:
            raise DeploymentFailed(f"{stack}: {await self._reason(stack)}") from error

    async def _reason(self, stack: str) -> str:
        """The first failure that CloudFormation noted; the later ones follow from it."""
        found = await self._clients["cloudformation"].describe_stack_events(StackName=stack)
        failed = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in found["StackEvents"]
            if event["ResourceStatus"].endswith("FAILED")
        ]
        return failed[-1] if failed else "no reason was given"

    async def run_once(
        self, family: str, *, cluster: str, subnets: Sequence[str], group: str
    ) -> None:
        """Run the newest task of a family to its end.

        Raises DeploymentFailed when it cannot start or does not exit with 0.
        """
        client = self._clients["ecs"]
        async with _answered():
            started = await client.run_task(
                cluster=cluster,
                taskDefinition=family,
                launchType="FARGATE",
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": [*subnets],
                        "securityGroups": [group],
                        "assignPublicIp": "DISABLED",
                    }
                },
            )
            if started.get("failures"):
                raise DeploymentFailed(f"{family}: {started['failures'][0].get('reason')}")
            task = started["tasks"][0]["taskArn"]
            bounds = {"Delay": WAIT_S, "MaxAttempts": WAITS_MAX}
            await client.get_waiter("tasks_stopped").wait(
                cluster=cluster, tasks=[task], WaiterConfig=bounds
            )
            ended = (await client.describe_tasks(cluster=cluster, tasks=[task]))["tasks"][0]
        codes = [container.get("exitCode") for container in ended["containers"]]
        if any(code != 0 for code in codes):
            raise DeploymentFailed(f"{family}: {ended.get('stoppedReason', '')} exit codes {codes}")


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    """Raises Unavailable where AWS does not answer, or says no."""
    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        raise Unavailable(f"AWS: {type(error).__name__}: {error}") from error


def _is_unknown(error: ClientError) -> bool:
    return "does not exist" in str(error.response.get("Error", {}).get("Message", ""))


def _parameters(
    template: Mapping[str, Any], said: Mapping[str, str], *, is_update: bool
) -> list[dict[str, Any]]:
    """What is not said keeps the value that it has, or the default of the template."""
    found: list[dict[str, Any]] = [*_pairs("ParameterKey", "ParameterValue", said)]
    if is_update:
        kept = [key for key in template.get("Parameters", {}) if key not in said]
        found += [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]
    return found


def _pairs(key: str, value: str, of: Mapping[str, str]) -> list[dict[str, str]]:
    return [{key: name, value: said} for name, said in of.items()]
