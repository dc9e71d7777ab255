"""Which task of ECS this is, and where it runs: asked of ECS, and told with all telemetry."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.request import urlopen

import msgspec

from emporion.platform.ecs.told import BadTask

METADATA: Final = "ECS_CONTAINER_METADATA_URI_V4"
METADATA_TIMEOUT_S: Final = 2
ID_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """A task.

    Args:
        instance: the beginning of the id that ECS gave it; on another machine the process's own.
        attributes: where it runs, in OpenTelemetry's words for a resource; empty elsewhere.
    """

    instance: str
    attributes: Mapping[str, str]


class _Metadata(msgspec.Struct, frozen=True, rename="pascal"):
    """What ECS says of a task, as far as we need it (version 4 of its metadata endpoint)."""

    task_arn: str = msgspec.field(name="TaskARN")
    availability_zone: str = ""
    family: str = ""
    revision: str = ""


def task_place(environ: Mapping[str, str]) -> TaskPlace:
    """Ask ECS, where the environment says that it is there.

    Raises BadTask when ECS says where to ask and does not answer: two tasks with one name would
    take each other's leases.
    """
    url = environ.get(METADATA, "")
    if not url:
        return TaskPlace(str(os.getpid()), {})
    try:
        with urlopen(f"{url}/task", timeout=METADATA_TIMEOUT_S) as answer:  # noqa: S310 - ECS says
            task = msgspec.json.decode(answer.read(), type=_Metadata)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadTask(f"ECS does not say which task this is: {error}") from error
    identity = task.task_arn.rpartition("/")[2]
    known = {
        "cloud.provider": "aws",
        "cloud.platform": "aws_ecs",
        "cloud.availability_zone": task.availability_zone,
        "aws.ecs.task.arn": task.task_arn,
        "aws.ecs.task.id": identity,
        "aws.ecs.task.family": task.family,
        "aws.ecs.task.revision": task.revision,
    }
    return TaskPlace(identity[:ID_LENGTH], {name: said for name, said in known.items() if said})
