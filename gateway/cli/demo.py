"""``demo``: the gateway over a small ERP of its own, with a tour of calls."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.init import write_example
from gateway.cli.output import DEFAULT, ConfigPath, err, out
from gateway.demo.erp.process import ErpProcess
from gateway.telemetry import configure_logging


def demo(
    config: ConfigPath = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="Run the tour and exit: 0 only if every step went as expected.")] = False,
) -> None:
    """Start a demo ERP and the gateway, walk through typical calls, and stay up to be tried."""
    from gateway.demo.tour import tour
    from gateway.server import serve  # With edge, console and worker: other commands need not wait for them.

    configure_logging("error")
    with ExitStack() as stack:
        if config == DEFAULT and not config.is_file():
            config = _example(stack)
        erp = stack.enter_context(ErpProcess.start())
        os.environ["DEMO_ERP_URL"] = erp.url
        # The demo's ERP forgets everything when it ends, so its ledger has to as well.
        os.environ["ERP_GATEWAY_VAR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="erp-gateway-ledger-"))
        outcome: list[bool] = []

        def walk(addresses: dict[str, str]) -> None:
            try:
                outcome.append(tour(addresses["edge"], addresses["console"], erp.journal, out))
                if not once:
                    _invite(addresses, erp.url)
                    configure_logging("info")
            finally:
                if once or not outcome:
                    os.kill(os.getpid(), signal.SIGTERM)

        def ready(addresses: dict[str, str]) -> None:
            threading.Thread(target=walk, args=(addresses,), daemon=True).start()

        serve(config, ready=ready, access_log=False)
    if not outcome or not outcome[0]:
        err.print("The tour did not go as expected.", style="red")
        raise typer.Exit(1)
    if once:
        out.print("[green]Every step went as expected.[/]")


def _example(stack: ExitStack) -> Path:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erp-gateway-")))
    write_example(folder)
    return folder / "gateway.yaml"


def _invite(addresses: dict[str, str], erp: str) -> None:
    edge, console = addresses["edge"], addresses["console"]
    out.rule("[bold]The gateway is up[/]")
    lines = [
        f"API documentation   {edge}/docs",
        f"OpenAPI 3.1         {edge}/openapi/v1.json",
        f"health              {edge}/health/ready",
        f"metrics             {console}/metrics",
        f"the console         {console}   (sign in as approver-a, approver-b, cfo, operator, auditor …)",
        "What the ERP booked and read:",
        f"{erp}/journal",
        "",
        "Try it:",
        f"TOKEN=$(curl -s -u oa:demo-oa -d grant_type=client_credentials {edge}/oauth/token | {_PICK})",
        f'curl -s -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -H "Idempotency-Key: OA-100" '
        f"{edge}/api/v1/payments -d '{_PAYMENT}'",
        f'curl -s -H "Authorization: Bearer $TOKEN" {edge}/api/v1/sales-orders   # 403: oa may not',
        "",
        "Prove that nobody has rewritten what happened:",
        f"ERP_GATEWAY_VAR={os.environ['ERP_GATEWAY_VAR']} {Path(sys.argv[0])} audit verify",
        "",
        "Ctrl-C ends it.",
    ]
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


_PICK = """sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'"""
_PAYMENT = (
    '{"externalNumber":"OA-100","initiator":"clerk-1","entity":"1000",'
    '"payee":{"code":"4711","name":"Falkenberg GmbH","account":"6222020200112233"},'
    '"amount":"99.50","currency":"CNY","dueDate":"2026-12-31"}'
)
