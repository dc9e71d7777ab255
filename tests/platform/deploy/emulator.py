"""The committed templates, deployed into an emulator of AWS by real requests.

moto's CloudFormation knows most types of resources, and these stacks are created with it. What it
does not know (LATER, EARLIER below) is left out of the stack and made by the service's own API,
with the properties of the template; the emulator's CloudFormation resolves their functions. Nothing
runs: moto has no containers, no health checks and no traffic.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3

REGION = "us-east-1"
EARLIER = frozenset(
    {
        "AWS::ServiceDiscovery::PrivateDnsNamespace",
        "AWS::ServiceDiscovery::Service",
        "AWS::SecretsManager::Secret",
    }
)
"""Others of the stack refer to them."""
LATER = (
    "AWS::ECS::TaskDefinition",  # moto forgets its size
    "AWS::ECS::Service",  # moto forgets its registry
    "AWS::EC2::SecurityGroupEgress",
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::Subscription",
    "AWS::CloudWatch::Alarm",
    "AWS::Events::Rule",  # moto takes no target that is a task
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
)
"""They refer to others of the stack; in this order."""
NOT_IN_MOTO = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:rds-not-in-moto"
"""In place of the secret that RDS makes for its administrator."""


class Emulator:
    """Clients of one emulator, and what was deployed into it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: dict[str, Any] = {}
        self._made: dict[str, dict[str, str]] = {}
        self.exports: dict[str, str] = {}
        asked = self.client("acm").request_certificate(DomainName="shop.example.com")
        self._certificate = asked["CertificateArn"]

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = boto3.session.Config(inject_host_prefix=False)
            self._clients[service] = boto3.client(
                service, region_name=REGION, endpoint_url=self._url, config=config
            )
        return self._clients[service]

    def deploy(self, name: str, template: Mapping[str, Any], *, tag: str = "v1") -> None:
        """One stack, its unknown types by their own APIs."""
        resources = template["Resources"]
        self._made = {}
        for logical, resource in resources.items():
            if resource["Type"] in EARLIER:
                properties = self._literal(resource["Properties"])
                self._made[logical] = self._earlier(resource["Type"], properties)
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                self._made[logical] = {"Ref": resource["Properties"]["AlarmName"]}
        later = {
            logical: resource
            for kind in LATER
            for logical, resource in resources.items()
            if resource["Type"] == kind
        }
        known = {
            logical: self._known(resource)
            for logical, resource in resources.items()
            if resource["Type"] not in EARLIER and logical not in later
        }
        asked = _Asked(frozenset(later))
        wanted = {
            logical: asked.replaced(self._known(resource["Properties"]))
            for logical, resource in later.items()
        }
        outputs = self._known(template.get("Outputs", {})) | asked.outputs
        found = self._stack(name, {**template, "Resources": known, "Outputs": outputs}, tag)
        for logical, resource in later.items():
            properties = asked.answered(self._known(wanted[logical]), found)
            self._made[logical] = self._later(resource["Type"], properties)
        for output in template.get("Outputs", {}).values():
            export = output["Export"]["Name"]
            self.exports[export] = self._export(export)

    def _stack(self, name: str, template: Mapping[str, Any], tag: str) -> dict[str, str]:
        cloudformation = self.client("cloudformation")
        offered = {"ImageTag": tag, "CertificateArn": self._certificate}
        body = json.dumps(template)
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=body,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": offered[key]}
                for key in template.get("Parameters", {})
                if key in offered
            ],
        )
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}

    def _export(self, name: str) -> str:
        pages = self.client("cloudformation").get_paginator("list_exports").paginate()
        exports = {one["Name"]: one["Value"] for page in pages for one in page["Exports"]}
        return str(exports[name])

    def _known(self, value: Any) -> Any:  # noqa: PLR0911 - a row of a table each
        """The same with references to what is made already, and to what moto lacks, put in."""
        match value:
            case {"Ref": str(logical)} if logical in self._made:
                return self._made[logical]["Ref"]
            case {"Fn::GetAtt": [logical, attribute]} if logical in self._made:
                return self._made[logical][attribute]
            case {"Fn::GetAtt": [_, "MasterUserSecret.SecretArn"]}:
                return NOT_IN_MOTO
            case {"Fn::GetAtt": [logical, "LoadBalancerFullName"]}:
                return _end_of(logical, "loadbalancer/")
            case {"Fn::GetAtt": [logical, "TargetGroupFullName"]}:
                return {"Fn::Join": ["", ["targetgroup/", _end_of(logical, "targetgroup/")]]}
            case {"DBParameterGroupName": _}:  # moto fails at a reference to one
                rest = {key: one for key, one in value.items() if key != "DBParameterGroupName"}
                return self._known(rest)
            case dict():
                return {key: self._known(inner) for key, inner in value.items()}
            case list():
                return [self._known(inner) for inner in value]
            case _:
                return value

    def _literal(self, value: Any) -> Any:
        """The same with imports and references put in; what is made earlier has no other."""
        match self._known(value):
            case {"Fn::ImportValue": str(name)}:
                return self.exports[name]
            case {"Ref": "Vpc"}:
                return "vpc-0"
            case dict() as inner:
                return {key: self._literal(one) for key, one in inner.items()}
            case list() as inner:
                return [self._literal(one) for one in inner]
            case other:
                return other

    def _earlier(self, kind: str, properties: Mapping[str, Any]) -> dict[str, str]:
        if kind == "AWS::SecretsManager::Secret":
            return self._secret(properties)
        discovery = self.client("servicediscovery")
        if kind == "AWS::ServiceDiscovery::PrivateDnsNamespace":
            discovery.create_private_dns_namespace(Name=properties["Name"], Vpc=properties["Vpc"])
            found = discovery.list_namespaces()["Namespaces"]
            own = next(one for one in found if one["Name"] == properties["Name"])
            return {"Ref": own["Id"], "Id": own["Id"], "Arn": own["Arn"]}
        service = discovery.create_service(**properties)["Service"]
        return {"Ref": service["Id"], "Id": service["Id"], "Arn": service["Arn"]}

    def _secret(self, properties: Mapping[str, Any]) -> dict[str, str]:
        secrets = self.client("secretsmanager")
        generated = properties.get("GenerateSecretString")
        said = properties.get("SecretString", "")
        if generated:
            password = secrets.get_random_password(
                PasswordLength=generated["PasswordLength"],
                ExcludePunctuation=generated["ExcludePunctuation"],
            )["RandomPassword"]
            template = json.loads(generated["SecretStringTemplate"])
            said = json.dumps({**template, generated["GenerateStringKey"]: password})
        made = secrets.create_secret(Name=properties["Name"], SecretString=said)
        return {"Ref": made["ARN"], "Id": made["ARN"]}

    def _later(self, kind: str, properties: Mapping[str, Any]) -> dict[str, str]:
        make: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
            "AWS::ECS::TaskDefinition": self._task_definition,
            "AWS::ECS::Service": self._service,
            "AWS::EC2::SecurityGroupEgress": self._egress,
            "AWS::SQS::QueuePolicy": self._queue_policy,
            "AWS::SNS::Subscription": self._subscription,
            "AWS::CloudWatch::Alarm": self._alarm,
            "AWS::Events::Rule": self._events_rule,
            "AWS::ApplicationAutoScaling::ScalableTarget": self._scalable_target,
            "AWS::ApplicationAutoScaling::ScalingPolicy": self._scaling_policy,
        }
        return make[kind](properties)

    def _task_definition(self, properties: Mapping[str, Any]) -> dict[str, str]:
        made = self.client("ecs").register_task_definition(**_in_words_of_ecs(properties))
        return {"Ref": made["taskDefinition"]["taskDefinitionArn"]}

    def _service(self, properties: Mapping[str, Any]) -> dict[str, str]:
        said = {**_in_words_of_ecs(properties), "desiredCount": int(properties["DesiredCount"])}
        made = self.client("ecs").create_service(**said)["service"]
        return {"Ref": made["serviceArn"], "Name": made["serviceName"]}

    def _egress(self, properties: Mapping[str, Any]) -> dict[str, str]:
        permission = {key: properties[key] for key in ("IpProtocol", "FromPort", "ToPort")}
        if "CidrIp" in properties:
            permission["IpRanges"] = [{"CidrIp": properties["CidrIp"]}]
        else:
            pairs = [{"GroupId": properties["DestinationSecurityGroupId"]}]
            permission["UserIdGroupPairs"] = pairs
        self.client("ec2").authorize_security_group_egress(
            GroupId=properties["GroupId"], IpPermissions=[permission]
        )
        return {"Ref": ""}

    def _queue_policy(self, properties: Mapping[str, Any]) -> dict[str, str]:
        policy = json.dumps(properties["PolicyDocument"])
        for queue in properties["Queues"]:
            self.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        return {"Ref": ""}

    def _subscription(self, properties: Mapping[str, Any]) -> dict[str, str]:
        made = self.client("sns").subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            Attributes={
                "RawMessageDelivery": str(properties["RawMessageDelivery"]).lower(),
                "FilterPolicy": json.dumps(properties["FilterPolicy"]),
            },
        )
        return {"Ref": made["SubscriptionArn"]}

    def _alarm(self, properties: Mapping[str, Any]) -> dict[str, str]:
        self.client("cloudwatch").put_metric_alarm(**properties)
        return {"Ref": properties["AlarmName"]}

    def _events_rule(self, properties: Mapping[str, Any]) -> dict[str, str]:
        events = self.client("events")
        rule = {key: said for key, said in properties.items() if key != "Targets"}
        targets = json.loads(json.dumps(properties["Targets"]).replace("AwsVpcConf", "awsvpcConf"))
        events.put_rule(**rule)
        events.put_targets(Rule=properties["Name"], Targets=targets)
        return {"Ref": properties["Name"]}

    def _scalable_target(self, properties: Mapping[str, Any]) -> dict[str, str]:
        self.client("application-autoscaling").register_scalable_target(**properties)
        parts = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        return {"Ref": "|".join(properties[part] for part in parts)}

    def _scaling_policy(self, properties: Mapping[str, Any]) -> dict[str, str]:
        said = dict(properties)
        target = said.pop("ScalingTargetId")
        parts = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        said |= dict(zip(parts, target.split("|"), strict=True))
        self.client("application-autoscaling").put_scaling_policy(**said)
        return {"Ref": ""}


def _end_of(logical: str, mark: str) -> dict[str, Any]:
    """What follows a mark in an ARN, where moto does not know the attribute."""
    return {"Fn::Select": [1, {"Fn::Split": [mark, {"Ref": logical}]}]}


def _in_words_of_ecs(value: Any) -> Any:
    """Properties as arguments of its API, which begins names with a small letter."""
    match value:
        case dict():
            return {
                key[0].lower() + key[1:]: one if key == "Options" else _in_words_of_ecs(one)
                for key, one in value.items()
            }
        case list():
            return [_in_words_of_ecs(one) for one in value]
        case _:
            return value


class _Asked:
    """Expressions that the emulator's CloudFormation answers, each as an output of the stack."""

    def __init__(self, not_there: frozenset[str]) -> None:
        self.outputs: dict[str, Any] = {}
        self._not_there = not_there

    def replaced(self, value: Any) -> Any:  # noqa: PLR0911 - a row of a table each
        """The value with every expression noted, and its output named in its place."""
        match value:
            case {"Ref": str(logical)} | {"Fn::GetAtt": [logical, _]} if logical in self._not_there:
                return value
            case {"Fn::Join": [between, parts]}:
                return {"joined": [between, self.replaced(parts)]}
            case {"Fn::Split": [between, text]}:
                return {"split": [between, self.replaced(text)]}
            case dict() if len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::")):
                name = f"Asked{len(self.outputs)}"
                self.outputs[name] = {"Value": value}
                return {"asked": name}
            case dict():
                return {key: self.replaced(inner) for key, inner in value.items()}
            case list():
                return [self.replaced(inner) for inner in value]
            case _:
                return value

    def answered(self, value: Any, found: Mapping[str, str]) -> Any:
        """The value with the answers put in."""
        match value:
            case {"asked": str(name)}:
                return found[name]
            case {"joined": [between, parts]}:
                return between.join(self.answered(parts, found))
            case {"split": [between, text]}:
                return self.answered(text, found).split(between)
            case dict():
                return {key: self.answered(inner, found) for key, inner in value.items()}
            case list():
                return [self.answered(inner, found) for inner in value]
            case _:
                return value
