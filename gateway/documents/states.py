"""The life of a document: state × event → state, with what has to be done as data.

This table is the only code that may change a state. It is pure: no I/O, no clock. The ledger applies one step in one transaction
with its audit entry and the work that ``effects`` ask for; ``docs/documents.md`` shows the table as a diagram.

    received ─▶ held ─▶ approved ─┐                      held:    rejected | recalled | expired | superseded
        └───────────────▶ queued ─┴▶ sending ─▶ delivered | refused
                             ▲          ├──▶ queued (retry) | dead ─▶ replayed (queued) | discarded
                             └──────────┴──▶ unknown ─▶ delivered | proven absent (queued) | manual
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a document stands.

    received … recorded; only within the transaction that takes the first step
    held … waits for people
    approved … enough people agreed; a worker will send it
    queued … a worker will send it
    sending … the intent to send it is on disk; bytes may have left
    delivered … the ERP booked it
    refused … the ERP said no
    unknown … sent, and nobody can tell yet whether the ERP booked it
    manual … two operators have to find out
    dead … certainly not booked, and out of tries; an operator replays or discards it
    discarded … given up by operators
    rejected … somebody who was asked said no
    recalled … the satellite took it back before it was sent
    expired … not agreed to, or not sent, in time
    superseded … another document took its place
    """

    RECEIVED = "received"
    HELD = "held"
    APPROVED = "approved"
    QUEUED = "queued"
    SENDING = "sending"
    DELIVERED = "delivered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    MANUAL = "manual"
    DEAD = "dead"
    DISCARDED = "discarded"
    REJECTED = "rejected"
    RECALLED = "recalled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Event(StrEnum):
    """What happens to a document.

    hold … it needs people · queue … it can go · send … the intent to send it is about to be committed
    vote … one person agreed, more are needed · approve … the quorum is met
    reject, recall, expire, revise, supersede, remind, escalate … what they say
    reopen … what people agreed to no longer stands · distrust … what is kept is not what was agreed to, or cannot be sent now
    deliver … the ERP booked it · refuse … the ERP said no
    retry … certainly not booked, to be tried again · give_up … no more tries
    lose … it may have been booked · absent … proven not booked · wait … a probe said nothing
    attest … one operator's word · replay, discard … an operator's decision
    """

    HOLD = "hold"
    QUEUE = "queue"
    SEND = "send"
    VOTE = "vote"
    APPROVE = "approve"
    REJECT = "reject"
    RECALL = "recall"
    EXPIRE = "expire"
    REVISE = "revise"
    SUPERSEDE = "supersede"
    REMIND = "remind"
    ESCALATE = "escalate"
    REOPEN = "reopen"
    DISTRUST = "distrust"
    DELIVER = "deliver"
    REFUSE = "refuse"
    RETRY = "retry"
    GIVE_UP = "give_up"
    LOSE = "lose"
    ABSENT = "absent"
    WAIT = "wait"
    ATTEST = "attest"
    REPLAY = "replay"
    DISCARD = "discard"


class Effect(StrEnum):
    """Work a step leaves to be done, committed with it.

    clear … forget all timers and work of the document · ask … tell approvers, and set the reminder, escalation and expiry
    dispatch … send it as soon as a worker can · backoff … send it later · deadline … expire it unless it was sent in time
    watch … notice when whoever sends it is gone · probe … ask the ERP, after the visibility window · remind, escalate … tell
    people again, tell their superior · alarm … tell operators · tell … tell the satellite
    """

    CLEAR = "clear"
    ASK = "ask"
    DISPATCH = "dispatch"
    BACKOFF = "backoff"
    DEADLINE = "deadline"
    WATCH = "watch"
    PROBE = "probe"
    REMIND = "remind"
    ESCALATE = "escalate"
    ALARM = "alarm"
    TELL = "tell"


@dataclass(frozen=True, slots=True)
class Step:
    """Where an event leads, and what has to be done then."""

    to: State
    effects: tuple[Effect, ...] = ()


class IllegalStep(Exception):
    """The event cannot happen in this state. A caller that may be late asks ``allowed`` first."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} cannot happen to a document that is {state}")
        self.state = state
        self.event = event


_S, _E, _F = State, Event, Effect
_CLEAR_AND_TELL = (_F.CLEAR, _F.TELL)

TABLE: Final[Mapping[tuple[State, Event], Step]] = {
    (_S.RECEIVED, _E.HOLD): Step(_S.HELD, (_F.ASK, _F.TELL)),
    (_S.RECEIVED, _E.QUEUE): Step(_S.QUEUED, (_F.DISPATCH,)),
    (_S.RECEIVED, _E.SEND): Step(_S.SENDING, (_F.WATCH,)),
    # people
    (_S.HELD, _E.VOTE): Step(_S.HELD),
    (_S.HELD, _E.APPROVE): Step(_S.APPROVED, (_F.CLEAR, _F.DISPATCH, _F.DEADLINE, _F.TELL)),
    (_S.HELD, _E.REJECT): Step(_S.REJECTED, _CLEAR_AND_TELL),
    (_S.HELD, _E.RECALL): Step(_S.RECALLED, _CLEAR_AND_TELL),
    (_S.HELD, _E.EXPIRE): Step(_S.EXPIRED, _CLEAR_AND_TELL),
    (_S.HELD, _E.REVISE): Step(_S.HELD, (_F.CLEAR, _F.ASK, _F.TELL)),
    (_S.HELD, _E.SUPERSEDE): Step(_S.SUPERSEDED, _CLEAR_AND_TELL),
    (_S.HELD, _E.REMIND): Step(_S.HELD, (_F.REMIND,)),
    (_S.HELD, _E.ESCALATE): Step(_S.HELD, (_F.ESCALATE,)),
    # released, not yet sent
    (_S.APPROVED, _E.SEND): Step(_S.SENDING, (_F.CLEAR, _F.WATCH)),
    (_S.APPROVED, _E.REOPEN): Step(_S.HELD, (_F.CLEAR, _F.ASK, _F.TELL)),
    (_S.APPROVED, _E.DISTRUST): Step(_S.MANUAL, (_F.CLEAR, _F.ALARM, _F.TELL)),
    (_S.APPROVED, _E.RECALL): Step(_S.RECALLED, _CLEAR_AND_TELL),
    (_S.APPROVED, _E.EXPIRE): Step(_S.EXPIRED, (_F.CLEAR, _F.ALARM, _F.TELL)),
    (_S.QUEUED, _E.SEND): Step(_S.SENDING, (_F.CLEAR, _F.WATCH)),
    (_S.QUEUED, _E.REOPEN): Step(_S.HELD, (_F.CLEAR, _F.ASK, _F.TELL)),
    (_S.QUEUED, _E.DISTRUST): Step(_S.MANUAL, (_F.CLEAR, _F.ALARM, _F.TELL)),
    (_S.QUEUED, _E.RECALL): Step(_S.RECALLED, _CLEAR_AND_TELL),
    (_S.QUEUED, _E.EXPIRE): Step(_S.EXPIRED, (_F.CLEAR, _F.ALARM, _F.TELL)),
    (_S.QUEUED, _E.DELIVER): Step(_S.DELIVERED, _CLEAR_AND_TELL),  # an answer that came after a probe had found nothing
    # the ERP
    (_S.SENDING, _E.DELIVER): Step(_S.DELIVERED, _CLEAR_AND_TELL),
    (_S.SENDING, _E.REFUSE): Step(_S.REFUSED, _CLEAR_AND_TELL),
    (_S.SENDING, _E.RETRY): Step(_S.QUEUED, (_F.CLEAR, _F.BACKOFF, _F.DEADLINE)),
    (_S.SENDING, _E.GIVE_UP): Step(_S.DEAD, (_F.CLEAR, _F.ALARM, _F.TELL)),
    (_S.SENDING, _E.LOSE): Step(_S.UNKNOWN, (_F.CLEAR, _F.PROBE, _F.TELL)),
    (_S.UNKNOWN, _E.DELIVER): Step(_S.DELIVERED, _CLEAR_AND_TELL),
    (_S.UNKNOWN, _E.REFUSE): Step(_S.REFUSED, _CLEAR_AND_TELL),
    (_S.UNKNOWN, _E.ABSENT): Step(_S.QUEUED, (_F.CLEAR, _F.DISPATCH, _F.DEADLINE, _F.TELL)),
    (_S.UNKNOWN, _E.WAIT): Step(_S.UNKNOWN, (_F.CLEAR, _F.PROBE)),
    (_S.UNKNOWN, _E.GIVE_UP): Step(_S.MANUAL, (_F.CLEAR, _F.ALARM, _F.TELL)),
    # operators
    (_S.MANUAL, _E.ATTEST): Step(_S.MANUAL),
    (_S.MANUAL, _E.DELIVER): Step(_S.DELIVERED, _CLEAR_AND_TELL),
    (_S.MANUAL, _E.ABSENT): Step(_S.QUEUED, (_F.CLEAR, _F.DISPATCH, _F.DEADLINE, _F.TELL)),
    (_S.MANUAL, _E.DISCARD): Step(_S.DISCARDED, _CLEAR_AND_TELL),
    (_S.DEAD, _E.REPLAY): Step(_S.QUEUED, (_F.CLEAR, _F.DISPATCH, _F.DEADLINE, _F.TELL)),
    (_S.DEAD, _E.DISCARD): Step(_S.DISCARDED, _CLEAR_AND_TELL),
}
"""Everything that can happen. What is not here cannot."""

FINAL: Final = frozenset(State) - {state for state, _ in TABLE}
"""States nothing leads out of."""

UNRESOLVED: Final = frozenset(State) - FINAL
"""States somebody still has to do something about; such documents are never pruned."""

ISO_20022: Final[Mapping[State, str]] = {
    State.RECEIVED: "RCVD",
    State.HELD: "PATC",
    State.APPROVED: "ACCP",
    State.QUEUED: "ACTC",
    State.SENDING: "ACSP",
    State.DELIVERED: "ACSP",
    State.REFUSED: "RJCT",
    State.UNKNOWN: "PDNG",
    State.MANUAL: "PDNG",
    State.DEAD: "PDNG",
    State.DISCARDED: "CANC",
    State.REJECTED: "RJCT",
    State.RECALLED: "CANC",
    State.EXPIRED: "CANC",
    State.SUPERSEDED: "CANC",
}
"""ExternalPaymentTransactionStatus1Code of ISO 20022 for each state. Delivered is ACSP, not ACSC: the ERP has it, and settlement
is the bank's."""


def step(state: State, event: Event) -> Step:
    """Where ``event`` leads from ``state``. Raises ``IllegalStep``."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalStep(state, event) from None


def allowed(state: State, event: Event) -> bool:
    return (state, event) in TABLE
