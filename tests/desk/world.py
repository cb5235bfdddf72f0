"""What the tests of desk and holding share: a ledger, the files in force, people, and a satellite that hands in payments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from gateway.approvals.facts import facts_of
from gateway.approvals.file import Approvals, read_approvals
from gateway.config.source import parse_source
from gateway.desk import Desk, Detail
from gateway.documents import tables
from gateway.documents.ledger import Ledger
from gateway.documents.records import GATEWAY, Document, Request, Terms, apply, find, receive
from gateway.documents.revisions import revise
from gateway.documents.states import Event, State
from gateway.documents.transaction import Transaction
from gateway.errors import Problem
from gateway.holding import Asking, Objection, admit, recheck, value_of
from gateway.people import Person
from gateway.policy.file import read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from tests.documents.support import KEY as KEY
from tests.documents.support import NOON as NOON
from tests.documents.support import HandClock as HandClock

HOUR = 3600.0
TARGET = "finance:CreatePayment"
ACCOUNT = "6222020200112233"

POLICY = """\
p, finance-approver, demo, payments.get, allow
p, cfo,              demo, payments.get, allow
p, operators,        *,    documents.operate, allow
p, auditors,         *,    documents.audit, allow
p, finance-approver, demo, approvals.delegate, allow
p, clerks,           demo, approvals.delegate, allow
g, approver-a, finance-approver, demo
g, approver-b, finance-approver, demo
g, approver-c, finance-approver, demo
g, clerk-1,    clerks,           demo
g, operator,   operators,        demo
g, operator-2, operators,        demo
g, operator-3, operators,        demo
g, auditor,    auditors,         demo
g, approver-a, finance-approver, other
# end
"""

APPROVALS = """\
approvals:
  payments.create:
    amount: $.amount
    currency: $.currency
    entity: $.entity
    payee: $.payee.account
    payee_name: $.payee.name
    initiator: $.initiator
    attachments: $.attachments
    over: {CNY: 500000}
    window: 24h
    required: 2
    approvers: finance-approver
    remind: 4h
    escalate: {to: cfo, after: 24h}
    expires: 72h
    execute_within: 24h
"""


def policy(text: str = POLICY) -> PolicyIndex:
    return compile_policy(read_policy("policies/policy.csv", text.encode()))


def approvals(text: str = APPROVALS) -> Approvals:
    return read_approvals(parse_source(text.encode(), name="policies/approvals.yaml", folder=Path()))


@dataclass
class Book:
    """The files in force. A test that changes one gives it anew."""

    policy: PolicyIndex = field(default_factory=policy)
    approvals: Approvals = field(default_factory=approvals)

    def terms_of(self, operation: str, version: str) -> Terms:
        return Terms(callback=True)

    def change(self, *, policy_text: str | None = None, approvals_text: str | None = None) -> None:
        if policy_text is not None:
            self.policy = policy(policy_text)
        if approvals_text is not None:
            self.approvals = approvals(approvals_text)


def person(subject: str, *, tenant: str = "demo", roles: tuple[str, ...] = ()) -> Person:
    return Person(subject, subject.title(), tenant, roles, "demo")


A, B, C, CFO = person("approver-a"), person("approver-b"), person("approver-c"), person("cfo")
CLERK, AUDITOR = person("clerk-1"), person("auditor")
OPERATORS = person("operator"), person("operator-2"), person("operator-3")


def payment(amount: str = "500000.01", account: str = ACCOUNT, **changes: Any) -> dict[str, Any]:
    body = {"amount": amount, "currency": "CNY", "entity": "1000", "payee": {"account": account, "name": "Huaxing Steel"}}
    return body | {"initiator": "clerk-1", "attachments": ["invoice.pdf"]} | changes


@dataclass
class World:
    ledger: Ledger
    clock: HandClock
    book: Book = field(default_factory=Book)

    @property
    def desk(self) -> Desk:
        return Desk(self.ledger, lambda: self.book, self.clock)

    async def pay(
        self,
        body: Mapping[str, Any] | None = None,
        *,
        initiator: str | None = "clerk-1",
        tenant: str = "demo",
        editors: tuple[str, ...] = (),
    ) -> Document:
        """Hand in a payment as the record stage does: held, or queued."""
        value = dict(body or payment())
        content = json.dumps(value).encode()
        new = Document(
            id=uuid.uuid4().hex,
            operation="payments.create",
            version="v1",
            satellite="oa",
            tenant=tenant,
            roles=(),
            state=State.RECEIVED,
            seq=0,
            revision=1,
            delivery="queued",
            key=None,
            fingerprint="f" * 64,
            request=Request("POST", "/api/v1/payments", "", {}, "application/json", content),
            received_at=self.clock.time,
            updated_at=self.clock.time,
        )

        def unit(tx: Transaction) -> Document:
            rule = self.book.approvals.rules[new.operation]
            facts = facts_of(rule, value, TARGET)
            reasons, payees = admit(tx.connection, rule, facts, operation=new.operation, tenant=tenant, now=tx.now)
            terms = self.book.terms_of(new.operation, new.version)
            if not reasons:
                return receive(tx, new, Event.QUEUE, terms=terms, payees=payees)
            asking = Asking(self.book.approvals, new.operation)
            hold = asking(rule, facts, reasons, value, initiator=initiator, editors=editors, revision=1, now=tx.now)
            return receive(tx, replace(new, hold=hold), Event.HOLD, terms=terms, payees=payees)

        return await self.ledger.write(unit)

    async def revise(self, document: Document, body: Mapping[str, Any], editor: str) -> Document:
        """Another revision, as the satellite's PUT makes one."""

        def unit(tx: Transaction) -> Document:
            current = find(tx.connection, document.id)
            assert current is not None
            assert current.hold is not None
            rule = self.book.approvals.rules[current.operation]
            facts = facts_of(rule, dict(body), TARGET)
            reasons, payees = admit(
                tx.connection, rule, facts, operation=current.operation, tenant=current.tenant, now=tx.now, but=current.id
            )
            asking = Asking(self.book.approvals, current.operation)
            hold = asking(
                rule,
                facts,
                reasons or current.hold.reasons,
                dict(body),
                initiator=current.hold.initiator,
                editors=(*current.hold.editors, editor),
                revision=current.revision + 1,
                now=tx.now,
            )
            request = replace(current.request, body=json.dumps(body).encode())
            terms = self.book.terms_of(current.operation, current.version)
            return revise(tx, current, request=request, hold=hold, fingerprint="e" * 64, payees=payees, terms=terms)

        return await self.ledger.write(unit)

    async def approve(self, who: Person, document: Document, **changes: Any) -> Detail:
        """A click on what the document is now."""
        now = await self.find(document.id)
        assert now.hold is not None
        shown = {"revision": now.revision, "payload_hash": now.hold.payload_hash}
        return await self.desk.approve(who, document.id, **shown | changes)

    async def reject(self, who: Person, document: Document, **changes: Any) -> Detail:
        now = await self.find(document.id)
        assert now.hold is not None
        shown = {"revision": now.revision, "payload_hash": now.hold.payload_hash, "reason": "no order"}
        return await self.desk.reject(who, document.id, **shown | changes)

    async def release(self, document: Document, *, target: str = TARGET) -> Objection | None:
        """What the worker does in the unit that commits the intent to send."""

        def unit(tx: Transaction) -> Objection | None:
            current = find(tx.connection, document.id)
            assert current is not None
            terms = self.book.terms_of(current.operation, current.version)
            objection = recheck(tx.connection, current, self.book, tx.now, value=value_of(current), target=target)
            if objection is not None:
                objection.take(tx, current, terms)
            else:
                apply(tx, current, Event.SEND, actor=GATEWAY, terms=terms)
            return objection

        return await self.ledger.write(unit)

    async def step(self, document: Document, event: Event, **changes: Any) -> Document:
        def unit(tx: Transaction) -> Document:
            current = find(tx.connection, document.id)
            assert current is not None
            terms = self.book.terms_of(current.operation, current.version)
            return apply(tx, current, event, actor=GATEWAY, terms=terms, **changes)

        return await self.ledger.write(unit)

    async def manual(self, **pay: Any) -> Document:
        """A payment that two approved and whose outcome nobody can tell."""
        document = await self.pay(**pay)
        await self.approve(A, document)
        await self.approve(B, document)
        for event in (Event.SEND, Event.LOSE, Event.GIVE_UP):
            document = await self.step(document, event)
        return document

    async def find(self, id_: str) -> Document:
        found = await self.ledger.read(lambda connection: find(connection, id_))
        assert found is not None
        return found

    async def state(self, document: Document) -> State:
        return (await self.find(document.id)).state

    async def rows(self, table: Any, document: Document) -> list[Any]:
        def look(connection: Connection) -> list[Any]:
            return list(connection.execute(select(table).where(table.c.document == document.id)))

        return await self.ledger.read(look)

    async def work(self, document: Document, kind: str) -> int:
        return sum(row.kind == kind for row in await self.rows(tables.work, document))

    async def told(self, document: Document) -> list[dict[str, Any]]:
        return [json.loads(row.entry) for row in await self.rows(tables.audit, document)]

    async def tamper(self, document: Document, **columns: Any) -> None:
        """What somebody with the database in their hands does."""
        d = tables.documents
        await self.ledger.write(lambda tx: tx.write(d.update().where(d.c.id == document.id).values(**columns)))


async def refused(call: Any) -> str:
    """The stable code of what a call is refused with."""
    try:
        await call
    except Problem as problem:
        return str(problem.extensions.get("code", problem.slug))
    raise AssertionError("it was allowed")
