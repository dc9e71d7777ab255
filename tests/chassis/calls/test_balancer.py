"""The balancer: the less busy of two, and nobody who does not answer."""

from collections import Counter

import pytest

from emporion.chassis.calls.balancer import Balancer, EjectionLimits, Instance
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle
from emporion.kernel.errors import Unavailable

ONE, TWO, THREE, FOUR = (Endpoint("127.0.0.1", port) for port in (1, 2, 3, 4))


class Instrumented:
    """An instance that says what it is told to."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.is_well = True
        self.probed = 0
        self.is_closed = False

    async def probe(self) -> bool:
        self.probed += 1
        return self.is_well

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def balancer(clock: ManualClock) -> Balancer[Instrumented]:
    made: Balancer[Instrumented] = Balancer("order", manual_runtime(clock), Instrumented)
    made.update([ONE, TWO, THREE, FOUR])
    return made


def of(balancer: Balancer[Instrumented], endpoint: Endpoint) -> Instance[Instrumented]:
    [found] = [one for one in balancer.instances if one.endpoint == endpoint]
    return found


def picked(balancer: Balancer[Instrumented], times: int = 400) -> Counter[Endpoint]:
    return Counter(balancer.pick().endpoint for _ in range(times))


def fail(balancer: Balancer[Instrumented], endpoint: Endpoint, times: int = 5) -> None:
    for _ in range(times):
        balancer.failed(of(balancer, endpoint))


def test_equally_busy_instances_are_asked_about_equally_often(balancer):
    counts = picked(balancer, 4_000)
    assert set(counts) == {ONE, TWO, THREE, FOUR}
    assert all(800 < count < 1_200 for count in counts.values())


def test_the_busiest_instance_is_never_chosen_over_another(balancer):
    of(balancer, TWO).in_flight = 10
    assert picked(balancer)[TWO] == 0


async def test_an_instance_that_fails_again_and_again_is_left_out_until_a_probe_finds_it_well(
    balancer, clock
):
    sick = of(balancer, THREE)
    sick.peer.is_well = False
    fail(balancer, THREE, times=4)
    assert picked(balancer)[THREE] > 0

    fail(balancer, THREE, times=1)
    assert picked(balancer)[THREE] == 0
    await clock.run(5)
    assert sick.peer.probed >= 2
    assert picked(balancer)[THREE] == 0

    sick.peer.is_well = True
    await clock.run(10)
    assert picked(balancer)[THREE] > 0


async def test_an_answer_in_between_forgives_the_failures_before(balancer):
    fail(balancer, ONE, times=4)
    balancer.succeeded(of(balancer, ONE))
    fail(balancer, ONE, times=4)
    assert picked(balancer)[ONE] > 0


async def test_at_most_half_of_the_instances_are_left_out_for_being_slow(balancer):
    for endpoint in (ONE, TWO, THREE, FOUR):
        fail(balancer, endpoint)
    assert len(picked(balancer)) == 2


async def test_the_only_instance_is_never_left_out_for_being_slow(clock):
    balancer: Balancer[Instrumented] = Balancer("order", manual_runtime(clock), Instrumented)
    balancer.update([ONE])
    fail(balancer, ONE, times=50)
    assert balancer.ejections == 0


async def test_instances_that_cannot_be_reached_are_left_out_however_many_they_are(balancer):
    for endpoint in (ONE, TWO, THREE):
        balancer.leave_out(of(balancer, endpoint), "connection refused")
    assert set(picked(balancer)) == {FOUR}


async def test_while_nobody_is_well_everybody_is_asked(balancer):
    for endpoint in (ONE, TWO, THREE, FOUR):
        balancer.leave_out(of(balancer, endpoint), "connection refused")
    assert len(picked(balancer)) == 4


def test_a_call_that_moves_on_avoids_those_it_has_tried(balancer):
    tried = [of(balancer, ONE), of(balancer, TWO), of(balancer, THREE)]
    assert {balancer.pick(tried).endpoint for _ in range(50)} == {FOUR}
    with pytest.raises(Unavailable):
        balancer.pick([*tried, of(balancer, FOUR)])


def test_without_instances_a_call_is_refused(clock):
    balancer: Balancer[Instrumented] = Balancer("order", manual_runtime(clock), Instrumented)
    with pytest.raises(Unavailable):
        balancer.pick()


async def test_an_instance_that_discovery_no_longer_names_is_left_and_closed(balancer):
    gone = of(balancer, TWO)
    balancer.leave_out(gone, "connection refused")
    probing = gone.probing

    balancer.update([ONE, THREE])
    await settle()

    assert set(picked(balancer)) == {ONE, THREE}
    assert gone.peer.is_closed
    assert probing is not None
    assert probing.cancelled()


async def test_an_instance_that_stays_keeps_what_is_known_of_it(balancer):
    balancer.leave_out(of(balancer, ONE), "connection refused")
    peer = of(balancer, ONE).peer

    balancer.update([ONE, TWO, Endpoint("127.0.0.1", 9)])

    assert of(balancer, ONE).peer is peer
    assert picked(balancer)[ONE] == 0


async def test_probes_grow_rarer_while_an_instance_stays_away(clock):
    limits = EjectionLimits(rest_s=1.0, rest_s_max=8.0)
    balancer: Balancer[Instrumented] = Balancer(
        "order", manual_runtime(clock), Instrumented, limits=limits
    )
    balancer.update([ONE])
    instance = of(balancer, ONE)
    instance.peer.is_well = False
    balancer.leave_out(instance, "connection refused")
    await clock.run(100)
    assert 100 / (8 * 1.2) <= instance.peer.probed <= 4 + 100 / (8 * 0.8)


async def test_closing_ends_the_probes_and_the_connections(balancer, clock):
    instances = list(balancer.instances)
    balancer.leave_out(instances[0], "connection refused")
    await balancer.close()
    await clock.run(60)
    assert all(one.peer.is_closed for one in instances)
    assert instances[0].peer.probed == 0
