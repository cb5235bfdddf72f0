"""What a satellite sees of its document: where it stands and why, never who decided."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.documents.states import ISO_20022, State
from gateway.documents.view import EXECUTION, RETRY_AFTER, etag, path, represent
from tests.documents.support import document, hold


def test_every_state_says_whether_the_erp_has_it() -> None:
    assert set(EXECUTION) == set(ISO_20022) == set(State)
    assert set(RETRY_AFTER) < set(State)


def test_a_held_document() -> None:
    told = represent(document(id="a" * 32, state=State.HELD, seq=1, hold=hold(received=1)))
    assert told["id"] == "a" * 32
    assert (told["state"], told["execution"], told["iso20022"], told["sequence"]) == ("held", "none", "PATC", 1)
    assert told["approvals"] == {"required": 2, "received": 1, "expires_at": "2026-11-25T12:00:00.000000Z"}
    assert told["received_at"] == "2026-11-22T12:00:00.000000Z"
    assert told["payload_hash"] == "a" * 64


def test_once_decided_nothing_expires_any_more() -> None:
    told = represent(document(state=State.DELIVERED, hold=hold(received=2), reference="P-1"))
    assert told["approvals"] == {"required": 2, "received": 2, "expires_at": None}
    assert (told["reference"], told["execution"]) == ("P-1", "done")


def test_without_a_hold_the_hash_is_that_of_the_request() -> None:
    told = represent(document())
    assert (told["payload_hash"], told["reasons"], "approvals" in told) == ("f" * 64, [], False)


@pytest.mark.parametrize("state", State)
def test_nobody_and_nothing_of_others_is_named(state: State) -> None:
    reason = {"code": "window_total", "total": "600000.00", "siblings": ["b" * 32], "documents": ["c" * 32]}
    asked = hold(reasons=(reason,), editors=("editor-1",), initiator="clerk-1", approvers="finance-approver")
    note = {"code": "rejected", "reason": "no order", "person": "approver-a", "stack": "erp01.internal:1521"}
    told = str(represent(document(state=state, hold=asked, note=note)))
    for hidden in ("b" * 32, "c" * 32, "editor-1", "clerk-1", "finance-approver", "cfo", "approver-a", "erp01"):
        assert hidden not in told
    assert "no order" in told


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ({"code": "refused", "status": 422}, {"code": "refused", "status": 422}),
        ({"code": "probe_silent", "asked": 2}, {"code": "probe_silent"}),
        ({"code": "superseded", "by": "b" * 32}, {"code": "superseded", "by": "b" * 32}),
        (None, None),
    ],
)
def test_notes(note: dict[str, Any] | None, told: dict[str, Any] | None) -> None:
    assert represent(document(note=note)).get("note") == told


def test_where_it_is_and_its_tag() -> None:
    assert path("a" * 32) == "/api/documents/" + "a" * 32
    assert etag(document(seq=7)) == '"7"'
