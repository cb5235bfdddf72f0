"""One gateway process: its listeners, its reloads, its end.

uvicorn serves each port with a server of its own in one event loop; signals are ours, so that a stop drains: no new connections,
calls in flight end within the drain time, then the stores close.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import structlog
import uvicorn
import uvloop
from redis.asyncio import Redis

from gateway.activation import Keeper, open_live
from gateway.config.gateway import Gateway
from gateway.config.values import Address
from gateway.console.app import console
from gateway.desk import Desk
from gateway.edge.app import Edge
from gateway.edge.credentials import Credentials
from gateway.edge.guard import GuardLimits, guarded
from gateway.edge.oauth import SecretChecks, oauth_routes
from gateway.edge.site import Observed, Site
from gateway.edge.soap import SoapFacade
from gateway.errors import ConfigError, Finding
from gateway.hints import Hints
from gateway.live import Live
from gateway.reload import poll, watch
from gateway.runtime import open_stores
from gateway.telemetry import AccessLog
from gateway.worker.assembly import Worker

log = structlog.get_logger()

Part = Literal["edge", "console", "worker"]
FLUSH_SECONDS = 0.5


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers, saying when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


Ready = Callable[[dict[str, str]], None]


def serve(path: Path, *, only: Part | None = None, ready: Ready | None = None, access_log: bool = True) -> None:
    """Run until SIGTERM or SIGINT. ``ready`` is told the addresses once all ports accept. Raises ``ConfigError``."""
    gc.freeze()  # What is imported by now stays, and the deployment is yet to be read: see ``settle_memory``.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(path, only=only, ready=ready, access_log=access_log))


async def run(path: Path, *, only: Part | None, ready: Ready | None, access_log: bool) -> None:
    async with open_stores(path, access_log=access_log) as stores:
        live = await open_live(path, stores)
        gateway = live.snapshot.deployment.gateway
        settle_memory()
        stop = asyncio.Event()
        servers = _servers(live, gateway, only)
        _handle_signals(live, stop)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(server.serve(sockets=[sock])) for server, sock in servers.values()]
            tasks.create_task(watch(live, stop))
            tasks.create_task(poll(live, stop))
            tasks.create_task(Keeper(live).run(stop))
            if not gateway.counters.url.startswith("memory"):
                tasks.create_task(Hints(live, Redis.from_url(gateway.counters.url), stores.clock).run(stop))
            tasks.create_task(_flush(stores.telemetry.log, stop))
            tasks.create_task(stores.decisions.run(stop))
            if only in (None, "worker"):
                tasks.create_task(Worker(live).run(stop))
            for server, _ in servers.values():
                await server.listening.wait()
            addresses = {name: url(sock) for name, (_, sock) in servers.items()}
            log.info("gateway.listening", pid=os.getpid(), **addresses, snapshot=live.snapshot.digest)
            if ready is not None:
                ready(addresses)
            await stop.wait()
            log.info("gateway.draining", pid=os.getpid())
            for server, _ in servers.values():
                server.should_exit = True
            await asyncio.gather(*running)
        log.info("gateway.stopped")


def settle_memory() -> None:
    """Keep what was built for good out of garbage collection, and collect rarely: calls leave no cycles behind, and looking for
    them was 9 % of a pass-through call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _servers(live: Live, gateway: Gateway, only: Part | None) -> dict[str, tuple[Server, socket.socket]]:
    servers = {}
    if only in (None, "edge"):
        stores = live.stores
        checks = SecretChecks(stores.counters, stores.clock)
        site = Site(live, oauth_routes(lambda: live.snapshot.issuer, checks))
        edge = gateway.edge
        limits = GuardLimits(
            edge.limits.header_bytes,
            edge.limits.header_count,
            edge.limits.header_timeout,
            edge.limits.connections,
            proxies=tuple(edge.trusted_proxies),
        )
        config = _config(
            Observed(site.app, stores.telemetry),
            http=guarded(limits, Edge(live, SoapFacade(Credentials(checks, stores.clock), stores.clock))),
            timeout_keep_alive=int(edge.limits.idle_timeout),
            timeout_graceful_shutdown=int(edge.drain),
        )
        servers["edge"] = (Server(config), bind(edge.listen, shared=edge.processes > 1))
    if only in (None, "console"):
        stores = live.stores
        desk = Desk(stores.ledger, lambda: live.snapshot, stores.clock, lambda *who: live.snapshot.decisions.refused(*who))
        app = console(live, desk, stores.fetcher)
        config = _config(app, timeout_graceful_shutdown=5)
        servers["console"] = (Server(config), bind(gateway.console.listen))
    return servers


def _config(app: Any, **settings: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        **settings,
    )


def bind(address: Address, *, shared: bool = False) -> socket.socket:
    """A listening socket; ``shared`` lets several processes listen on one port (SO_REUSEPORT). Raises ``ConfigError``."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        remedy = "stop what listens there, or choose another port"
        raise ConfigError([Finding("gateway.yaml", 0, f"cannot listen on {address} ({error.strerror})", remedy)]) from error
    return sock


def url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _handle_signals(live: Live, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[bool]] = set()

    def reload() -> None:
        task = loop.create_task(live.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _flush(log: AccessLog, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)
        log.flush()
