"""The network: subnets, ways out, load balancer, cluster, and who may talk to whom."""

from collections.abc import Collection
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_servicediscovery as cloudmap
from aws_cdk import aws_sns as sns

from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.options import Size
from emporion.platform.deploy.stacks.pieces import export, stack, word
from emporion.platform.deploy.task_words import GRPC_PORT, NETWORK
from emporion.platform.topology.kinds import Engine

TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
POSTGRES_PORT: Final = 5_432
MONGODB_PORT: Final = 27_017
HTTPS_PORT: Final = 443
PREPARING: Final = "prepare"
AUDITING: Final = "audit"
ANYWHERE: Final = "0.0.0.0/0"
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
    groups = _security_groups(made, deployment, vpc)
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
    nats = [_nat(made, zone, found["Public"][zone], attached) for zone in range(ways)]
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


def _nat(made: cdk.Stack, zone: int, subnet: Any, attached: Any) -> Any:
    address = ec2.CfnEIP(made, f"NatAddress{zone}", domain="vpc")
    address.add_resource_dependency(attached)
    return ec2.CfnNatGateway(
        made, f"Nat{zone}", subnet_id=subnet.ref, allocation_id=address.attr_allocation_id
    )


def _security_groups(made: cdk.Stack, deployment: Deployment, vpc: Any) -> dict[str, Any]:
    """One for each ECS service; a rule for each edge that the contracts declare."""
    groups = {"balancer": _group(made, vpc, "balancer", "the load balancer")}
    groups["data"] = _group(made, vpc, "data", "the databases")
    for one in deployment.ecs_services:
        groups[one.name] = _group(made, vpc, one.name, f"tasks of {one.name}")
    groups[PREPARING] = _group(made, vpc, PREPARING, "the task that prepares databases and keys")
    groups[AUDITING] = _group(made, vpc, AUDITING, "the task that audits all books")
    for name, group in groups.items():
        export(made, deployment, f"group-{name}", group.attr_group_id)
    for port in (80, HTTPS_PORT):
        ec2.CfnSecurityGroupIngress(
            made,
            f"BalancerFromAnywhere{port}",
            group_id=groups["balancer"].attr_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ip=ANYWHERE,
            description="people; port 80 only redirects",
        )
    for one in deployment.ecs_services:
        for callee in one.callees:
            _edge(made, groups, one.name, callee, GRPC_PORT)
        _to_data(made, groups, one.name, one.services.values())
    _to_data(made, groups, PREPARING, ())
    _to_data(made, groups, AUDITING, deployment.services.values())
    return groups


def _to_data(
    made: cdk.Stack, groups: dict[str, Any], name: str, engines: Collection[Engine]
) -> None:
    """To the databases, the APIs of AWS, and a MongoDB that somebody else runs."""
    _edge(made, groups, name, "data", POSTGRES_PORT)
    ports = [HTTPS_PORT, *([MONGODB_PORT] if Engine.MONGODB in engines else [])]
    for port in ports:
        _outwards(made, groups[name], f"{word(name)}ToAnywhere{port}", port)


def _group(made: cdk.Stack, vpc: Any, name: str, text: str) -> Any:
    """A group that lets nothing out: its one rule of its own leads nowhere."""
    return ec2.CfnSecurityGroup(
        made,
        f"{word(name)}Group",
        group_description=text,
        vpc_id=vpc.ref,
        security_group_egress=[
            ec2.CfnSecurityGroup.EgressProperty(
                ip_protocol="icmp",
                from_port=252,
                to_port=86,
                cidr_ip="255.255.255.255/32",
                description="nothing, instead of everything",
            )
        ],
    )


def _edge(made: cdk.Stack, groups: dict[str, Any], source: str, target: str, port: int) -> None:
    """Let `source` connect to `target`: a rule at either end."""
    said: dict[str, Any] = {
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port,
        "description": f"{source} calls {target}",
    }
    ec2.CfnSecurityGroupIngress(
        made,
        f"{word(target)}From{word(source)}",
        group_id=groups[target].attr_group_id,
        source_security_group_id=groups[source].attr_group_id,
        **said,
    )
    ec2.CfnSecurityGroupEgress(
        made,
        f"{word(source)}To{word(target)}",
        group_id=groups[source].attr_group_id,
        destination_security_group_id=groups[target].attr_group_id,
        **said,
    )


def _outwards(made: cdk.Stack, group: Any, name: str, port: int) -> None:
    ec2.CfnSecurityGroupEgress(
        made,
        name,
        group_id=group.attr_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        cidr_ip=ANYWHERE,
        description="the APIs of AWS, and services of others",
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
