"""``policy.csv``: bytes to rows, or every reason why not.

    p,  role,      tenant, operation, effect             who holds the role may (allow) or may not (deny) call the operation
    p2, role,      tenant, operation, field, access      there it does not see the field (hide), may not set it (lock), or sees
                                                         nothing but the fields so named (show)
    p3, role,      tenant, operation, predicate, value   there it sees, and hands in, only such records
    p4, role,      tenant, operation, condition, value   it calls only from such a network, or at such a time
    g,  member,    role,   tenant                        a caller or role gets a role, within one tenant or '*'
    g2, operation, group                                 an operation belongs to a group that p rows may name

Stock Casbin drops what it cannot read and so opens what a lost ``deny`` had closed; here anything odd refuses the whole file,
with all findings at once. The last line is ``# end``, and only the last, so no cut-off file can pass for a short one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from gateway.errors import ConfigError, Finding
from gateway.policy.bulk import uncollected
from gateway.policy.hierarchy import chain_findings
from gateway.policy.names import describe, name_fault
from gateway.policy.text import read_lines
from gateway.scope.scope import Kind, check_restriction

END = "# end"
MAX_FINDINGS = 100
COLUMNS = {
    "p": ("role", "tenant", "operation", "effect"),
    "p2": ("role", "tenant", "operation", "field", "access"),
    "p3": ("role", "tenant", "operation", "predicate", "value"),
    "p4": ("role", "tenant", "operation", "condition", "value"),
    "g": ("member", "role", "tenant"),
    "g2": ("operation", "group"),
}
ODD = re.compile(r"[^A-Za-z0-9._:@*, -]")
ALSO = {"p2": frozenset("[]{}$/"), "p3": frozenset("/"), "p4": frozenset("/+")}
"""What the last columns of a row may have beside what names have."""
ODD_NAMES = {
    "\t": ("a tab", "separate columns with a comma"),
    ";": ("a semicolon", "separate columns with a comma (a spreadsheet may have saved the file)"),
    "；": ("a full-width semicolon", "separate columns with a comma"),
    "，": ("a full-width comma", "write ','"),
    "、": ("an ideographic comma", "write ','"),
    "\u3000": ("a full-width space", "write a plain space, or none"),
    "\u00a0": ("a no-break space", "write a plain space, or none"),
    '"': ("a quote", "write names without quotes"),
    "'": ("a quote", "write names without quotes"),
    "#": ("a comment after a row", "put the comment on a line of its own"),
} | dict.fromkeys("“”‘’＂＇「」", ("a typographic quote", "write names without quotes"))


@dataclass(frozen=True, slots=True)
class Grant:
    """A ``p`` row."""

    line: int
    role: str
    tenant: str
    operation: str
    effect: Literal["allow", "deny"]


@dataclass(frozen=True, slots=True)
class Restriction:
    """A ``p2``, ``p3`` or ``p4`` row. ``name`` is the field, predicate or condition; ``value`` what is said of it."""

    line: int
    kind: Kind
    role: str
    tenant: str
    operation: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Membership:
    """A ``g`` row."""

    line: int
    member: str
    role: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """A ``g2`` row."""

    line: int
    operation: str
    group: str


Row = Grant | Restriction | Membership | Grouping


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One policy file, read and found in order. Immutable. ``data`` is what was read, ``sha256`` its digest in hex."""

    path: str
    sha256: str
    data: bytes = field(repr=False)
    grants: tuple[Grant, ...] = field(repr=False)
    memberships: tuple[Membership, ...] = field(repr=False)
    groupings: tuple[Grouping, ...] = field(repr=False)
    restrictions: tuple[Restriction, ...] = field(default=(), repr=False)

    def place(self, row: Row) -> str:
        return f"{self.path}:{row.line}"

    def named_operations(self) -> set[str]:
        """What rows have in their operation column: operations, with or without version, and groups."""
        rows: tuple[Grant | Restriction | Grouping, ...] = (*self.grants, *self.restrictions, *self.groupings)
        return {row.operation for row in rows}

    def groups(self) -> set[str]:
        return {row.group for row in self.groupings}


@uncollected
def read_policy(path: str, data: bytes) -> PolicyFile:
    """Read a policy file's bytes. ``path`` is how findings call it. Raises ``ConfigError`` with all findings."""
    lines = read_lines(path, data)
    reader = _Reader(path)
    reader.check_end(lines)
    for number, line in enumerate(lines, 1):
        reader.read(number, line)
    reader.check_rows()
    if reader.findings:
        raise ConfigError(_capped(path, reader.findings))
    digest = hashlib.sha256(data).hexdigest()
    rows = (reader.grants, reader.memberships, reader.groupings, reader.restrictions)
    return PolicyFile(path, digest, data, *map(tuple, rows))  # type: ignore[arg-type]


def _capped(path: str, findings: list[Finding]) -> list[Finding]:
    findings = sorted(findings)
    more = len(findings) - MAX_FINDINGS
    if more <= 0:
        return findings
    return [*findings[:MAX_FINDINGS], Finding(path, findings[MAX_FINDINGS].line, f"and {more} more findings from here on", "")]


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.grants: list[Grant] = []
        self.memberships: list[Membership] = []
        self.groupings: list[Grouping] = []
        self.restrictions: list[Restriction] = []
        self._good_names: set[str] = set()

    def refuse(self, line: int, what: str, remedy: str) -> None:
        self.findings.append(Finding(self.path, line, what, remedy))

    def check_end(self, lines: list[str]) -> None:
        *before, last = [number for number, line in enumerate(lines, 1) if line.strip() == END] or [0]
        for number in before:
            self.refuse(number, f"'{END}' before the end of the file", "only the last line may say so")
        tail = lines[last:]
        filled = [] if last else [number for number, line in enumerate(lines, 1) if line.rstrip(" ").rstrip(",;") == END]
        if filled:
            what = f"separators after '{END}' (a spreadsheet fills short rows up)"
            self.refuse(filled[-1], what, "remove them from all rows, or edit the file with a text editor")
        elif not last or any(line.strip() for line in tail):
            self.refuse(
                len(lines), f"the file does not end with the line '{END}'", "restore the file, or add the line if it is whole"
            )
        elif not tail:
            self.refuse(last, f"no line end after '{END}'", "restore the file, or end its last line")

    def read(self, number: int, line: str) -> None:
        row = line.strip(" ")
        if not row:
            return
        if row[0] == "#":
            self._check_comment(number, row)
        elif self._check_characters(number, row):
            self._read_row(number, [part.strip(" ") for part in row.split(",")])

    def _check_comment(self, number: int, row: str) -> None:
        for character in row:
            if not character.isprintable() and character not in "\t\u3000\u00a0":
                self.refuse(number, f"the invisible character {describe(character)} in a comment", "remove it")
                return

    def _check_characters(self, number: int, row: str) -> bool:
        also = ALSO.get(row.partition(",")[0].rstrip(" "), frozenset())
        for match in ODD.finditer(row):
            character = match.group()
            if character in also:
                continue
            if character in ODD_NAMES:
                self.refuse(number, *ODD_NAMES[character])
                return False
            if character.isascii() or not character.isprintable():
                self.refuse(number, f"the character {describe(character)}", "use letters, digits and . _ : @ -")
                return False
        return True

    def _read_row(self, number: int, fields: list[str]) -> None:
        kind, *values = fields
        columns = COLUMNS.get(kind)
        if columns is None:
            low = kind.lower()
            remedy = f"write '{low}' in lower case" if low in COLUMNS else "a row starts with p, p2, p3, p4, g or g2"
            self.refuse(number, f"unknown row type '{kind[:40]}'", remedy)
            return
        shape = f"{kind}, " + ", ".join(columns)
        if len(values) > len(columns) and not values[-1]:
            self.refuse(number, "a comma at the end (a spreadsheet fills short rows up)", f"write: {shape}")
        elif len(values) != len(columns):
            self.refuse(number, f"{len(fields)} columns where '{kind}' has {len(columns) + 1}", f"write: {shape}")
        else:
            names = columns[: 3 if kind in ALSO else len(columns)]
            good = [self._check_field(number, column, value) for column, value in zip(names, values, strict=False)]
            if all(good) and (kind not in ALSO or self._check_restriction(number, kind, values)):
                self._keep(number, kind, values)

    def _check_restriction(self, number: int, kind: str, values: list[str]) -> bool:
        missing = [column for column, value in zip(COLUMNS[kind], values, strict=True) if not value]
        try:
            if missing:
                raise ValueError(f"{missing[0]}: nothing there", "fill the column in")
            check_restriction(kind, values[3], values[4])  # type: ignore[arg-type]
            if kind == "p3" and (fault := name_fault(values[4].replace(" ", "-").replace("/", "-"))):
                raise ValueError(f"value: {fault[0]}", fault[1])
        except ValueError as error:
            self.refuse(number, *error.args)
            return False
        return True

    def _check_field(self, number: int, column: str, value: str) -> bool:
        fault = _field_fault(column, value) if value not in self._good_names or column == "effect" else None
        if fault is None and column in ("operation", "group") and "@" in value:
            fault = _version_fault(column, value)
        if fault is not None:
            self.refuse(number, f"{column}: {fault[0]}", fault[1])
            return False
        if column != "tenant" and column != "effect":
            self._good_names.add(value)
        return True

    def _keep(self, number: int, kind: str, values: list[str]) -> None:
        if kind == "p":
            role, tenant, operation, effect = values
            self.grants.append(Grant(number, role, tenant, operation, "deny" if effect == "deny" else "allow"))
        elif kind in ALSO:
            self.restrictions.append(Restriction(number, kind, *values))  # type: ignore[arg-type]
        elif kind == "g":
            self.memberships.append(Membership(number, *values))
        else:
            self.groupings.append(Grouping(number, *values))

    def check_rows(self) -> None:
        self._refuse_twins(self.grants, lambda row: (row.role, row.tenant, row.operation, row.effect))
        self._refuse_twins(
            self.restrictions, lambda row: (row.kind, row.role, row.tenant, row.operation, row.name.replace("[]", ""), row.value)
        )
        self._refuse_twins(self.memberships, lambda row: (row.member, row.role, row.tenant))
        self._refuse_twins(self.groupings, lambda row: (row.operation, row.group))
        for line, what, remedy in self._chains():
            self.refuse(line, what, remedy)

    def _chains(self) -> Iterator[tuple[int, str, str]]:
        yield from chain_findings([(row.member, row.role, row.tenant, row.line) for row in self.memberships])
        yield from chain_findings([(row.operation, row.group, "*", row.line) for row in self.groupings])

    def _refuse_twins(self, rows: list[_Row], key: Callable[[_Row], tuple[str, ...]]) -> None:
        first: dict[tuple[str, ...], int] = {}
        for row in rows:
            line = first.setdefault(key(row), row.line)
            if line != row.line:
                self.refuse(row.line, f"the same row as line {line}", "keep one, so that removing it takes the right away")


_Row = TypeVar("_Row", Grant, Restriction, Membership, Grouping)


def _field_fault(column: str, value: str) -> tuple[str, str] | None:
    if not value:
        return "nothing there", "fill the column in"
    if column == "effect":
        if value in ("allow", "deny"):
            return None
        low = value.lower()
        return f"'{value[:40]}' is no effect", f"write '{low}' in lower case" if low in (
            "allow",
            "deny",
        ) else "write allow or deny"
    if column == "tenant" and value == "*":
        return None
    return name_fault(value)


def _version_fault(column: str, value: str) -> tuple[str, str] | None:
    if column == "group":
        return f"'{value}' has a version", "name a group without '@'"
    name, _, version = value.partition("@")
    if not name or not version or "@" in version:
        return f"'{value}' is no operation", "write payments.create, or payments.create@v1 for one version"
    return None
