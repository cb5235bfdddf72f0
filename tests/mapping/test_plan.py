"""What a plan says about its source side: the tree, what is required, what stands where."""

from __future__ import annotations

from gateway.mapping.inline import Inline
from gateway.mapping.path import Path, parse_path
from gateway.mapping.plan import Constant, Group, Move, Node, Plan, tree
from gateway.mapping.texts import any_value


def move(source: str, target: str, *, required: bool = False) -> Move:
    return Move(parse_path(source), parse_path(target), any_value, Inline(any_value), required)


def plan(*, strict: bool = True, groups: dict[Path, Group] | None = None) -> Plan:
    moves = (
        move("a.b", "A"),
        move("a.c", "B", required=True),
        move("l[].x", "L.I[].X", required=True),
        move("t[]", "T[]", required=True),
    )
    pairs = {parse_path("l[]"): parse_path("L.I[]"), parse_path("t[]"): parse_path("T[]")}
    constants = (Constant(("K", "C"), 1), Constant(parse_path("L.I[].C"), 2))
    return Plan(moves, constants, groups or {}, pairs, strict, "", False)


def at(node: Node, text: str) -> Node:
    for name in parse_path(text):
        node = node.children[name]
    return node


def test_the_tree_of_the_source() -> None:
    root = tree(plan())
    assert list(root.children) == ["a", "l", "t"]
    assert at(root, "l[].x").path == ("l", "[]", "x")
    assert [m.target for m in at(root, "a.c").moves] == [("B",)]
    assert at(root, "l[]").moves == []


def test_what_is_required() -> None:
    bare, root = plan(), tree(plan())
    assert bare.is_required(at(root, "a.c"))
    assert not bare.is_required(at(root, "a.b"))
    assert bare.is_required(at(root, "a")), "an object is required when a field inside is"
    assert not bare.is_required(at(root, "l")), "a list may be left out, whatever its items need"
    assert bare.is_required(at(root, "t")), "a list of single values is what its row says"
    said = plan(groups={("a",): Group(False), ("l", "[]"): Group(True)})
    assert not said.is_required(at(root, "a"))
    assert said.is_required(at(root, "l"))
    assert not plan(strict=False, groups={("l", "[]"): Group(True)}).is_required(at(root, "l"))


def test_lists_an_answer_always_has() -> None:
    groups: dict[Path, Group] = {("l", "[]"): Group(True), ("t", "[]"): Group(False)}
    assert plan(strict=False, groups=groups).is_kept(("l", "[]"))
    assert not plan(strict=False, groups=groups).is_kept(("t", "[]"))
    assert not plan(groups=groups).is_kept(("l", "[]"))


def test_constants_stand_in_one_target_value() -> None:
    assert plan().constants_of(()) == [Constant(("K", "C"), 1)]
    assert plan().constants_of(("L", "I", "[]")) == [Constant(("L", "I", "[]", "C"), 2)]
