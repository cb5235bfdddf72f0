"""The frozen order: rows may move and fields may come, and what clients were compiled against stays."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.facade.order import arranged, listing, merged, missing
from gateway.protocols.facade.shapes import shapes_of

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)


def schema(names: list[str], inner: list[str]) -> dict[str, Any]:
    lines = {"type": "array", "items": {"type": "object", "properties": {name: {"type": "string"} for name in inner}}}
    properties: dict[str, Any] = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties | {"lines": lines}}


def test_lists_are_named_by_path() -> None:
    definitions = {"Node": {"type": "object", "properties": {"name": {"type": "string"}}}}
    shapes = shapes_of({**schema(["a"], ["x", "y"]), "$defs": definitions})
    assert listing(shapes) == {".": ["a", "lines"], "./lines": ["x", "y"]}
    used = schema(["a"], [])
    used["properties"]["node"] = {"$ref": "#/$defs/Node"}
    assert listing(shapes_of({**used, "$defs": definitions})) == {".": ["a", "lines", "node"], "Node": ["name"]}


@given(NAMES, NAMES, st.data())
def test_what_was_published_keeps_its_place(names: list[str], inner: list[str], data: st.DataObject) -> None:
    published = listing(shapes_of(schema(names, inner)))
    later = shapes_of(schema(data.draw(NAMES), data.draw(NAMES)))
    order = listing(arranged(later, published))
    for path, before in published.items():
        now = order.get(path, [])
        known = [name for name in now if name in before]
        assert known == [name for name in before if name in known]
        assert now[: len(known)] == known
    frozen = merged(later, published)
    assert all(frozen[path][: len(before)] == before for path, before in published.items())
    assert missing(later, frozen) == []
    assert listing(arranged(later, frozen)) == order


def test_what_is_new_is_named() -> None:
    before, after = schema(["a"], ["x"]), schema(["b", "a"], ["x", "y"])
    assert missing(shapes_of(after), listing(shapes_of(before))) == ["./b", "./lines/y"]
