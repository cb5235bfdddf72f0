"""Another revision of a held document: the earlier one is kept, its votes no longer count, and people are asked anew."""

from __future__ import annotations

from collections.abc import Sequence

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
    write_payees(tx, document, payees)
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
