"""``policy``: ask a policy questions, and see what a change would do before it is live.

Every command takes the deployment's own files or a candidate in their place, answers from files alone and changes nothing.
"""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from gateway.cli.candidate import JsonOption, asking, candidate, plain
from gateway.cli.output import DEFAULT, ConfigPath, errors, out, warnings
from gateway.errors import ConfigError, Finding
from gateway.policy.index import PolicyIndex

app = typer.Typer(
    no_args_is_help=True,
    help="Ask a policy questions, and see what a change does before it is live. Exit codes: 0 yes, 1 no, 2 it cannot be asked.",
)


@app.command()
def check(
    policy: Annotated[
        str | None, typer.Argument(help="A policy.csv, a policies folder or a git revision; default: the deployment's.")
    ] = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Check a policy as a gateway does before it goes live: read, held against the routes, compared with Casbin, its tests asked.

    Exit 0: it would go live. 1: it would not, with every finding. 2: there is no such policy."""
    wrong: tuple[Finding, ...] = ()
    doubts: tuple[Finding, ...] = ()
    index: PolicyIndex | None = None
    tests = 0
    with asking(json):
        try:
            asked = candidate(config, policy)
            index, tests = asked.policy, len(asked.deployment.tests.file.tests)
            doubts = asked.build().warnings
        except ConfigError as error:
            wrong = error.findings
    if json:
        sha256 = index.sha256 if index is not None else None
        told = {"ok": not wrong, "sha256": sha256, "errors": plain(wrong), "warnings": plain(doubts)}
        print(orjson.dumps(told).decode())
    else:
        warnings(doubts)
        errors(wrong)
        if index is not None and not wrong:
            out.print(f"[green]ok[/] {index.file.path}: {_rows(index)} rows, {tests} tests, policy {index.sha256[:12]}")
    if wrong:
        raise typer.Exit(1)


def _rows(index: PolicyIndex) -> int:
    file = index.file
    return len(file.grants) + len(file.restrictions) + len(file.memberships) + len(file.groupings)
