"""Policies in the ledger: every one that was live, its bytes by their digest, and when each went live.

Whoever can write the database can write a row; only an entry of the audit chain, sealed with a key that is not in the database,
makes it count. So the last activation is read together with the last entry about one, and where the two do not say the same
nothing is live by them: no row makes a policy live, and none that is taken away brings an older one back unnoticed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, bindparam, select

from gateway.bundle import Bundle
from gateway.documents import tables
from gateway.documents.audit import Anchor, Sealed, digest_of, mac_of, timestamp
from gateway.documents.transaction import Transaction, restored, storable

How = Literal["start", "file", "rollback", "document"]
Mode = Literal["files", "dual"]

MARK: Final = "policy"
"""What entries about activations name as their document, so that the last is found at once. No document has this id."""

KIND: Final = "policy.activated"
MOST_SUMMARY: Final = 300

_P, _C, _A = tables.policies, tables.activations, tables.audit
_LAST = select(_C).order_by(_C.c.number.desc()).limit(1)
_LAST_NUMBER = select(_C.c.number).order_by(_C.c.number.desc()).limit(1)
_LAST_ENTRY = select(_A.c.seq, _A.c.entry, _A.c.mac).where(_A.c.document == MARK).order_by(_A.c.seq.desc()).limit(1)
_ENTRY = select(_A.c.seq, _A.c.entry, _A.c.mac).where(_A.c.seq == bindparam("seq"))
_CONTENT = select(_P.c.content).where(_P.c.digest == bindparam("digest"))


class NotOnRecord(Exception):
    """What the tables say of the live policy is not what the audit chain says, or not what was kept."""


@dataclass(frozen=True, slots=True)
class Activation:
    """Immutable. A policy went live.

    :param how: ``start`` (found when a gateway started), ``file`` (files changed), ``rollback`` (files changed back to what was
        live before), ``document`` (two people agreed).
    :param mode: the setting ``policy.activation`` then.
    :param document: the proposal, where there was one, with who made it and who agreed.
    :param summary: what changed, in short.
    :param entry: the number of its audit entry.
    """

    number: int
    digest: str
    at: float
    how: How
    mode: Mode
    document: str | None
    proposed_by: str | None
    approved_by: tuple[str, ...]
    summary: str
    entry: int


# --- writing -----------------------------------------------------------------------------------------------------------------


def keep(tx: Transaction, bundle: Bundle, *, secret: bool = False) -> str:
    """Keep the files of a policy; its digest. ``secret`` says that they hold one, and then only the digest is kept."""
    digest, content = bundle.digest, None if secret else bundle.packed()
    row = tx.connection.execute(select(_P.c.content.is_(None)).where(_P.c.digest == digest)).scalar_one_or_none()
    if row is None:
        tx.write(_P.insert(), {"digest": digest, "content": content, "first_seen": tx.now})
    elif row and content is not None:
        tx.write(_P.update().where(_P.c.digest == digest).values(content=content))
    return digest


def activate(
    tx: Transaction,
    bundle: Bundle,
    *,
    how: How,
    mode: Mode,
    actor: str,
    summary: str = "",
    secret: bool = False,
    document: str | None = None,
    proposed_by: str | None = None,
    approved_by: Sequence[str] = (),
) -> Activation:
    """Keep a policy and say that it goes live: the row, and the entry without which the row counts for nothing. The entry names
    policy.csv by its SHA-256 too, as health and the decision log do. ``secret`` as for ``keep``."""
    digest, policy = keep(tx, bundle, secret=secret), hashlib.sha256(bundle.files.get("policy.csv", b"")).hexdigest()
    told, by, approvers, entry = summary[:MOST_SUMMARY], storable(proposed_by), json.dumps(list(approved_by)), tx.head.seq + 1
    said = {"digest": digest, "how": how, "mode": mode, "proposal": document, "proposed_by": by}
    said |= {"approved_by": approvers, "summary": told}
    number: int = tx.write(_C.insert().returning(_C.c.number), {**said, "at": tx.now, "entry": entry}).scalar_one()
    tx.audit(KIND, actor, document=MARK, number=number, policy=policy, **said)
    return Activation(number, digest, tx.now, how, mode, document, proposed_by, tuple(approved_by), told, entry)


# --- reading -----------------------------------------------------------------------------------------------------------------


def last_number(connection: Connection) -> int:
    """The number of the last activation, 0 without one: whether to look closer."""
    return int(connection.execute(_LAST_NUMBER).scalar() or 0)


def active(connection: Connection, key: bytes, unwritten: Sequence[Sealed] = ()) -> Activation | None:
    """The last activation, proved by its entry; ``None`` where there never was one.

    :param key: what entries are sealed with.
    :param unwritten: entries of the transaction in hand.
    Raises ``NotOnRecord``.
    """
    with _legible("the last activation or its audit entry cannot be read"):
        return _active(connection, key, unwritten)


def _active(connection: Connection, key: bytes, unwritten: Sequence[Sealed]) -> Activation | None:
    row, entry = connection.execute(_LAST).one_or_none(), _last_entry(connection, unwritten)
    if row is None and entry is None:
        return None
    if row is None or entry is None:
        gone = "activation" if row is None else "audit entry of the last activation"
        raise NotOnRecord(f"the {gone} is gone")
    if row.entry != entry[0]:
        raise NotOnRecord(f"the last activation is of entry {row.entry}, and the last entry about one is {entry[0]}")
    _prove(row, entry, key)
    return _from(row)


def anchored(connection: Connection, key: bytes, anchors: Iterable[Anchor]) -> None:
    """Raises ``NotOnRecord`` for a chain that does not hold the last entry that was anchored outside the database: one that was
    cut off, or another one altogether."""
    last = max((anchor for anchor in anchors if anchor.sealed_by(key)), key=lambda anchor: anchor.seq, default=None)
    if last is None:
        return
    found = connection.execute(select(_A.c.hash).where(_A.c.seq == last.seq)).scalar_one_or_none()
    if found != last.hash:
        raise NotOnRecord(f"the audit chain does not hold entry {last.seq}, which was anchored at {last.at}")


@contextmanager
def _legible(what: str) -> Iterator[None]:
    """Raises ``NotOnRecord`` for rows that hold what the gateway never writes: SQLite keeps any value in any column, and both
    databases times that are none."""
    try:
        yield
    except (ValueError, TypeError, ArithmeticError, AttributeError, MemoryError) as error:
        raise NotOnRecord(what) from error


def activation_in(tx: Transaction) -> Activation | None:
    """The last activation as a unit sees it. Raises ``NotOnRecord``."""
    return active(tx.connection, tx.key, tx.entries)


def kept(connection: Connection, digest: str) -> Bundle:
    """The files of a policy by their digest. Raises ``NotOnRecord`` when they are not there, or not what the digest says."""
    with _legible(f"the files kept for the policy {digest[:12]} cannot be read"):
        return _kept(connection, digest)


def _kept(connection: Connection, digest: str) -> Bundle:
    content = connection.execute(_CONTENT, {"digest": digest}).scalar_one_or_none()
    if content is None:
        raise NotOnRecord(f"the files of the policy {digest[:12]} are not kept")
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else bytes(content)
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), digest):
        raise NotOnRecord(f"the files kept for the policy {digest[:12]} are not those it was made of")
    return Bundle.unpacked(data)


def activations(connection: Connection, limit: int, before: int | None = None) -> list[Activation]:
    """Newest first, as the table has them; ``before`` is the number of the last one of the page before."""
    query = _history().limit(limit)
    return [_from(row) for row in connection.execute(query if before is None else query.where(_C.c.number < before))]


def named(connection: Connection, prefix: str) -> list[str]:
    """The digests that begin so, of policies that were live."""
    query = select(_C.c.digest).distinct().where(_C.c.digest.startswith(prefix, autoescape=True)).order_by(_C.c.digest)
    return list(connection.execute(query).scalars())


def was_live(connection: Connection, digest: str) -> bool:
    return connection.execute(select(_C.c.number).where(_C.c.digest == digest).limit(1)).scalar() is not None


def doubtful(connection: Connection) -> Iterator[str]:
    """What of the history is not as the entries say, whose seals are for others to look at."""
    for row in connection.execute(_history()).all():
        entry = connection.execute(_ENTRY, {"seq": row.entry}).one_or_none()
        try:
            with _legible("cannot be read"):
                _agree(row, None if entry is None else entry.entry)
                if connection.execute(_CONTENT, {"digest": row.digest}).scalar_one_or_none() is not None:
                    kept(connection, row.digest)
        except NotOnRecord as error:
            yield f"activation {row.number}: {error}"


def _history() -> Any:
    return select(_C).order_by(_C.c.number.desc())


def _last_entry(connection: Connection, unwritten: Sequence[Sealed]) -> tuple[int, str, str] | None:
    for entry in reversed(unwritten):
        if entry.document == MARK:
            return entry.seq, entry.entry, entry.mac
    row = connection.execute(_LAST_ENTRY).one_or_none()
    return None if row is None else (row.seq, row.entry, row.mac)


def _prove(row: Row[Any], entry: tuple[int, str, str], key: bytes) -> None:
    _, text, mac = entry
    if not hmac.compare_digest(mac_of(key, digest_of(text)).encode(), mac.encode("utf-8", "surrogatepass")):
        raise NotOnRecord(f"the audit entry {row.entry} about the last activation was not sealed by this gateway")
    _agree(row, text)


_SAID = ("number", "digest", "how", "mode", "proposal", "proposed_by", "approved_by", "summary")


def _agree(row: Row[Any], text: str | None) -> None:
    """Raises ``NotOnRecord`` where a row says something else than its entry."""
    try:
        entry = json.loads(text or "")
        told = {**entry["details"], "seq": entry["seq"], "at": entry["at"], "kind": entry["kind"], "about": entry["document"]}
    except (ValueError, KeyError, TypeError):
        raise NotOnRecord(f"there is no audit entry {row.entry} about it") from None
    says = {name: getattr(row, name) for name in _SAID}
    says |= {"seq": row.entry, "at": timestamp(row.at), "kind": KIND, "about": MARK}
    wrong = sorted(name for name, value in says.items() if told.get(name) != value)
    if wrong:
        raise NotOnRecord(f"its {wrong[0]} is not what the audit entry {row.entry} says")


def _from(row: Row[Any]) -> Activation:
    try:
        people = tuple(map(str, json.loads(row.approved_by)))
    except (ValueError, TypeError):
        people = ()  # The history as the table has it: what is proved was compared with its entry before.
    about = (row.proposal, restored(row.proposed_by), people, row.summary, row.entry)
    return Activation(row.number, row.digest, row.at, row.how, row.mode, *about)
