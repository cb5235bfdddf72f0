"""The snapshot that is live, and the stores that outlive it.

A reload builds a whole new snapshot in a thread and swaps one reference. A build that fails changes nothing: the old snapshot
stays, the log says so at once, and health says so until it is mended. Where policies need two people, what is decided by comes
from the ledger and never from the files: those are looked at and wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from gateway.bundle import Bundle
from gateway.config.gateway import Gateway
from gateway.deployment import Deployment, bundle_of, in_place_of, read_deployment
from gateway.documents.policies import Activation, NotOnRecord, active, kept
from gateway.errors import ConfigError, Finding, LedgerUnavailable
from gateway.snapshot import Snapshot, Stores, build

log = structlog.get_logger()

RESTART = (
    "edge.listen",
    "edge.processes",
    "edge.drain",
    "edge.limits.header_bytes",
    "edge.limits.header_count",
    "edge.limits.header_timeout",
    "edge.limits.idle_timeout",
    "edge.limits.connections",
    "console",
    "counters.url",
    "ledger",
    "policy.activation",
)
"""Settings that are taken once, when the process starts."""

WHO = ("demo", "identity")
"""Settings by which people and satellites are known. Where policies need two people they need a restart, which is seen."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last reload, which did not go live. Immutable."""

    at: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Active:
    """Immutable. The policy that two people agreed to last, as the ledger has it."""

    activation: Activation
    bundle: Bundle = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """Immutable. Files that differ from the policy that is live, and change nothing.

    :param bundle: what they say, ``None`` where one cannot be read.
    :param findings: everything that keeps them from going live, each with file and line; with none they may be proposed.
    :param snapshot: what would be live with them, ``None`` where there are findings.
    """

    base: Bundle = field(repr=False)
    bundle: Bundle | None = field(repr=False)
    findings: tuple[Finding, ...]
    snapshot: Snapshot | None = field(repr=False)

    @property
    def digest(self) -> str:
        return self.bundle.digest if self.bundle is not None else ""

    @property
    def summary(self) -> str:
        return self.bundle.summary(self.base) if self.bundle is not None else ""


def last_active(connection: Connection, key: bytes) -> Active | None:
    """Raises ``NotOnRecord``."""
    activation = active(connection, key)
    return None if activation is None else Active(activation, kept(connection, activation.digest))


class Live:
    """Holder of the current snapshot. ``snapshot`` is one reference, read once per call.

    :param active: what two people agreed to last; ``None`` where files are live at once. Raises ``ConfigError``.
    :ivar pending: files that wait for two people.
    :ivar doubt: why the ledger's last activation was not taken, empty when there is nothing wrong with it.
    :ivar changed: set when another snapshot went live. Whoever waits for it clears it.
    :ivar processes: what the processes of the deployment last reported, by name, where they share a Redis.
    """

    def __init__(self, path: Path, stores: Stores, active: Active | None = None) -> None:
        self.path = path
        self.stores = stores
        self.failure: Failure | None = None
        self.pending: Pending | None = None
        self.doubt = ""
        self.changed = asyncio.Event()
        self.processes: dict[str, dict[str, Any]] = {}
        self._active = active
        self._reloading = asyncio.Lock()
        self.snapshot: Snapshot = build(self._deployment(None), stores)
        self._start = self.snapshot.deployment.gateway
        self._read = self.snapshot.deployment.digest()
        self.pending = self._waiting()
        for warning in self.snapshot.deployment.warnings:
            log.warning("configuration.doubted", finding=str(warning))

    @property
    def dual(self) -> bool:
        """Whether a change of policy needs two people, as it was when the process started."""
        return self._active is not None

    @property
    def number(self) -> int:
        """Of the activation that is to be live here; 0 where files are live at once."""
        return self._active.activation.number if self._active is not None else 0

    async def reload(self) -> bool:
        """Build what the files say now, under the policy that is live, and make it live. False when they are not good, which
        changes nothing."""
        async with self._reloading:
            # Taken before the files are read: what changes in between is seen as a change afterwards.
            with contextlib.suppress(OSError):
                self._read = await asyncio.to_thread(self.snapshot.deployment.digest)
            await self._look()
            good = await self._try(lambda: self._deployment(self._start))
            if not good and self._active is not None and self.lagging:
                # Files that are broken must not keep back a policy that is agreed to: it goes to those that are live.
                failure, agreed = self.failure, self._active.bundle
                await self._try(lambda: self._under(agreed))
                self.failure = failure
            self.pending = await asyncio.to_thread(self._waiting)
            return good

    def stale(self) -> bool:
        """Whether the files say something else than when they were last read, for good or bad."""
        return self.snapshot.deployment.digest() != self._read

    @property
    def lagging(self) -> bool:
        """Whether what is agreed to could not be made live here."""
        return self._active is not None and self._active.bundle != self.snapshot.deployment.bundle

    async def _look(self) -> None:
        """Take the ledger's last activation. One that is not proved, or older than the one here, changes nothing."""
        if self._active is None:
            return
        try:
            found = await self.stores.ledger.proved(last_active)
            if found is None or _place(found) < _place(self._active):
                raise NotOnRecord("the activation that is live here is gone")
            if found.activation.mode != "dual":
                raise NotOnRecord(f"activation {found.activation.number} is of a process that asks nobody (activation: files)")
        except NotOnRecord as error:
            if self.doubt != str(error):
                log.error("policy.doubted", kept=self.snapshot.deployment.bundle.digest, why=str(error))
            self.doubt = str(error)
        except LedgerUnavailable as error:
            log.warning("policy.unknown", exc_info=error)
        except Exception as error:
            # What nobody foresaw in the ledger changes nothing either, and ends no process.
            log.error("policy.broke", exc_info=error)
            self.doubt = "it cannot be read; see the log"
        else:
            self._active, self.doubt = found, ""

    def _deployment(self, start: Gateway | None) -> Deployment:
        if self._active is None:
            return read_deployment(self.path)
        bundle = self._active.bundle
        deployment = read_deployment(self.path, lambda own: in_place_of(own, bundle, shown=LIVE), sealed=True)
        changed = [name for name in WHO if start and _setting(deployment.gateway, name) != _setting(start, name)]
        if changed:
            what = "is taken when the gateway starts where policies need two people (activation: dual)"
            remedy = "restart, or put back what was there"
            raise ConfigError([deployment.source.finding((name,), f"'{name}' {what}", remedy) for name in changed])
        return deployment

    def _under(self, bundle: Bundle) -> Deployment:
        deployment = self.snapshot.deployment
        return deployment.under(in_place_of(deployment.own_policies(), bundle, shown=LIVE), sealed=True)

    def _waiting(self) -> Pending | None:
        """The files in the policies folder, where they are not what is live."""
        if self._active is None:
            return None
        deployment = self.snapshot.deployment
        base, own = deployment.bundle, deployment.own_policies()
        try:
            bundle = bundle_of(own)
        except ConfigError as error:
            return Pending(base, None, tuple(error.findings), None)
        except OSError as error:
            return Pending(base, None, (Finding(own.shown, 0, f"cannot be read ({error.strerror})", "make it readable"),), None)
        if bundle == base:
            return None
        try:
            return Pending(base, bundle, (), self.candidate(bundle))
        except ConfigError as error:
            return Pending(base, bundle, tuple(error.findings), None)
        except Exception as error:
            log.error("policy.broke", exc_info=error)
            return Pending(base, bundle, (Finding(own.shown, 0, "cannot be built", "see the log"),), None)

    def candidate(self, bundle: Bundle) -> Snapshot:
        """What would be live with other policies: it was read, compared with Casbin and tested. Raises ``ConfigError``."""
        deployment = self.snapshot.deployment
        return build(deployment.under(in_place_of(deployment.own_policies(), bundle), sealed=True), self.stores)

    async def _try(self, read: Callable[[], Deployment]) -> bool:
        try:
            snapshot = await asyncio.to_thread(lambda: build(read(), self.stores))
        except ConfigError as error:
            self._failed(error.findings)
            return False
        except Exception as error:
            log.error("snapshot.broke", exc_info=error)
            self._failed((Finding(self.path.name, 0, "cannot be built", "see the log; the last good snapshot stays"),))
            return False
        self._swap(snapshot)
        return True

    def _failed(self, findings: tuple[Finding, ...]) -> None:
        self.failure = Failure(time.time(), findings)
        log.error("snapshot.refused", kept=self.snapshot.digest, findings=[str(finding) for finding in findings])

    def _swap(self, snapshot: Snapshot) -> None:
        old, self.snapshot, self.failure = self.snapshot, snapshot, None
        before, after = old.deployment.gateway, snapshot.deployment.gateway
        for name in RESTART:
            if _setting(before, name) != _setting(after, name):
                log.warning("setting.needs_restart", setting=name)
        for warning in snapshot.warnings:
            if warning not in old.warnings:
                log.warning("configuration.doubted", finding=str(warning))
        log.info("snapshot.swapped", digest=snapshot.digest, policy=snapshot.runtime.policy.sha256, routes=len(snapshot.routes))
        unused = {id(client): client for client in old.clients}
        for client in snapshot.clients:
            unused.pop(id(client), None)
        for client in unused.values():
            self.stores.clients.retire(client)
        self.changed.set()

    def status(self, *, places_only: bool) -> dict[str, object]:
        """What health says. ``places_only`` leaves out what is wrong, for readers who may not know."""
        snapshot = self.snapshot
        status: dict[str, object] = {
            "status": "ready",
            "snapshot": snapshot.digest,
            "loaded_at": snapshot.loaded_at,
            "policy": snapshot.runtime.policy.sha256,
            "policies": snapshot.deployment.bundle.digest,
        }
        if self.failure is not None:
            status["reload"] = {"status": "refused", "at": self.failure.at, "findings": _told(self.failure.findings, places_only)}
        if self.dual and not places_only:
            status["activation"] = self._activation()
        if self.processes and not places_only:
            status["processes"] = self.processes
        return status

    def _activation(self) -> dict[str, object]:
        told: dict[str, object] = {"number": self.number}
        if self.doubt:
            told["doubt"] = self.doubt
        if self.pending is not None:
            told["pending"] = {"policies": self.pending.digest, "findings": _told(self.pending.findings, False)}
        return told


LIVE = "live policy"
"""How findings call the files of the policy that is live, which lie in no folder."""


def _place(active: Active) -> tuple[int, int]:
    """Where an activation stands: numbers are the database's, those of entries the chain's."""
    return active.activation.entry, active.activation.number


def _told(findings: tuple[Finding, ...], places_only: bool) -> list[str]:
    return [f"{finding.file}:{finding.line}" if places_only else str(finding) for finding in findings]


def _setting(gateway: object, name: str) -> object:
    for part in name.split("."):
        gateway = getattr(gateway, part)
    return gateway
