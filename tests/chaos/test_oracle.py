"""The oracle finds what it is there to find: each promise broken once, on paper."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.documents.states import Event
from tests.chaos.load import Acknowledged
from tests.chaos.oracle import Book, Entry, _blind_resends, _double_booked, _illegal, _lost, _reconciled
from tests.chaos.steps import STEPS, Trap

D = "0" * 31 + "1"
EXTERNAL = "CHAOS-0000001"
HELD = ("received hold held", "held vote held approver-a", "held approve approved approver-b")
SENT = ("received send sending", "sending deliver delivered")
LOST = ("received send sending", "sending lose unknown")


def steps(*texts: str, document: str = D) -> list[Entry]:
    """``held vote held approver-a``: state, event, state, actor; a second apart."""
    entries = []
    for second, text in enumerate(texts):
        before, event, after, actor = [*text.split(), "gateway"][:4]
        details = {"from": before, "to": after, "revision": 1}
        entries.append(
            {"at": f"2026-11-22T10:00:{second:02}.000000Z", "kind": f"document.{event}", "actor": actor, "details": details}
        )
    return entries


def book(*texts: str, state: str = "delivered", initiator: str | None = None) -> Book:
    row = SimpleNamespace(id=D, state=state, delivery="inline", hold=None, initiator=initiator)
    return Book({D: row}, {D: steps(*texts)}, [])


def journal(*texts: str) -> list[Entry]:
    """``CreatePayment booked 1``: operation, outcome, second; all about the one document."""
    entries = []
    for seq, text in enumerate(texts, 1):
        operation, outcome, second = text.split()
        about: dict[str, Any] = {"operationId": D if operation == "CreatePayment" else None, "raw": f"<XBLNR>{EXTERNAL}</XBLNR>"}
        entries.append(
            {"seq": seq, "at": f"2026-11-22T10:00:{second:0>2}.500Z", "operation": operation, "outcome": outcome, **about}
        )
    return entries


BOOKED = journal("CreatePayment booked 0")


def told(status: int) -> Acknowledged:
    return Acknowledged(documents={EXTERNAL: (D, status)})


def test_what_went_well_is_not_complained_about() -> None:
    good = book(*LOST, "unknown absent queued", "queued send sending", "sending deliver delivered")
    seen = journal("GetPayment refused 1", "CreatePayment booked 3")
    found = [*_lost(good, seen, told(201)), *_double_booked(seen), *_blind_resends(good, seen), *_illegal(good, seen)]
    assert found == []
    approved = book(*HELD, "approved send sending", "sending deliver delivered", initiator="clerk-1")
    assert [*_illegal(approved, BOOKED)] == []


@pytest.mark.parametrize(
    ("kept", "seen", "status"),
    [
        (Book({}, {}, []), BOOKED, 202),
        (book(*SENT), [], 201),
        (book(*LOST, state="unknown"), BOOKED, 201),
        (book("received queue queued", state="queued"), [], 202),
        (book(*SENT), [], 202),
    ],
    ids=["not in the ledger", "not booked", "201 and unknown", "never settled", "delivered and not booked"],
)
def test_a_lost_document_is_found(kept: Book, seen: list[Entry], status: int) -> None:
    assert len([*_lost(kept, seen, told(status))]) == 1


def test_a_lost_vote_and_an_open_call_are_found() -> None:
    acknowledged = Acknowledged(votes=[(D, "approver-a", "approve")], unanswered=1)
    assert len([*_lost(book(*SENT), BOOKED, acknowledged)]) == 2


def test_a_double_booking_is_found_by_both_numbers() -> None:
    assert len([*_double_booked(journal("CreatePayment booked 0", "CreatePayment booked 1"))]) == 2


@pytest.mark.parametrize(
    ("texts", "seen"),
    [
        (SENT, ("CreatePayment booked 0", "CreatePayment refused 1")),
        (SENT, ("CreatePayment refused 0", "CreatePayment booked 1")),
        ((*LOST, "unknown absent queued", "queued send sending"), ("CreatePayment booked 0",)),
        ((*LOST, "unknown absent queued"), ("GetPayment refused 0", "CreatePayment booked 0")),
        ((*LOST, "unknown queue queued", "queued send sending"), ("CreatePayment booked 0",)),
    ],
    ids=["after a booking", "nobody asked", "absent, and nobody asked", "asked before it was lost", "a step nobody knows"],
)
def test_a_blind_resend_is_found(texts: tuple[str, ...], seen: tuple[str, ...]) -> None:
    assert len([*_blind_resends(book(*texts), journal(*seen))]) == 1


@pytest.mark.parametrize(
    ("kept", "seen"),
    [
        (book("received send sending", "sending approve delivered"), BOOKED),
        (book("received send sending", "unknown deliver delivered"), BOOKED),
        (book("received send sending"), BOOKED),
        (book("received hold held", "held reject rejected", state="rejected"), BOOKED),
        (
            book(HELD[0], HELD[1], "held approve approved approver-a", "approved send sending", "sending deliver delivered"),
            BOOKED,
        ),
        (book(*HELD, "approved send sending", "sending deliver delivered", initiator="approver-a"), BOOKED),
        (book(*HELD, "approved reopen held", "held approve approved cfo", "approved send sending", state="sending"), []),
    ],
    ids=[
        "no such step",
        "a gap",
        "not what the audit says",
        "booked and rejected",
        "one person",
        "the initiator",
        "votes of before",
    ],
)
def test_an_illegal_state_is_found(kept: Book, seen: list[Entry]) -> None:
    assert [*_illegal(kept, seen)]


def test_an_unknown_outcome_is_reconciled_by_what_the_erp_says() -> None:
    again = ("unknown absent queued", "queued send sending", "sending lose unknown")
    waited = ("unknown wait unknown", "unknown deliver delivered")
    assert _reconciled(steps(*LOST, *again, *waited)) == (2, 2)
    assert _reconciled(steps(*LOST, *again, "unknown give_up manual")) == (2, 1)
    assert _reconciled(steps(*LOST)) == (1, 0)


def test_a_trap_waits_for_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []
    monkeypatch.setattr("tests.chaos.steps._die", lambda: killed.append(True))
    trap = Trap("document.send/after", 2)
    for place, phase in (("document.send", "before"), ("document.send", "after"), ("transmit", "after")):
        trap.reach(place, phase)
    assert killed == []
    trap.reach("document.send", "after")
    assert killed == [True]


def test_every_step_can_be_set() -> None:
    wrapped = {"transmit", "probe", "timer", "recheck", "claim"}
    places = {step.partition("/")[0] for step in STEPS}
    assert places - wrapped <= {f"document.{event}" for event in Event}
    arming = "from tests.chaos.steps import STEPS, Trap, arm\nfor step in STEPS: arm(Trap(step, 1))"
    armed = subprocess.run([sys.executable, "-c", arming], capture_output=True, text=True, check=False)
    assert (armed.returncode, armed.stderr) == (0, "")
