"""The snapshot that is live, and the stores that outlive it.

A reload builds a whole new snapshot in a thread and swaps one reference. A build that fails changes nothing: the old snapshot
stays, the log says so at once, and health says so until it is mended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from gateway.deployment import read_deployment
from gateway.errors import ConfigError, Finding
from gateway.snapshot import Snapshot, Stores, build

log = structlog.get_logger()

RESTART = (
    "edge.listen",
    "edge.processes",
    "edge.drain",
    "edge.trusted_proxies",
    "edge.limits.header_bytes",
    "edge.limits.header_count",
    "edge.limits.header_timeout",
    "edge.limits.idle_timeout",
    "edge.limits.connections",
    "console",
    "counters.url",
)
"""Settings that are taken once, when the process starts."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last reload, which did not go live. Immutable."""

    at: float
    findings: tuple[Finding, ...]


class Live:
    """Holder of the current snapshot. ``snapshot`` is one reference, read once per call.

    :ivar processes: what the processes of the deployment last reported, by name, where they share a Redis.
    """

    def __init__(self, path: Path, stores: Stores) -> None:
        self.path = path
        self.stores = stores
        self.failure: Failure | None = None
        self.processes: dict[str, dict[str, Any]] = {}
        self._reloading = asyncio.Lock()
        self.snapshot: Snapshot = build(read_deployment(path), stores)
        self._read = self.snapshot.digest
        for warning in self.snapshot.deployment.warnings:
            log.warning("configuration.doubted", finding=str(warning))

    async def reload(self) -> bool:
        """Build what the files say now and make it live. False when they are not good, which changes nothing."""
        async with self._reloading:
            # Taken before the files are read: what changes in between is seen as a change afterwards.
            with contextlib.suppress(OSError):
                self._read = await asyncio.to_thread(self.snapshot.deployment.digest)
            try:
                snapshot = await asyncio.to_thread(lambda: build(read_deployment(self.path), self.stores))
            except ConfigError as error:
                self._failed(error.findings)
                return False
            except Exception as error:
                log.error("snapshot.broke", exc_info=error)
                self._failed((Finding(self.path.name, 0, "cannot be built", "see the log; the last good snapshot stays"),))
                return False
            self._swap(snapshot)
            return True

    def stale(self) -> bool:
        """Whether the files say something else than when they were last read, for good or bad."""
        return self.snapshot.deployment.digest() != self._read

    def _failed(self, findings: tuple[Finding, ...]) -> None:
        self.failure = Failure(time.time(), findings)
        log.error("snapshot.refused", kept=self.snapshot.digest, findings=[str(finding) for finding in findings])

    def _swap(self, snapshot: Snapshot) -> None:
        old, self.snapshot, self.failure = self.snapshot, snapshot, None
        before, after = old.deployment.gateway, snapshot.deployment.gateway
        for name in RESTART:
            if _setting(before, name) != _setting(after, name):
                log.warning("setting.needs_restart", setting=name)
        log.info("snapshot.swapped", digest=snapshot.digest, policy=snapshot.runtime.policy.sha256, routes=len(snapshot.routes))
        unused = {id(client): client for client in old.clients}
        for client in snapshot.clients:
            unused.pop(id(client), None)
        for client in unused.values():
            self.stores.clients.retire(client)

    def status(self, *, places_only: bool) -> dict[str, object]:
        """What health says. ``places_only`` leaves out what is wrong, for readers who may not know."""
        snapshot = self.snapshot
        status: dict[str, object] = {
            "status": "ready",
            "snapshot": snapshot.digest,
            "loaded_at": snapshot.loaded_at,
            "policy": snapshot.runtime.policy.sha256,
        }
        if self.failure is not None:
            findings = self.failure.findings
            status["reload"] = {
                "status": "refused",
                "at": self.failure.at,
                "findings": [f"{f.file}:{f.line}" if places_only else str(f) for f in findings],
            }
        if self.processes and not places_only:
            status["processes"] = self.processes
        return status


def _setting(gateway: object, name: str) -> object:
    for part in name.split("."):
        gateway = getattr(gateway, part)
    return gateway
