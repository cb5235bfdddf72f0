"""One document as one person sees it, gathered in one consistent state of the ledger."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from gateway.approvals.compare import account_key
from gateway.desk.masking import accounts_in, masked_details, masked_sentence, masked_value
from gateway.desk.operators import attestations, impartial
from gateway.desk.refusals import Refusal
from gateway.desk.restricting import hidden_facts, restricted_detail
from gateway.desk.sight import Decision, Item, Viewer, item_of, rows
from gateway.desk.views import Change, Detail, Entry, Payment, Revision, Voted
from gateway.documents import tables
from gateway.documents.records import Document, Hold, find
from gateway.documents.states import ISO_20022, State
from gateway.documents.transaction import restored
from gateway.errors import BadRequest, NotFound
from gateway.exchange import ABSENT
from gateway.holding import Ballot, Rules, intact, value_of
from gateway.protocols import json_http

HISTORY = 10
MOST_SIBLINGS = 200
MOST_CHANGES = 500
DECISIONS: Final[tuple[Decision, ...]] = ("approve", "reject")

_D, _P, _R, _A = tables.documents, tables.payees, tables.revisions, tables.audit


def seen(connection: Connection, viewer: Viewer, document: str) -> tuple[Document, Ballot | None]:
    """A document the person may see. Raises ``NotFound``, which does not tell whether there is one."""
    found = find(connection, document) if len(document) <= 32 and document.isalnum() else None
    if found is not None:
        item = item_of(found)
        ballot = viewer.ballots(connection, [item]).get(found.id)
        if viewer.sees(item, ballot):
            return found, ballot
    raise NotFound("There is no such document.")


def detail(connection: Connection, viewer: Viewer, rules: Rules, id_: str) -> Detail:
    """Raises ``NotFound`` when the person may not see it."""
    document, ballot = seen(connection, viewer, id_)
    item, hold = item_of(document), document.hold
    earlier = connection.execute(select(_R).where(_R.c.document == id_).order_by(_R.c.revision)).all()
    accounts = accounts_of(connection, document, earlier)
    can, why_not = _powers(connection, viewer, document, item, ballot)
    whole = Detail(
        row=rows(connection, viewer, [item], {} if ballot is None else {id_: ballot})[0],
        facts=masked_details(hold.facts, accounts) if hold else {},
        revision=document.revision,
        payload_hash=hold.payload_hash if hold else document.fingerprint,
        payload=masked_value(_value(document), accounts),
        intact=hold is None or intact(document),
        siblings=tuple(_siblings(connection, document, rules)),
        history=tuple(_paid(connection, _others(document, accounts).limit(HISTORY))),
        revisions=tuple(_revisions(earlier, document, accounts)),
        timeline=tuple(_timeline(connection, id_, accounts)),
        votes=tuple(_votes(ballot, accounts)) if ballot else (),
        attestations=tuple(attestations(connection, document)),
        attachments=tuple(hold.facts.get("attachments", ())) if hold else (),
        reference=document.reference,
        iso20022=ISO_20022[document.state],
        can=can,
        why_not=why_not,
    )
    return restricted_detail(whole, viewer.fields(document.operation, document.version), viewer.rule(document.operation))


def accounts_of(connection: Connection, document: Document, earlier: Collection[Row[Any]] = ()) -> frozenset[str]:
    """The keys of every account the document pays, or would have paid in another revision."""
    holds = [document.hold, *(Hold.read(row.hold) for row in earlier if row.hold)]
    written = chain.from_iterable(accounts_in(hold.facts) for hold in holds if hold is not None)
    kept = connection.execute(select(_P.c.payee).where(_P.c.document == document.id)).scalars()
    return frozenset({account_key(account) for account in (*written, *kept)} - {""})


def _value(document: Document) -> object:
    try:
        return value_of(document)
    except BadRequest:
        return None


# --- what the person can do --------------------------------------------------------------------------------------------------


def _powers(
    connection: Connection, viewer: Viewer, document: Document, item: Item, ballot: Ballot | None
) -> tuple[frozenset[str], Mapping[str, Refusal]]:
    refusals: dict[str, Refusal | None] = {}
    if ballot is not None:
        for decision in DECISIONS:
            refusal = viewer.vote_refusal(item, ballot, decision)
            refusals[decision] = None if viewer.may_act_for(item, ballot, decision) else refusal
        refusals["approve"] = refusals["approve"] or not_shown(viewer, document)
    who = {"person": viewer.person.subject}
    refusals["reveal"] = None if viewer.may_reveal(ballot) else Refusal("not_revealed", who)
    not_operator = None if viewer.operates else Refusal("not_operator", who)
    if document.state is State.MANUAL:
        refusals["attest"] = not_operator or impartial(viewer, ballot)
    if document.state is State.DEAD:
        refusals |= {"replay": not_operator, "discard": not_operator}
    can = frozenset(name for name, refusal in refusals.items() if refusal is None)
    return can, {name: refusal for name, refusal in refusals.items() if refusal is not None}


def not_shown(viewer: Viewer, document: Document) -> Refusal | None:
    """Why nobody, or not this person, was shown what they would agree to."""
    if not intact(document):
        return Refusal("body_changed")
    if hidden_facts(viewer.fields(document.operation, document.version), viewer.rule(document.operation)):
        return Refusal("unseen", {"person": viewer.person.subject})
    return None


def _votes(ballot: Ballot, accounts: Collection[str]) -> Iterator[Voted]:
    void = [(vote, Refusal.of(refusal)) for vote, refusal in ballot.quorum().void]
    for cast in ballot.casts:
        vote = cast.vote
        why = next((refusal for other, refusal in void if other is vote), None)
        reason = None if cast.reason is None else masked_sentence(cast.reason, accounts)
        yield Voted(vote.person, vote.decision, vote.revision, vote.at, vote.delegator, cast.method, reason, why)


# --- other documents ---------------------------------------------------------------------------------------------------------


def _siblings(connection: Connection, document: Document, rules: Rules) -> Iterator[Payment]:
    """What counts together with it: handed in within the rule's window before it, and since."""
    rule = rules.approvals.rules.get(document.operation)
    if rule is None or rule.window is None:
        return
    gone = (State.REJECTED, State.RECALLED, State.EXPIRED, State.SUPERSEDED, State.REFUSED, State.DISCARDED)
    keys = connection.execute(select(_P.c.payee).where(_P.c.document == document.id)).scalars().all()
    query = _others(document, keys).where(_P.c.at > document.received_at - rule.window)
    yield from _paid(connection, query.where(_D.c.state.not_in([state.value for state in gone])).limit(MOST_SIBLINGS))


def _others(document: Document, accounts: Collection[str]) -> Select[Any]:
    columns = (_P.c.document, _P.c.amount, _P.c.currency, _P.c.at, _D.c.state, _D.c.reference)
    same = (_P.c.operation == document.operation, _P.c.tenant == document.tenant, _P.c.payee.in_(sorted(accounts)[:1000]))
    joined = select(*columns).join(_D, _D.c.id == _P.c.document)
    return joined.where(*same, _P.c.document != document.id).order_by(_P.c.at.desc(), _P.c.document.desc())


def _paid(connection: Connection, query: Select[Any]) -> Iterator[Payment]:
    for row in connection.execute(query):
        yield Payment(row.document, row.amount, row.currency, row.at, State(row.state), restored(row.reference))


# --- history -----------------------------------------------------------------------------------------------------------------


def _revisions(earlier: Collection[Row[Any]], document: Document, accounts: Collection[str]) -> Iterator[Revision]:
    bodies = [*(bytes(row.body) for row in earlier), document.request.body]
    for row, body, following in zip(earlier, bodies, bodies[1:], strict=False):
        differences = list(_differences(_json(body), _json(following), ""))[:MOST_CHANGES]
        changes = [
            Change(where, masked_value(before, accounts), masked_value(after, accounts)) for where, before, after in differences
        ]
        yield Revision(row.revision, row.editor, row.at, tuple(changes))


def _json(body: bytes) -> object:
    try:
        return json_http.loads(body, depth=200)
    except BadRequest:
        return None


def _differences(before: object, after: object, pointer: str) -> Iterator[tuple[str, object, object]]:
    """Field by field; a field that is missing counts as ``None``."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _differences(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            old, new = (part[number] if number < len(part) else ABSENT for part in (before, after))
            yield from _differences(old, new, f"{pointer}/{number}")
    elif type(before) is not type(after) or before != after:
        yield pointer, None if before is ABSENT else before, None if after is ABSENT else after


def _timeline(connection: Connection, document: str, accounts: Collection[str]) -> Iterator[Entry]:
    query = select(_A.c.entry).where(_A.c.document == document).order_by(_A.c.seq)
    for text in connection.execute(query).scalars():
        entry = json.loads(text)
        yield Entry(entry["at"], entry["kind"], entry["actor"], masked_details(entry.get("details", {}), accounts))
