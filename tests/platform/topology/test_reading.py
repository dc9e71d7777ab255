"""A wrong topology file is refused with its line and what to do next; a right one is read whole."""

from pathlib import Path

import pytest

from emporion.platform.table_file import BadFile
from emporion.platform.topology.find import SHIPPED, find_topology
from emporion.platform.topology.kinds import BusKind, DiscoveryKind, EdgeKind, Engine
from emporion.platform.topology.model import ENGINES_OF
from emporion.platform.topology.reading import parse_topology

OTHERS = [name for name in ENGINES_OF if name != "user"]
REST = f"[{', '.join(OTHERS)}]"
GOOD = f"processes:\n  one: [user]\n  two: {REST}\nengines: postgres\nbus: nats\n"


def mistakes(text: str) -> list[str]:
    with pytest.raises(BadFile) as caught:
        parse_topology(text, "shop.yaml")
    return [mistake.show("shop.yaml") for mistake in caught.value.mistakes]


WRONG = {
    "an unknown service is named with what was meant": (
        GOOD.replace("[user]", "[usr]"),
        "shop.yaml:2: processes.one: there is no service 'usr'; did you mean 'user'?",
    ),
    "a service in two processes is named": (
        GOOD.replace("[user]", "[user, order]"),
        ("shop.yaml:3: processes.two: order is in one already; a service is in one process "
        "(more of them: `instances`)"),
    ),
    "a service in no process is named": (
        GOOD.replace(" email,", ""),
        "shop.yaml:2: processes: no process holds email; add a process, or put it into one",
    ),
    "an in-process bus cannot join two processes": (
        GOOD.replace("bus: nats", "bus: in-process"),
        ("shop.yaml:5: bus: the in-process bus does not reach beyond one process, but there are 2; "
        "write `bus: nats`"),
    ),
    "no bus at all means in-process, and cannot join two processes": (
        GOOD.replace("bus: nats\n", ""),
        ("shop.yaml:1: bus: the in-process bus does not reach beyond one process, but there are 2; "
        "write `bus: nats`"),
    ),
    "a SQLite file is not shared by two instances": (
        GOOD.replace("one: [user]", "one: {services: user, instances: 2}").replace(
            "engines: postgres", "engines:\n  default: postgres\n  user: sqlite"
        ),
        ("shop.yaml:6: engines.user: a SQLite file has one writing process, but 2 instances hold "
        "user; use postgres, or one instance"),
    ),
    "a service without a MongoDB adapter is not put on it": (
        GOOD.replace("engines: postgres", "engines: {default: postgres, order: mongodb}"),
        "shop.yaml:4: engines.order: order has no adapter for mongodb; use sqlite or postgres",
    ),
    "a misspelt key is named with what was meant": (
        GOOD + "discovry: registry\n",
        "shop.yaml:6: discovry: there is no key 'discovry' here; did you mean 'discovery'?",
    ),
    "a misspelt key of a process is named": (
        GOOD.replace("one: [user]", "one: {services: user, instance: 2}"),
        ("shop.yaml:2: processes.one.instance: there is no key 'instance' here; "
        "did you mean 'instances'?"),
    ),
    "a key that stands twice is named with both lines": (
        GOOD + "bus: sns-sqs\n",
        "shop.yaml:6: bus: stands twice, first in line 5",
    ),
    "an unknown engine is named with those there are": (
        GOOD.replace("engines: postgres", "engines: oracle"),
        ("shop.yaml:4: engines: 'oracle' is unknown here; there are sqlite, postgres, mongodb, "
        "timescale"),
    ),
    "TimescaleDB is somebody else's to run": (
        GOOD.replace("engines: postgres", "engines: {default: postgres, analytics: timescale}"),
        ("shop.yaml:4: engines.analytics: TimescaleDB is not started here: say where it is, as "
        "`analytics: {kind: timescale, address: env:NAME}`, or use postgres"),
    ),
    "only who has an adapter for TimescaleDB is put on it": (
        GOOD.replace(
            "engines: postgres",
            "engines:\n  default: postgres\n  order: {kind: timescale, address: env:DSN}",
        ),
        "shop.yaml:6: engines.order: order has no adapter for timescale; use sqlite or postgres",
    ),
    "a service without an engine is named": (
        GOOD.replace(
            "engines: postgres",
            "engines: {"
            + ", ".join(f"{name}: postgres" for name in ENGINES_OF if name != "email")
            + "}",
        ),
        "shop.yaml:4: engines: no engine for email; add `email: postgres`, or a `default:`",
    ),
    "a password is not written into the file": (
        GOOD.replace(
            "engines: postgres",
            "engines:\n  default: postgres\n  user: {kind: postgres, address: 'postgres://u:p@h'}",
        ),
        ("shop.yaml:6: engines.user.address: an address may hold a password, so it is not written "
        "here: refer to it as env:NAME or file:PATH"),
    ),
    "two services do not share a database": (
        GOOD.replace(
            "engines: postgres",
            "engines:\n  default: postgres\n  user: {kind: postgres, address: env:DSN}\n"
            "  order: {kind: postgres, address: env:DSN}",
        ),
        "shop.yaml:7: engines.order: user has the same address; services do not share a database",
    ),
    "two instances do not share a port": (
        GOOD.replace("one: [user]", "one: {services: user, instances: 2, http: 8081}"),
        "shop.yaml:2: processes.one: 2 instances cannot share port 8081; leave the port out",
    ),
    "two processes do not share a port": (
        GOOD.replace("one: [user]", "one: {services: user, http: 8081, grpc: 8081}"),
        "shop.yaml:2: processes.one: port 8081 is taken by one",
    ),
    "a number is a number": (
        GOOD.replace("one: [user]", "one: {services: user, instances: many}"),
        "shop.yaml:2: processes.one.instances: 'many' is no whole number from 1 to 64",
    ),
    "static discovery names every service": (
        GOOD + "discovery: {kind: static, endpoints: {user: 'a:1'}}\n",
        ("shop.yaml:6: discovery.endpoints: static discovery names no endpoint of "
        f"{', '.join(OTHERS)}; add host:port of gRPC"),
    ),
    "DNS needs a namespace": (
        GOOD + "discovery: dns\n",
        ("shop.yaml:6: discovery.namespace: dns needs a `namespace`, the domain that names the "
        "services"),
    ),
    "text that is no YAML is named by line": (
        "processes:\n  one: [user\nengines: x\n",
        "shop.yaml:3: not YAML: expected ',' or ']', but got ':'",
    ),
    "an empty file is told what it should begin with": (
        "",
        "shop.yaml:1: a topology begins with `processes:`",
    ),
    "missing parts are named": ("bus: nats\n", "shop.yaml:1: the key 'processes' is missing"),
    "an address is one that others can reach without asking for a name": (
        GOOD + "tls: on\naddress: shop.internal\n",
        "shop.yaml:7: address: 'shop.internal' is no IP address; write one of this machine's own",
    ),
    "nobody can connect to every address": (
        GOOD + "tls: on\naddress: 0.0.0.0\n",
        ("shop.yaml:7: address: nobody can connect to 0.0.0.0; write an address of this machine, "
        "and this one as `listen` of the shop"),
    ),
    "a process is reached at an address, too": (
        GOOD.replace("one: [user]", "one: {services: user, address: '::'}") + "tls: on\n",
        ("shop.yaml:2: processes.one: nobody can connect to ::; write an address of this machine, "
        "and this one as `listen` of the shop"),
    ),
    "processes that others can reach prove who they are": (
        GOOD + "address: 10.0.0.1\n",
        ("shop.yaml:6: address: processes that can be reached from other machines prove to each "
        "other who they are: write `tls: on`"),
    ),
    "also where they only listen everywhere": (
        GOOD + "listen: 0.0.0.0\n",
        ("shop.yaml:6: listen: processes that can be reached from other machines prove to each "
        "other who they are: write `tls: on`"),
    ),
    "a process in another network has an address there": (
        GOOD.replace("one: [user]", "one: {services: user, network: far}"),
        "shop.yaml:2: processes.one: in a network of its own it needs its `address` there",
    ),
    "one process alone listens where it is told at its start": (
        f"processes:\n  shop: [{', '.join(ENGINES_OF)}]\nengines: sqlite\naddress: 10.0.0.1\n",
        "shop.yaml:4: address: one process listens where --host says; leave this out",
    ),
    "a truth is a truth": (GOOD + "tls: perhaps\n", ("shop.yaml:6: tls: 'perhaps' is neither on"
                           " nor off")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named_by_its_line_with_what_to_do(name: str) -> None:
    text, expected = WRONG[name]

    assert expected in mistakes(text)


def test_all_misspelt_words_are_told_at_once_and_nothing_that_follows_from_them() -> None:
    text = GOOD.replace("[user]", "[usr]").replace("nats", "rabbit") + "egde: envoy\n"

    found = mistakes(text)

    assert [mistake.split(":")[1] for mistake in found] == ["2", "5", "6"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_topology_is_right(name: str) -> None:
    topology = find_topology(name)

    held = [service for plan in topology.processes for service in plan.services]
    assert sorted(held) == sorted(ENGINES_OF)


def test_the_topology_that_is_measured_has_every_service() -> None:
    measured = find_topology(str(Path(__file__).parents[3] / "bench/split-postgres.yaml"))

    assert len(measured.processes) == len(find_topology("per-service").processes)


def test_the_split_shop_has_the_engines_that_each_service_is_made_for() -> None:
    topology = find_topology("per-service")

    assert topology.local_services(Engine.MONGODB) == ("inventory",)
    assert len(topology.local_services(Engine.POSTGRES)) == len(ENGINES_OF) - 1
    assert (topology.bus.kind, topology.edge) == (BusKind.NATS, EdgeKind.ENVOY)
    assert topology.discovery.kind is DiscoveryKind.REGISTRY
    assert not topology.is_one_process
    assert find_topology("one-process").is_one_process


def test_a_shop_says_where_its_parts_listen_and_each_process_where_it_does() -> None:
    text = GOOD.replace("one: [user]", "one: {services: user, address: 10.0.0.2, network: far}")
    plain = parse_topology(GOOD, "shop.yaml")
    spread = parse_topology(text + "tls: on\naddress: 10.0.0.1\nlisten: 0.0.0.0\n", "shop.yaml")

    assert plain.is_closed
    assert plain.addresses == ("127.0.0.1",)
    assert not spread.is_closed
    assert spread.addresses == ("10.0.0.1", "0.0.0.0", "10.0.0.2")  # noqa: S104 - read, not bound
    assert spread.process_of("user").network == "far"


def test_ports_are_taken_at_one_address_only() -> None:
    two = GOOD.replace("one: [user]", "one: {services: user, http: 8081, address: 127.0.0.2}")
    text = two.replace(f"two: {REST}", f"two: {{services: {REST}, http: 8081}}")

    assert parse_topology(text, "shop.yaml").process_of("user").http_port == 8081


def test_the_core_shares_a_process() -> None:
    core = find_topology("core").process_of("order")

    assert set(core.services) == {"order", "inventory", "payment"}


def test_a_name_that_is_neither_shipped_nor_a_file_is_answered_with_what_there_is() -> None:
    with pytest.raises(BadFile) as caught:
        find_topology("per-servce")

    assert "did you mean 'per-service'?" in caught.value.mistakes[0].message


def test_a_secret_is_looked_up_where_the_file_says(tmp_path: Path) -> None:
    text = GOOD.replace(
        "engines: postgres",
        "engines:\n  default: postgres\n  user: {kind: postgres, address: env:USER_DSN}\n"
        "  order: {kind: postgres, address: file:order.dsn}",
    )
    topology = parse_topology(text, str(tmp_path / "shop.yaml"))
    (tmp_path / "order.dsn").write_text("postgres://o:s@h/o\n")
    by_variable, by_file = topology.storage["user"].address, topology.storage["order"].address
    assert by_variable is not None
    assert by_file is not None

    assert by_variable.resolve({"USER_DSN": "postgres://u:s@h/u"}) == "postgres://u:s@h/u"
    assert by_file.resolve({}) == "postgres://o:s@h/o"
    with pytest.raises(BadFile) as caught:
        by_variable.resolve({})
    assert caught.value.mistakes[0].show("f") == (
        "f:6: the variable USER_DSN is not set; export it before you start"
    )


def test_figures_can_be_kept_by_a_timescaledb_elsewhere() -> None:
    topology = parse_topology(
        GOOD.replace(
            "engines: postgres",
            "engines:\n  default: postgres\n  analytics: {kind: timescale, address: env:DSN}",
        ),
        "shop.yaml",
    )

    assert topology.storage["analytics"].engine is Engine.TIMESCALE
    assert topology.local_services(Engine.TIMESCALE) == ()
    assert "analytics" not in topology.local_services(Engine.POSTGRES)
