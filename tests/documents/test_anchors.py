"""The file of anchors: written when it is time, on disk, one whole line each."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.documents.anchors import Anchors, append, head_of
from gateway.documents.audit import read_anchors
from gateway.documents.ledger import Ledger
from tests.documents.support import KEY, HandClock, note


async def test_an_anchor_is_written_every_so_many_entries_or_seconds(ledger: Ledger, clock: HandClock, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "anchors.jsonl"
    anchors = Anchors(path, clock, every_entries=3, every_seconds=60)
    assert await anchors.write(ledger) is None
    assert not path.exists()
    written = []
    for number in range(1, 8):
        await ledger.write(note(f"n{number}"))
        anchor = await anchors.write(ledger)
        written.append(anchor and anchor.seq)
    assert written == [1, None, None, 4, None, None, 7]
    clock.time += 60
    assert await anchors.write(ledger) is None
    await ledger.write(note("later"))
    assert (await anchors.write(ledger)) is not None
    await ledger.write(note("at once"))
    assert (await anchors.write(ledger)) is None
    last = await anchors.write(ledger, now=True)
    assert last is not None
    assert last.sealed_by(KEY)
    kept = list(read_anchors(path.read_text()))
    assert [anchor.seq for anchor in kept] == [1, 4, 7, 8, 9]
    assert kept[-1] == last
    head = await ledger.read(head_of)
    assert head is not None
    assert (last.seq, last.hash) == (head.seq, head.hash)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_another_process_head_is_anchored_too(ledger: Ledger, ledger_url: str, clock: HandClock, tmp_path: Path) -> None:
    from gateway.documents.ledger import open_ledger

    async with open_ledger(ledger_url, KEY, clock) as other:
        await other.write(note("theirs"))
    anchor = await Anchors(tmp_path / "anchors.jsonl", clock).write(ledger)
    assert anchor is not None
    assert anchor.seq == 1


def test_a_line_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    path.write_text('{"seq": 1, "ha')
    append(path, "whole\n")
    append(path, "next\n")
    assert path.read_text() == '{"seq": 1, "ha\nwhole\nnext\n'


async def test_a_file_that_cannot_be_written_is_told(ledger: Ledger, clock: HandClock, tmp_path: Path) -> None:
    await ledger.write(note("one"))
    with pytest.raises(OSError):
        await Anchors(tmp_path, clock).write(ledger)
