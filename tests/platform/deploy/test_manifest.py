"""service.yaml: read, with defaults; every mistake named by file and line."""

import pytest

from emporion.platform.deploy.manifest import Alarms, Rollout, Strategy
from emporion.platform.deploy.manifest_file import manifests, parse_manifest
from emporion.platform.services import SERVICES
from emporion.platform.table_file import BadFile
from emporion.platform.topology.kinds import Engine

ARTICLE = """service: order
image: emporion
owner: checkout
cpu: 512
memory: 1024
desired_count: 3
load_balancer:
  target_group: order
  container_port: 8080
auto_scaling:
  min_capacity: 2
  max_capacity: 20
  cpu_threshold: 70
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(BadFile) as caught:
        parse_manifest(text, "order/service.yaml", "order")
    return [mistake.show(caught.value.file) for mistake in caught.value.mistakes]


def test_the_form_of_the_article_with_an_owner_is_enough():
    manifest = parse_manifest(ARTICLE, "order/service.yaml", "order")

    assert (manifest.cpu, manifest.memory, manifest.desired_count) == (512, 1_024, 3)
    assert (manifest.target_group, manifest.container_port) == ("order", 8_080)
    scaling = manifest.auto_scaling
    assert (scaling.min_capacity, scaling.max_capacity, scaling.cpu_threshold) == (2, 20, 70)
    assert manifest.health_path == "/readyz"
    assert manifest.engine is Engine.POSTGRES
    assert manifest.alarms == Alarms()
    assert manifest.rollout == Rollout()
    assert manifest.secrets == ()


def test_what_may_be_said_beside_it_is_read():
    more = """health_path: /readyz/order
engine: sqlite
secrets: [payment_method_key, smtp_password]
alarms: {error_percent: 5, latency_ms_p99: 250}
rollout: {strategy: canary, canary_percent: 5, bake_minutes: 3}
service_connect: off
log_days: 90
"""
    manifest = parse_manifest(ARTICLE + more, "order/service.yaml", "order")

    assert manifest.health_path == "/readyz/order"
    assert manifest.engine is Engine.SQLITE
    assert manifest.secrets == ("payment_method_key", "smtp_password")
    assert manifest.alarms == Alarms(error_percent=5, latency_ms_p99=250)
    assert manifest.rollout == Rollout(Strategy.CANARY, canary_percent=5, bake_minutes=3)
    assert not manifest.service_connect
    assert manifest.log_days == 90


def test_every_service_of_the_shop_has_a_manifest_that_can_be_deployed():
    found = manifests()

    assert set(found) == set(SERVICES)
    assert all(manifest.auto_scaling.min_capacity >= 2 for manifest in found.values())


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("cpu: 512", "cpu: 500", "4: cpu: Fargate has no 500 CPU units; it has 256, 512"),
        ("1024", "512", "5: memory: with 512 CPU units Fargate has 1024 to 4096 MB"),
        ("cpu: 512", "cpu: many", "4: cpu: 'many' is no whole number from 1 to 16384"),
        ("desired_count: 3", "desired_count: 1", "6: desired_count: 1 is not between min_capa"),
        ("min_capacity: 2", "min_capacity: 21", "11: auto_scaling: min_capacity is more than max"),
        ("cpu_threshold: 70", "cpu_treshold: 70", "13: auto_scaling.cpu_treshold: there is no key"),
        ("owner: checkout\n", "", "1: the key 'owner' is missing"),
        ("  target_group: order\n", "", "8: load_balancer: the key 'target_group' is missing"),
        ("service: order", "service: payment", "1: service: this is the manifest of order"),
        ("image: emporion", "image: Emporion", "2: image: 'Emporion' cannot stand here"),
        ("cpu: 512", "cpu: 512\nengine: oracle", "5: engine: 'oracle' is unknown here"),
        ("cpu: 512", "cpu: 512\nengine: mongodb", "5: engine: order has no adapter for it"),
        ("cpu: 512", "cpu: 512\nsecrets: [payment_kee]", "5: secrets: no secret 'payment_kee'"),
        ("cpu: 512", "cpu: 512\nlog_days: 31", "5: log_days: CloudWatch keeps logs for 1, 3, 5"),
        ("cpu: 512", "cpu: 512\nrollout: swift", "5: rollout: 'swift' is unknown here"),
        ("cpu: 512", "cpu: 512\ncpu: 1024", "5: cpu: stands twice, first in line 4"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_file_and_line(wrong, right, said):
    assert wrong in ARTICLE

    found = mistakes(ARTICLE.replace(wrong, right, 1))

    assert any(line.startswith(f"order/service.yaml:{said}") for line in found), found


def test_a_file_that_is_no_manifest_says_how_one_begins():
    assert mistakes("- order\n") == ["order/service.yaml:1: a manifest begins with `service:`"]
