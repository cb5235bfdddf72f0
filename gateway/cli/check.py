"""``check``: would this deployment go live?"""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from gateway.cli.output import DEFAULT, ConfigPath, errors, out, warnings
from gateway.deployment import read_deployment
from gateway.errors import ConfigError, Finding
from gateway.runtime import check_stores
from gateway.snapshot import build


def check(
    config: ConfigPath = DEFAULT,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail the check too.")] = False,
) -> None:
    """Check all files of a deployment together: every mistake as file:line, exit 1 when there is one."""
    wrong: tuple[Finding, ...] = ()
    doubts: tuple[Finding, ...] = ()
    summary = ""
    try:
        snapshot = build(read_deployment(config), check_stores(config))
        doubts = snapshot.warnings
        upstreams = len(snapshot.deployment.gateway.upstreams)
        summary = f"{len(snapshot.routes)} routes, {upstreams} upstreams, snapshot {snapshot.digest}"
    except ConfigError as error:
        wrong = error.findings
    if json:
        print(orjson.dumps({"ok": not wrong, "errors": _plain(wrong), "warnings": _plain(doubts)}).decode())
    else:
        warnings(doubts)
        errors(wrong)
        if not wrong:
            out.print(f"[green]ok[/] {summary}")
    if wrong or (strict and doubts):
        raise typer.Exit(1)


def _plain(findings: tuple[Finding, ...]) -> list[dict[str, object]]:
    return [{"file": f.file, "line": f.line, "what": f.what, "remedy": f.remedy} for f in findings]
