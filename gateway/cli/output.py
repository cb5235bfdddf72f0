"""What commands print: findings, the way every editor can jump to them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.errors import Finding

out = Console(width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True)

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The deployment's gateway.yaml.")]
DEFAULT = Path("gateway.yaml")


def errors(findings: Iterable[Finding]) -> None:
    _print(findings, "[red]error[/]")


def warnings(findings: Iterable[Finding]) -> None:
    _print(findings, "[yellow]warning[/]")


def _print(findings: Iterable[Finding], label: str) -> None:
    for finding in findings:
        err.print(label, end=" ")
        err.print(str(finding), markup=False, highlight=False, soft_wrap=True)
