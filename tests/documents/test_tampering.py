"""Copies of a real ledger, each entry tampered with in each way by whoever can write the database: all found, all named."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from gateway.documents.anchors import Anchors
from gateway.documents.audit import Anchor, Head, read_anchors, seal
from gateway.documents.ledger import open_ledger
from gateway.documents.records import Answer, apply
from gateway.documents.states import Event
from gateway.documents.verify import Verdict, verify
from tests.documents.support import KEY, TERMS, HandClock, record

Tamper = Callable[[sqlite3.Connection, int], None]


async def live(path: Path) -> None:
    """Twelve payments: some held and approved, all sent, most booked."""
    clock = HandClock()
    async with open_ledger(f"sqlite:///{path}", KEY, clock) as ledger:
        anchors = Anchors(path.with_name("anchors.jsonl"), clock, every_entries=1)
        for number in range(12):
            document = await record(ledger, Event.HOLD if number % 3 == 0 else Event.SEND)
            events = [Event.VOTE, Event.APPROVE, Event.SEND] if number % 3 == 0 else []
            for event in [*events, Event.LOSE if number % 5 == 4 else Event.DELIVER]:
                changes = {"answer": Answer(201, (), b"{}"), "reference": str(number)} if event is Event.DELIVER else {}
                document = await ledger.write(
                    lambda tx, d=document, e=event, c=changes: apply(tx, d, e, actor="gateway", terms=TERMS, **c)  # type: ignore[misc]
                )
                await anchors.write(ledger)
                clock.time += 1
        await anchors.write(ledger, now=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "ledger.db"
    asyncio.run(live(path))
    return path


@pytest.fixture(scope="module")
def anchors(original: Path) -> tuple[Anchor, ...]:
    return tuple(read_anchors(original.with_name("anchors.jsonl").read_text()))


@pytest.fixture(scope="module")
def count(original: Path) -> int:
    with sqlite3.connect(original) as connection:
        found: int = connection.execute("SELECT max(seq) FROM audit").fetchone()[0]
    connection.close()
    return found


def examined(path: Path, anchors: tuple[Anchor, ...]) -> Verdict:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = verify(connection, KEY, anchors)
    engine.dispose()
    return found


def tampered(
    original: Path, tmp_path: Path, tamper: Tamper, anchors: tuple[Anchor, ...], count: int
) -> Iterator[tuple[int, Verdict]]:
    for seq in range(1, count + 1):
        copy = tmp_path / "copy.db"
        shutil.copy(original, copy)
        with sqlite3.connect(copy, isolation_level=None) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("BEGIN")
            tamper(connection, seq)
            connection.execute("COMMIT")
        connection.close()
        yield seq, examined(copy, anchors)


def named(found: Verdict) -> set[int]:
    return {number for one in found.tampered for number in range(one.seq, one.last + 1)}


def flips(column: str, at: str) -> Tamper:
    def tamper(connection: sqlite3.Connection, seq: int) -> None:
        (text,) = connection.execute(f"SELECT {column} FROM audit WHERE seq = ?", (seq,)).fetchone()
        place = {"first": 0, "middle": len(text) // 2, "last": len(text) - 1}[at]
        flipped = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        connection.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", (flipped, seq))

    return tamper


def sql(*statements: str) -> Tamper:
    def tamper(connection: sqlite3.Connection, seq: int) -> None:
        for statement in statements:
            connection.execute(statement, {"seq": seq})

    return tamper


MAKE_ROOM = ("UPDATE audit SET seq = -seq - 1 WHERE seq >= :seq", "UPDATE audit SET seq = -seq WHERE seq < 0")
CLOSE_UP = ("UPDATE audit SET seq = -seq + 1 WHERE seq > :seq", "UPDATE audit SET seq = -seq WHERE seq < 0")
OWN: dict[str, Tamper] = {
    **{f"flip {c} {at}": flips(c, at) for c in ("entry", "hash", "mac", "document") for at in ("first", "middle", "last")},
    "delete": sql("DELETE FROM audit WHERE seq = :seq"),
    "delete and close up": sql("DELETE FROM audit WHERE seq = :seq", *CLOSE_UP),
    "insert forged": sql(*MAKE_ROOM, "INSERT INTO audit VALUES (:seq, '{}', NULL, 'h', 'm')"),
    "insert copied": sql(
        *MAKE_ROOM, "INSERT INTO audit SELECT :seq, entry, document, hash, mac FROM audit WHERE seq = (:seq + 5) % 30 + 1"
    ),
    "overwrite with a copy": sql(
        "REPLACE INTO audit SELECT :seq, entry, document, hash, mac FROM audit WHERE seq = (:seq + 5) % 30 + 1"
    ),
}
"""What is done to one entry, which then is the only one to be named."""


@pytest.mark.parametrize("way", OWN)
def test_each_entry_is_named(way: str, original: Path, tmp_path: Path, anchors: tuple[Anchor, ...], count: int) -> None:
    seen = {seq: named(found) for seq, found in tampered(original, tmp_path, OWN[way], anchors, count)}
    assert count >= 30
    assert seen == {seq: {seq} for seq in range(1, count + 1)}


def test_the_original_is_intact(original: Path, tmp_path: Path, anchors: tuple[Anchor, ...], count: int) -> None:
    found = examined(original, anchors)
    assert found.intact
    assert (found.entries, len(anchors)) == (count, len({anchor.seq for anchor in anchors}))


@pytest.mark.parametrize("distance", [1, 2, 7])
def test_two_swapped_are_both_named(
    distance: int, original: Path, tmp_path: Path, anchors: tuple[Anchor, ...], count: int
) -> None:
    swap = sql(
        "UPDATE audit SET seq = -1 WHERE seq = :seq",
        f"UPDATE audit SET seq = :seq WHERE seq = :seq + {distance}",
        f"UPDATE audit SET seq = :seq + {distance} WHERE seq = -1",
    )
    for seq, found in tampered(original, tmp_path, swap, anchors, count - distance):
        assert named(found) == {seq, seq + distance}


RESET = "UPDATE chain SET seq = :seq - 1, hash = coalesce((SELECT hash FROM audit WHERE seq = :seq - 1), printf('%064d', 0))"


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_end_is_named(reset: bool, original: Path, tmp_path: Path, anchors: tuple[Anchor, ...], count: int) -> None:
    cut = sql("DELETE FROM audit WHERE seq >= :seq", *([RESET] if reset else []))
    for seq, found in tampered(original, tmp_path, cut, anchors, count):
        assert named(found) == set(range(seq, count + 1))
    if reset:
        assert all(found.strayed for _, found in tampered(original, tmp_path, cut, (), count)), "found without anchors as well"


@pytest.mark.parametrize("key", [b"not the key", KEY], ids=["without the key", "with the key"])
def test_history_written_anew_is_named(
    key: bytes, original: Path, tmp_path: Path, anchors: tuple[Anchor, ...], count: int
) -> None:
    def rewrite(connection: sqlite3.Connection, seq: int) -> None:
        (before,) = connection.execute("SELECT hash FROM audit WHERE seq = ?", (seq - 1,)).fetchone() or ("0" * 64,)
        head = Head(seq - 1, before)
        for number in range(seq, count + 1):
            (document,) = connection.execute("SELECT document FROM audit WHERE seq = ?", (number,)).fetchone()
            row = seal(head, key, at=number, kind="document.send", actor="nobody", document=document, details={})
            values = (row.entry, row.hash, row.mac, number)
            connection.execute("UPDATE audit SET entry = ?, hash = ?, mac = ? WHERE seq = ?", values)
            head = Head(row.seq, row.hash)
        connection.execute("UPDATE chain SET seq = ?, hash = ?", (head.seq, head.hash))

    anchored = sorted(anchor.seq for anchor in anchors)
    for seq, found in tampered(original, tmp_path, rewrite, anchors, count):
        first = found.tampered[0]
        if key is KEY:
            until = next(number for number in anchored if number >= seq)
            since = max((number for number in anchored if number < seq), default=0) + 1
            assert [(one.seq, one.last, one.fault) for one in found.tampered] == [(since, until, "anchor")]
        else:
            assert [(one.seq, one.last, one.fault) for one in found.tampered] == [(seq, count, "forged")]
        assert first.seq <= seq <= first.last
