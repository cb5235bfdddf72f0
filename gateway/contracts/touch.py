"""Which routes and field-table rows of a deployment a difference between two contracts touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.config.routes import OperationBase
from gateway.contracts.diff import Change, Difference, words
from gateway.contracts.fields import Direction
from gateway.contracts.pin import LOCK
from gateway.deployment import Deployment, Resource
from gateway.mapping.path import EACH, parse_path
from gateway.mapping.path import Path as FieldPath
from gateway.mapping.table import Line, Table


@dataclass(frozen=True, slots=True)
class Touched:
    """One route, and where one its field table's row, that a change reaches.

    :param place: ``file:line`` of the route's entry or the row.
    :param what: the change in words.
    :param breaks: the route uses what was removed or retyped.
    """

    route: str
    place: str
    operation: str
    what: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class _Use:
    """One way a route calls an operation: by itself, or as its probe."""

    route: str
    place: str
    call: str
    tables: dict[Direction, Table | None]


def upstreams_of(deployment: Deployment, *sources: str) -> list[str]:
    """The upstreams whose WSDL is one of these paths or URLs, or was imported from one."""
    wanted = {*sources, *(str(Path(source).resolve()) for source in sources if "://" not in source)}
    found = []
    for name, upstream in deployment.gateway.upstreams.items():
        if upstream.wsdl is not None:
            path = deployment.folder / upstream.wsdl
            if {upstream.wsdl, str(path.resolve()), _imported_from(path)} & wanted:
                found.append(name)
    return found


def _imported_from(wsdl: Path) -> str:
    try:
        return str(orjson.loads((wsdl.parent / LOCK).read_bytes())["source"])
    except (OSError, orjson.JSONDecodeError, LookupError, TypeError):
        return ""


def touched(deployment: Deployment, upstreams: list[str], difference: Difference) -> list[Touched]:
    """Every route of these upstreams that a removed or changed operation reaches, row by row."""
    found = []
    for resource in deployment.resources:
        for use in _uses(deployment, resource, upstreams):
            if use.call in difference.removed:
                why = ": ".join(filter(None, ("the operation is not offered any more", difference.reasons.get(use.call))))
                found.append(Touched(use.route, use.place, use.call, why, True))
            for change in difference.fields:
                if change.operation == use.call:
                    found += _reached(use, change)
    return found


def _uses(deployment: Deployment, resource: Resource, upstreams: list[str]) -> Iterator[_Use]:
    for name, entry in resource.operations():
        if (entry.upstream or resource.model.upstream) not in upstreams:
            continue
        place = ("operations", name.partition(".")[2])
        shown = f"{resource.source.path}:{resource.source.line(place)}"
        request, answer = entry.request or entry.mapping, entry.answer or entry.mapping
        yield _use(deployment, name, shown, entry.call, request, answer)
        probe = _probe(deployment, name, resource, entry)
        if probe is not None:
            yield probe


def _probe(deployment: Deployment, name: str, resource: Resource, entry: OperationBase) -> _Use | None:
    section = entry.probe
    if section is None:
        return None
    shown = f"{resource.source.path}:{resource.source.line(('operations', name.partition('.')[2], 'probe'))}"
    return _use(deployment, name, shown, section.call, section.request, section.answer or entry.answer or entry.mapping)


def _use(deployment: Deployment, route: str, place: str, call: str, request: str | None, answer: str | None) -> _Use:
    tables = deployment.tables
    return _Use(
        route,
        place,
        call,
        {"request": tables.get(request) if request else None, "answer": tables.get(answer) if answer else None},
    )


def _reached(use: _Use, change: Change) -> Iterator[Touched]:
    what = f"{change.direction}: {words(change)}"
    table = use.tables[change.direction]
    if table is None or not change.path or (change.kind == "added" and change.breaks):
        yield Touched(use.route, use.place, change.operation, what, change.breaks)
        return
    path = _bare(parse_path(change.path))
    for line in table.of(change.direction):
        if line.erp is not None and _same(_bare(line.erp), path, line):
            place = f"{table.source.path}:{table.source.line(line.place)}"
            yield Touched(use.route, place, change.operation, what, change.breaks)


def _same(row: FieldPath, path: FieldPath, line: Line) -> bool:
    """Whether a row holds the field: it is the field, or moves something around it whole."""
    return row == path or (line.row.kind == "any" and path[: len(row)] == row)


def _bare(path: FieldPath) -> FieldPath:
    return tuple(name for name in path if name != EACH)
