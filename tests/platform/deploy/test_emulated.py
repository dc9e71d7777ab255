"""The committed templates go into an emulator of AWS by real requests, and are read back.

See emulator.py for what moto's CloudFormation does not know and how that is made instead.
"""

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from emporion.chassis.brokers.aws.names import dead_letters_of, queue_of, topic_of
from emporion.platform.deploy.deployment import Deployment
from tests.platform.deploy.emulator import Emulator
from tests.platform.deploy.shops import committed_deployment, committed_templates

ORDER = ("network", "data", "bus", "tasks", "audit", "dashboard")


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return committed_deployment()


@pytest.fixture(scope="module")
def aws(deployment: Deployment) -> Iterator[Emulator]:
    """An emulator into which all stacks were deployed."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        emulator = Emulator(f"http://{host}:{port}")
        templates = committed_templates()
        for name in (*ORDER, *(one.name for one in deployment.deployed)):
            emulator.deploy(f"emporion-{name}", templates[f"emporion-{name}"])
        yield emulator
    server.stop()


def test_every_service_of_the_manifests_runs_as_often_as_they_say(aws, deployment):
    names = [one.name for one in deployment.deployed]
    found = []
    for start in range(0, len(names), 10):
        asked = aws.client("ecs").describe_services(
            cluster="emporion", services=names[start : start + 10]
        )
        found += asked["services"]

    assert {one["serviceName"]: one["desiredCount"] for one in found} == {
        one.name: one.desired_count for one in deployment.deployed
    }
    for one in found:
        assert len(one["loadBalancers"]) == 1
        assert len(one["serviceRegistries"]) == (0 if one["serviceName"] == "web" else 1)


def test_task_definitions_have_the_size_of_the_manifest_and_no_root(aws, deployment):
    for one in deployment.ecs_services:
        task = aws.client("ecs").describe_task_definition(taskDefinition=f"emporion-{one.name}")
        definition = task["taskDefinition"]
        shop = definition["containerDefinitions"][0]

        assert (definition["cpu"], definition["memory"]) == (str(one.cpu), str(one.memory))
        assert shop["image"].endswith("/emporion:v1")
        assert shop["user"] == "10001:10001"
        assert shop["readonlyRootFilesystem"]
        assert shop["healthCheck"]["command"][0] == "CMD"
        assert {port["containerPort"] for port in shop["portMappings"]} == {8_080, 9_090}


def test_order_scales_from_2_to_20_at_70_percent_of_cpu_by_requests_and_by_backlog(aws):
    scaling = aws.client("application-autoscaling")
    resource = "service/emporion/order"
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)
    tracked = {
        one["PolicyName"]: one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        for one in policies["ScalingPolicies"]
    }

    (only,) = target["ScalableTargets"]
    assert (only["MinCapacity"], only["MaxCapacity"]) == (2, 20)
    assert tracked == {"cpu": 70, "requests": 1_500, "backlog": 1_000, "looplag": 0.1}


def test_every_area_of_the_contracts_leads_to_its_service(aws):
    listener = aws.exports["emporion-listener"]
    rules = aws.client("elbv2").describe_rules(ListenerArn=listener)["Rules"]
    paths = {
        path: rule["Actions"][0]["TargetGroupArn"].split("/")[-2]
        for rule in rules
        for condition in rule["Conditions"]
        for path in condition["PathPatternConfig"]["Values"]
    }

    assert paths["/api/orders*"] == "emporion-order"
    assert paths["/api/cart*"] == "emporion-order"
    assert paths["/api/products*"] == "emporion-catalog"
    assert paths["/api/payments*"] == "emporion-payment"
    assert paths["/.well-known/jwks.json*"] == "emporion-user"
    groups = aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert {group["HealthCheckPath"] for group in groups} == {"/readyz"}
    assert {group["TargetType"] for group in groups} == {"ip"}


def test_pages_lead_to_the_web_process_where_a_visitor_stays_with_one_task(aws, deployment):
    elb = aws.client("elbv2")
    rules = elb.describe_rules(ListenerArn=aws.exports["emporion-listener"])["Rules"]
    led = {
        path: int(rule["Priority"])
        for rule in rules
        for condition in rule["Conditions"]
        for path in condition["PathPatternConfig"]["Values"]
        if rule["Actions"][0]["TargetGroupArn"].split("/")[-2] == "emporion-web"
    }
    others = [
        int(rule["Priority"])
        for rule in rules
        if rule["Priority"] != "default" and int(rule["Priority"]) not in led.values()
    ]
    targets = committed_templates()["emporion-web"]["Resources"]["Targets"]["Properties"]
    said = targets["TargetGroupAttributes"]  # moto forgets them
    attributes = {one["Key"]: one["Value"] for one in said}
    task = aws.client("ecs").describe_task_definition(taskDefinition="emporion-web")
    (container,) = task["taskDefinition"]["containerDefinitions"]
    told = {one["name"]: one["value"] for one in container["environment"]}

    assert {"/", "/products*", "/cart*", "/checkout*", "/sign-in*", "/console*"} <= {*led}
    assert min(led.values()) > max(others)  # what the contracts name is looked at first
    assert not any("metrics" in path or "readyz" in path for path in led)
    assert (attributes["stickiness.enabled"], attributes["stickiness.type"]) == (
        "true",
        "lb_cookie",
    )
    assert container["command"] == ["task", "pages"]
    assert json.loads(told["EMPORION_PAGES"])["shop"] == "https://shop.example.com"
    order = aws.client("ecs").describe_task_definition(taskDefinition="emporion-order")
    words = order["taskDefinition"]["containerDefinitions"][0]["environment"][0]["value"]
    ways_out = aws.exports["emporion-ways-out"]
    assert json.loads(words)["trusted_proxies"] == f"10.20.0.0/16,{ways_out}"


def test_the_balancer_speaks_https_and_redirects_the_rest(aws):
    elb = aws.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["emporion"])["LoadBalancers"][0]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]

    assert {(one["Port"], one["Protocol"]) for one in listeners} == {(80, "HTTP"), (443, "HTTPS")}
    plain = next(one for one in listeners if one["Port"] == 80)
    assert plain["DefaultActions"][0]["Type"] == "redirect"


def test_every_service_is_registered_in_cloud_map(aws, deployment):
    found = aws.client("servicediscovery").list_services()["Services"]

    assert {one["Name"] for one in found} == {one.name for one in deployment.ecs_services}


def test_topics_and_queues_are_those_that_the_broker_looks_for(aws, deployment):
    topics = {one["TopicArn"] for one in aws.client("sns").list_topics()["Topics"]}
    queues = {url.rpartition("/")[2] for url in aws.client("sqs").list_queues()["QueueUrls"]}
    names = [queue_of("emporion", link.source, link.subscriber) for link in deployment.links]

    for source in deployment.publishers:
        assert f"arn:aws:sns:us-east-1:123456789012:{topic_of('emporion', source)}" in topics
    assert queues == {*names, *(dead_letters_of(name) for name in names)}
    subscriptions = aws.client("sns").list_subscriptions()["Subscriptions"]
    assert len(subscriptions) == len(deployment.links)


def test_an_event_published_to_a_topic_arrives_in_the_subscribers_queue(aws):
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = f"arn:aws:sns:us-east-1:123456789012:{topic_of('emporion', 'order')}"
    sns.publish(
        TopicArn=topic,
        Message="{}",
        MessageGroupId="ord_1",
        MessageDeduplicationId="evt_1",
        MessageAttributes={
            "emporion-name": {"DataType": "String", "StringValue": "orders.refunded"}
        },
    )

    def waiting(subscriber: str) -> int:
        url = sqs.get_queue_url(QueueName=queue_of("emporion", "order", subscriber))["QueueUrl"]
        return len(sqs.receive_message(QueueUrl=url).get("Messages", ()))

    assert waiting("email") == 1
    assert waiting("inventory") == 0  # its filter takes orders.created only


def test_alarms_watch_every_service_and_every_queue_of_dead_letters(aws, deployment):
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    alarms = {one["AlarmName"]: one for page in pages for one in page["MetricAlarms"]}

    for one in deployment.ecs_services:
        for what in ("errors", "latency", "unhealthy", "at-its-limit"):
            assert f"emporion-{one.name}-{what}" in alarms
    for link in deployment.links:
        name = f"emporion-{link.subscriber}-dead-letters-from-{link.source}"
        assert alarms[name]["AlarmActions"] == [aws.exports["emporion-alarms"]]


def test_alarms_watch_what_processes_tell_themselves(aws, deployment):
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    alarms = {one["AlarmName"]: one for page in pages for one in page["MetricAlarms"]}
    watched = {
        name.removeprefix("emporion-"): (one["MetricName"], one["Dimensions"][0]["Value"])
        for name, one in alarms.items()
        if one.get("Namespace") == "Emporion"
    }

    assert watched["order-saga-age"] == ("sagas_oldest_seconds", "order")
    assert alarms["emporion-order-saga-age"]["Threshold"] == 900
    assert watched["email-set-aside"] == ("dead_letters", "email")
    assert watched["payment-call-latency"] == ("latency_ms_p99", "payment")
    assert watched["audit-failed"] == ("audit_violations", "emporion")
    assert watched["audit-missing"] == ("audit_runs", "emporion")
    assert alarms["emporion-audit-missing"]["TreatMissingData"] == "breaching"
    with_sagas = {name for name in watched if name.endswith("-saga-age")}
    assert with_sagas == {f"{name}-saga-age" for name in ("fraud", "order", "shipping", "user")}
    failed, asked, _ = alarms["emporion-payment-call-errors"]["Metrics"]
    for one, metric in ((failed, "faults"), (asked, "requests")):
        assert one["MetricStat"]["Metric"]["MetricName"] == metric
    for name in watched:
        assert alarms[f"emporion-{name}"]["AlarmActions"] == [aws.exports["emporion-alarms"]]


def test_the_audit_runs_every_six_hours_in_a_group_of_its_own(aws):
    events = aws.client("events")
    rule = events.describe_rule(Name="emporion-audit")
    (target,) = events.list_targets_by_rule(Rule="emporion-audit")["Targets"]
    said = target["EcsParameters"]
    task = aws.client("ecs").describe_task_definition(taskDefinition="emporion-audit")
    (container,) = task["taskDefinition"]["containerDefinitions"]

    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(6 hours)", "ENABLED")
    assert target["Arn"].endswith(":cluster/emporion")
    assert said["TaskDefinitionArn"] == task["taskDefinition"]["taskDefinitionArn"]
    network = said["NetworkConfiguration"]["awsvpcConfiguration"]
    assert network["SecurityGroups"] == [aws.exports["emporion-group-audit"]]
    assert network["AssignPublicIp"] == "DISABLED"
    assert container["command"] == ["task", "audit"]


def test_every_task_that_serves_tells_metrics_and_traces(aws, deployment):
    for one in deployment.ecs_services:
        task = aws.client("ecs").describe_task_definition(taskDefinition=f"emporion-{one.name}")
        shop, collector = task["taskDefinition"]["containerDefinitions"]
        said = {entry["name"]: entry["value"] for entry in shop["environment"]}

        assert said["EMPORION_EMF"] == "true"
        assert said["EMPORION_TRACE_IDS"] == "xray"
        assert said["EMPORION_OTLP_URL"] == "http://127.0.0.1:4318"
        assert "127.0.0.1:4318" in collector["environment"][0]["value"]


def test_the_dashboard_shows_sagas_audit_and_every_route(aws):
    body = aws.client("cloudwatch").get_dashboard(DashboardName="emporion")["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    shown = {
        metric[1]
        for one in widgets
        for metric in one["properties"].get("metrics", ())
        if metric[0] == "Emporion"
    }
    (routes,) = [one["properties"]["query"] for one in widgets if one["type"] == "log"]

    assert {"sagas_oldest_seconds", "audit_violations", "latency_ms_p99", "faults"} <= shown
    assert "SOURCE '/emporion/order'" in routes
    assert "by verb, route" in routes


def test_only_the_edges_of_the_contracts_are_open_between_services(aws, deployment):
    groups = {
        name.removeprefix("emporion-group-"): identity
        for name, identity in aws.exports.items()
        if name.startswith("emporion-group-")
    }
    names = {identity: name for name, identity in groups.items()}
    found = aws.client("ec2").describe_security_groups(GroupIds=[*groups.values()])
    open_edges = {
        (names[pair["GroupId"]], names[group["GroupId"]])
        for group in found["SecurityGroups"]
        for permission in group["IpPermissions"]
        for pair in permission["UserIdGroupPairs"]
        if permission["FromPort"] == 9_090
    }

    assert open_edges == {
        (one.name, callee) for one in deployment.ecs_services for callee in one.callees
    }
    assert ("order", "payment") in open_edges
    assert ("email", "payment") not in open_edges


def test_tasks_call_each_other_over_tls_and_only_prepare_reads_the_authority(aws, deployment):
    names = {one["Name"] for one in listed(aws.client("secretsmanager"))}
    for one in deployment.ecs_services:
        task = aws.client("ecs").describe_task_definition(taskDefinition=f"emporion-{one.name}")
        shop = task["taskDefinition"]["containerDefinitions"][0]
        told = next(e["value"] for e in shop["environment"] if e["name"] == "EMPORION_TASK")
        ports = {port["name"]: port.get("appProtocol") for port in shop["portMappings"]}

        assert json.loads(told)["is_tls"]
        assert ports == {"http": "http", "grpc": None}
        assert f"emporion/{one.name}/tls" in names
    assert "emporion/authority" in names
    readers = {
        logical
        for template in committed_templates().values()
        for logical, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role" and "emporion/authority" in json.dumps(resource)
    }
    assert readers == {"PrepareTaskRole"}


def listed(secrets):
    return [
        one
        for page in secrets.get_paginator("list_secrets").paginate()
        for one in page["SecretList"]
    ]


def test_secrets_are_generated_and_no_template_holds_one(aws):
    secrets = aws.client("secretsmanager")
    first = secrets.get_secret_value(SecretId="emporion/order/database")["SecretString"]
    other = secrets.get_secret_value(SecretId="emporion/payment/database")["SecretString"]

    assert '"username": "order"' in first
    assert first.partition("password")[2] != other.partition("password")[2]
