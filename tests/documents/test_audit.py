"""Entries: canonical, sealed, and without numbers that are not the same everywhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.audit import GENESIS, LARGEST, Anchor, Head, canonical, read_anchors, seal, timestamp

KEY = b"k" * 32
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@given(VALUES)
def test_canonical_json_is_that_of_rfc_8785(value: object) -> None:
    assert canonical(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_every_ascii_character_is_written_as_in_rfc_8785() -> None:
    value = {chr(number): [chr(number), (number,)] for number in range(128)}
    assert canonical(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_written(text: str) -> None:
    assert "\ud800" not in json.loads(canonical({"reason": text}))["reason"]
    canonical({text: text}).encode()


@pytest.mark.parametrize(
    "value", [0.1, 500000.01, 2**53, -(2**53), b"bytes", {1: 2}, {True: 2}, object(), datetime.now(UTC), uuid.uuid4()]
)
def test_what_is_not_the_same_everywhere_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="an audit entry cannot hold"):
        canonical({"details": [value]})


def test_an_entry_names_the_one_before_and_is_sealed() -> None:
    head = Head(6, "ab" * 32)
    sealed = seal(head, KEY, at=1795348800.25, kind="document.vote", actor="approver-a", document="d1", details={"revision": 1})
    assert json.loads(sealed.entry) == {
        "seq": 7,
        "at": "2026-11-22T12:00:00.250000Z",
        "kind": "document.vote",
        "actor": "approver-a",
        "document": "d1",
        "previous": "ab" * 32,
        "details": {"revision": 1},
    }
    assert sealed.hash == hashlib.sha256(sealed.entry.encode()).hexdigest()
    assert sealed.mac == hmac.new(KEY, sealed.hash.encode(), "sha256").hexdigest()
    assert (sealed.seq, sealed.document) == (7, "d1")


def test_the_first_entry_follows_nothing() -> None:
    sealed = seal(Head(), KEY, at=0, kind="ledger.opened", actor="gateway", document=None, details={})
    assert json.loads(sealed.entry) == {
        "seq": 1, "at": timestamp(0), "kind": "ledger.opened", "actor": "gateway", "previous": GENESIS,
    }  # fmt: skip


def test_anchors_come_back_and_torn_lines_are_passed_over() -> None:
    anchors = [Anchor.of(Head(number, f"{number:064x}"), KEY, 1795348800 + number) for number in (3, 9)]
    text = anchors[0].line() + anchors[1].line()[:30] + "\n[]\n17\n" + anchors[1].line()
    assert list(read_anchors(text)) == anchors
    assert all(anchor.sealed_by(KEY) and not anchor.sealed_by(b"other") for anchor in anchors)
