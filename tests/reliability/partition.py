"""Hosts that cannot reach each other: network namespaces on a bridge, and packets that get lost.

Each host is a namespace with a card on one bridge; the supervisor, the engines, the edge and the
other processes stay in the namespace we are in. A cut gives the kernel a wrong card for a peer's
address: what is sent leaves, arrives nowhere, and nobody is told, as when a cable is pulled
somewhere on the way. Connections stay open on both sides.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.faults import Fault
from tests.reliability.split_shop import SplitShop
from tests.system.running import environment

CUT_S = 10.0
NOBODY = "02:00:00:00:00:99"
HOME, FAR, ORDERS = 1, 2, 3
"""The hosts, by the last number of their address."""
TOPOLOGY = """\
processes:
  inventory: {{services: [inventory], address: {far}, network: {far_host}}}
  payment: {{services: [payment], address: {far}, network: {far_host}}}
  order: {{services: [order], address: {orders}, network: {orders_host}}}
  rest: [{rest}]
engines: {{default: postgres, inventory: mongodb}}
bus: nats
edge: envoy
tls: on
address: {home}
"""
PLACED = ("inventory", "payment", "order")


class NetworksRefused(Exception):
    """This user, or this machine, makes no network namespaces."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts of a shop on one machine.

    Args:
        name: of everything that is made for them.
        net: the first three numbers of their addresses.
    """

    name: str
    net: str

    def address(self, host: int) -> str:
        """Where a host is reached."""
        return f"{self.net}.{host}"

    def namespace(self, host: int) -> str:
        """The network namespace of a host; empty: ours."""
        return "" if host == HOME else f"{self.name}-{host}"

    def topology(self, services: Sequence[str]) -> str:
        """Payment and inventory on one far host, order on another, the rest where we are."""
        return TOPOLOGY.format(
            home=self.address(HOME),
            far=self.address(FAR),
            far_host=self.namespace(FAR),
            orders=self.address(ORDERS),
            orders_host=self.namespace(ORDERS),
            rest=", ".join(name for name in services if name not in PLACED),
        )

    def lose(self, sender: int, receiver: int) -> None:
        """From now on nothing that one host sends arrives at another."""
        words = ("replace", self.address(receiver), "lladdr", NOBODY, "nud", "permanent")
        self._ip(sender, "neigh", *words, "dev", self._card(sender))

    def heal(self, sender: int, receiver: int) -> None:
        """It arrives again."""
        words = ("neigh", "del", self.address(receiver), "dev", self._card(sender))
        self._ip(sender, *words)

    def build(self) -> None:
        """Make the bridge, the namespaces and their cards. Raises NetworksRefused."""
        bridge = self._card(HOME)
        ip("link", "add", bridge, "type", "bridge")
        ip("addr", "add", f"{self.address(HOME)}/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for host in (FAR, ORDERS):
            space, cable = self.namespace(host), f"{self.name}v{host}"
            ip("netns", "add", space)
            card = self._card(host)
            ip("link", "add", cable, "type", "veth", "peer", "name", card, "netns", space)
            ip("link", "set", cable, "master", bridge, "up")
            for own in ("lo", card):
                self._ip(host, "link", "set", own, "up")
            self._ip(host, "addr", "add", f"{self.address(host)}/24", "dev", card)

    def remove(self) -> None:
        """Take everything away, whatever was made of it."""
        for words in (
            *(("netns", "del", self.namespace(host)) for host in (FAR, ORDERS)),
            ("link", "del", self._card(HOME)),
        ):
            subprocess.run(["ip", *words], capture_output=True, check=False)

    def _card(self, host: int) -> str:
        return f"{self.name}b" if host == HOME else "card"

    def _ip(self, host: int, *words: str) -> None:
        space = self.namespace(host)
        ip(*(("-n", space) if space else ()), *words)


def ip(*words: str) -> None:
    """Run `ip`. Raises NetworksRefused with its own words."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NetworksRefused(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def hosts() -> Iterator[Hosts]:
    """Three hosts, gone afterwards. Raises NetworksRefused."""
    if shutil.which("ip") is None:
        raise NetworksRefused("`ip` is not installed (apt-get install iproute2)")
    number = os.getpid() % 250
    made = Hosts(f"emp{os.getpid() % 100_000}", f"10.231.{number}")
    try:
        made.build()
        yield made
    finally:
        made.remove()


@contextmanager
def shop_on_hosts(folder: Path, services: Sequence[str]) -> Iterator[tuple[SplitShop, Hosts]]:
    """A shop over three hosts, not started. Raises NetworksRefused."""
    with ExitStack() as stack:
        made = stack.enter_context(hosts())
        file = folder / "three-hosts.yaml"
        file.write_text(made.topology(services))
        closed = {**environment(), "EMPORION_IS_NETWORK_CLOSED": "true"}
        yield SplitShop(folder / "shop", ("up", "--topology", str(file)), closed), made


def cut(made: Hosts, name: str, ways: Sequence[tuple[int, int]], cut_s: float = CUT_S) -> Fault:
    """Nothing arrives on these ways for a while."""

    async def happen(_: SplitShop) -> None:
        end_s = time.monotonic() + cut_s
        try:
            for way in ways:
                made.lose(*way)
            await asyncio.sleep(end_s - time.monotonic())
        finally:
            for way in ways:
                made.heal(*way)

    return Fault(f"{name} for {cut_s:g} s", happen)


def partitions(made: Hosts, cut_s: float = CUT_S) -> Sequence[Fault]:
    """All that can lie between the hosts."""
    far_home = ((FAR, HOME), (HOME, FAR))
    far_orders = ((FAR, ORDERS), (ORDERS, FAR))
    far = "payment and inventory"
    return (
        cut(made, f"{far} are cut off from all", (*far_home, *far_orders), cut_s),
        cut(made, f"order and {far} are cut off from each other alone", far_orders, cut_s),
        cut(made, f"what {far} send arrives nowhere", (far_home[0], far_orders[0]), cut_s),
        cut(made, "order is cut off from databases, broker and edge",
            ((ORDERS, HOME), (HOME, ORDERS)), cut_s),
    )  # fmt: skip
