"""What the rows of a table must satisfy together, so that each direction builds one tree from another without a choice to make.

Lists pair one to one, no path is a field and a group at once, and no two rows fill the same place.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic_core import PydanticCustomError

from gateway.config.source import Source, validate
from gateway.errors import ConfigError, Finding
from gateway.mapping.path import EACH, Path, lists, show_path
from gateway.mapping.rows import CHECKS
from gateway.mapping.table import GROUPS, Direction, Line, Table, TableFile, bind_table


def read_tables(source: Source) -> dict[str, Table]:
    """The tables of one file by name. Raises ``ConfigError`` with everything wrong in any row of any table."""
    tables = {name: bind_table(name, source, config) for name, config in validate(source, TableFile).tables.items()}
    findings = [finding for table in tables.values() for finding in _check(table)]
    if findings:
        raise ConfigError(findings)
    return tables


def _check(table: Table) -> list[Finding]:
    alone = [finding for line in table.lines for finding in _check_row(table, line)]
    return alone or [finding for finding in _check_layout(table) if finding]


def _check_row(table: Table, line: Line) -> Iterator[Finding]:
    for check in CHECKS:
        try:
            check(line.row)
        except PydanticCustomError as error:
            context = error.context or {}
            yield table.finding(line, str(context["what"]), str(context["remedy"]))
            return


def _check_layout(table: Table) -> Iterator[Finding]:
    depths = [finding for line in table.lines for finding in _same_depth(table, line)]
    if depths:
        yield from depths
        return
    seen: set[Finding] = set()
    for direction in ("request", "answer"):
        for check in (_duplicates, _overlaps, _pairs, _groups):
            for finding in check(table, direction):
                if finding not in seen:
                    seen.add(finding)
                    yield finding


def _same_depth(table: Table, line: Line) -> Iterator[Finding]:
    if line.rest is not None and line.erp is not None and len(lists(line.rest)) != len(lists(line.erp)):
        rest, erp = len(lists(line.rest)), len(lists(line.erp))
        what = f"is in {rest} lists on the REST side and in {erp} on the ERP side"
        yield table.finding(line, what, "write [] after the same lists on both sides; a list cannot become a single value")


def target(line: Line, direction: Direction) -> Path | None:
    """The path a row fills."""
    return line.erp if direction == "request" else line.rest


def origin(line: Line, direction: Direction) -> Path | None:
    """The path a row reads."""
    return line.rest if direction == "request" else line.erp


def fields(table: Table, direction: Direction) -> list[Line]:
    """The rows that move a value, object and list rows left out."""
    return [line for line in table.of(direction) if line.row.kind not in GROUPS and target(line, direction) is not None]


def _duplicates(table: Table, direction: Direction) -> Iterator[Finding]:
    seen: dict[Path, Line] = {}
    for line in fields(table, direction):
        path = target(line, direction) or ()
        first = seen.setdefault(path, line)
        if first is not line:
            at = table.source.line(first.place)
            what = f"fills '{show_path(path)}' in {direction}s, as line {at} does"
            yield table.finding(line, what, "remove one of the two, or let each serve one direction")


def _overlaps(table: Table, direction: Direction) -> Iterator[Finding]:
    lines = fields(table, direction)
    for side in (origin, target):
        paths = {path: line for line in lines if (path := side(line, direction)) is not None}
        for path, line in paths.items():
            for end in range(1, len(path)):
                if path[:end] in paths:
                    what = f"reaches into '{show_path(path[:end])}', which another row moves whole"
                    yield table.finding(line, what, "keep the rows inside or the one around them")
            listed = next((path[:end] for end in range(1, len(path)) if _is_both(path[:end], path[end], paths)), None)
            if listed:
                what = f"uses '{show_path(listed)}' as an object, another row as a list"
                yield table.finding(line, what, "write [] after it in every row, or in none")


def _is_both(prefix: Path, following: str, paths: dict[Path, Line]) -> bool:
    return following != EACH and any(path[: len(prefix) + 1] == (*prefix, EACH) for path in paths)


def _pairs(table: Table, direction: Direction) -> Iterator[Finding]:
    erp_of: dict[Path, Path] = {}
    rest_of: dict[Path, Path] = {}
    for line in table.of(direction):
        for rest, erp in zip(lists(line.rest or ()), lists(line.erp or ()), strict=False):
            if erp_of.setdefault(rest, erp) != erp or rest_of.setdefault(erp, rest) != rest:
                what = f"pairs the list '{show_path(rest)}' with '{show_path(erp)}', another row pairs them differently"
                yield table.finding(line, what, "pair each REST list with one ERP list")
    for line in fields(table, direction):
        known = rest_of if direction == "request" else erp_of
        for path in lists(target(line, direction) or ()):
            if line.row.constant is not None and path not in known:
                what = f"stands in the list '{show_path(path)}', which no other row fills"
                yield table.finding(line, what, "add a row that pairs this list with one on the other side")


def _groups(table: Table, direction: Direction) -> Iterator[Finding]:
    inner = [line.rest for line in fields(table, direction) if line.rest is not None]
    for line in table.of(direction):
        if line.row.kind in GROUPS and not any(_inside(path, line.rest or (), line.row.kind) for path in inner):
            what = f"describes a{'n object' if line.row.kind == 'object' else ' list'} no other row has fields in"
            yield table.finding(line, what, "add its fields, or remove the row")


def _inside(path: Path, group: Path, kind: str) -> bool:
    below = path[: len(group)] == group
    return below and (kind == "list" or (len(path) > len(group) and path[len(group)] != EACH))
