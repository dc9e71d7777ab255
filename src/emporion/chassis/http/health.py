"""Liveness and readiness pages that run real probes, for the process and for each service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from emporion.chassis.http.routes import NO_STORE, Page, Shown
from emporion.kernel.errors import EmporionError, NotFound

Probe = Callable[[], Awaitable[None]]
"""Raises when the part is not usable."""
Probes = Mapping[str, Mapping[str, Probe]]
"""By service, then by name."""

PROBE_TIMEOUT_S: Final = 2.0
_UNAVAILABLE: Final = 503


class Checked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one probe found; `problem` names the condition when it is not usable."""

    is_ok: bool
    problem: str = ""


class Report(msgspec.Struct, frozen=True):
    """What a health page answers; `status` is "ok", "failing", "starting" or "draining"."""

    status: str
    services: dict[str, dict[str, Checked]]


def _never() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Health:
    """What the pages ask.

    Args:
        ready: probes of what a service needs to answer: its database, its keys.
        live: probes of what only a restart can mend: a dead writer thread, a stuck loop. Never
            a database that is away, or every instance restarts when it is.
        closed: why the process takes no traffic now ("starting", "draining"), or empty.
    """

    ready: Probes
    live: Probes = field(default_factory=dict)
    closed: Callable[[], str] = _never


def health_pages(health: Health) -> tuple[Page, ...]:
    """`/livez`, `/livez/{service}`, `/readyz`, `/readyz/{service}`; 503 when a probe fails.

    Every service of `health.ready` has its own pages; another name is NotFound.
    """
    known = {*health.ready, *health.live}

    def page(path: str, probes: Probes, closed: Callable[[], str]) -> tuple[Page, Page]:
        async def show(parameters: Mapping[str, str]) -> Shown:
            wanted = parameters.get("service")
            if wanted is not None and wanted not in known:
                raise NotFound(f"there is no service {wanted[:40]!r} in this process")
            names = known if wanted is None else {wanted}
            return _shown(await examine({name: probes.get(name, {}) for name in names}), closed())

        headers = (NO_STORE,)
        return Page(path, show, headers), Page(path + "/{service}", show, headers)

    return (
        *page("/livez", health.live, _never),
        *page("/readyz", health.ready, health.closed),
    )


async def examine(probes: Probes) -> dict[str, dict[str, Checked]]:
    """Run all probes beside each other, each for at most PROBE_TIMEOUT_S."""
    flat = [
        (service, name, probe)
        for service in sorted(probes)
        for name, probe in sorted(probes[service].items())
    ]
    found = await asyncio.gather(*(_check(probe) for _, _, probe in flat))
    report: dict[str, dict[str, Checked]] = {service: {} for service in sorted(probes)}
    for (service, name, _), checked in zip(flat, found, strict=True):
        report[service][name] = checked
    return report


async def _check(probe: Probe) -> Checked:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe()
    except EmporionError as error:
        return Checked(is_ok=False, problem=error.detail)
    except TimeoutError:
        return Checked(is_ok=False, problem=f"no answer within {PROBE_TIMEOUT_S:g} s")
    except Exception as error:  # noqa: BLE001 - whatever a probe raises means "not usable"
        return Checked(is_ok=False, problem=type(error).__name__)
    return Checked(is_ok=True)


def _shown(services: dict[str, dict[str, Checked]], closed: str) -> Shown:
    is_failing = any(
        not checked.is_ok for probes in services.values() for checked in probes.values()
    )
    status = closed or ("failing" if is_failing else "ok")
    body = msgspec.json.encode(Report(status, services))
    return Shown(body, status=200 if status == "ok" else _UNAVAILABLE)
