"""Whoever has no token is limited by address; nobody else is."""

import pytest

from emporion.chassis.http.problem import TooManyRequests
from emporion.chassis.http.throttle import Throttle, ThrottleLimits
from emporion.chassis.testing.asgi import AsgiClient

LIMITS = ThrottleLimits(rate_per_s=0.5, burst=3, clients_max=4)


async def test_an_address_that_knocks_too_often_is_told_when_to_come_back(sample):
    client = AsgiClient(sample.app, address="203.0.113.7")
    statuses = [(await client.json("POST", "/api/doors", {"name": "a"})).status for _ in range(4)]
    refused = await client.json("POST", "/api/doors", {"name": "a"})
    other = AsgiClient(sample.app, address="203.0.113.8")
    sample.clock.advance(2.0)
    later = await client.json("POST", "/api/doors", {"name": "a"})

    assert statuses == [200, 200, 200, 429]
    assert refused.headers["retry-after"] == "2"
    assert (await other.json("POST", "/api/doors", {"name": "a"})).status == 200
    assert later.status == 200


async def test_reading_and_signed_in_callers_are_not_limited(sample):
    client = AsgiClient(
        sample.app, address="203.0.113.7", headers={"authorization": "Bearer person"}
    )

    assert {(await client.get("/api/things")).status for _ in range(9)} == {200}
    assert {(await client.json("PUT", "/api/things/a", {})).status for _ in range(9)} == {200}


def test_loopback_is_free_unless_told_otherwise():
    free, strict = Throttle(LIMITS), Throttle(ThrottleLimits(burst=1, is_loopback_free=False))

    for _ in range(100):
        free.take("127.0.0.1", 0.0)
        free.take("::1", 0.0)
    strict.take("127.0.0.1", 0.0)
    with pytest.raises(TooManyRequests):
        strict.take("127.0.0.1", 0.0)


def test_one_ipv6_customer_has_one_bucket():
    throttle = Throttle(LIMITS)

    for host in range(3):
        throttle.take(f"2001:db8:0:1::{host:x}", 0.0)

    with pytest.raises(TooManyRequests):
        throttle.take("2001:db8:0:1:ffff::1%eth0", 0.0)
    throttle.take("2001:db8:0:2::1", 0.0)
    throttle.take("no:address", 0.0)


def test_the_address_unused_longest_is_forgotten():
    throttle = Throttle(LIMITS)

    for host in range(1_000):
        throttle.take(f"203.0.113.{host}", float(host))

    assert len(throttle._buckets) == 4


def test_a_refusal_costs_nothing_and_the_bucket_never_overflows():
    throttle = Throttle(LIMITS)
    for _ in range(3):
        throttle.take("a", 0.0)
    for _ in range(50):
        with pytest.raises(TooManyRequests):
            throttle.take("a", 1.0)

    throttle.take("a", 2.0)
    for _ in range(3):
        throttle.take("a", 10_000.0)
    with pytest.raises(TooManyRequests):
        throttle.take("a", 10_000.0)
