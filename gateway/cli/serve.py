"""``serve``: run the gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import DEFAULT, ConfigPath
from gateway.config.gateway import Gateway
from gateway.config.source import read_source, validate
from gateway.supervisor import supervise
from gateway.telemetry import configure_logging

if TYPE_CHECKING:
    from gateway.server import Part


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def serve(
    config: ConfigPath = DEFAULT,
    only: Annotated[str | None, typer.Option(help="Run one part in this process: edge, console or worker.")] = None,
    log_level: Annotated[LogLevel, typer.Option(help="The least important events to log.")] = LogLevel.info,
) -> None:
    """Serve the deployment until SIGTERM. SIGHUP, or a changed file, reloads it without dropping a call."""
    from gateway.server import serve as serve_process  # With edge, console and worker: other commands need not wait for them.

    part: Part | None
    match only:
        case None | "edge" | "console" | "worker":
            part = only
        case _:
            raise typer.BadParameter("use edge, console or worker", param_hint="--only")
    configure_logging(log_level)
    processes = validate(read_source(config, name=config.name), Gateway).edge.processes
    if part is None and processes > 1:
        supervise(config, processes, log_level)
    else:
        serve_process(config, only=part)
