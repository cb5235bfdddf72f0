"""Tells people that something waits for them: work of the kinds ask, remind, escalate and alarm, through the channels configured.

What a step of a document left to tell is first turned, in one transaction, into a ``message`` for each channel concerned; each is
then delivered, and tried again, by itself, so that a channel that is gone holds up no other. Just before each try the document is
looked at once more: nobody is asked in vain. A message may arrive twice; what became of it is in the audit chain.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, select

from gateway.approvals.compare import person_key
from gateway.config.gateway import Gateway
from gateway.config.messages import Channel, Language, service
from gateway.documents import tables
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import GATEWAY, Document, Hold, Json, Todo, Work, find, finish, postpone, put
from gateway.documents.states import State
from gateway.worker.texts import Text, compose
from gateway.worker.turns import BUSY, BUSY_SECONDS, Turns, put_back

log = structlog.get_logger()

WAITS: Final = (10.0, 60.0, 300.0, 900.0, 3600.0, 3600.0, 3600.0)
"""Seconds before the second, third … try. Together less than four hours, so that operators know before a hold ends."""

TIMEOUT: Final = 20.0
"""Seconds for one delivery. Apprise gives a silent server some 8 s and a mail server 15 s."""

SEEN: Final = ("state", "seq", "revision")
"""What work says about the document as the step left it."""

MembersOf = Callable[[str, str], Collection[str]]
"""Role and tenant -> who holds it now, by policy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Immutable. ``console`` is the URL links begin with, without a final slash."""

    console: str
    language: Language
    channels: Mapping[str, Channel]

    @classmethod
    def of(cls, gateway: Gateway) -> Settings:
        told = gateway.messages
        console = told.console_url or gateway.console.public_url or f"http://{gateway.console.listen}"
        return cls(console.rstrip("/"), told.language, told.channels)


class Messages:
    """Handles work of its ``kinds``. A claim should last a minute at least: a delivery may take ``TIMEOUT`` seconds.

    :param settings: what the live configuration says.
    :param members: who holds a role now, for channels that belong to people.
    :param jitter: gives numbers from 0 to 1.
    :ivar failed: tries that failed. :ivar given_up: messages that will not be tried again. Both count since the start.
    """

    kinds = ("ask", "remind", "escalate", "alarm", "message")

    def __init__(
        self,
        ledger: Ledger,
        settings: Callable[[], Settings],
        members: MembersOf,
        *,
        jitter: Callable[[], float] = random.random,
        timeout: float = TIMEOUT,
        turns: Turns | None = None,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._members = members
        self._jitter = jitter
        self._timeout = timeout
        self._turns = turns or Turns()
        self._threads: dict[str, Future[str | None]] = {}
        self.failed = 0
        self.given_up = 0

    async def handle(self, work: Work) -> None:
        """Do it, or leave it for later. Raises ``LedgerUnavailable`` and nothing else: then the claim runs out by itself."""
        settings = self._settings()
        if work.kind != "message":
            reached = await self._ledger.write(partial(_fan_out, work, settings, self._members))
            if reached == 0:
                log.warning("message.unaddressed", about=work.kind, document=work.document)
            return
        async with self._turns.turn(work.data["to"]) as free:
            if not free:
                later = BUSY_SECONDS * (1 + self._jitter() * 4)
                await self._ledger.write(lambda tx: put_back(tx, work, later, BUSY))
                return
            await self._deliver(work, settings)

    async def _deliver(self, work: Work, settings: Settings) -> None:
        text = await self._ledger.write(partial(_begin, work, settings))
        if text is None:
            return
        name = work.data["to"]
        problem = await self._send(name, settings.channels[name].url.get_secret_value(), text)
        wait = WAITS[min(work.attempts, len(WAITS)) - 1] * (1 + self._jitter() / 4)
        await self._ledger.write(partial(_settle, work, problem, wait))
        if problem is not None:
            self._report(work, problem)

    def _report(self, work: Work, problem: str) -> None:
        final = work.attempts > len(WAITS)
        self.failed += 1
        self.given_up += final
        facts = {"document": work.document, "channel": work.data["to"], "about": work.data["about"]}
        log.error("message.failed", **facts, attempts=work.attempts, given_up=final, problem=problem)

    async def _send(self, channel: str, url: str, text: Text) -> str | None:
        """Deliver in a thread of its own; what went wrong. A thread cannot be ended: while one is stuck its channel gets no
        other, and being a daemon it does not keep the process from ending."""
        stuck = self._threads.get(channel)
        if stuck is not None and not stuck.done():
            return "the message before is still on its way"
        outcome: Future[str | None] = Future()
        outcome.set_running_or_notify_cancel()
        threading.Thread(target=_run, args=(outcome, url, text), name=f"message-{channel}", daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(outcome), self._timeout)
        except TimeoutError:
            self._threads[channel] = outcome
            return f"not delivered within {self._timeout:g} s"


def _run(outcome: Future[str | None], url: str, text: Text) -> None:
    try:
        outcome.set_result(_notify(url, text))
    except Exception as error:  # noqa: BLE001 - the edge of the thread: a plugin's mistake is one more failed delivery
        outcome.set_result(f"failed with {type(error).__name__}")


def _notify(url: str, text: Text) -> str | None:
    """Deliver through Apprise; what went wrong, without what it says, which may hold the URL."""
    target = service(url)
    if target is None:
        return "the channel's URL is not understood"
    result = target.notify(body=text.body, title=text.subject, body_format="text")
    if result:
        return None
    statuses = [match[1] for entry in result.logs() if (match := re.search(r"\berror=([1-5][0-9]{2})\b", entry.message))]
    return f"not accepted (HTTP {statuses[-1]})" if statuses else "not accepted"


# --- units of the ledger -----------------------------------------------------------------------------------------------------


def _fan_out(work: Work, settings: Settings, members: MembersOf, tx: Transaction) -> int | None:
    """Leave a message for each channel concerned; how many, or ``None`` when there is nothing to tell any more."""
    if not finish(tx, work):
        return None
    document = _document(tx.connection, work)
    late = _moved_on(work.kind, work.data, document, tx.now)
    if late is not None:
        tx.audit("message.dropped", GATEWAY, document=work.document, about=work.kind, reason=late)
        return None
    concerned = _concerned(tx, work.kind, document, members)
    names = [name for name, channel in settings.channels.items() if work.kind in channel.about and concerned(channel)]
    if not names:
        tx.audit("message.unaddressed", GATEWAY, document=work.document, about=work.kind)
        return 0
    put(tx, [Todo("message", tx.now, work.document, {**work.data, "about": work.kind, "to": name}) for name in names])
    return len(names)


def _begin(work: Work, settings: Settings, tx: Transaction) -> Text | None:
    """What to send now; ``None`` when the message is not to be sent any more."""
    about, name = work.data["about"], work.data["to"]
    document = _document(tx.connection, work)
    late = _moved_on(about, work.data, document, tx.now)
    if late is None and name not in settings.channels:
        late = "no such channel"
    if late is None:
        return compose(about, work.data, document, now=tx.now, language=settings.language, console=settings.console)
    if finish(tx, work):
        tx.audit("message.dropped", GATEWAY, document=work.document, about=about, channel=name, reason=late)
    return None


def _settle(work: Work, problem: str | None, wait: float, tx: Transaction) -> None:
    facts = {"document": work.document, "about": work.data["about"], "channel": work.data["to"]}
    if problem is None:
        if finish(tx, work):
            tx.audit("message.sent", GATEWAY, **facts)
    elif work.attempts <= len(WAITS):
        postpone(tx, work, wait, problem)
    elif finish(tx, work):
        tx.audit("message.given_up", GATEWAY, **facts, attempts=work.attempts, problem=problem)
        if work.data["about"] != "alarm":
            alarm: Json = {
                **{name: work.data[name] for name in SEEN if name in work.data},
                "code": "message-given-up",
                "channel": work.data["to"],
            }
            put(tx, [Todo("alarm", tx.now, work.document, alarm)])


def _document(connection: Connection, work: Work) -> Document | None:
    return None if work.document is None else find(connection, work.document)


def _moved_on(about: str, data: Mapping[str, Any], document: Document | None, now: float) -> str | None:
    """Why nobody needs to be told any more."""
    if document is None:
        return None if about == "alarm" else "no such document"
    if about == "alarm":
        return None if data.get("state", document.state) == document.state else f"now {document.state}"
    if document.state is not State.HELD or document.hold is None:
        return f"now {document.state}"
    if data.get("revision", document.revision) != document.revision:
        return f"now revision {document.revision}"
    return None if now < document.hold.expires_at else "expired"


# --- who is concerned --------------------------------------------------------------------------------------------------------


def _concerned(tx: Transaction, about: str, document: Document | None, members: MembersOf) -> Callable[[Channel], bool]:
    """Whether a channel reaches somebody whom this is for. Alarms are for all who take them."""
    hold = document.hold if document is not None else None
    if about == "alarm" or document is None or hold is None:
        return lambda channel: True
    roles = _roles(hold, about)

    @cache
    def people() -> set[str]:
        return _people(tx, document, hold, {person for role in roles for person in members(role, document.tenant)})

    def concerned(channel: Channel) -> bool:
        everybody = not channel.roles and not channel.people
        if everybody or not roles.isdisjoint(channel.roles):
            return True
        return bool(channel.people) and not people().isdisjoint(map(person_key, channel.people))

    return concerned


def _roles(hold: Hold, about: str) -> set[str]:
    superior = {hold.escalate_to} if hold.escalate_to is not None else set()
    if about == "escalate":
        return superior
    return {hold.approvers} | (superior if hold.escalated else set())


_D, _V = tables.delegations.c, tables.votes.c
_ACTING = select(_D.delegator, _D.delegate).where(
    _D.tenant == bindparam("tenant"), _D.starts_at <= bindparam("now"), _D.ends_at > bindparam("now"), _D.revoked_at.is_(None)
)
_VOTED = select(_V.person).where(_V.document == bindparam("document"), _V.revision == bindparam("revision"))


def _people(tx: Transaction, document: Document, hold: Hold, members: Collection[str]) -> set[str]:
    """Who holds one of the roles or acts for somebody who does, has not voted, and did not ask for it; by ``person_key``."""
    acting = tx.connection.execute(_ACTING, {"tenant": document.tenant, "now": tx.now})
    voted = tx.connection.execute(_VOTED, {"document": document.id, "revision": document.revision})
    entitled = set(map(person_key, members))
    entitled |= {person_key(row.delegate) for row in acting if person_key(row.delegator) in entitled}
    done = {person_key(row.person) for row in voted}
    return entitled - done - {person_key(name) for name in (hold.initiator, *hold.editors) if name}
