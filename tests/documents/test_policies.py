"""The history of policies: what is kept is what was live, and only sealed entries make a row count."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from gateway.bundle import Bundle
from gateway.documents.audit import Anchor, Head
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.policies import (
    Activation,
    NotOnRecord,
    activate,
    activation_in,
    activations,
    active,
    anchored,
    doubtful,
    keep,
    kept,
    last_number,
    named,
    was_live,
)
from tests.documents.support import KEY, HandClock, note, verdict

OLD, NEW = Bundle({"policy.csv": b"# end\n"}), Bundle({"policy.csv": b"p, a, b, c.d, allow\n# end\n", "tests.yaml": b"\xff"})


async def go_live(ledger: Ledger, bundle: Bundle, **changes: Any) -> Activation:
    facts: dict[str, Any] = {"how": "file", "mode": "dual", "actor": "gateway", "summary": "policy.csv +1"}
    return await ledger.write(lambda tx: activate(tx, bundle, **facts | changes))


async def doubts(ledger: Ledger) -> list[str]:
    return await ledger.read(lambda connection: list(doubtful(connection)))


async def test_the_last_one_is_live(ledger: Ledger) -> None:
    assert await ledger.proved(active) is None
    assert await ledger.read(last_number) == 0
    first = await go_live(ledger, OLD, how="start")
    second = await go_live(ledger, NEW, document="d" * 32, proposed_by="CORP\\李娜\0", approved_by=["b"])
    assert await ledger.proved(active) == second
    assert await ledger.read(lambda connection: activations(connection, 10)) == [second, first]
    assert await ledger.read(lambda connection: activations(connection, 10, second.number)) == [first]
    assert await ledger.read(lambda connection: kept(connection, second.digest)) == NEW
    assert await ledger.read(lambda connection: named(connection, NEW.digest[:8])) == [NEW.digest]
    assert await ledger.read(lambda connection: named(connection, "%")) == []
    assert await ledger.read(lambda connection: was_live(connection, OLD.digest))
    assert not await ledger.read(lambda connection: was_live(connection, "0" * 64))
    assert await ledger.read(last_number) == second.number
    assert (await doubts(ledger), (await verdict(ledger)).intact) == ([], True)


async def test_units_of_one_commit_see_each_other(ledger: Ledger) -> None:
    def unit(tx: Transaction) -> tuple[Activation, Activation | None]:
        return activate(tx, OLD, how="start", mode="dual", actor="gateway"), activation_in(tx)

    made, seen = await ledger.write(unit)
    assert made == seen


async def test_files_with_a_secret_are_known_by_their_digest_only(ledger: Ledger) -> None:
    made = await go_live(ledger, OLD, secret=True)
    with pytest.raises(NotOnRecord, match="not kept"):
        await ledger.read(lambda connection: kept(connection, made.digest))
    await ledger.write(lambda tx: keep(tx, OLD))
    assert await ledger.read(lambda connection: kept(connection, made.digest)) == OLD
    await ledger.write(lambda tx: keep(tx, OLD, secret=True))
    assert await ledger.read(lambda connection: kept(connection, made.digest)) == OLD


ROW = "INSERT INTO activations (digest, at, how, mode, approved_by, summary, entry) "


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (ROW + "SELECT digest, at, how, mode, approved_by, summary, 7 FROM activations WHERE number = 1", "the last entry"),
        (ROW + "SELECT digest, at, how, mode, approved_by, summary, 2 FROM activations WHERE number = 1", "is not what"),
        ("DELETE FROM activations WHERE number = 2", "the last entry"),
        ("DELETE FROM activations", "the activation is gone"),
        ("UPDATE activations SET number = number + 7", "its number"),
        ("UPDATE activations SET digest = (SELECT digest FROM activations WHERE number = 1)", "its digest"),
        ("UPDATE activations SET at = at + 1", "its at"),
        ("UPDATE activations SET mode = 'files'", "its mode"),
        ("UPDATE activations SET approved_by = '[\"x\"]'", "its approved_by"),
        ("UPDATE policies SET content = (SELECT content FROM policies ORDER BY first_seen DESC LIMIT 1)", ""),
    ],
)
async def test_no_row_that_somebody_wrote_counts(ledger: Ledger, clock: HandClock, statement: str, why: str) -> None:
    await go_live(ledger, NEW)
    clock.time += 1
    await go_live(ledger, OLD)
    await ledger.write(lambda tx: tx.write(text(statement)) and None)
    if why:
        with pytest.raises(NotOnRecord, match=why):
            await ledger.proved(active)
    else:
        with pytest.raises(NotOnRecord, match="made of"):
            await ledger.read(lambda connection: kept(connection, NEW.digest))
    gone = statement.startswith("DELETE")
    assert (await doubts(ledger) == []) == gone


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM audit WHERE document = 'policy'", "audit entry of the last activation is gone"),
        ("DELETE FROM audit WHERE seq = 2", "the last entry"),
        ("UPDATE audit SET mac = 'ü' WHERE seq = 2", "not sealed"),
        ("UPDATE audit SET entry = replace(entry, 'file', 'fole') WHERE seq = 2", "not sealed"),
        ("UPDATE audit SET document = NULL WHERE seq = 2", "the last entry"),
    ],
)
async def test_no_entry_that_somebody_changed_proves_anything(ledger: Ledger, statement: str, why: str) -> None:
    await go_live(ledger, NEW)
    await go_live(ledger, OLD)
    await ledger.write(lambda tx: tx.write(text(statement)) and None)
    with pytest.raises(NotOnRecord, match=why):
        await ledger.proved(active)
    assert not (await verdict(ledger)).intact


async def test_entries_that_stood_elsewhere_prove_nothing(ledger: Ledger) -> None:
    """A sealed entry, copied to the end of the chain with the row it was about."""
    await go_live(ledger, OLD)
    await go_live(ledger, NEW)
    copy = "INSERT INTO audit (seq, entry, document, hash, mac) SELECT 3, entry, document, hash, mac FROM audit WHERE seq = 1"
    row = ROW + "SELECT digest, at, how, mode, approved_by, summary, 3 FROM activations WHERE number = 1"
    await ledger.write(lambda tx: [tx.write(text(statement)) for statement in (copy, row)] and None)
    with pytest.raises(NotOnRecord):
        await ledger.proved(active)


async def test_a_chain_that_was_cut_is_known_by_its_anchors(ledger: Ledger) -> None:
    for _ in range(3):
        await ledger.write(note("something"))
    whole = ledger.anchor()
    other = Anchor.of(Head(2, "0" * 64), KEY, 0)
    forged = Anchor(9, "0" * 64, whole.at, "0" * 64)

    async def check(*anchors: Anchor) -> None:
        await ledger.proved(lambda connection, key: anchored(connection, key, anchors))

    await check()
    await check(other, whole, forged)
    with pytest.raises(NotOnRecord, match="entry 2"):
        await check(other)
    await ledger.write(lambda tx: tx.write(text("DELETE FROM audit WHERE seq = 3")) and None)
    with pytest.raises(NotOnRecord, match="entry 3"):
        await check(whole)
