"""``routes`` and ``explain``: what a deployment serves, and how one route works."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from gateway.cli.output import DEFAULT, ConfigPath, err, out
from gateway.config.routes import OperationBase
from gateway.deployment import Deployment, read_deployment
from gateway.offering import PATH
from gateway.routing import Route
from gateway.runtime import check_stores
from gateway.snapshot import Snapshot, build


def routes(config: ConfigPath = DEFAULT) -> None:
    """List what the deployment serves."""
    snapshot = build(read_deployment(config), check_stores(config))
    table = Table("operation", "method", "path", "upstream", "call", box=None, pad_edge=False)
    for route in snapshot.routes:
        entry, upstream = _entry(snapshot.deployment, route)
        table.add_row(f"{route.operation}@{route.version}", route.method, route.template, upstream, entry.call)
    out.print(table)


def explain(
    route: Annotated[str, typer.Argument(help="An operation id, such as payments.create or payments.create@v1.")],
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the real chain of a route, with every setting and default it runs under."""
    snapshot = build(read_deployment(config), check_stores(config))
    found = [known for known in snapshot.routes if route in (known.operation, f"{known.operation}@{known.version}")]
    if not found:
        names = ", ".join(sorted({known.operation for known in snapshot.routes}))
        err.print(f"There is no route '{route}'. Known: {names}", style="red")
        raise typer.Exit(1)
    for known in found:
        _explain(snapshot, known)


def _explain(snapshot: Snapshot, route: Route) -> None:
    entry, upstream_name = _entry(snapshot.deployment, route)
    upstream = snapshot.deployment.gateway.upstreams[upstream_name]
    out.print(f"[bold]{route.operation}@{route.version}[/]  {route.method} {route.template}")
    out.print("\n[bold]chain[/], outermost first")
    for stage in route.stages:
        text = (type(stage).__doc__ or "").strip().partition("\n")[0]
        out.print(f"  {stage.phase.name.lower():<9} {type(stage).__name__:<10} {text}{_settings(stage)}", highlight=False)
    out.print(f"  {'call':<9} {type(route.call).__name__:<10} {entry.call}", highlight=False)
    out.print("\n[bold]settings[/], defaults included")
    settings = {
        "upstream": upstream_name,
        "adapter": upstream.adapter,
        "timeout": f"{entry.timeout or upstream.timeout:g}s",
        "connections": upstream.connections,
        "answer_limit": f"{upstream.answer_limit} bytes",
        "request table": entry.request or entry.mapping or "none",
        "answer table": entry.answer or entry.mapping or "none",
        "success status": route.status,
        "delivery": _delivery(entry),
        "body limit": f"{snapshot.limits.body} bytes, {snapshot.limits.json_depth} levels",
        "access": "public" if route.public else "by policy",
        "SOAP": f"{PATH}/{route.soap}?wsdl, operation {route.operation.partition('.')[2]}" if route.soap else "not offered",
    }
    writing = snapshot.writing_of(route.operation, route.version)
    if writing is not None:
        terms, rule = writing.terms, writing.rule
        settings |= {
            "idempotency": f"the field {entry.key}" if entry.key else f"Idempotency-Key, {entry.idempotency}",
            "operation id": f"X-Operation-Id{f' and the field {entry.operation_id}' if entry.operation_id else ''}",
            "not booked": f"connection refused, any 4xx{''.join(f', {status}' for status in sorted(writing.not_booked))}",
            "retries": f"after {', '.join(f'{wait:g}s' for wait in terms.backoff) or 'none'}"
            if writing.rule or writing.delivery == "queued"
            else "the satellite's",
            "probe": f"{entry.probe.call}, {terms.window:g}s after the answer was lost"
            if entry.probe
            else "none: two operators decide",
            "approval": f"{rule.required} of {rule.approvers}" if rule else "none",
        }
    for name, value in settings.items():
        out.print(f"  {name:<15} {value}", highlight=False)


def _delivery(entry: OperationBase) -> str:
    if entry.delivery is not None:
        return entry.delivery
    return "inline" if entry.recorded else "direct"


def _settings(stage: object) -> str:
    if not dataclasses.is_dataclass(stage):
        return ""
    shown = {f.name: getattr(stage, f.name) for f in dataclasses.fields(stage) if f.repr and f.name != "operation"}
    chosen = [f"{name}={value}" for name, value in shown.items() if value is not None]
    return f"  ({', '.join(chosen)})" if chosen else ""


def _entry(deployment: Deployment, route: Route) -> tuple[OperationBase, str]:
    for resource in deployment.resources:
        for name, entry in resource.operations():
            if name == route.operation:
                return entry, entry.upstream or resource.model.upstream or ""
    raise AssertionError(route.operation)
