"""What ``wsdl import`` makes of a contract, as texts: a route file, field tables, policy rows, the upstream's entry.

One port of one service becomes one resource. Every text is complete and checkable as it is; nothing here reads or writes a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from gateway.config.gateway import UpstreamUrl
from gateway.contracts.fields import LIMIT, Direction, NoTable, places
from gateway.contracts.tables import rows
from gateway.contracts.text import exact, flow, one_line, quoted, segment, slug, unused, words
from gateway.errors import ConfigError, Finding
from gateway.protocols.soap import Contract, Operation
from gateway.protocols.soap.model import local

READS = frozenset({"get", "read", "query", "list", "find", "search"})
WRITES = frozenset(
    {"create", "add", "insert", "update", "change", "set", "delete", "remove", "cancel", "post", "book", "save", "submit"}
    | {"release", "or", "and"}
)
MOST_ROWS, FEWEST = 20_000, 40
"""Rows of all tables together, which a reload compiles each time; a contract of very many operations gets shorter tables."""
PART = 700_000
"""Bytes after which the field tables go on in a second file; a deployment's files have at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The operations of one port that are imported, and what the person who imports should know."""

    service: str
    port: str
    operations: tuple[Operation, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation as it is written: its name in the route file, its path, its tables (or why there is none)."""

    operation: Operation
    name: str
    path: str
    tables: tuple[tuple[Direction, str, tuple[str, ...]], ...]
    without: tuple[tuple[Direction, str], ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """One resource, ready to be written. ``transformers`` are one text or more."""

    resource: str
    routes: str
    transformers: tuple[str, ...]
    operations: tuple[str, ...]
    upstream: str
    notices: tuple[str, ...]


def choose(contract: Contract, source: str, service: str | None = None, port: str | None = None) -> Choice:
    """The port to import: the one named, else the one that offers most. ``source`` is how findings call the contract. Raises
    ``ConfigError`` when there is none, or when the contract has several services and none is named."""
    offered = [operation for operation in contract.operations if operation.service == service or service is None]
    offered = [operation for operation in offered if (operation.port == port or port is None) and exact(operation.name)]
    services = list(dict.fromkeys(operation.service for operation in offered))
    if not offered:
        known = sorted({f"{operation.service} {operation.port}" for operation in contract.operations})
        remedy = f"there are: {', '.join(map(one_line, known))}" if known else "'erp-gateway wsdl inspect' says why"
        raise ConfigError([Finding(source, 0, "offers no operation of that service and port", remedy)])
    if len(services) > 1:
        remedy = f"choose one with --service: {', '.join(map(one_line, services))}"
        raise ConfigError([Finding(source, 0, f"has {len(services)} services", remedy)])
    ports = list(dict.fromkeys(operation.port for operation in offered))
    best = max(ports, key=lambda name: sum(operation.port == name for operation in offered))
    kept = [operation for operation in offered if operation.port == best]
    unique = {operation.name: operation for operation in reversed(kept)}
    return Choice(services[0], best, tuple(reversed(unique.values())), tuple(_notices(kept, offered, contract)))


def _notices(kept: Sequence[Operation], offered: Sequence[Operation], contract: Contract) -> Iterator[str]:
    names = {operation.name for operation in kept}
    chosen = kept[0]
    yield f"port {one_line(chosen.port)} of service {one_line(chosen.service)}, SOAP {chosen.version}"
    for operation in offered:
        if operation.name not in names:
            where = f"the port {one_line(operation.port)} only"
            yield f"{one_line(operation.name)} is offered by {where}; import that one too, with --port and --name"
            names.add(operation.name)
    for refused in contract.not_offered:
        if (refused.service, refused.port) in (("", ""), (chosen.service, chosen.port)):
            yield f"{one_line(refused.operation)} is not offered: {one_line(refused.reason)}"
    for name in sorted({operation.name for operation in contract.operations if not exact(operation.name)}):
        yield f"{one_line(name)} has a name that cannot be written in a route file"


def make(contract: Contract, choice: Choice, wsdl: str, resource: str = "") -> Imported:
    """The texts of one resource.

    :param wsdl: path of the pinned WSDL as gateway.yaml names it.
    """
    resource = resource or slug(choice.service, "service")
    entries = _entries(contract, choice, resource)
    url = _address(choice.operations[0].address)
    notices = list(choice.notices)
    if url is None:
        notices.append(f"the WSDL names no usable address; say in gateway.yaml where {resource} is")
    for entry in entries:
        notices += [f"{one_line(entry.operation.name)} has no {direction} table: {why}" for direction, why in entry.without]
    return Imported(
        resource,
        _routes(resource, choice, wsdl, entries),
        tuple(_transformers(resource, entries)),
        tuple(f"{resource}.{entry.name}" for entry in entries),
        _upstream(resource, choice, wsdl, url),
        tuple(notices),
    )


def _entries(contract: Contract, choice: Choice, resource: str) -> list[Entry]:
    entries: list[Entry] = []
    names: set[str] = set()
    limit = max(FEWEST, min(LIMIT, MOST_ROWS // (2 * len(choice.operations))))
    for operation in choice.operations:
        name = unused(slug(operation.name, "operation"), names)
        names.add(name)
        found: list[tuple[Direction, str, tuple[str, ...]]] = []
        without: list[tuple[Direction, str]] = []
        directions: tuple[Direction, ...] = ("request", "answer") if operation.output else ("request",)
        for direction in directions:
            try:
                lines = tuple(flow(row) for row in rows(places(contract, operation, direction, limit), direction))
                found.append((direction, f"{resource}-{name}-{direction}", lines))
            except NoTable as why:
                without.append((direction, str(why)))
        path = f"/{resource}/{segment(operation.name, name)}"
        entries.append(Entry(operation, name, path, tuple(found), tuple(without)))
    return entries


# --- routes ----------------------------------------------------------------------------------------------------------


def _routes(resource: str, choice: Choice, wsdl: str, entries: Sequence[Entry]) -> str:
    lines = [
        "# yaml-language-server: $schema=../docs/schema/routes.json",
        f"# {one_line(choice.service)}, as its contract has it: {wsdl}",
        f"resource: {quoted(resource)}",
        f"upstream: {quoted(resource)}",
        "operations:",
    ]
    for entry in entries:
        lines += _route(entry)
    return "\n".join(lines) + "\n"


def _route(entry: Entry) -> Iterator[str]:
    operation = entry.operation
    yield f"  {entry.name}:"
    yield f"    post: {quoted(entry.path)}"
    yield f"    call: {quoted(operation.name)}"
    for direction, table, _ in entry.tables:
        yield f"    {direction}: {table}"
    for direction, why in entry.without:
        yield f"    # {direction}: as the contract has it ({one_line(why)})"
    if is_read(operation.name):
        yield "    delivery: direct  # reads, by its name: not recorded. Look at it; remove this line if it books anything"
        if operation.output is not None:
            yield "    status: 200"
    faults = [name for name in dict.fromkeys(map(local, operation.faults)) if exact(name)]
    if faults:
        yield f"    faults: {flow(dict.fromkeys(faults, 422))}"
    if one_line(operation.documentation):
        yield f"    summary: {quoted(one_line(operation.documentation))}"


def is_read(name: str) -> bool:
    """Whether an operation's name says that it only reads."""
    found = words(name)
    return bool(found) and found[0] in READS and not WRITES & set(found)


# --- field tables ----------------------------------------------------------------------------------------------------


def _transformers(resource: str, entries: Sequence[Entry]) -> Iterator[str]:
    head = (
        "# yaml-language-server: $schema=../docs/schema/transformers.json\n"
        f"# {resource}: rename the rest names; the erp names are the contract's.\ntables:\n"
    )
    part, size = [head], len(head)
    for entry in entries:
        for direction, name, lines in entry.tables:
            text = "".join(_table(name, f"{direction.capitalize()} of {one_line(entry.operation.name)}.", lines))
            if size + len(text.encode()) > PART and len(part) > 1:
                yield part[0] + "\n".join(part[1:])
                part, size = [head], len(head)
            part.append(text)
            size += len(text.encode())
    if len(part) > 1:
        yield part[0] + "\n".join(part[1:])


def _table(name: str, doc: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"  {name}:\n    doc: {quoted(doc)}\n    rows:\n"
    for line in lines:
        yield f"      - {line}\n"


# --- the rest --------------------------------------------------------------------------------------------------------


def _address(url: str) -> str | None:
    """The address a port names, when gateway.yaml can have it."""
    try:
        return TypeAdapter(UpstreamUrl).validate_python(url) if exact(url) else None
    except ValidationError:
        return None


def _upstream(resource: str, choice: Choice, wsdl: str, url: str | None) -> str:
    lines = [f"{resource}:", f"  wsdl: {quoted(wsdl)}"]
    lines += [f"  {key}: {quoted(name)}" for key, name in (("service", choice.service), ("port", choice.port)) if exact(name)]
    lines.append(
        f"  url: {quoted(url)}" if url else "  url: http://127.0.0.1:9  # the WSDL names no usable address: write it here"
    )
    return "\n".join(lines) + "\n"
