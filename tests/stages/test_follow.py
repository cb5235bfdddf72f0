"""A satellite looks at its own documents, waits for them, takes them back and revises them; others' do not exist for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.records import Document, Terms, apply
from gateway.documents.states import Event, State
from gateway.errors import Conflict, Forbidden, NotFound, PreconditionFailed, Problem, Unprocessable
from gateway.exchange import Exchange, Headers, Principal, Reply, Request, Whole
from gateway.holding import intact
from gateway.ports import Asked, Decision
from gateway.scope import Fields, Scope
from gateway.scope.conditions import parse_network
from gateway.scope.fields import tree
from gateway.sending import Writing
from gateway.stages.follow import FOLLOWED, Follow, names, wanted_wait
from tests import sends
from tests.desk.world import approvals
from tests.documents.support import document, record
from tests.sends import World, payment

OA = Principal("oa", "demo")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sends.world(tmp_path) as made:
        yield made


@dataclass
class Policy:
    """It is its own decision log."""

    allowed: bool = True
    scope: Scope | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    denials: list[tuple[object, ...]] = field(default_factory=list)

    async def denied(self, asked: Asked, decision: Decision, unmet: tuple[str, ...] = ()) -> None:
        self.denials.append((*asked[:3], unmet))

    def decide(self, principal: Principal, operation: str, version: str) -> Decision:
        self.asked.append((operation, version))
        return Decision(self.allowed, (), self.scope)


def follow(world: World, writing: Writing | None = None, policy: Policy | None = None) -> Follow:
    writing, policy = writing or world.writing(ruled=True), policy or Policy()
    return Follow(
        world.ledger,
        world.clock,
        policy,  # type: ignore[arg-type]
        policy,  # type: ignore[arg-type]
        lambda operation, version: writing,
        approvals(),
        lambda exchange, facts: (facts.initiator, ()),
    )


def call(id_: str, *, who: Principal | None = OA, headers: Headers | None = None, body: object = None) -> Exchange:
    content = b"" if body is None else json.dumps(body).encode()
    sent: Headers = [(b"content-type", b"application/json"), *(headers or [])]
    exchange = Exchange(Request("GET", f"/api/documents/{id_}", "", sent, Whole(content)), "", "documents.get", "", {"id": id_})
    exchange.principal = who
    return exchange


async def held(world: World, writing: Writing | None = None, **changes: Any) -> Document:
    await world.post(payment("500000.01", **changes), writing=writing or world.writing(ruled=True), key="k-1")
    return (await world.documents())[-1]


def tag(reply: Reply) -> bytes:
    return dict(reply.headers)[b"etag"]


# --- looking ---------------------------------------------------------------------------------------------------------


async def test_its_own_document(world: World) -> None:
    one = await held(world)
    policy, exchange = Policy(), call(one.id)
    reply = await follow(world, policy=policy).get(exchange)
    assert (reply.status, reply.value["id"], reply.value["state"]) == (200, one.id, "held")  # type: ignore[index]
    assert dict(reply.headers)[b"retry-after"] == b"60"
    assert policy.asked == [("payments.create", "v1")]
    assert exchange.notes == {"document": one.id, "state": "held"}


@pytest.mark.parametrize("who", [Principal("crm", "demo"), Principal("oa", "other"), None])
@pytest.mark.parametrize("way", ["get", "recall", "revise"])
async def test_others_documents_do_not_exist(world: World, who: Principal | None, way: str) -> None:
    one = await held(world)
    with pytest.raises(NotFound) as theirs:
        await getattr(follow(world), way)(call(one.id, who=who, body=payment()))
    with pytest.raises(NotFound) as none:
        await getattr(follow(world), way)(call("0" * 32, body=payment()))
    assert theirs.value.document() == none.value.document()


async def test_without_the_right_to_its_operation_there_is_none(world: World) -> None:
    one = await held(world)
    policy = Policy(False)
    with pytest.raises(NotFound):
        await follow(world, policy=policy).get(call(one.id))
    assert policy.denials == [(OA, "payments.create", "v1", ())]
    with pytest.raises(NotFound):
        await follow(world, policy=policy).get(call(one.id, who=Principal("crm", "demo")))
    assert len(policy.denials) == 1, "that it is somebody else's is nothing policy said"


async def test_what_policy_refuses_of_its_own_document_is_on_record(world: World) -> None:
    one = await held(world)
    elsewhere = Policy(scope=Scope(networks=(parse_network("10.0.0.0/8"),)))
    with pytest.raises(Forbidden):
        await follow(world, policy=elsewhere).get(call(one.id))
    assert elsewhere.denials == [(OA, "payments.create", "v1", ("network",))]
    with pytest.raises(NotFound):
        await follow(world, policy=elsewhere).get(call(one.id, who=Principal("crm", "demo")))
    locked = Policy(scope=Scope(Fields(settable=tree([("amount",)]))))
    with pytest.raises(Forbidden):
        await follow(world, policy=locked).revise(call(one.id, body=payment("1.00")))
    assert locked.denials == [(OA, "payments.create", "v1", ("fields",))]
    assert len(elsewhere.denials) == 1


@pytest.mark.parametrize("id_", ["", "x", "a\x00b", "A" * 32, "a" * 33, "%", "' or 1=1"])
async def test_what_is_no_id_is_not_looked_for(world: World, id_: str) -> None:
    with pytest.raises(NotFound):
        await follow(world).get(call(id_))


async def test_what_did_not_change_is_304(world: World) -> None:
    one = await held(world)
    known = tag(await follow(world).get(call(one.id)))
    for listed in (known, b"W/" + known, b'"x", ' + known, b"*"):
        reply = await follow(world).get(call(one.id, headers=[(b"if-none-match", listed)]))
        assert (reply.status, tag(reply)) == (304, known)
    twice = [(b"if-none-match", b'"x"'), (b"if-none-match", known)]
    assert (await follow(world).get(call(one.id, headers=twice))).status == 304
    for listed in (b'"x"', b"", known.strip(b'"')):
        assert (await follow(world).get(call(one.id, headers=[(b"if-none-match", listed)]))).status == 200


# --- waiting ---------------------------------------------------------------------------------------------------------


class Seconds:
    """A clock whose every look is a second later."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        self.time += 1
        return self.time


async def test_waiting_ends_with_the_change(world: World) -> None:
    one = await held(world)
    waiting = asyncio.create_task(follow(world).get(call(one.id, headers=[(b"prefer", b"respond-async, wait=30")])))
    await asyncio.sleep(0)
    await follow(world).recall(call(one.id))
    reply = await waiting
    assert (reply.status, reply.value["state"]) == (200, "recalled")  # type: ignore[index]
    assert dict(reply.headers)[b"preference-applied"] == b"wait=30"


async def test_waiting_ends_with_its_time(world: World) -> None:
    one = await held(world)
    known = tag(await follow(world).get(call(one.id)))
    waiting = replace(follow(world), clock=Seconds())
    reply = await waiting.get(call(one.id, headers=[(b"prefer", b"wait=2"), (b"if-none-match", known)]))
    assert reply.status == 304


async def test_nobody_waits_for_what_has_changed_already_or_never_will(world: World) -> None:
    one = await held(world)
    headers = [(b"prefer", b"wait=60"), (b"if-none-match", b'"old"')]
    assert (await follow(world).get(call(one.id, headers=headers))).status == 200
    await follow(world).recall(call(one.id))
    assert (await follow(world).get(call(one.id, headers=[(b"prefer", b"wait=60")]))).status == 200


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ([b"wait=30"], 30),
        ([b"WAIT = 5"], 5),
        ([b'wait="7"'], 7),
        ([b"respond-async", b"wait=9"], 9),
        ([b"wait=8, wait=9"], 8),
        ([b"wait=8; x=1"], 8),
        ([b"wait=99999"], 60),
        ([b"wait=0"], 0),
        ([b"wait=-1"], 0),
        ([b"wait=1.5"], 0),
        ([b"wait"], 0),
        ([b"await=30"], 0),
        ([b"handling; wait=30"], 0),
        ([b"wait=" + b"9" * 4000], 0),
        ([], 0),
    ],
)
def test_prefer(prefer: list[bytes], seconds: float) -> None:
    assert wanted_wait(call("a", headers=[(b"prefer", value) for value in prefer])) == seconds


@given(st.binary(max_size=60))
def test_any_preference_is_a_time(value: bytes) -> None:
    assert 0 <= wanted_wait(call("a", headers=[(b"prefer", value)])) <= 60


@pytest.mark.parametrize(
    ("listed", "strong", "named"),
    [
        (b'"3"', True, True),
        (b'W/"3"', True, False),
        (b'W/"3"', False, True),
        (b'"13"', True, False),
        (b'"31", W/"3", "3"', True, True),
        (b" * ", True, True),
        (b'"*"', True, False),
        (b"3", True, False),
        (b"", True, False),
        (b'"a,"3""', True, False),
    ],
)
def test_lists_of_tags(listed: bytes, strong: bool, named: bool) -> None:
    assert names(listed, document(seq=3), strong=strong) is named


# --- taking back -----------------------------------------------------------------------------------------------------


async def step(world: World, one: Document, *events: Event) -> Document:
    def unit(tx: Any) -> Document:
        current = one
        for event in events:
            current = apply(tx, current, event, actor="test", terms=Terms())
        return current

    return await world.ledger.write(unit)


async def test_a_document_is_taken_back_before_it_is_sent(world: World) -> None:
    one = await held(world)
    reply = await follow(world).recall(call(one.id))
    assert (reply.status, reply.value["state"]) == (200, "recalled")  # type: ignore[index]
    assert await world.kinds() == []
    with pytest.raises(Conflict):
        await follow(world).recall(call(one.id))


@pytest.mark.parametrize(
    ("events", "possible"),
    [
        ((Event.APPROVE,), True),
        ((Event.APPROVE, Event.SEND), False),
        ((Event.APPROVE, Event.SEND, Event.RETRY), True),
        ((Event.APPROVE, Event.SEND, Event.LOSE), False),
        ((Event.APPROVE, Event.SEND, Event.LOSE, Event.GIVE_UP), False),
        ((Event.REJECT,), False),
    ],
)
async def test_taking_back_races_with_approval_and_sending(world: World, events: tuple[Event, ...], possible: bool) -> None:
    one = await step(world, await held(world), *events)
    if possible:
        assert (await follow(world).recall(call(one.id))).status == 200
    else:
        with pytest.raises(Conflict):
            await follow(world).recall(call(one.id))
        assert (await world.find(one.id)).state is one.state


@pytest.mark.parametrize("way", ["recall", "revise"])
async def test_only_what_was_read_is_changed(world: World, way: str) -> None:
    one = await held(world)
    known = tag(await follow(world).get(call(one.id)))
    body = payment("600000.00")
    for stale in (b'"999"', b"W/" + known, b"nonsense"):
        with pytest.raises(PreconditionFailed):
            await getattr(follow(world), way)(call(one.id, headers=[(b"if-match", stale)], body=body))
    headers = [(b"if-match", b'"999"'), (b"if-match", known)]
    assert (await getattr(follow(world), way)(call(one.id, headers=headers, body=body))).status == 200


async def test_a_document_of_a_route_that_is_gone_can_still_be_taken_back(world: World) -> None:
    one = await held(world)
    gone = replace(follow(world), writing_of=lambda operation, version: None)
    with pytest.raises(Conflict):
        await gone.revise(call(one.id, body=payment("1.00")))
    assert (await gone.recall(call(one.id))).status == 200


# --- revising --------------------------------------------------------------------------------------------------------


async def test_a_revision_is_asked_about_anew_and_stays_held(world: World) -> None:
    one = await held(world)
    reply = await follow(world).revise(call(one.id, body=payment("1.00", initiator="clerk-2")))
    two = await world.find(one.id)
    assert (reply.status, two.state, two.revision) == (200, State.HELD, 2)
    assert one.hold is not None
    assert two.hold is not None
    assert two.hold.payload_hash != one.hold.payload_hash
    assert (two.hold.initiator, two.hold.editors, two.hold.received) == ("clerk-1", ("clerk-2",), 0)
    assert two.hold.reasons == one.hold.reasons
    assert intact(two)


async def test_a_revision_nobody_vouches_for_says_so(world: World) -> None:
    one = await held(world)
    nobody = replace(follow(world), initiator=lambda exchange, facts: (None, (facts.initiator or "",)))
    await nobody.revise(call(one.id, body=payment("700000.00", initiator="clerk-3")))
    two = await world.find(one.id)
    assert two.hold is not None
    assert two.hold.editors == ("clerk-3",)


async def test_an_initiator_that_is_unknown_stays_a_reason(world: World) -> None:
    writing = world.writing(ruled=True)
    await world.post(payment("500000.01", initiator=""), writing=writing)
    one = await world.only()
    await follow(world).revise(call(one.id, body=payment("700000.00")))
    two = await world.find(one.id)
    assert two.hold is not None
    assert two.hold.initiator is None
    assert [reason["code"] for reason in two.hold.reasons] == ["over_threshold", "initiator_unknown"]


@pytest.mark.parametrize("body", [payment("six"), {}, [], "x"])
async def test_a_revision_that_does_not_fit_changes_nothing(world: World, body: object) -> None:
    one = await held(world)
    with pytest.raises(Problem):
        await follow(world).revise(call(one.id, body=body))
    assert await world.find(one.id) == one


async def test_a_revision_keeps_its_natural_key(world: World) -> None:
    writing = world.writing(ruled=True, key=("externalNumber",))
    one = await held(world, writing)
    with pytest.raises(Unprocessable) as wrong:
        await follow(world, writing).revise(call(one.id, body=payment("500000.02", externalNumber="OA-2")))
    assert wrong.value.errors[0].pointer == "/externalNumber"
    assert (await follow(world, writing).revise(call(one.id, body=payment("500000.02")))).status == 200


async def test_a_revision_leaves_the_field_for_the_id_free(world: World) -> None:
    writing = world.writing(ruled=True, operation_id=("gatewayId",))
    one = await held(world, writing)
    with pytest.raises(Unprocessable):
        await follow(world, writing).revise(call(one.id, body=payment("500000.02", gatewayId="mine")))
    assert (await follow(world, writing).revise(call(one.id, body=payment("500000.02")))).status == 200
    assert intact(await world.find(one.id))


async def test_after_a_revision_its_key_means_the_new_body(world: World) -> None:
    one = await held(world)
    body = payment("600000.00")
    await follow(world).revise(call(one.id, body=body))
    again = await world.post(body, writing=world.writing(ruled=True), key="k-1")
    assert (dict(again.headers)[b"document-id"], len(await world.documents())) == (one.id.encode(), 1)


async def test_what_is_approved_is_not_revised(world: World) -> None:
    one = await step(world, await held(world), Event.APPROVE)
    with pytest.raises(Conflict):
        await follow(world).revise(call(one.id, body=payment("600000.00")))
    assert (await world.find(one.id)).request == one.request


async def test_what_was_never_held_is_not_revised(world: World) -> None:
    one = await record(world.ledger, tenant="demo")
    with pytest.raises(Conflict):
        await follow(world).revise(call(one.id, body=payment("600000.00")))


async def test_these_routes_send_nothing() -> None:
    assert (FOLLOWED.request_schema(), FOLLOWED.answer_schema()) == (None, None)
    with pytest.raises(AssertionError):
        FOLLOWED.prepare(call("a"))
    with pytest.raises(AssertionError):
        await FOLLOWED.send(None)  # type: ignore[arg-type]
