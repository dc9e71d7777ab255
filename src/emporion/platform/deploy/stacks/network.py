"""The network: subnets, ways out, load balancer, cluster."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_servicediscovery as cloudmap
from aws_cdk import aws_sns as sns

from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.options import Size
from emporion.platform.deploy.stacks.groups import ANYWHERE, HTTPS_PORT, security_groups
from emporion.platform.deploy.stacks.pieces import export, stack
from emporion.platform.deploy.task_words import NETWORK

TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
IDLE_TIMEOUT_S: Final = 60
NOT_FOUND: Final = '{"type":"about:blank","title":"Nothing is there","status":404}'


def network_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """Everything that services stand in; changed seldom."""
    made = stack(app, deployment, "network")
    vpc = ec2.CfnVPC(
        made, "Vpc", cidr_block=NETWORK, enable_dns_hostnames=True, enable_dns_support=True
    )
    export(made, deployment, "vpc", vpc.ref)
    subnets = _subnets(made, deployment, vpc)
    groups = security_groups(made, deployment, vpc)
    _balancer(made, deployment, subnets=subnets["Public"], group=groups["balancer"])
    cluster = ecs.CfnCluster(
        made,
        "Cluster",
        cluster_name=deployment.options.name,
        capacity_providers=["FARGATE", "FARGATE_SPOT"],
        cluster_settings=[
            ecs.CfnCluster.ClusterSettingsProperty(name="containerInsights", value="enabled")
        ],
    )
    export(made, deployment, "cluster", cluster.ref)
    namespace = cloudmap.CfnPrivateDnsNamespace(
        made, "Namespace", name=deployment.namespace, vpc=vpc.ref
    )
    export(made, deployment, "namespace", namespace.attr_id)
    export(made, deployment, "namespace-arn", namespace.attr_arn)
    _alarm_topic(made, deployment)
    return made


def _subnets(made: cdk.Stack, deployment: Deployment, vpc: Any) -> dict[str, list[Any]]:
    """Public ones for balancer and ways out, private ones for tasks, closed ones for data."""
    zones = range(deployment.options.zones)
    gateway = ec2.CfnInternetGateway(made, "InternetGateway")
    attached = ec2.CfnVPCGatewayAttachment(
        made, "InternetAttachment", vpc_id=vpc.ref, internet_gateway_id=gateway.ref
    )
    found: dict[str, list[Any]] = {}
    for number, kind in enumerate(("Public", "Private", "Data")):
        found[kind] = [
            ec2.CfnSubnet(
                made,
                f"{kind}Subnet{zone}",
                vpc_id=vpc.ref,
                cidr_block=f"10.20.{(number * 4 + zone) * 16}.0/20",
                availability_zone=cdk.Fn.select(zone, cdk.Fn.get_azs("")),
                map_public_ip_on_launch=False,
            )
            for zone in zones
        ]
        joined = cdk.Fn.join(",", [subnet.ref for subnet in found[kind]])
        export(made, deployment, f"{kind.lower()}-subnets", joined)
    tables = _tables(made, vpc, found)
    for table in tables["Public"]:
        _way_out(made, table, gateway_id=gateway.ref).add_resource_dependency(attached)
    ways = 1 if deployment.options.size is Size.SMALL else deployment.options.zones
    addresses = [_address(made, zone, attached) for zone in range(ways)]
    nats = [_nat(made, zone, found["Public"][zone], addresses[zone]) for zone in range(ways)]
    if deployment.pages is not None:
        joined = cdk.Fn.join(",", [address.ref for address in addresses])
        export(made, deployment, "ways-out", joined)
    for zone, table in enumerate(tables["Private"]):
        _way_out(made, table, nat_gateway_id=nats[min(zone, ways - 1)].ref)
    ec2.CfnVPCEndpoint(
        made,
        "S3Endpoint",
        vpc_id=vpc.ref,
        service_name=cdk.Fn.sub("com.amazonaws.${AWS::Region}.s3"),
        vpc_endpoint_type="Gateway",
        route_table_ids=[table.ref for table in tables["Private"]],
    )
    return found


def _tables(made: cdk.Stack, vpc: Any, subnets: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """A table of routes for each subnet; those of data have no way out at all."""
    found: dict[str, list[Any]] = {}
    for kind, of_kind in subnets.items():
        found[kind] = []
        for zone, subnet in enumerate(of_kind):
            table = ec2.CfnRouteTable(made, f"{kind}Routes{zone}", vpc_id=vpc.ref)
            ec2.CfnSubnetRouteTableAssociation(
                made, f"{kind}Association{zone}", subnet_id=subnet.ref, route_table_id=table.ref
            )
            found[kind].append(table)
    return found


def _way_out(made: cdk.Stack, table: Any, **through: str) -> Any:
    return ec2.CfnRoute(
        made,
        f"{table.node.id}Out",
        route_table_id=table.ref,
        destination_cidr_block=ANYWHERE,
        **through,
    )


def _address(made: cdk.Stack, zone: int, attached: Any) -> Any:
    address = ec2.CfnEIP(made, f"NatAddress{zone}", domain="vpc")
    address.add_resource_dependency(attached)
    return address


def _nat(made: cdk.Stack, zone: int, subnet: Any, address: Any) -> Any:
    return ec2.CfnNatGateway(
        made, f"Nat{zone}", subnet_id=subnet.ref, allocation_id=address.attr_allocation_id
    )


def _balancer(made: cdk.Stack, deployment: Deployment, *, subnets: list[Any], group: Any) -> None:
    certificate = cdk.CfnParameter(
        made, "CertificateArn", description="The certificate of the shop's domain, from ACM."
    )
    balancer = elb.CfnLoadBalancer(
        made,
        "Balancer",
        name=deployment.options.name,
        type="application",
        scheme="internet-facing",
        subnets=[subnet.ref for subnet in subnets],
        security_groups=[group.attr_group_id],
        load_balancer_attributes=[
            elb.CfnLoadBalancer.LoadBalancerAttributeProperty(key=key, value=value)
            for key, value in (
                ("routing.http.drop_invalid_header_fields.enabled", "true"),
                ("idle_timeout.timeout_seconds", str(IDLE_TIMEOUT_S)),
                ("deletion_protection.enabled", "true"),
            )
        ],
    )
    https = elb.CfnListener(
        made,
        "Https",
        load_balancer_arn=balancer.ref,
        port=HTTPS_PORT,
        protocol="HTTPS",
        ssl_policy=TLS_POLICY,
        certificates=[
            elb.CfnListener.CertificateProperty(certificate_arn=certificate.value_as_string)
        ],
        default_actions=[_nothing_there()],
    )
    _redirect(made, balancer)
    export(made, deployment, "listener", https.ref)
    export(made, deployment, "balancer-name", balancer.attr_load_balancer_full_name)
    export(made, deployment, "address", balancer.attr_dns_name)


def _nothing_there() -> Any:
    """The answer to a path that no service has."""
    return elb.CfnListener.ActionProperty(
        type="fixed-response",
        fixed_response_config=elb.CfnListener.FixedResponseConfigProperty(
            status_code="404", content_type="application/json", message_body=NOT_FOUND
        ),
    )


def _redirect(made: cdk.Stack, balancer: Any) -> None:
    to_https = elb.CfnListener.RedirectConfigProperty(
        protocol="HTTPS", port=str(HTTPS_PORT), status_code="HTTP_301"
    )
    elb.CfnListener(
        made,
        "Http",
        load_balancer_arn=balancer.ref,
        port=80,
        protocol="HTTP",
        default_actions=[elb.CfnListener.ActionProperty(type="redirect", redirect_config=to_https)],
    )


def _alarm_topic(made: cdk.Stack, deployment: Deployment) -> None:
    """Where alarms go; whoever is on call subscribes."""
    # Not encrypted by the key `aws/sns`: CloudWatch may not use that, and alarms would be lost.
    topic = sns.CfnTopic(made, "Alarms", topic_name=f"{deployment.options.name}-alarms")
    export(made, deployment, "alarms", topic.ref)
