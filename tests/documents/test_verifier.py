"""Every entry of a chain, tampered with in each way: always found, and the right entry named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.documents.audit import Anchor, Head, Sealed, seal
from gateway.documents.verifier import Tampering, Verifier

KEY = b"the real key" * 3
N = 40
Rows = list[Sealed]


def entry(head: Head, key: bytes = KEY, **changes: Any) -> Sealed:
    facts: dict[str, Any] = {
        "at": 1795348800 + head.seq,
        "kind": "document.send",
        "actor": "gateway",
        "document": f"d{head.seq % 7}",
    }
    return seal(head, key, details={"number": head.seq}, **facts | changes)


def made(count: int, head: Head = Head(), key: bytes = KEY, **changes: Any) -> Rows:  # noqa: B008 - immutable
    rows: Rows = []
    for _ in range(count):
        rows.append(entry(head, key, **changes))
        head = Head(rows[-1].seq, rows[-1].hash)
    return rows


def head_of(rows: Rows) -> Head:
    return Head(rows[-1].seq, rows[-1].hash) if rows else Head()


CHAIN = made(N)
ANCHORS = tuple(Anchor.of(Head(row.seq, row.hash), KEY, 0) for row in CHAIN)


def found(rows: Rows, head: Head | None = None, anchors: tuple[Anchor, ...] = ()) -> list[Tampering]:
    verifier = Verifier(KEY, anchors)
    for row in sorted(rows, key=lambda row: row.seq):
        verifier.feed(row)
    return verifier.finish(head_of(CHAIN) if head is None else head)


def named(tampered: list[Tampering]) -> set[int]:
    return {number for one in tampered for number in range(one.seq, one.last + 1)}


def changed(index: int, **parts: Any) -> Rows:
    return [replace(row, **parts) if at == index else row for at, row in enumerate(CHAIN)]


def renumbered(rows: Rows) -> Rows:
    return [replace(row, seq=number) for number, row in enumerate(rows, 1)]


def flipped(text: str, at: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


def test_an_intact_chain_is_intact() -> None:
    assert found(CHAIN) == []
    assert found(CHAIN, anchors=ANCHORS) == []
    assert found([], Head()) == []


EACH = pytest.mark.parametrize("index", range(N))
WITH_ANCHORS = pytest.mark.parametrize("anchors", [(), ANCHORS], ids=["bare", "anchored"])


@EACH
@WITH_ANCHORS
def test_a_flipped_byte_is_found_wherever_it_is(index: int, anchors: tuple[Anchor, ...]) -> None:
    row = CHAIN[index]
    for column in ("entry", "hash", "mac", "document"):
        text = getattr(row, column)
        for at in range(len(text)):
            tampered = found(changed(index, **{column: flipped(text, at)}), anchors=anchors)
            assert named(tampered) == {row.seq}, (column, at, tampered)


@EACH
@WITH_ANCHORS
def test_a_column_replaced_is_found(index: int, anchors: tuple[Anchor, ...]) -> None:
    row, other = CHAIN[index], CHAIN[(index + 7) % N]
    text, sealed = {"entry": other.entry, "hash": other.hash}, {"hash": other.hash, "mac": other.mac}
    replaced: list[dict[str, Any]] = [
        {"entry": "", "hash": ""}, {"entry": "[]"}, {"entry": "null"}, {"entry": "\ud800"}, {"entry": "[" * 100_000},
        {"hash": other.hash}, {"mac": other.mac}, {"mac": "\ud800"}, {"entry": other.entry}, {"document": None},
        {"document": "d9"}, text, sealed, text | sealed, text | sealed | {"document": other.document},
    ]  # fmt: skip
    for parts in replaced:
        tampered = found(changed(index, **parts), anchors=anchors)
        assert named(tampered) == {row.seq}, (parts, tampered)


@EACH
@WITH_ANCHORS
def test_a_deleted_entry_is_found(index: int, anchors: tuple[Anchor, ...]) -> None:
    left = CHAIN[:index] + CHAIN[index + 1 :]
    gap = found(left, anchors=anchors)
    assert [(one.seq, one.last) for one in gap] == [(index + 1, index + 1)]
    assert gap[0].fault == ("truncated" if index == N - 1 else "missing")
    closed = found(renumbered(left), anchors=anchors)
    assert named(closed) == {index + 1}


@EACH
def test_several_deleted_entries_are_found(index: int) -> None:
    for count in range(2, N - index):
        assert named(found(CHAIN[:index] + CHAIN[index + count :])) == set(range(index + 1, index + count + 1))


def inserted(index: int, row: Sealed) -> Iterator[tuple[Rows, int]]:
    """The row put before that index with everything behind it moved up, at the end, and before the beginning."""
    yield renumbered([*CHAIN[:index], row, *CHAIN[index:]]), index + 1
    yield [*CHAIN, replace(row, seq=N + 1)], N + 1
    yield [*CHAIN, replace(row, seq=N + 1000)], N + 1000
    yield [*CHAIN, replace(row, seq=0)], 0
    yield [*CHAIN, replace(row, seq=-5)], -5


@EACH
@WITH_ANCHORS
def test_an_inserted_entry_is_found(index: int, anchors: tuple[Anchor, ...]) -> None:
    before = head_of(CHAIN[:index])
    forged = entry(before, b"not the key", kind="forged")
    other = CHAIN[(index + 11) % N]
    nonsense = replace(forged, entry="{}", hash="", mac="")
    for row in (forged, CHAIN[index], other, nonsense):
        for rows, place in inserted(index, row):
            tampered = found(rows, anchors=anchors)
            copied = row is CHAIN[index] and 0 < place <= N
            # Of two equal rows side by side either may be called the copy.
            assert named(tampered) in ([{place}, {place + 1}] if copied else [{place}]), (row, place, tampered)


@EACH
@WITH_ANCHORS
def test_two_entries_swapped_are_found(index: int, anchors: tuple[Anchor, ...]) -> None:
    for other in range(index + 1, N):
        rows = list(CHAIN)
        rows[index], rows[other] = replace(CHAIN[other], seq=index + 1), replace(CHAIN[index], seq=other + 1)
        tampered = found(rows, anchors=anchors)
        assert {one.seq: one.fault for one in tampered} == {index + 1: "reordered", other + 1: "reordered"}, tampered


@EACH
def test_an_entry_moved_elsewhere_is_found(index: int) -> None:
    for place in (0, N + 1, N + 50):
        tampered = named(found(changed(index, seq=place)))
        assert tampered
        assert tampered <= {index + 1, place}


@pytest.mark.parametrize("left", range(N))
def test_a_truncated_chain_is_found(left: int) -> None:
    rest = CHAIN[:left]
    gone = set(range(left + 1, N + 1))
    for tampered in (
        found(rest),
        found(rest, anchors=ANCHORS),
        found(rest, head_of(rest), ANCHORS),
        found(rest, head_of(rest), ANCHORS[-1:]),
    ):
        assert named(tampered) == gone
        assert {one.fault for one in tampered} == {"truncated"}


@pytest.mark.parametrize("left", range(N))
def test_a_head_that_was_changed_is_found(left: int) -> None:
    tampered = found(CHAIN, head_of(CHAIN[:left]))
    assert [(one.seq, one.fault) for one in tampered] == [(N, "head")]
    assert [one.fault for one in found(CHAIN, Head(N, "0" * 64))] == ["head"]
    verifier = Verifier(KEY)
    for row in CHAIN:
        verifier.feed(row)
    assert [one.fault for one in verifier.finish(None)] == ["head"]


def rewritten(index: int, key: bytes) -> Rows:
    """From there on another history, consistent in itself."""
    before = head_of(CHAIN[:index])
    return CHAIN[:index] + made(N - index, before, key, actor="mallory")


@EACH
@WITH_ANCHORS
def test_a_chain_written_anew_without_the_key_is_found(index: int, anchors: tuple[Anchor, ...]) -> None:
    rows = rewritten(index, b"not the key")
    for tampered in (found(rows, head_of(rows), anchors), found(rows, anchors=anchors)):
        assert [(one.seq, one.last, one.fault) for one in tampered] == [(index + 1, N, "forged")], tampered


@EACH
def test_a_chain_written_anew_with_the_key_is_found_by_the_anchors(index: int) -> None:
    rows = rewritten(index, KEY)
    assert found(rows, head_of(rows)) == []
    tampered = found(rows, head_of(rows), ANCHORS)
    assert [(one.seq, one.last, one.fault) for one in tampered] == [(index + 1, index + 1, "anchor")], tampered
    sparse = tuple(anchor for anchor in ANCHORS if anchor.seq % 10 == 0)
    between = found(rows, head_of(rows), sparse)
    assert len(between) == 1
    assert between[0].seq == index // 10 * 10 + 1
    assert between[0].last == index // 10 * 10 + 10


@EACH
@WITH_ANCHORS
def test_one_entry_sealed_anew_with_the_key_is_found(index: int, anchors: tuple[Anchor, ...]) -> None:
    rows = changed(index)
    rows[index] = entry(head_of(CHAIN[:index]), actor="mallory")
    tampered = found(rows, anchors=anchors)
    assert named(tampered) == {index + 1}, tampered


def test_a_forged_anchor_is_told() -> None:
    forged = replace(ANCHORS[4], hash="0" * 64)
    tampered = found(CHAIN, anchors=(*ANCHORS[:4], forged))
    assert [(one.seq, one.fault) for one in tampered] == [(5, "anchor")]


CORRUPTIONS: list[Callable[[Sealed], Sealed]] = [
    lambda row: replace(row, entry=flipped(row.entry, 20)),
    lambda row: replace(row, hash=flipped(row.hash, 20)),
    lambda row: replace(row, mac=flipped(row.mac, 20)),
    lambda row: replace(row, document="other"),
]


@EACH
def test_several_things_at_once_are_each_found(index: int) -> None:
    for other in range(N):
        if abs(other - index) < 2:
            continue
        for number, corrupt in enumerate(CORRUPTIONS):
            rows = [corrupt(row) if at == other else row for at, row in enumerate(CHAIN) if at != index]
            assert named(found(rows)) == {index + 1, other + 1}, (number, other)
