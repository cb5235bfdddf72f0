"""What the sealed entries tell of a document, heard against rows somebody may have written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.documents import tables
from gateway.documents.history import History, off_record, request_digest
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import apply
from gateway.documents.states import Event, State
from tests.documents.support import TERMS, record


async def test_what_was_done_in_the_same_unit_counts(ledger: Ledger) -> None:
    held = await record(ledger, Event.HOLD)

    def unit(tx: Transaction) -> str:
        vote = {"document": held.id, "revision": 1, "person": "approver-a", "decision": "approve", "payload_hash": "h"}
        tx.write(tables.votes.insert(), {**vote, "at": tx.now, "method": "oidc", "roles": "[]"})
        apply(tx, held, Event.VOTE, actor="approver-a", terms=TERMS, details={"payload_hash": "h"})
        return off_record(tx, held.id)

    assert await ledger.write(unit) == ""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE votes SET person = 'approver-b'",
        "UPDATE votes SET payload_hash = 'i'",
        "UPDATE votes SET delegator = 'cfo'",
        "UPDATE votes SET at = at + 1",
        "UPDATE votes SET decision = 'absent'",
    ],
)
async def test_a_vote_is_what_was_said(ledger: Ledger, statement: str) -> None:
    held = await record(ledger, Event.HOLD)

    def unit(tx: Transaction) -> str:
        vote = {"document": held.id, "revision": 1, "person": "approver-a", "decision": "approve", "payload_hash": "h"}
        tx.write(tables.votes.insert(), {**vote, "at": tx.now, "method": "oidc", "roles": "[]"})
        apply(tx, held, Event.VOTE, actor="approver-a", terms=TERMS, details={"payload_hash": "h"})
        tx.write(text(statement))
        return off_record(tx, held.id)

    assert "has no audit entry" in await ledger.write(unit)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE delegations SET tenant = tenant", ""),
        ("UPDATE delegations SET delegate = 'clerk-1'", "the delegation of approver-a to clerk-1 is none the gateway made"),
        ("UPDATE delegations SET ends_at = ends_at + 1", "the delegation of approver-a to deputy is none the gateway made"),
        ("UPDATE delegations SET seal = ''", "the delegation of approver-a to deputy is none the gateway made"),
    ],
)
async def test_who_decides_for_another_was_let_by_them(ledger: Ledger, statement: str, found: str) -> None:
    held = await record(ledger, Event.HOLD)

    def unit(tx: Transaction) -> str:
        row = {
            "id": 1,
            "tenant": "demo",
            "delegator": "approver-a",
            "delegate": "deputy",
            "starts_at": tx.now,
            "ends_at": tx.now + 60,
        }
        tx.write(tables.delegations.insert(), {**row, "seal": tx.seal("delegation", *row.values(), None)})
        vote = {"document": held.id, "revision": 1, "person": "deputy", "decision": "approve", "payload_hash": "h"}
        tx.write(tables.votes.insert(), {**vote, "delegator": "approver-a", "at": tx.now, "method": "oidc", "roles": "[]"})
        details = {"payload_hash": "h", "delegator": "approver-a"}
        apply(tx, held, Event.VOTE, actor="deputy", terms=TERMS, details=details)
        tx.write(text(statement))
        return off_record(tx, held.id)

    assert await ledger.write(unit) == found


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET entry = replace(entry, 'oa', 'ob') WHERE document = :id",
        "UPDATE audit SET mac = hash WHERE document = :id",
        "UPDATE audit SET document = :id",
    ],
)
async def test_an_entry_without_its_seal_or_of_another_document_is_none(ledger: Ledger, statement: str) -> None:
    await record(ledger, Event.HOLD)
    held = await record(ledger, Event.HOLD)
    await ledger.write(lambda tx: tx.connection.execute(text(statement), {"id": held.id}).close())
    assert await ledger.write(lambda tx: off_record(tx, held.id)) == "an audit entry of it was tampered with"


async def test_a_step_from_a_state_nobody_led_to_is_found(ledger: Ledger) -> None:
    held = await record(ledger, Event.HOLD)

    def unit(tx: Transaction) -> str:
        apply(tx, replace(held, state=State.APPROVED), Event.SEND, actor="gateway", terms=TERMS)
        return off_record(tx, held.id)

    assert await ledger.write(unit) == "a step was taken while it was approved, by the entry before it was held"


def test_what_is_no_entry_tells_nothing() -> None:
    history = History()
    for line in ("", "{", "[]", "null", '{"details": 1}'):
        history.hear(line)
    assert history == History()


def test_where_a_request_ends_its_body_begins() -> None:
    assert request_digest("a", b"b") == request_digest("a", "b")
    assert request_digest("a", b"b") != request_digest("ab", b"")
