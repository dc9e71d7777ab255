"""A token bucket per client address, for routes that need no token: sign-up, sign-in."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from emporion.chassis.http.problem import TooManyRequests


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How often one address may ask.

    Args:
        rate_per_s, burst: the bucket: refilled at that rate, never above `burst` requests.
        clients_max: how many addresses are remembered; the one unused longest is forgotten.
        is_loopback_free: whether 127.0.0.0/8 and ::1 are let through: load tests on one machine.
            Turn it off behind a proxy on the same machine that does not say who asks.
    """

    rate_per_s: float = 5.0
    burst: int = 50
    clients_max: int = 10_000
    is_loopback_free: bool = True


class Throttle:
    """The buckets. IPv6 clients share one per /64, which is what one customer is given."""

    def __init__(self, limits: ThrottleLimits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now_s: float) -> None:
        """Take one request from the bucket. Raises TooManyRequests with `retry_after_s`."""
        if self._limits.is_loopback_free and _is_loopback(address):
            return
        key = _customer(address)
        rate, burst = self._limits.rate_per_s, float(self._limits.burst)
        left, seen_s = self._buckets.pop(key, (burst, now_s))
        left = min(burst, left + (now_s - seen_s) * rate)
        is_refused = left < 1.0
        self._buckets[key] = (left if is_refused else left - 1.0, now_s)
        if len(self._buckets) > self._limits.clients_max:
            self._buckets.popitem(last=False)
        if is_refused:
            raise TooManyRequests(retry_after_s=max(1, round((1.0 - left) / rate + 0.5)))


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in {"", "::1"}


def _customer(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
