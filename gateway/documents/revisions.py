"""A document handed in again: another revision of a held one, or another try of a dead one.

The earlier revision is kept, its votes no longer count, and people are asked anew. What it pays counts from now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.documents import tables
from gateway.documents.ledger import Transaction
from gateway.documents.records import Document, Hold, Payee, Request, Terms, apply, write_payees
from gateway.documents.states import Event


def revise(
    tx: Transaction,
    document: Document,
    *,
    request: Request,
    hold: Hold,
    fingerprint: str,
    payees: Sequence[Payee],
    terms: Terms,
) -> Document:
    """Take the step ``revise`` in the caller's unit. Raises ``IllegalStep`` unless the document is held."""
    earlier = {
        "document": document.id,
        "revision": document.revision,
        "body": document.request.body,
        "hold": document.hold.text() if document.hold else None,
        "editor": document.satellite,
        "at": tx.now,
    }
    tx.write(tables.revisions.insert(), earlier)
    tx.write(tables.payees.delete().where(tables.payees.c.document == document.id))
    write_payees(tx, replace(document, received_at=tx.now), payees)
    return apply(
        tx,
        document,
        Event.REVISE,
        actor=document.satellite,
        terms=terms,
        details={"payload_hash": hold.payload_hash, "fingerprint": fingerprint},
        revision=document.revision + 1,
        request=request,
        hold=hold,
        fingerprint=fingerprint,
    )


def repeat(tx: Transaction, document: Document, *, payees: Sequence[Payee], actor: str, terms: Terms) -> Document:
    """Take the step ``replay`` in the caller's unit for a dead document that its satellite sent again: for the rolling window it
    is handed in now. Raises ``IllegalStep`` unless the document is dead."""
    tx.write(tables.payees.delete().where(tables.payees.c.document == document.id))
    write_payees(tx, replace(document, received_at=tx.now), payees)
    return apply(tx, document, Event.REPLAY, actor=actor, terms=terms, note=None)
