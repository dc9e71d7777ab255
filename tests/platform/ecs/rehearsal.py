"""A shop on this machine as it is on AWS: bus, discovery and secrets of an emulator.

Two processes are started as ECS starts them, by `EMPORION_TASK` alone; they call each other over
mutual TLS. Topics, queues and secrets are those of the committed templates; the processes find each
other by Cloud Map, in which this module enters them, as ECS does there. The databases are on a
PostgreSQL of this machine, in place of RDS; there is no load balancer.
"""

import asyncio
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from emporion.chassis.brokers.aws.queue import HIDDEN, VISIBLE
from emporion.chassis.testing.postgres_server import postgres_server
from emporion.platform.data_folder import DataFolder
from emporion.platform.deploy.composing import compose
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.manifest_file import manifests
from emporion.platform.deploy.options import Options
from emporion.platform.deploy.task_words import audit_told, prepare_told, task_told
from emporion.platform.ecs.told import AUDIT, PREPARE, TASK, TaskTold
from emporion.platform.reading.processes import PROCESSES
from emporion.platform.services import SERVICES
from emporion.platform.supervisor.ports import free_port
from tests.chassis.brokers.servers import MotoServer
from tests.platform.deploy.emulator import REGION, Emulator
from tests.platform.deploy.shops import committed_templates
from tests.system.polling import eventually
from tests.system.running import COMMAND

CORE: Final = ("user", "catalog", "inventory", "payment", "order", "giftcard")
"""In one process, so that shoppers need no load balancer; all others are in the second."""
TOPOLOGY: Final = """processes: {{core: [{core}], rest: [{rest}]}}
engines: postgres
bus: sns-sqs
tls: on
discovery: {{kind: cloud-map, namespace: emporion.internal}}
"""
ADMIN: Final = "emporion/rehearsal/admin"
ALL: Final = "all"
BAKERY: Final = Path("shared/data/bakery-lines.csv")
TOPICS: Final = f"arn:aws:sns:{REGION}:123456789012:"
READY_WITHIN_S: Final = 90.0
END_WITHIN_S: Final = 40.0
SETTLED_WITHIN_S: Final = 600.0
LOOK_EVERY_S: Final = 1.0
"""The emulator has one thread of Python: who looks often slows it down."""
EMULATOR: Final = "tests.platform.ecs.long_queues"
ENVIRON: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "EMPORION_LOG_LEVEL": "WARNING",
}


@dataclass
class Task:
    """A process of the shop, as it would be a task of ECS."""

    told: TaskTold
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.told.http_port}"

    def is_ready(self) -> bool:
        """Whether it would get requests. Fails when it has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.told.process} ended: {self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM, as ECS sends it; the exit code."""
        self.process.terminate()
        return self.process.wait(END_WITHIN_S)


@dataclass
class Rehearsal:
    """The shop while it runs.

    Args:
        folder: where `emporion audit` finds it.
        aws: the emulator.
        tasks: by process.
        deployment: what the topology makes of it.
    """

    folder: Path
    aws: Emulator
    tasks: Mapping[str, Task]
    deployment: Deployment

    @property
    def url(self) -> str:
        """Where shoppers order."""
        return self.tasks["core"].url

    async def run(self, *words: str) -> str:
        """A command of emporion; what it says on standard output. Fails when the command does."""
        return await command(*words, environ={})

    async def task(self, process: str, *words: str) -> str:
        """A command in another task of a process, as `aws ecs run-task` with other words."""
        told = self.tasks[process].told
        return await command("task", *words, environ={TASK: _text(told)})

    def _are_queues_empty(self) -> bool:
        """Whether no event waits, or is with a reader, in any queue of the shop."""
        sqs = self.aws.client("sqs")
        for url in sqs.list_queues()["QueueUrls"]:
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            if any(int(asked[name]) for name in (VISIBLE, HIDDEN)):
                return False
        return True

    async def proved(self) -> str:
        """What the scheduled audit says: a task of its own, told what its template says."""
        said = audit_told(self.deployment)
        parts = {one.name: one for task in self.tasks.values() for one in task.told.services}
        here = msgspec.structs.replace(
            said,
            region=REGION,
            services=tuple(parts[one.name] for one in said.services),
            data=str(self.folder / "auditing"),
            endpoint_url=self.tasks["core"].told.endpoint_url,
        )
        # The rehearsal provider's book lies with the processes; what Stripe took needs none.
        own = self.folder / "auditing" / "audit"
        own.mkdir(parents=True)
        (own / PROCESSES).symlink_to(self.folder / PROCESSES)
        return await command("task", "audit", environ={AUDIT: _text(here)})

    async def audited(self) -> dict[str, Any]:
        """What the audit says once every event has arrived, or after SETTLED_WITHIN_S."""
        until_s = time.monotonic() + SETTLED_WITHIN_S
        while True:
            left_s = max(0.0, until_s - time.monotonic())
            await eventually(
                self._are_queues_empty,
                within_s=left_s,
                what="all events arrive",
                every_s=LOOK_EVERY_S,
            )
            said = await self.run("audit", "--data", str(self.folder), "--json")
            report: dict[str, Any] = json.loads(said)
            waiting = sum(one["total"] for one in report["findings"])
            if not waiting or time.monotonic() > until_s:
                return report


@asynccontextmanager
async def rehearsal(folder: Path) -> AsyncIterator[Rehearsal]:
    """A shop that takes orders inside this block."""
    deployment = await asyncio.to_thread(_deployment, folder)  # it runs a loop of its own
    async with AsyncExitStack() as stack:
        server = MotoServer(folder, module=EMULATOR)
        server.start()
        stack.callback(server.stop)
        aws = _deployed(server.url)
        told = await _told(deployment, aws, folder, url=server.url)
        stack.enter_context(DataFolder(folder))  # to the audit it is a shop that runs
        tasks: dict[str, Task] = {}
        for name, one in told.items():
            tasks[name] = _started(one, folder)
            stack.callback(_ended, tasks[name])
        for task in tasks.values():
            what = f"{task.told.process} is ready"
            await eventually(task.is_ready, within_s=READY_WITHIN_S, what=what)
        yield Rehearsal(folder, aws, tasks, deployment)


def _deployment(folder: Path) -> Deployment:
    file = folder / "topology.yaml"
    rest = ", ".join(name for name in SERVICES if name not in CORE)
    file.write_text(TOPOLOGY.format(core=", ".join(CORE), rest=rest))
    return compose(Options(region=REGION, topology=str(file)), manifests())


def _deployed(url: str) -> Emulator:
    """Network, secrets, topics and queues, of the committed templates."""
    os.environ.update(ENVIRON)
    aws = Emulator(url)
    templates = committed_templates()
    for name in ("network", "data", "bus"):
        aws.deploy(f"emporion-{name}", templates[f"emporion-{name}"])
    return aws


async def _told(
    deployment: Deployment, aws: Emulator, folder: Path, *, url: str
) -> dict[str, TaskTold]:
    """What the tasks are told, with this machine in place of AWS; databases made and migrated."""
    server = await postgres_server()
    secrets = aws.client("secretsmanager")
    secrets.create_secret(
        Name=ADMIN, SecretString=json.dumps({"username": "postgres", "password": "unasked"})
    )
    for one in deployment.ecs_services:
        password = secrets.get_random_password(PasswordLength=40)["RandomPassword"]
        secrets.create_secret(
            Name=f"emporion/{one.name}/identity", SecretString=json.dumps({"password": password})
        )
        secrets.create_secret(Name=f"emporion/{one.name}/tls", SecretString="{}")
    plan = prepare_told(deployment)
    databases = tuple(
        msgspec.structs.replace(one, host=server.socket, admin_secret=ADMIN)
        for one in plan.databases
    )
    plan = msgspec.structs.replace(plan, region=REGION, databases=databases, endpoint_url=url)
    said = await command("task", "prepare", environ={PREPARE: _text(plan)})
    assert said.startswith("made: "), said
    found = {}
    for one in deployment.ecs_services:
        told = _here(task_told(deployment, one), server.socket, folder, url)
        await command("task", "migrate", environ={TASK: _text(told)})
        await _registered(aws, told)
        found[one.name] = told
        await _readable(aws, told, folder)
    return found


def _here(told: TaskTold, socket: str, folder: Path, url: str) -> TaskTold:
    """Only places differ from what a template says."""
    return msgspec.structs.replace(
        told,
        region=REGION,
        topic_arns=TOPICS,
        services=tuple(msgspec.structs.replace(one, host=socket) for one in told.services),
        http_port=free_port(),
        grpc_port=free_port(),
        host="127.0.0.1",
        data=str(folder),
        drain_grace_s=0.5,
        is_development=True,
        endpoint_url=url,
    )


async def _registered(aws: Emulator, told: TaskTold) -> None:
    """In Cloud Map, as ECS enters a task when it runs."""
    discovery = aws.client("servicediscovery")
    service = discovery.create_service(
        Name=told.process,
        NamespaceId=aws.exports["emporion-namespace"],
        DnsConfig={"DnsRecords": [{"Type": "SRV", "TTL": 10}]},
        HealthCheckCustomConfig={"FailureThreshold": 1},
    )["Service"]
    discovery.register_instance(
        ServiceId=service["Id"],
        InstanceId=f"{told.process}-1",
        Attributes={
            "AWS_INSTANCE_IPV4": "127.0.0.1",
            "AWS_INSTANCE_PORT": str(told.grpc_port),
        },
    )


async def _readable(aws: Emulator, told: TaskTold, folder: Path) -> None:
    """Tell the audit where the databases are."""
    server = await postgres_server()
    secrets = aws.client("secretsmanager")
    services = []
    for one in told.services:
        said = json.loads(secrets.get_secret_value(SecretId=one.password_secret)["SecretString"])
        dsn = server.dsn(one.name, password=said["password"])
        services.append({"name": one.name, "engine": str(one.engine), "dsn": dsn})
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / f"{told.process}-1.json").write_text(json.dumps({"services": services}))


def _started(told: TaskTold, folder: Path) -> Task:
    log = folder / f"{told.process}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "task", "serve"],
            env={**os.environ, **ENVIRON, TASK: _text(told)},
            stdout=output,
            stderr=output,
        )
    return Task(told, process, log)


def _ended(task: Task) -> None:
    if task.process.poll() is None:
        task.stop()


def _text(told: Any) -> str:
    return msgspec.json.encode(told).decode()


async def command(*words: str, environ: Mapping[str, str]) -> str:
    """Run a command of emporion to its end; what it says. Fails unless it exits with 0."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        env={**os.environ, **ENVIRON, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, f"{words}: {output.decode()}{errors.decode()}"
    return output.decode()


def bakery_till(path: Path, *, baskets: int) -> Path:
    """A till file of a bakery's morning, made up: the same one each time."""
    items: Sequence[str] = ("Croissant", "Bread", "Coffee", "Tea", "Cinnamon roll", "Sandwich")
    rng = random.Random(f"bakery/{baskets}")
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("Date", "Time", "Transaction", "Item"))
        for number in range(1, baskets + 1):
            for item in rng.choices(items, k=rng.randint(1, 4)):
                table.writerow(("2016-10-30", "09:58:11", number, item))
    return path


def till_file(folder: Path, said: str) -> Path:
    """A file with so many baskets, made up; for `all` the whole one of a real bakery."""
    if said != ALL:
        return bakery_till(folder / "till.csv", baskets=int(said))
    for above in Path(__file__).parents:
        if (above / BAKERY).is_file():
            return above / BAKERY
    raise FileNotFoundError(f"{BAKERY} is neither here nor in a folder above")


async def main(baskets: str) -> None:
    """The command: orders, each over the bus to all who listen; then the audit."""
    started_s = time.monotonic()

    def say(what: str) -> None:
        sys.stdout.write(f"after {time.monotonic() - started_s:.0f} s: {what}\n")

    with tempfile.TemporaryDirectory(prefix="emporion-rehearsal-") as folder:
        till = till_file(Path(folder), baskets)
        async with rehearsal(Path(folder)) as shop:
            say("the shop takes orders")
            words = ("--url", shop.url, "--baskets", str(till), "--shoppers", "16")
            sys.stdout.write(await shop.run("load", *words))
            say("all orders are decided")
            await shop.audited()
            say("all events have arrived")
            sys.stdout.write(await shop.run("audit", "--data", folder))


if __name__ == "__main__":
    from emporion.chassis.testing.postgres_server import stop_server

    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "300"))
    finally:
        stop_server()
