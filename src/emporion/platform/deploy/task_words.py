"""What tasks are told, as templates hold it: `${...}` stands where CloudFormation puts a value."""

from collections.abc import Mapping
from typing import Final

from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.options import Size
from emporion.platform.ecs.told import (
    AuditTold,
    DatabaseTold,
    HeldTold,
    PagesTold,
    PrepareTold,
    TaskTold,
    database_secret,
    setting_secret,
)
from emporion.platform.topology.kinds import Engine

FOREIGN: Final = (Engine.MONGODB, Engine.TIMESCALE)
"""Engines that somebody else runs: their address comes by a secret that people fill in."""
GENERATED: Final = frozenset({"gift_card_key", "payment_method_key", "privacy_key"})
"""Settings that are only random: they are made with the shop, and nobody ever sees them."""
VAULT: Final = "vault"
"""The service that keeps people's keys: never in the same backup as the data."""
GRPC_PORT: Final = 9_090
NETWORK: Final = "10.20.0.0/16"
WAYS_OUT: Final = "WaysOut"
"""The word in whose place the addresses of the ways out come."""
DRAIN_S: Final = 20
DRAIN_GRACE_S: Final = 15
REGION: Final = "${AWS::Region}"
TOPICS: Final = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:"


def instance_of(deployment: Deployment, service: str) -> str:
    """The PostgreSQL instance that has a service's database; the vault's has no other, ever."""
    return "shop" if deployment.options.size is Size.SMALL and service != VAULT else service


def instances_of(deployment: Deployment) -> tuple[str, ...]:
    """All PostgreSQL instances."""
    on_postgres = (
        name for name, engine in deployment.services.items() if engine is Engine.POSTGRES
    )
    return tuple(dict.fromkeys(instance_of(deployment, service) for service in on_postgres))


def host_of(instance: str) -> str:
    """The word in whose place the address of an instance comes."""
    return f"{instance.capitalize()}Host"


def admin_of(instance: str) -> str:
    """The word in whose place the name of its administrator's secret comes."""
    return f"{instance.capitalize()}Admin"


def task_told(deployment: Deployment, one: EcsService) -> TaskTold:
    """What every task of an ECS service is told."""
    shop = deployment.options.name
    return TaskTold(
        shop=shop,
        process=one.name,
        region=REGION,
        topic_arns=TOPICS,
        namespace=deployment.namespace,
        services=tuple(_held(deployment, name, engine) for name, engine in one.services.items()),
        elsewhere={
            service: other.name
            for other in deployment.ecs_services
            for service in other.services
            if other is not one
        },
        http_port=one.container_port,
        grpc_port=GRPC_PORT,
        secrets={name: setting_secret(shop, name) for name in one.secrets},
        mail_domain=deployment.options.mail_domain if "email" in one.services else "",
        drain_s=DRAIN_S,
        drain_grace_s=DRAIN_GRACE_S,
        trusted_proxies=_trusted(deployment),
        is_tls=deployment.is_tls,
    )


def pages_told(deployment: Deployment, one: EcsService) -> PagesTold:
    """What the task is told that shows pages."""
    return PagesTold(
        process=one.name,
        shop=f"https://{deployment.options.domain}",
        http_port=one.container_port,
        trusted_proxies=NETWORK,
        drain_s=DRAIN_S,
        drain_grace_s=DRAIN_GRACE_S,
    )


def _trusted(deployment: Deployment) -> str:
    """The balancer; and the ways out, by which the process that shows pages asks it in turn."""
    return NETWORK if deployment.pages is None else f"{NETWORK},${{{WAYS_OUT}}}"


def _held(deployment: Deployment, service: str, engine: Engine) -> HeldTold:
    shop = deployment.options.name
    if engine in FOREIGN:
        return HeldTold(name=service, engine=engine, address_secret=f"{shop}/{service}/address")
    return HeldTold(
        name=service,
        engine=engine,
        host=f"${{{host_of(instance_of(deployment, service))}}}",
        password_secret=database_secret(shop, service),
    )


def hosts_of(deployment: Deployment, one: EcsService) -> Mapping[str, str]:
    """The words for addresses in what a task is told, each with its instance."""
    return {
        host_of(instance_of(deployment, service)): instance_of(deployment, service)
        for service, engine in one.services.items()
        if engine not in FOREIGN
    }


def audit_told(deployment: Deployment) -> AuditTold:
    """What the task is told that audits all books."""
    return AuditTold(
        shop=deployment.options.name,
        region=REGION,
        services=tuple(
            _held(deployment, name, engine) for name, engine in deployment.services.items()
        ),
    )


def prepare_told(deployment: Deployment) -> PrepareTold:
    """What the task is told that prepares databases and keys."""
    return PrepareTold(
        shop=deployment.options.name,
        region=REGION,
        processes={one.name: tuple(one.services) for one in deployment.ecs_services},
        databases=tuple(
            DatabaseTold(
                service=service,
                host=f"${{{host_of(instance_of(deployment, service))}}}",
                admin_secret=f"${{{admin_of(instance_of(deployment, service))}}}",
            )
            for service, engine in deployment.services.items()
            if engine is Engine.POSTGRES
        ),
        is_tls=deployment.is_tls,
        callers=deployment.options.grpc_callers,
    )
