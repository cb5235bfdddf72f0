"""From a canonical path to a route: a tree of segments, fixed ones before parameters. Immutable once built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from gateway.errors import MethodNotAllowed, NotFound
from gateway.pipeline import Handler, StageConfig
from gateway.ports import Operation

API = "/api"
"""What the paths of all routes begin with."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation in one version, compiled.

    :param operation: ``payments.create``; with ``version`` the object of policy decisions.
    :param template: the whole path, ``/api/v1/payments/{number}``.
    :param call: what the handler ends in.
    :param status: the status of success.
    :param soap: the SOAP service that offers it too, ``payments``.
    :param stages: the chain's configurations in order, for ``explain``.
    """

    operation: str
    version: str
    method: str
    template: str
    handler: Handler
    call: Operation
    status: int
    summary: str = ""
    public: bool = False
    stages: tuple[StageConfig, ...] = ()
    soap: str | None = None


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class RouteClash(Exception):
    """Two operations want the same method and path."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")
        self.first = first
        self.second = second


class Router:
    """Immutable after construction. Raises ``RouteClash`` for two routes of one method and shape."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self._direct: dict[tuple[str, str], Route] = {}
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.template.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, _Node())
        if route.method in node.routes:
            raise RouteClash(node.routes[route.method][0].operation, route.operation)
        node.routes[route.method] = (route, tuple(names))
        if not names:
            self._direct[route.method, route.template] = route

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and its path parameters, percent-decoded. Raises ``NotFound``, or ``MethodNotAllowed`` with ``Allow``."""
        route = self._direct.get((method, path))
        if route is not None:
            return route, {}
        segments = path.split("/")
        del segments[0]
        values: list[str] = []
        node = _descend(self._root, segments, values)
        if node is None:
            values = []
            node = _walk(self._root, segments, 0, values)
        if node is None:
            raise NotFound
        found = node.routes.get(method)
        if found is None:
            allow = ", ".join(sorted(node.routes))
            raise MethodNotAllowed(f"Use {allow}.", headers={"allow": allow})
        route, names = found
        return route, dict(zip(names, map(unquote, values) if "%" in path else values, strict=True))


def _descend(node: _Node, segments: list[str], values: list[str]) -> _Node | None:
    """The usual case, fixed segments first and no second thoughts; ``_walk`` has them."""
    for segment in segments:
        following = node.fixed.get(segment)
        if following is None:
            following = node.parameter if segment else None
            if following is None:
                return None
            values.append(segment)
        node = following
    return node if node.routes else None


def _walk(node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
    """Depth is that of the deepest template, so hostile paths cost no more than honest ones."""
    if at == len(segments):
        return node if node.routes else None
    fixed = node.fixed.get(segments[at])
    if fixed is not None and (found := _walk(fixed, segments, at + 1, values)) is not None:
        return found
    if node.parameter is not None and segments[at]:
        mark = len(values)
        values.append(segments[at])
        if (found := _walk(node.parameter, segments, at + 1, values)) is not None:
            return found
        del values[mark:]
    return None
