"""``wsdl``: look into a contract, import it into a deployment, compare two versions of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from gateway.cli.output import DEFAULT, ConfigPath, err, errors, out
from gateway.contracts.diff import Difference, compare, words
from gateway.contracts.inspect import Line, Report, contract_of
from gateway.contracts.inspect import inspect as examine
from gateway.contracts.pin import Bundle, collect
from gateway.contracts.text import one_line
from gateway.contracts.touch import Touched, touched, upstreams_of
from gateway.contracts.write import Written, import_contract
from gateway.deployment import read_deployment
from gateway.errors import ConfigError
from gateway.protocols.soap import Contract
from gateway.upstreams.httpx_client import fetch_document

app = typer.Typer(no_args_is_help=True, help="Contracts: what a WSDL offers, importing it, comparing versions.")

INVALID = 2

SourceName = Annotated[str, typer.Argument(metavar="URL|FILE", help="The WSDL.")]
Hosts = Annotated[
    list[str], typer.Option("--allow-host", metavar="HOST", help="A host that schemas may be fetched from beside the WSDL's own.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def inspect(source: SourceName, allow_host: Hosts = [], json: AsJson = False) -> None:  # noqa: B006 - Typer's way to say it
    """List each operation of a WSDL as offered or with the exact reason why not.

    Exit 0: all SOAP operations are offered. 1: some are not. 2: the file is no valid WSDL.
    """
    bundle, contract = _read(source, allow_host)
    report = examine(bundle, contract)
    if json:
        print(orjson.dumps({"source": source, "ok": report.all_offered, **asdict(report)}).decode())
    else:
        _show(report)
    if not report.all_offered:
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: SourceName,
    service: Annotated[str | None, typer.Option(help="Service of the WSDL, when it has several.")] = None,
    port: Annotated[str | None, typer.Option(help="Port; default: the one that offers most operations.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the resource; default: the service's.")] = None,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="The deployment.")] = Path(),
    allow_host: Hosts = [],  # noqa: B006 - Typer's way to say it
    xlsx: Annotated[
        bool, typer.Option("--xlsx", help="Write the field tables as a workbook too; 'table read' reads it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what an earlier import wrote.")] = False,
) -> None:
    """Write a contract into a deployment: pinned files, routes, field tables, the upstream, policy rows that deny."""
    bundle, contract = _read(source, allow_host)
    written = import_contract(into, bundle, contract, service=service, port=port, name=name, force=force, xlsx=xlsx)
    _tell(written, bundle)
    out.print(f"Next: erp-gateway check -c {into / 'gateway.yaml'}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The version in use: a path or URL.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The version to come: a path or URL.")],
    config: ConfigPath = DEFAULT,
    upstream: Annotated[str | None, typer.Option(help="The upstream to look at; default: the ones that use OLD or NEW.")] = None,
    allow_host: Hosts = [],  # noqa: B006 - Typer's way to say it
    json: AsJson = False,
) -> None:
    """Compare two versions of a contract, and name the routes and field-table rows of the deployment that differences touch.

    Exit 0: nothing a route uses breaks. 1: something a route uses was removed or retyped. 2: a file is no valid WSDL.
    """
    difference = compare(_read(old, allow_host)[1], _read(new, allow_host)[1])
    reached: list[Touched] = []
    upstreams: list[str] = []
    if config.is_file():
        deployment = read_deployment(config)
        upstreams = [upstream] if upstream else upstreams_of(deployment, old, new)
        reached = touched(deployment, upstreams, difference)
    breaks = any(touch.breaks for touch in reached)
    if json:
        shown = {"ok": not breaks, **asdict(difference), "upstreams": upstreams, "touched": [asdict(touch) for touch in reached]}
        print(orjson.dumps(shown).decode())
    else:
        _show_difference(difference, upstreams, reached)
    if breaks:
        raise typer.Exit(1)


def _show_difference(difference: Difference, upstreams: list[str], reached: list[Touched]) -> None:
    for what, names in (("added", difference.added), ("removed", difference.removed)):
        for name in names:
            _say(": ".join(filter(None, (f"operation {name} {what}", difference.reasons.get(name)))))
    for change in difference.fields:
        _say(f"{change.operation} {change.direction}: {words(change)}")
    _say(
        f"upstreams: {', '.join(upstreams)}" if upstreams else "no upstream of the deployment uses this contract; see --upstream"
    )
    for touch in reached:
        _say(f"{touch.place}: {touch.route} {'breaks' if touch.breaks else 'is touched'}: {touch.what}")


def _read(source: str, hosts: list[str]) -> tuple[Bundle, Contract]:
    try:
        bundle = collect(source, hosts=hosts, fetch=fetch_document)
        return bundle, contract_of(bundle)
    except ConfigError as error:
        errors(error.findings)
        raise typer.Exit(INVALID) from error


def _show(report: Report) -> None:
    table = Table("service", "port", "SOAP", "style", "operation", "", box=None, pad_edge=False)
    for line in report.lines:
        names = (line.service, line.port, line.soap, line.style, line.operation, _verdict(line))
        table.add_row(*(_safe(name) for name in names))
    out.print(table)
    for binding in report.others:
        _say(f"binding {binding} is not SOAP")
    for location, why in report.unread:
        _say(f"{location} was not read: {why}")


def _verdict(line: Line) -> str:
    if line.reason:
        return f"not offered: {line.reason}"
    notes = [
        "one-way" if line.one_way else "",
        f"headers {', '.join(line.headers)}" if line.headers else "",
        f"faults {', '.join(line.faults)}" if line.faults else "",
        *line.notes,
        f"as $xml where the contract does not know the element: {', '.join(line.lossy)}" if line.lossy else "",
    ]
    return "; ".join(["offered", *filter(None, notes)])


def _tell(written: Written, bundle: Bundle) -> None:
    for notice in written.notices:
        _say(notice)
    for location, why in bundle.unread:
        _say(f"{location} was not read: {why}")
    for name in written.files:
        _say(f"wrote {name}")
    for name, text in written.by_hand.items():
        err.print(f"Add to {name} by hand:", style="yellow", markup=False)
        print(text)


def _safe(text: str) -> str:
    """A contract's text as a terminal may show it."""
    return one_line(text).replace("[", "\\[")


def _say(text: str) -> None:
    out.print(one_line(text), markup=False, highlight=False, soft_wrap=True)
