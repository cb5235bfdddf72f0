"""The gateway as a program, one module per command group.

A command imports what it needs and nothing else: a question to the policy is answered in half the time that importing everything
takes. Whoever asks for ``app`` gets all commands.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.output import errors
from gateway.errors import ConfigError

COMMANDS = {
    "serve": "serve",
    "demo": "demo",
    "check": "check",
    "routes": "look",
    "explain": "look",
    "openapi": "openapi",
    "schema": "schema",
    "init": "init",
    "token": "token",
    "audit": "audit",
    "policy": "policy",
    "wsdl": "wsdl",
    "soap": "soap",
    "table": "table",
}
"""The module of each command. One that has an ``app`` is a group, else the command is the function of its name."""

ADDED = {
    "policy": {
        "diff": "policy_diff",
        "log": "policy_log",
        "replay": "policy_log",
        "sod": "policy_sod",
        "history": "policy_history",
        "rollback": "policy_history",
    }
}
"""Commands of a group that have modules of their own."""


def program(words: Sequence[str] = ()) -> typer.Typer:
    """The program with the command that ``words`` begin with, or with all commands where they begin with none."""
    app = typer.Typer(
        name="erp-gateway",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="One endpoint between an ERP and the systems around it.",
    )
    app.callback(invoke_without_command=True)(_version)
    chosen = [name for name in words[:1] if name in COMMANDS]
    for name in chosen or COMMANDS:
        module = import_module(f"gateway.cli.{COMMANDS[name]}")
        if hasattr(module, "app"):
            app.add_typer(_group(name, module.app, words[1:] if chosen else ()), name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _group(name: str, group: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """A group with those of its added commands that ``words`` leave open."""
    own = {command.name or getattr(command.callback, "__name__", "") for command in group.registered_commands}
    for command, module in ADDED.get(name, {}).items():
        if command not in own and (words[:1] == [command] or not own.intersection(words[:1])):
            group.command(command)(getattr(import_module(f"gateway.cli.{module}"), command))
    return group


def _version(show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if show:
        print(__version__)
        raise typer.Exit


@cache
def __getattr__(name: str) -> typer.Typer:
    if name != "app":
        raise AttributeError(name)
    return program()


def main() -> None:
    """Run a command. A deployment that is wrong is told finding by finding, exit 1."""
    app = program(sys.argv[1:])
    # What is imported stays for good: going through it again was half the time of reading a large deployment.
    gc.freeze()
    try:
        app()
    except ConfigError as error:
        errors(error.findings)
        sys.exit(1)
