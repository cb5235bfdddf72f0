"""Paths to routes: fixed segments before parameters, 404 and 405 told apart, clashes found when built."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MethodNotAllowed, NotFound
from gateway.routing import Route, RouteClash, Router


def route(method: str, template: str, operation: str = "r.o") -> Route:
    nothing: Any = None
    return Route(operation, "v1", method, template, nothing, nothing, 200)


ROUTER = Router(
    [
        route("GET", "/a", "a.list"),
        route("POST", "/a", "a.create"),
        route("GET", "/a/{id}", "a.get"),
        route("GET", "/a/newest", "a.newest"),
        route("GET", "/a/newest/lines/{line}", "a.newest-line"),
        route("GET", "/a/{id}/lines/{line}", "a.line"),
        route("DELETE", "/a/{key}/lines/{number}", "a.delete-line"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "operation", "params"),
    [
        ("GET", "/a", "a.list", {}),
        ("POST", "/a", "a.create", {}),
        ("GET", "/a/1", "a.get", {"id": "1"}),
        ("GET", "/a/x%20%C3%A9", "a.get", {"id": "x é"}),
        ("GET", "/a/newest", "a.newest", {}),
        ("GET", "/a/newest/lines/2", "a.newest-line", {"line": "2"}),
        ("GET", "/a/7/lines/2", "a.line", {"id": "7", "line": "2"}),
        ("DELETE", "/a/7/lines/2", "a.delete-line", {"key": "7", "number": "2"}),
    ],
)
def test_matches(method: str, path: str, operation: str, params: dict[str, str]) -> None:
    found, values = ROUTER.match(method, path)
    assert (found.operation, dict(values)) == (operation, params)


@pytest.mark.parametrize("path", ["/", "/b", "/a/", "/a/1/", "/a//lines/2", "/a/1/lines", "/a/1/lines/2/3", "/A", ""])
def test_nothing_there(path: str) -> None:
    with pytest.raises(NotFound):
        ROUTER.match("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allow"), [("PUT", "/a", "GET, POST"), ("get", "/a", "GET, POST"), ("PUT", "/a/7/lines/2", "DELETE, GET")]
)
def test_another_method(method: str, path: str, allow: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.match(method, path)
    assert caught.value.headers == {"allow": allow}


def test_a_fixed_dead_end_falls_back_to_the_parameter() -> None:
    router = Router([route("GET", "/a/b/c", "x.fixed"), route("GET", "/a/{id}/d", "x.open")])
    found, values = router.match("GET", "/a/b/d")
    assert (found.operation, dict(values)) == ("x.open", {"id": "b"})


@pytest.mark.parametrize(("first", "second"), [("/a", "/a"), ("/a/{x}", "/a/{y}")])
def test_two_routes_of_one_shape_clash(first: str, second: str) -> None:
    with pytest.raises(RouteClash, match=r"r\.one and r\.two") as caught:
        Router([route("GET", first, "r.one"), route("GET", second, "r.two")])
    assert (caught.value.first, caught.value.second) == ("r.one", "r.two")


@given(st.lists(st.sampled_from(["a", "newest", "lines", "x", ""]), max_size=8))
def test_any_path_is_matched_or_refused(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    try:
        found, values = ROUTER.match("GET", path)
    except (NotFound, MethodNotAllowed):
        return
    filled = found.template
    for name, value in values.items():
        filled = filled.replace("{" + name + "}", value)
    assert filled == path


def test_a_long_hostile_path_costs_little() -> None:
    with pytest.raises(NotFound):
        ROUTER.match("GET", "/a" * 100_000)
