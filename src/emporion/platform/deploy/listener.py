"""The path rules of the load balancer, from the same routes as those of the edge."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from emporion.platform.edge.routes import Route

VALUES_MAX: Final = 5
"""Paths and verbs that one rule may name."""
PARTICULAR_FROM: Final = 1
AREAS_FROM: Final = 20_001
PAGES_FROM: Final = 45_001
"""Last: a path of the contracts is never a page's."""
BLOCK: Final = 20
BLOCKS: Final = 1_000
"""Numbers that each process has for itself, so that no rule of another ever moves."""


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """Requests of these paths, and of these verbs unless there are none.

    Args:
        priority: a lower one is looked at first; unique in the listener.
        paths: patterns, `*` stands for anything.
        verbs: of HTTP.
    """

    priority: int
    paths: tuple[str, ...]
    verbs: tuple[str, ...] = ()


def blocks(processes: Iterable[str]) -> Mapping[str, int]:
    """A block for each process, by its name: others may come and go, and it stays."""
    found: dict[str, int] = {}
    for process in sorted(processes):
        block = crc32(process.encode()) % BLOCKS
        while block in found.values():
            block = (block + 1) % BLOCKS
        found[process] = block
    return found


def listener_rules(
    routes: Sequence[Route], block_of: Mapping[str, int]
) -> Mapping[str, tuple[ListenerRule, ...]]:
    """The rules of each process, numbered in its block.

    What is particular to a process inside another's area comes first; then whole areas.
    """
    areas = {_plain(route.pattern): route.cluster for route in routes if route.is_prefix}
    found: dict[str, list[ListenerRule]] = defaultdict(list)
    for process, strays in _strays(routes, areas).items():
        start = PARTICULAR_FROM + block_of[process] * BLOCK
        found[process] += [
            ListenerRule(start + number, (path,), verbs)
            for number, (path, verbs) in enumerate(strays.items())
        ]
    for process in dict.fromkeys(areas.values()):
        own = [area for area, owner in areas.items() if owner == process]
        paths = [path for area in own for path in _below(area, areas)]
        start = AREAS_FROM + block_of[process] * BLOCK
        found[process] += [
            ListenerRule(start + number, tuple(some))
            for number, some in enumerate(_batched(paths, VALUES_MAX))
        ]
    return {process: tuple(rules) for process, rules in found.items()}


def page_rules(paths: Iterable[str]) -> tuple[ListenerRule, ...]:
    """The rules of the process that shows pages, given their templates.

    Under the first word of each path the process says itself what is not there; everything else
    stays unknown to the balancer, health and metrics of that process as well.
    """
    words = dict.fromkeys(path.split("/")[1] for path in paths)
    found = [f"/{word}*" for word in words if word]
    return (
        ListenerRule(PAGES_FROM, ("/",)),
        *(
            ListenerRule(PAGES_FROM + number, tuple(some))
            for number, some in enumerate(_batched(found, VALUES_MAX), start=1)
        ),
    )


def _strays(
    routes: Sequence[Route], areas: Mapping[str, str]
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Paths, with their verbs, whose process is not that of their area."""
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for route in routes:
        path = _plain(route.pattern)
        if not route.is_prefix and areas["/".join(path.split("/")[:3])] != route.cluster:
            verbs = found[route.cluster].get(path, ())
            found[route.cluster][path] = (*verbs, route.verb)
    return found


def _plain(pattern: str) -> str:
    """A pattern of the load balancer for one of the edge."""
    return pattern.replace("[^/]+", "*").replace("\\", "")


def _below(area: str, areas: Mapping[str, str]) -> Iterator[str]:
    """One pattern for an area, or two where another area begins with the same letters."""
    if any(other != area and other.startswith(area) for other in areas):
        yield area
        yield f"{area}/*"
    else:
        yield f"{area}*"


def _batched(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]
