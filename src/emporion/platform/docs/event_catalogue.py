"""Which events there are, who announces them, and who reacts."""

import inspect
from pathlib import Path

from emporion.contracts.contract import Event
from emporion.platform.audit.subscribers import REACTS_TO
from emporion.platform.docs.source import ServiceSource, events, last_word, services


def table(root: Path) -> str:
    """One row an event."""
    all_services = services(root)
    lines = [
        "| event | version | in order by | announced by | reacts | means |",
        "|---|---|---|---|---|---|",
    ]
    for name, event in events().items():
        spec = event.SPEC
        announcers = [service.name for service in all_services if _announces(service, name)]
        subscribers = [service.name for service in all_services if _reacts(service, event)]
        cells = [
            f"`{spec.name}`",
            str(spec.version),
            f"`{spec.key}`",
            ", ".join(announcers),
            ", ".join(subscribers),
            _meaning(event),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _announces(service: ServiceSource, event: str) -> bool:
    return any(service.calls(event))


def _reacts(service: ServiceSource, event: type[Event]) -> bool:
    """By its own table of reactions, or, where that is made by a loop, by what it subscribes to."""
    calls = [*service.calls("on"), *service.calls("on_many")]
    named = any(last_word(call.args[0]) == event.__name__ for call in calls if call.args)
    return named or event.SPEC.name in REACTS_TO.get(service.name, ())


def _meaning(event: type[Event]) -> str:
    return (inspect.getdoc(event) or "").partition("\n")[0]
