"""Run the ERP: ``python -m gateway.demo.erp``. One line of JSON on stdout, ``{"url": …}``, says that it is ready."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.demo.erp.app import Settings, application
from gateway.demo.erp.journal import Journal
from gateway.demo.erp.mischief import TRANSPORT


class Protocol(HttpToolsProtocol):
    """Lets the application reach its own connection, which it needs to break it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][TRANSPORT] = self.transport


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and not self.should_exit:
            host, port = sockets[0].getsockname()[:2]
            print(json.dumps({"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"}), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.erp", description="A small ERP for the demo, the tests and the benches."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="also append each journal entry to FILE, as JSON lines")
    parser.add_argument(
        "--journal-limit", type=int, metavar="N", help="remember the last N entries, and N documents of each kind"
    )
    parser.add_argument("--allow-duplicates", action="store_true", help="accept a sender's number again, for load tests")
    parser.add_argument("--exit-with-parent", action="store_true", help="exit when stdin closes")
    parser.add_argument("--quiet", action="store_true", help="no access log")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        file = stack.enter_context(options.journal.open("a", encoding="utf-8")) if options.journal else None
        journal = Journal(limit=options.journal_limit, file=file)
        app = application(journal, Settings(options.journal_limit, options.allow_duplicates))
        listener = stack.enter_context(socket.create_server((options.host, options.port), family=_family(options.host)))
        server = Server(_config(app, options.quiet))
        if options.exit_with_parent:
            threading.Thread(target=_stop_when_stdin_closes, args=(server,), daemon=True).start()
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(server.serve([listener]))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _config(app: object, quiet: bool) -> uvicorn.Config:
    """Logs go to stderr: stdout carries the ready line and nothing else."""
    logging = LOGGING_CONFIG | {
        "handlers": {name: h | {"stream": "ext://sys.stderr"} for name, h in LOGGING_CONFIG["handlers"].items()}
    }
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=Protocol,
        ws="none",
        loop="uvloop",
        log_config=logging,
        log_level="warning" if quiet else "info",
        access_log=not quiet,
        timeout_graceful_shutdown=1,
        server_header=False,
    )


def _stop_when_stdin_closes(server: uvicorn.Server) -> None:
    while os.read(0, 4096):
        pass
    server.should_exit = True


if __name__ == "__main__":
    main()
