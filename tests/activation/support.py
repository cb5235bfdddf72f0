"""What the activation's tests share: one process over a ledger, the people at its console, and its worker's hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gateway.activation import Policies, Release, open_live
from gateway.desk import Desk, Detail
from gateway.documents.ledger import Ledger
from gateway.documents.records import Document, claim, find
from gateway.errors import Problem
from gateway.exchange import Principal
from gateway.live import Live
from gateway.people import Person
from gateway.runtime import check_stores
from gateway.snapshot import Stores
from tests.documents.support import HandClock
from tests.support import edit

LAST = "g, crm,              sales,             demo\n"


def person(subject: str, *roles: str, tenant: str = "demo") -> Person:
    return Person(subject, subject, tenant, roles, "demo")


ADMIN, SECOND = person("security-admin"), person("security-admin-2")


def stores_over(path: Path, ledger: Ledger, clock: HandClock) -> Stores:
    return replace(check_stores(path), ledger=ledger, clock=clock)


@dataclass
class World:
    """``live`` is one process; ``another`` starts one more over the same files and ledger."""

    path: Path
    stores: Stores
    clock: HandClock
    url: str
    live: Live = field(init=False)

    async def start(self) -> None:
        self.live = await self.another()

    async def another(self) -> Live:
        return await open_live(self.path, self.stores)

    @property
    def policies(self) -> Policies:
        return Policies(self.live)

    @property
    def csv(self) -> Path:
        return self.path.parent / "policies" / "policy.csv"

    async def add(self, *rows: str) -> str:
        """Rows more in policy.csv on disk, read; the digest of what is pending."""
        edit(self.csv, LAST, LAST + "".join(row + "\n" for row in rows))
        await self.live.reload()
        assert self.live.pending is not None
        return self.live.pending.digest

    async def propose(self, *rows: str, by: Person = ADMIN) -> str:
        """A proposal of the files with rows more; the document's id."""
        return await self.policies.propose(by, await self.add(*rows))

    def desk(self, live: Live | None = None) -> Desk:
        held = live or self.live
        return Desk(self.stores.ledger, lambda: held.snapshot, self.clock)

    async def approve(self, who: Person, document: str, **changes: Any) -> Detail:
        found = await self.document(document)
        assert found.hold is not None
        shown: dict[str, Any] = {"revision": found.revision, "payload_hash": found.hold.payload_hash}
        return await self.desk().approve(who, document, **shown | changes)

    async def refusal(self, who: Person, document: str, **changes: Any) -> str:
        """The code of why somebody may not approve."""
        try:
            await self.approve(who, document, **changes)
        except Problem as problem:
            return str(problem.extensions.get("code", problem.slug))
        return ""

    async def release(self, live: Live | None = None) -> None:
        """What a worker of that process does with the sends that are due."""
        works = await self.stores.ledger.write(lambda tx: claim(tx, ("send",), lease=30, limit=10))
        for work in works:
            await Release(live or self.live)(work, await self.document(work.document or ""))

    async def document(self, id_: str) -> Document:
        found = await self.stores.ledger.read(lambda connection: find(connection, id_))
        assert found is not None
        return found

    async def outcome(self, id_: str) -> tuple[str, str]:
        """A document's state, and the code of its note."""
        found = await self.document(id_)
        return found.state.value, (found.note or {}).get("code", "")

    async def sql(self, statement: str, **values: Any) -> None:
        """What somebody does who can write the database and has no key."""
        await self.stores.ledger.write(lambda tx: tx.write(text(statement), values))

    def may(self, subject: str, operation: str, live: Live | None = None) -> bool:
        policy = (live or self.live).snapshot.policy
        return policy.decide(Principal(subject, "demo"), operation, "v1").allowed
