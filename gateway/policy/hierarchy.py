"""Chains of membership, and where they lead: none may close on itself, none may be longer than stock Casbin follows.

Casbin ignores a cycle and silently stops after ``MAX_LINKS`` links, so a file with either would mean less than it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_LINKS = 9
"""Casbin's role manager looks at ten names, the caller's own among them."""

Link = tuple[str, str, str, int]
"""Member, role, tenant or '*', line."""
Edges = dict[str, list[tuple[str, int]]]


def chain_findings(links: Sequence[Link]) -> list[tuple[int, str, str]]:
    """Line, what and remedy for each cycle and each chain that is too long, in any tenant. A '*' link counts in every tenant."""
    by_tenant: dict[str, Edges] = defaultdict(dict)
    for member, role, tenant, line in links:
        by_tenant[tenant].setdefault(member, []).append((role, line))
    shared = by_tenant.pop("*", {})
    back = _turned(shared)
    found: dict[frozenset[str], tuple[int, str, str]] = {}
    for own in (shared, *by_tenant.values()):
        for names, finding in _walk(own, _starts(own, back), shared if own is not shared else {}):
            found.setdefault(names, finding)
    return list(found.values())


def _walk(own: Edges, starts: Iterable[str], shared: Edges) -> Iterator[tuple[frozenset[str], tuple[int, str, str]]]:
    """Depth first over both sets of links, from every member of the first: a new fault must pass through one of them, since
    the second alone has been walked. ``height`` counts the links above a finished name."""
    heights: dict[str, int] = {}

    def links(name: str) -> list[tuple[str, int]]:
        return own.get(name, []) + shared.get(name, [])

    for start in starts:
        if start in heights:
            continue
        path = [start]
        pending = [iter(links(start))]
        on_path = {start}
        while path:
            step = next(pending[-1], None)
            if step is None:
                name = path.pop()
                pending.pop()
                on_path.discard(name)
                heights[name] = max((heights.get(role, -1) + 1 for role, _ in links(name)), default=0)
                if heights[name] == MAX_LINKS + 1:
                    what = f"a chain of {MAX_LINKS + 1} memberships starts at '{name}'"
                    yield frozenset({name}), (links(name)[0][1], what, f"shorten it to {MAX_LINKS}: no longer one is followed")
            elif step[0] in on_path:
                circle = path[path.index(step[0]) :]
                what = f"the memberships go round in a circle: {' → '.join([*circle, step[0]])}"
                yield frozenset(circle), (step[1], what, "remove one of them")
            elif step[0] not in heights:
                path.append(step[0])
                on_path.add(step[0])
                pending.append(iter(links(step[0])))


def _turned(links: Edges) -> Mapping[str, list[str]]:
    members: dict[str, list[str]] = defaultdict(list)
    for member, roles in links.items():
        for role, _ in roles:
            members[role].append(member)
    return members


def _starts(own: Edges, back: Mapping[str, list[str]]) -> dict[str, None]:
    """The members of ``own`` and all that reach them: a chain may begin in a shared link."""
    starts = dict.fromkeys(own)
    waiting = list(own)
    while waiting:
        for member in back.get(waiting.pop(), ()):
            if member not in starts:
                starts[member] = None
                waiting.append(member)
    return starts


def closure(starts: Iterable[str], *links: Mapping[str, Iterable[str]]) -> list[str]:
    """``starts`` and everything they lead to by any of the links, nearest first, each once."""
    found = dict.fromkeys(starts)
    waiting = list(found)
    for name in waiting:
        for mapping in links:
            for following in mapping.get(name, ()):
                if following not in found:
                    found[following] = None
                    waiting.append(following)
    return waiting
