"""A deployment from topology, manifests and contracts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emporion.platform.cli.main import explain
from emporion.platform.deploy import cost
from emporion.platform.deploy.changes import changes
from emporion.platform.deploy.composing import NotDeployable, compose
from emporion.platform.deploy.listener import ListenerRule, blocks, listener_rules
from emporion.platform.deploy.manifest_file import manifests
from emporion.platform.deploy.options import Options, Size, parse_options
from emporion.platform.deploy.task_words import instance_of, instances_of
from emporion.platform.edge.routes import Route
from emporion.platform.table_file import BadFile
from emporion.platform.topology.kinds import Engine
from tests.platform.deploy.shops import committed_deployment
from tests.system.running import ROOT


def test_processes_call_whom_their_services_call_and_everybody_asks_for_keys():
    order = committed_deployment().ecs_service("order")
    email = committed_deployment().ecs_service("email")

    assert {"catalog", "inventory", "payment", "user"} < set(order.callees)
    assert set(email.callees) == {"user", "vault"}
    assert email.callers == ("order",)  # asks every process for its operations


@pytest.mark.parametrize(
    ("domain", "web", "is_shown"),
    [("shop.test", "on", True), ("shop.test", "off", False), ("", "on", False)],
)
def test_pages_are_shown_at_a_domain_unless_the_topology_says_no(
    tmp_path: Path, domain: str, web: str, is_shown: bool
):
    file = tmp_path / "shop.yaml"
    shipped = (ROOT / "src/emporion/platform/topology/shipped/aws.yaml").read_text()
    file.write_text(f"{shipped}web: {web}\n")

    deployment = compose(Options(topology=str(file), domain=domain), manifests())

    assert (deployment.pages is not None) is is_shown
    assert [one.name for one in deployment.deployed[len(deployment.ecs_services) :]] == (
        ["web"] if is_shown else []
    )


def test_a_service_that_subscribes_to_everything_has_a_queue_for_each_publisher():
    deployment = committed_deployment()

    sources = {link.source for link in deployment.ecs_service("webhook").links}

    assert sources == set(deployment.publishers)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("bus: nats\ndiscovery: {kind: cloud-map, namespace: shop.internal}", "bus: sns-sqs"),
        ("bus: sns-sqs\ndiscovery: registry", "by cloud-map"),
        (
            "bus: sns-sqs\ndiscovery: {kind: cloud-map, namespace: shop.internal}",
            "is on SQLite, but the disk",
        ),
        (
            "bus: sns-sqs\ndiscovery: {kind: cloud-map, namespace: shop.internal}\nfaults: on",
            "take `faults: on` out",
        ),
    ],
)
def test_a_topology_that_ecs_cannot_run_is_refused(tmp_path: Path, lines: str, said: str):
    file = tmp_path / "shop.yaml"
    names = ", ".join(manifests())
    engine = "sqlite" if "SQLite" in said else "postgres"
    file.write_text(f"processes: {{all: [{names}]}}\nengines: {engine}\n{lines}\n")

    with pytest.raises(NotDeployable, match=said):
        compose(Options(topology=str(file)), manifests())


def test_a_manifest_that_disagrees_with_the_topology_is_named():
    ours = dict(manifests())
    ours["order"] = replace(ours["order"], engine=Engine.MONGODB)

    with pytest.raises(BadFile) as caught:
        compose(Options(), ours)

    assert explain(caught.value) == (
        "order/service.yaml:1: engine: says mongodb, but the topology postgres"
    )


def test_services_that_share_a_process_share_a_task_that_holds_them(tmp_path: Path):
    file = tmp_path / "shop.yaml"
    names = [name for name in manifests() if name not in ("order", "payment")]
    file.write_text(
        f"processes: {{core: [order, payment], rest: [{', '.join(names)}]}}\nengines: postgres\n"
        "bus: sns-sqs\ndiscovery: {kind: cloud-map, namespace: shop.internal}\n"
    )

    core = compose(Options(topology=str(file)), manifests()).ecs_service("core")

    assert (core.cpu, core.memory) == (1_024, 2_048)
    assert core.owners == ("checkout", "payments")
    assert core.secrets == ("payment_method_key", "payment_key", "payment_webhook_secret")


def test_a_path_inside_anothers_area_has_a_rule_before_the_area():
    routes = [
        Route("GET", "/api/orders/[^/]+/parcels", "shipping"),
        Route("POST", "/api/orders/[^/]+/parcels", "shipping"),
        Route("GET", "/api/orders", "order"),
        Route("", "/api/orders", "order", is_prefix=True),
    ]

    rules = listener_rules(routes, {"order": 0, "shipping": 1})

    assert rules["shipping"] == (ListenerRule(21, ("/api/orders/*/parcels",), ("GET", "POST")),)
    assert rules["order"] == (ListenerRule(20_001, ("/api/orders*",)),)


def test_areas_that_begin_alike_are_told_apart_and_a_rule_names_five_paths_at_most():
    areas = ["/api/order", "/api/orders", *(f"/api/a{n}" for n in range(3))]
    routes = [Route("", area, "order", is_prefix=True) for area in areas]

    first, second = listener_rules(routes, {"order": 0})["order"]

    assert first.paths[:3] == ("/api/order", "/api/order/*", "/api/orders*")
    assert (len(first.paths), len(second.paths)) == (5, 1)
    assert second.priority == first.priority + 1


def test_a_new_process_moves_no_rule_of_another():
    names = list(manifests())

    before, after = blocks(names), blocks([*names, "loyalty"])

    assert {name: after[name] for name in names} == before
    assert len(set(after.values())) == len(after)


def test_what_changed_is_said_by_property():
    before: dict[str, Any] = {
        "order": {"Resources": {"Task": {"Properties": {"Cpu": "512", "Memory": "1024"}}}}
    }
    after: dict[str, Any] = {
        "order": {"Resources": {"Task": {"Properties": {"Cpu": "1024", "Memory": "1024"}}}},
        "email": {"Resources": {"Logs": {}}},
    }

    shown = [change.show() for change in changes(before, after)]

    assert shown == ["+ email: Logs", "~ order: Task: Cpu"]
    assert [change.how for change in changes(after, before)] == ["-", "~"]
    assert changes(after, after) == []


def test_a_bigger_task_costs_more_and_only_that_service():
    of, before = cost.prices(), committed_deployment()
    ours = dict(manifests())
    ours["order"] = replace(ours["order"], cpu=1_024, memory=2_048)
    after = compose(before.options, ours)

    was = {item.what: item.usd_month for item in cost.bill(before, of)}
    is_now = {item.what: item.usd_month for item in cost.bill(after, of)}

    assert [what for what in was if was[what] != is_now[what]] == ["order"]
    assert is_now["order"] - was["order"] == pytest.approx(3 * (0.5 * 0.04048 + 0.004445) * 730)


@pytest.mark.parametrize("size", Size)
def test_the_vault_has_an_instance_of_its_own_in_every_size(size: Size):
    small = committed_deployment()
    sized = replace(small, options=replace(small.options, size=size))

    there = [name for name in sized.services if instance_of(sized, name) == "vault"]

    assert there == ["vault"]
    assert "vault" in instances_of(sized)


def test_a_small_shop_pays_for_the_instance_of_the_vault_too():
    databases = [
        item
        for item in cost.bill(committed_deployment(), cost.prices())
        if item.what == "databases"
    ]

    assert databases[0].why.startswith("2 x 1 db.t4g.medium")
    assert databases[0].usd_month == pytest.approx(2 * (0.065 * 730 + 50 * 0.115))


def test_a_large_shop_pays_for_two_copies_of_every_database():
    of, small = cost.prices(), committed_deployment()
    large = replace(small, options=replace(small.options, size=Size.LARGE))

    databases = [item for item in cost.bill(large, of) if item.what == "databases"]

    assert databases[0].why.startswith(f"{len(small.services)} x 2 db.t4g.medium")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: Shop\n", "shop.yaml:1: name: 'Shop' cannot stand here"),
        ("name: shop\nsize: huge\n", "shop.yaml:2: size: 'huge' is unknown here; there are"),
        ("name: shop\nzones: 1\n", "shop.yaml:2: zones: '1' is no whole number from 2 to 3"),
        ("name: shop\nregoin: x\n", "shop.yaml:2: regoin: there is no key 'regoin' here; did you"),
        ("- shop\n", "shop.yaml:1: a deployment begins with `name:`"),
    ],
)
def test_a_mistake_in_the_options_is_named_by_its_line(text: str, said: str):
    with pytest.raises(BadFile) as caught:
        parse_options(text, "shop.yaml")

    assert explain(caught.value).startswith(said)
