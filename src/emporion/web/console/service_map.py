"""The map of services: where each stands, and the lines between them, as numbers for an SVG."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

from emporion.contracts.operations_telemetry import CallEdge, ServiceMap
from emporion.web.console.judging import State, Talk, together

OUTSIDE: Final = "clients"
"""Whoever is no service: requests from outside, and the platform itself."""
_NOT_SERVICES: Final = frozenset({"edge", "platform", "http", "client"})
_LOOKS: Final = "operations"
"""Whoever looks at the shop is not on its map."""
COLUMNS: Final = (
    (OUTSIDE,),
    ("user", "order"),
    ("catalog", "inventory", "payment", "giftcard", "vault"),
    ("recommendation", "shipping", "fraud", "analytics", "email", "webhook"),
)
"""Where the services stand, callers on the left; one that is not named is in the last column."""
WIDTH: Final = 168
HEIGHT: Final = 62
GAP_X: Final = 136
GAP_Y: Final = 24
MARGIN: Final = 8
_BEND: Final = 0.5
_LABEL: Final = 0.7
"""Of its way a line has gone so much where its figures stand: lines of one node fan out by then."""
_LABEL_OF_LONG: Final = 0.15
"""A line that passes behind other nodes has them where none is yet."""
_THIN, _THICK = 1.25, 6.0


@dataclass(frozen=True, slots=True)
class Node:
    """A service on the map; `x` and `y` are its upper left corner."""

    name: str
    x: int
    y: int
    talk: Talk
    events: Talk
    is_held: bool

    @property
    def state(self) -> State:
        """What stands out of it."""
        if not self.is_held:
            return State.WRONG
        order = list(State)
        return max(self.talk.state, self.events.state, key=order.index)

    @property
    def is_outside(self) -> bool:
        """Whether it is no service."""
        return self.name == OUTSIDE


@dataclass(frozen=True, slots=True)
class Line:
    """Calls or events from one node to another; `label_x`, `label_y` are for its figures."""

    caller: str
    service: str
    kind: str
    talk: Talk
    path: str
    width: float
    label_x: float
    label_y: float
    is_long: bool

    @property
    def is_labelled(self) -> bool:
        """Whether its figures have room beside it: those of clients stand in the nodes."""
        is_odd = self.talk.state in (State.ODD, State.WRONG)
        return is_odd or (self.kind != "event" and self.caller != OUTSIDE and not self.is_long)


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole map."""

    width: int
    height: int
    nodes: list[Node]
    lines: list[Line]

    @property
    def total(self) -> Talk:
        """What clients asked for."""
        return next(node.talk for node in self.nodes if node.is_outside)


def picture_of(told: ServiceMap) -> Picture:
    """The map of what was told."""
    edges = [_outside(edge) for edge in told.edges if _LOOKS not in (edge.caller, edge.service)]
    held = {service for process in told.processes for service in process.services}
    columns = _columns({*held, *(edge[1] for edge in edges), *(edge[0] for edge in edges)})
    height = max(len(column) for column in columns) * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    corners = _corners(columns, height)
    talks = _talks(edges, told.bounds_s)
    nodes = [
        _node(name, corners[name], edges, held=held, bounds_s=told.bounds_s) for name in corners
    ]
    lines = [
        _line(key, talk, (corners[key[0]], corners[key[1]]))
        for key, talk in talks.items()
        if key[0] != key[1]
    ]
    order = list(State)
    return Picture(
        width=len(columns) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN,
        height=height,
        nodes=nodes,
        lines=sorted(lines, key=lambda line: order.index(line.talk.state)),
    )


Told = tuple[str, str, CallEdge]


def _outside(edge: CallEdge) -> Told:
    caller = OUTSIDE if edge.caller in _NOT_SERVICES else edge.caller
    return caller, edge.service, edge


def _columns(known: Iterable[str]) -> list[list[str]]:
    columns = [list(column) for column in COLUMNS]
    placed = {name for column in columns for name in column}
    columns[-1] += sorted(set(known) - placed)
    return columns


def _corners(columns: Sequence[Sequence[str]], height: int) -> dict[str, tuple[int, int]]:
    corners = {}
    for number, column in enumerate(columns):
        used = len(column) * (HEIGHT + GAP_Y) - GAP_Y
        for row, name in enumerate(column):
            y = (height - used) // 2 + row * (HEIGHT + GAP_Y)
            corners[name] = (MARGIN + number * (WIDTH + GAP_X), y)
    return corners


def _talks(edges: Sequence[Told], bounds_s: list[float]) -> Mapping[tuple[str, str, str], Talk]:
    groups: dict[tuple[str, str, str], list[CallEdge]] = {}
    for caller, service, edge in edges:
        kind = "event" if edge.kind == "event" else "call"
        groups.setdefault((caller, service, kind), []).append(edge)
    return {key: together(group, bounds_s) for key, group in groups.items()}


def _node(
    name: str,
    corner: tuple[int, int],
    edges: Sequence[Told],
    *,
    held: set[str],
    bounds_s: list[float],
) -> Node:
    is_outside = name == OUTSIDE
    its = [edge for caller, service, edge in edges if (caller if is_outside else service) == name]
    return Node(
        name=name,
        x=corner[0],
        y=corner[1],
        talk=together((edge for edge in its if edge.kind != "event"), bounds_s),
        events=together((edge for edge in its if edge.kind == "event"), bounds_s),
        is_held=is_outside or name in held,
    )


def _line(
    key: tuple[str, str, str], talk: Talk, corners: tuple[tuple[int, int], tuple[int, int]]
) -> Line:
    caller, service, kind = key
    (from_x, from_y), (to_x, to_y) = corners
    shift = 8 if kind == "event" else -8  # calls and events of the same two do not hide each other
    from_y, to_y = from_y + HEIGHT // 2 + shift, to_y + HEIGHT // 2 + shift
    if to_x > from_x:
        start, end, bend = from_x + WIDTH, to_x, (to_x - from_x - WIDTH) * _BEND
        controls = start + bend, end - bend
    elif to_x < from_x:
        start, end = from_x, to_x + WIDTH
        bend = (start - end) * _BEND
        controls = start - bend, end + bend
    else:
        start = end = from_x
        controls = start - GAP_X * 0.4, end - GAP_X * 0.4
    path = f"M{start} {from_y}C{controls[0]:.0f} {from_y} {controls[1]:.0f} {to_y} {end} {to_y}"
    is_long = abs(end - start) > GAP_X
    way = _LABEL_OF_LONG if is_long else _LABEL
    label_x = _along(way, (start, *controls, end))
    label_y = _along(way, (from_y, from_y, to_y, to_y))
    return Line(
        caller=caller,
        service=service,
        kind=kind,
        talk=talk,
        path=path,
        width=_width(talk.rate_per_s),
        label_x=round(label_x, 1),
        label_y=round(label_y, 1),
        is_long=is_long,
    )


def _along(way: float, points: tuple[float, float, float, float]) -> float:
    """Where a curve is once it has gone a share of its way."""
    first, second, third, last = points
    there, left = way, 1 - way
    return (
        left**3 * first
        + 3 * left**2 * there * second
        + 3 * left * there**2 * third
        + there**3 * last
    )


def _width(rate_per_s: float) -> float:
    """A line is twice as thick when it is used ten times as often, roughly."""
    return round(min(_THICK, _THIN + 0.9 * log10(1 + 20 * rate_per_s)), 2)
