"""The gateway as a program, one module per command group."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import audit, check, demo, init, look, openapi, policy, policy_diff, schema, serve, soap, table, token, wsdl
from gateway.cli.output import errors
from gateway.errors import ConfigError

app = typer.Typer(
    name="erp-gateway",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One endpoint between an ERP and the systems around it.",
)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(check.check)
app.command()(look.routes)
app.command()(look.explain)
app.command()(openapi.openapi)
app.command()(schema.schema)
app.command()(init.init)
app.add_typer(token.app, name="token")
app.add_typer(audit.app, name="audit")
policy.app.command("diff")(policy_diff.diff)
app.add_typer(policy.app, name="policy")
app.add_typer(wsdl.app, name="wsdl")
app.add_typer(soap.app, name="soap")
app.add_typer(table.app, name="table")


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if show:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run a command. A deployment that is wrong is told finding by finding, exit 1."""
    # What is imported stays for good: going through it again was half the time of reading a large deployment.
    gc.freeze()
    try:
        app()
    except ConfigError as error:
        errors(error.findings)
        sys.exit(1)
