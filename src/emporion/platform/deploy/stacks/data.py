"""Databases and secrets: each service has its own, and no other may read them."""

import json
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secrets

from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.options import Size
from emporion.platform.deploy.stacks.pieces import export, imported, imported_list, stack, word
from emporion.platform.deploy.task_words import FOREIGN, GENERATED, VAULT, instances_of

POSTGRES_VERSION: Final = "17.6"
BACKUP_DAYS: Final = 14
VAULT_BACKUP_DAYS: Final = 1
"""As long as a backup of the vault is kept, an erasure of a person can be undone."""
ADMIN: Final = "shop_admin"
GENERATED_LENGTH: Final = 40


def data_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """What must never be deleted by mistake: it is kept when the stack goes."""
    made = stack(app, deployment, "data")
    _databases(made, deployment)
    _secrets(made, deployment)
    return made


def _databases(made: cdk.Stack, deployment: Deployment) -> None:
    subnets = rds.CfnDBSubnetGroup(
        made,
        "DataSubnets",
        db_subnet_group_description="closed subnets",
        subnet_ids=imported_list(deployment, "data-subnets"),
    )
    parameters = rds.CfnDBParameterGroup(
        made,
        "DatabaseParameters",
        family=f"postgres{POSTGRES_VERSION.partition('.')[0]}",
        description="TLS only; what takes long is logged",
        parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
    )
    for name in instances_of(deployment):
        instance = _instance(made, deployment, name, subnets=subnets, parameters=parameters)
        export(made, deployment, f"database-{name}", instance.attr_endpoint_address)
        export(
            made, deployment, f"database-{name}-admin", instance.attr_master_user_secret_secret_arn
        )


def _instance(
    made: cdk.Stack, deployment: Deployment, name: str, *, subnets: Any, parameters: Any
) -> Any:
    options = deployment.options
    instance = rds.CfnDBInstance(
        made,
        f"{word(name)}Database",
        db_instance_identifier=f"{options.name}-{name}",
        engine="postgres",
        engine_version=POSTGRES_VERSION,
        db_instance_class=options.database_class,
        allocated_storage=str(options.database_gb),
        max_allocated_storage=options.database_gb * 10,
        storage_type="gp3",
        storage_encrypted=True,
        multi_az=options.size is Size.LARGE,
        publicly_accessible=False,
        db_subnet_group_name=subnets.ref,
        db_parameter_group_name=parameters.ref,
        vpc_security_groups=[imported(deployment, "group-data")],
        master_username=ADMIN,
        manage_master_user_password=True,
        backup_retention_period=VAULT_BACKUP_DAYS if name == VAULT else BACKUP_DAYS,
        copy_tags_to_snapshot=True,
        deletion_protection=True,
        auto_minor_version_upgrade=True,
        enable_performance_insights=True,
        enable_cloudwatch_logs_exports=["postgresql"],
    )
    # A last snapshot has no end; of the vault there is none, and the instance itself stays.
    kept = cdk.CfnDeletionPolicy.RETAIN if name == VAULT else cdk.CfnDeletionPolicy.SNAPSHOT
    instance.cfn_options.deletion_policy = kept
    instance.cfn_options.update_replace_policy = kept
    return instance


def _secrets(made: cdk.Stack, deployment: Deployment) -> None:
    """Passwords and keys that nobody ever types, and empty places for what people bring."""
    for name, engine in deployment.services.items():
        if engine in FOREIGN:
            _filled_in(made, deployment, f"{name}/address", f"where {name}'s {engine} is")
        else:
            _generated(made, deployment, f"{name}/database", f"{name}'s password", user=name)
    for one in deployment.ecs_services:
        _generated(made, deployment, f"{one.name}/identity", f"proves that a caller is {one.name}")
    for setting in dict.fromkeys(name for one in deployment.ecs_services for name in one.secrets):
        if setting in GENERATED:
            _generated(made, deployment, f"settings/{setting}", f"the setting {setting}")
        else:
            _filled_in(made, deployment, f"settings/{setting}", f"the setting {setting}")
    _filled_in(made, deployment, "trust", "public keys of all processes")
    if deployment.is_tls:
        _filled_in(made, deployment, "authority", "signs certificates; only `prepare` reads it")
        callers = (f"callers/{name}" for name in deployment.options.grpc_callers)
        for name in (*(one.name for one in deployment.ecs_services), *callers):
            _filled_in(made, deployment, f"{name}/tls", f"the certificate of {name}")


def _generated(
    made: cdk.Stack, deployment: Deployment, name: str, text: str, *, user: str = ""
) -> None:
    template = {"username": user} if user else {}
    _kept(
        secrets.CfnSecret(
            made,
            f"{_words(name)}Secret",
            name=f"{deployment.options.name}/{name}",
            description=text,
            generate_secret_string=secrets.CfnSecret.GenerateSecretStringProperty(
                secret_string_template=json.dumps(template),
                generate_string_key="password",
                password_length=GENERATED_LENGTH,
                exclude_punctuation=True,
            ),
        )
    )


def _filled_in(made: cdk.Stack, deployment: Deployment, name: str, text: str) -> None:
    """One whose value is put in later; what is put in stays at the next deployment."""
    _kept(
        secrets.CfnSecret(
            made,
            f"{_words(name)}Secret",
            name=f"{deployment.options.name}/{name}",
            description=text,
            secret_string="{}",  # noqa: S106 - empty: what is to be secret is not written here
        )
    )


def _kept(secret: Any) -> None:
    secret.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.RETAIN
    secret.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN


def _words(name: str) -> str:
    return word(name.replace("/", "-"))
