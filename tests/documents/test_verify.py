"""A real ledger verified on both stores, intact and after somebody wrote to its database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from gateway.documents.audit import Anchor
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import apply
from gateway.documents.states import Event
from gateway.documents.verify import Verdict, verify
from tests.documents.support import KEY, TERMS, chain, note, record

VOTE = """INSERT INTO votes (document, revision, person, decision, payload_hash, at, method, roles)
    VALUES (:id, 1, 'approver-b', 'approve', 'h', 1800000000.5, 'oidc', '[]')"""


async def tamper(ledger: Ledger, statement: str, **values: object) -> None:
    await ledger.write(lambda tx: tx.connection.execute(text(statement), values).close())


async def looked(ledger: Ledger, *anchors: Anchor) -> Verdict:
    return await ledger.read(lambda connection: verify(connection, KEY, anchors))


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    for event in (Event.SEND, Event.QUEUE, Event.HOLD) * 4:
        await record(ledger, event)
    await ledger.write(note("something.else"))
    return ledger


async def test_an_intact_ledger_is_intact(filled: Ledger) -> None:
    found = await looked(filled, filled.anchor())
    assert found.intact
    assert (found.entries, found.head) == (25, filled.head)


async def test_an_empty_ledger_is_intact(ledger: Ledger) -> None:
    found = await looked(ledger)
    assert (found.intact, found.entries) == (True, 0)


@pytest.mark.parametrize(
    ("statement", "seq", "fault"),
    [
        ("UPDATE audit SET entry = replace(entry, 'oa', 'ob') WHERE seq = 7", 7, "altered"),
        ("UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 9", 9, "altered"),
        ("UPDATE audit SET mac = hash WHERE seq = 5", 5, "forged"),
        ("UPDATE audit SET document = NULL WHERE seq = 5", 5, "altered"),
        ("DELETE FROM audit WHERE seq = 12", 12, "missing"),
        ("DELETE FROM audit WHERE seq = 25", 25, "truncated"),
        ("INSERT INTO audit SELECT 26, entry, document, hash, mac FROM audit WHERE seq = 3", 26, "inserted"),
        ("UPDATE chain SET seq = 24", 25, "head"),
        ("DELETE FROM chain", 25, "head"),
    ],
)
async def test_what_somebody_wrote_to_the_chain_is_found(filled: Ledger, statement: str, seq: int, fault: str) -> None:
    await tamper(filled, statement)
    found = (await looked(filled)).tampered
    assert [(one.seq, one.fault) for one in found] == [(seq, fault)]


async def test_a_cut_end_with_its_head_is_found_by_the_anchor(filled: Ledger) -> None:
    rows, _ = await chain(filled)
    anchor = filled.anchor()
    await tamper(filled, "DELETE FROM audit WHERE seq > 20")
    await tamper(filled, "UPDATE chain SET seq = 20, hash = :hash", hash=rows[19].hash)
    found = await looked(filled, anchor)
    assert [(one.seq, one.last, one.fault) for one in found.tampered] == [(21, 25, "truncated")]
    assert {one.document for one in found.strayed} == {rows[20].document, rows[22].document}


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE documents SET state = 'approved' WHERE id = :id", "its state is approved, by its last audit entry held"),
        ("UPDATE documents SET seq = 9 WHERE id = :id", "its seq is 9, by its last audit entry 1"),
        ("UPDATE documents SET revision = 2 WHERE id = :id", "its revision is 2, by its last audit entry 1"),
        ("UPDATE documents SET fingerprint = 'x' WHERE id = :id", "its fingerprint is not the one that was received"),
        ("UPDATE documents SET operation = 'stock.get' WHERE id = :id", "its operation is not the one that was received"),
        ("UPDATE documents SET body = body || 'x' WHERE id = :id", "its request is not the one that was received"),
        (
            "UPDATE documents SET request = replace(request, 'POST', 'PUT') WHERE id = :id",
            "its request is not the one that was received",
        ),
        (VOTE, "the decision of approver-b on its revision 1 has no audit entry"),
        ("UPDATE audit SET document = NULL WHERE document = :id", "has no audit entry"),
    ],
)
async def test_a_document_that_strayed_from_its_history_is_found(filled: Ledger, statement: str, what: str) -> None:
    held = await record(filled, Event.HOLD)
    await tamper(filled, statement, id=held.id)
    assert [(one.document, one.what) for one in (await looked(filled)).strayed] == [(held.id, what)]


async def test_a_document_that_is_gone_is_found_unless_it_was_finished(filled: Ledger) -> None:
    held, done = await record(filled, Event.HOLD), await record(filled, Event.HOLD)

    def finishes(tx: Transaction) -> None:
        apply(tx, done, Event.REJECT, actor="approver-a", terms=TERMS)

    await filled.write(finishes)
    for id_ in (held.id, done.id):
        await tamper(filled, "DELETE FROM work WHERE document = :id", id=id_)
        await tamper(filled, "DELETE FROM documents WHERE id = :id", id=id_)
    assert [(one.document, one.what) for one in (await looked(filled)).strayed] == [(held.id, "was held and is gone")]


async def test_pages_are_read_to_the_end(ledger: Ledger) -> None:
    await asyncio.gather(*(record(ledger) for _ in range(1100)))
    found = await looked(ledger)
    assert (found.intact, found.entries) == (True, 2200)
