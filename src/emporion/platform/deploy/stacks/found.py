"""How tasks are found: by our own processes in Cloud Map, by other callers over Service Connect."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_servicediscovery as cloudmap

from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.stacks.pieces import imported
from emporion.platform.deploy.task_words import GRPC_PORT

STREAM_IDLE_S: Final = 3_600


def registry(made: cdk.Stack, deployment: Deployment, one: EcsService) -> Any:
    """Each service that the process holds would be found by its name; ECS takes one registry."""
    entry = cloudmap.CfnService(
        made,
        "Registry",
        name=one.name,
        namespace_id=imported(deployment, "namespace"),
        dns_config=cloudmap.CfnService.DnsConfigProperty(
            dns_records=[cloudmap.CfnService.DnsRecordProperty(type="SRV", ttl=10)],
            routing_policy="MULTIVALUE",
        ),
        health_check_custom_config=cloudmap.CfnService.HealthCheckCustomConfigProperty(
            failure_threshold=1
        ),
    )
    return ecs.CfnService.ServiceRegistryProperty(
        registry_arn=entry.attr_arn, container_name=one.name, container_port=GRPC_PORT
    )


def service_connect(deployment: Deployment, one: EcsService) -> dict[str, Any]:
    """For gRPC callers that are not ours. No timeout of its own, or it would cut long streams."""
    if not (one.service_connect and one.callers):
        return {}
    made = ecs.CfnService
    return {
        "service_connect_configuration": made.ServiceConnectConfigurationProperty(
            enabled=True,
            namespace=imported(deployment, "namespace-arn"),
            services=[
                made.ServiceConnectServiceProperty(
                    port_name="grpc",
                    discovery_name=f"{one.name}-grpc",
                    client_aliases=[
                        made.ServiceConnectClientAliasProperty(
                            dns_name=f"{one.name}-grpc", port=GRPC_PORT
                        )
                    ],
                    timeout=made.TimeoutConfigurationProperty(
                        idle_timeout_seconds=STREAM_IDLE_S,
                        # It sees no requests in what is encrypted.
                        per_request_timeout_seconds=None if deployment.is_tls else 0,
                    ),
                )
            ],
        )
    }
