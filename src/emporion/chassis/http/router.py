"""Finds the route of a verb and a path: a dictionary for fixed paths, a trie for the others."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from emporion.chassis.http.problem import MethodNotAllowed, NoSuchRoute

SEGMENTS_MAX = 16


class Routed(Protocol):
    """What the router must know of a route: `path` is a template such as `/orders/{order_id}`."""

    @property
    def verb(self) -> str:
        """The HTTP verb, upper case."""
        ...

    @property
    def path(self) -> str:
        """The template."""
        ...


R = TypeVar("R", bound=Routed)


class _Node(Generic[R]):
    __slots__ = ("children", "parameter", "routes")

    def __init__(self) -> None:
        self.children: dict[str, _Node[R]] = {}
        self.parameter: _Node[R] | None = None
        self.routes: dict[str, R] = {}


class Router(Generic[R]):
    """The table of routes. A fixed segment wins over a parameter. Raises ValueError on doubles."""

    def __init__(self, routes: Iterable[R]) -> None:
        self._fixed: dict[bytes, dict[str, R]] = {}
        self._root: _Node[R] = _Node()
        for route in routes:
            self._add(route)

    def find(self, verb: str, raw_path: bytes) -> tuple[R, tuple[str, ...]]:
        """The route and the decoded values of its parameters, in the template's order.

        `raw_path` is as sent, percent-encoded: so an encoded slash stays inside its segment.
        HEAD finds what GET finds. Raises NoSuchRoute or MethodNotAllowed.
        """
        if verb == "HEAD":
            verb = "GET"
        fixed = self._fixed.get(raw_path)
        if fixed is not None and verb in fixed:
            return fixed[verb], ()
        matches = self._matches(raw_path)
        for node, values in matches:
            if verb in node.routes:
                return node.routes[verb], values
        raise MethodNotAllowed(allow=_allowed(node for node, _ in matches))

    def allowed(self, raw_path: bytes) -> list[str]:
        """The verbs of a path, with HEAD and OPTIONS. Raises NoSuchRoute."""
        return _allowed(node for node, _ in self._matches(raw_path))

    def _add(self, route: R) -> None:
        node = self._root
        for part in route.path.strip("/").split("/"):
            if part.startswith("{"):
                node.parameter = node = node.parameter or _Node()
            else:
                node = node.children.setdefault(part, _Node())
        if route.verb in node.routes:
            raise ValueError(f"two routes for {route.verb} {route.path}")
        node.routes[route.verb] = route
        if "{" not in route.path:
            self._fixed.setdefault(route.path.encode(), {})[route.verb] = route

    def _matches(self, raw_path: bytes) -> list[tuple[_Node[R], tuple[str, ...]]]:
        parts = raw_path.split(b"/")
        if parts[0] or len(parts) > SEGMENTS_MAX:
            raise NoSuchRoute
        try:
            segments = [unquote_to_bytes(part).decode() for part in parts[1:]]
        except UnicodeDecodeError:
            raise NoSuchRoute from None
        found = [(node, values) for node, values in _walk(self._root, segments) if node.routes]
        if not found:
            raise NoSuchRoute
        return found


def _walk(root: _Node[R], segments: list[str]) -> list[tuple[_Node[R], tuple[str, ...]]]:
    level: list[tuple[_Node[R], tuple[str, ...]]] = [(root, ())]
    for segment in segments:
        deeper = []
        for node, values in level:
            if segment in node.children:
                deeper.append((node.children[segment], values))
            if node.parameter is not None and segment:
                deeper.append((node.parameter, (*values, segment)))
        level = deeper
    return level


def _allowed(nodes: Iterable[_Node[R]]) -> list[str]:
    verbs = {verb for node in nodes for verb in node.routes} | {"OPTIONS"}
    return sorted(verbs | {"HEAD"} if "GET" in verbs else verbs)
