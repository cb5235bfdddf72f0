"""A write is recorded before a byte leaves, and one key is one document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.ledger import LedgerUnavailable
from gateway.documents.states import State
from gateway.errors import (
    BadRequest,
    Conflict,
    KeyInUse,
    KeyMissing,
    KeyReused,
    Refused,
    Unprocessable,
    Unreachable,
    UnsupportedMediaType,
    UpstreamTimeout,
)
from gateway.exchange import Exchange, Principal, Reply, Request, Whole
from gateway.holding import intact
from gateway.ports import Decided
from gateway.stages.record import MOST_KEY, fingerprint, idempotency_key, natural_key, new_id, scoped, superseded
from tests import sends
from tests.sends import BOOKED, World, payment


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sends.world(tmp_path) as made:
        yield made


def header(reply: Reply, name: bytes) -> bytes | None:
    return next((value for key, value in reply.headers if key == name), None)


# --- inline ----------------------------------------------------------------------------------------------------------


async def test_it_is_kept_before_it_is_sent_and_told_after_it_is_settled(world: World) -> None:
    async def look() -> Reply:
        seen.append((await world.only()).state)
        return BOOKED

    seen: list[State] = []
    world.erp.answers = [look]
    reply = await world.post(payment())
    document = await world.only()
    assert seen == [State.SENDING]
    assert (reply.status, json.loads(reply.body), document.state) == (201, {"number": "P-1"}, State.DELIVERED)
    assert header(reply, b"document-id") == document.id.encode()
    assert document.reference == "P-1"
    (sent,) = world.erp.sent
    assert (b"x-operation-id", document.id.encode()) in sent.headers


async def test_what_allowed_it_is_in_its_first_entry(world: World) -> None:
    basis = Decided(Principal("oa", "demo"), "payments.create", "v1", True, "a" * 64, (("policy.csv:2", "p, oa"),))
    await world.post(payment(), basis=lambda exchange: basis)
    kinds = [entry["kind"] for entry in await world.audit()]
    assert kinds == ["document.received", "document.send", "document.deliver"]
    details = (await world.audit())[0]["details"]
    assert (details["policy"], details["rows"]) == ("a" * 64, [["policy.csv:2", "p, oa"]])


async def test_notes_hold_no_payload(world: World) -> None:
    await world.post(payment())
    document = await world.only()
    assert world.exchange.notes == {"document": document.id, "state": "delivered"}


@pytest.mark.parametrize(
    ("answer", "state", "status"),
    [
        (Refused("no"), State.REFUSED, 422),
        (Unreachable(sent=False), State.DEAD, 503),
    ],
)
async def test_a_problem_names_the_document(world: World, answer: Any, state: State, status: int) -> None:
    world.erp.answers = [answer]
    with pytest.raises(type(answer)) as told:
        await world.post(payment())
    document = await world.only()
    assert (document.state, told.value.status) == (state, status)
    assert told.value.document()["document"] == told.value.headers["document-id"] == document.id


async def test_an_outcome_nobody_knows_is_202(world: World) -> None:
    world.erp.answers = [UpstreamTimeout()]
    reply = await world.post(payment())
    document = await world.only()
    assert (reply.status, document.state) == (202, State.UNKNOWN)
    assert header(reply, b"location") == f"/api/documents/{document.id}".encode()
    assert isinstance(reply.value, dict)
    assert reply.value["execution"] == "unknown"


async def test_what_breaks_in_the_gateway_after_it_was_sent_leaves_it_to_the_watch(world: World) -> None:
    world.erp.answers = [RuntimeError("a transformer's mistake")]
    with pytest.raises(RuntimeError):
        await world.post(payment())
    assert (await world.only()).state is State.SENDING
    assert await world.kinds() == ["watch"]


async def test_a_caller_that_goes_away_in_the_middle_leaves_it_to_the_watch(world: World) -> None:
    async def never() -> Reply:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    arrived = asyncio.Event()
    world.erp.answers = [never]
    call = asyncio.create_task(world.post(payment()))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await world.only()).state is State.SENDING
    assert await world.kinds() == ["watch"]


async def test_an_answer_that_cannot_be_recorded_is_not_told_and_invites_no_second_try(world: World) -> None:
    async def closing() -> Reply:
        world.ledger.write = broken  # type: ignore[method-assign]
        return BOOKED

    async def broken(unit: object) -> object:
        raise LedgerUnavailable("gone")

    world.erp.answers = [closing]
    reply = await world.post(payment())
    document = await world.only()
    assert (reply.status, document.state) == (202, State.SENDING)
    assert header(reply, b"document-id") == document.id.encode()


@pytest.mark.parametrize(("key", "retryable"), [("k-1", True), (None, False)])
async def test_a_call_that_may_have_been_kept_is_repeated_with_its_key_or_not_at_all(
    world: World, key: str | None, retryable: bool
) -> None:
    async def broken(unit: object) -> object:
        raise LedgerUnavailable("gone")

    world.ledger.write = broken  # type: ignore[method-assign]
    with pytest.raises(LedgerUnavailable) as told:
        await world.post(payment(), key=key)
    assert told.value.document()["retryable"] is retryable
    assert (told.value.document().get("outcome") == "unknown") is not retryable
    assert world.erp.sent == []


async def test_a_field_for_the_id_that_is_taken_stores_nothing(world: World) -> None:
    with pytest.raises(Unprocessable):
        await world.post(payment(), writing=world.writing(operation_id=("externalNumber",)))
    assert await world.documents() == []


async def test_a_one_way_operation_tells_where_to_follow(world: World) -> None:
    world.erp.answers = [Reply(202)]
    reply, again = [await world.post(payment(), key="k-1") for _ in range(2)]
    document = await world.only()
    assert (reply.status, again.status, document.state) == (202, 202, State.DELIVERED)
    assert header(reply, b"location") == header(again, b"location") == f"/api/documents/{document.id}".encode()


async def test_a_204_is_stored_and_told_again(world: World) -> None:
    world.erp.answers = [Reply(204)]
    first, again = [await world.post(payment(), key="k-1") for _ in range(2)]
    assert (first.status, first.body, again.status, again.body) == (204, b"", 204, b"")


# --- queued, passed through ------------------------------------------------------------------------------------------


async def test_a_queued_document_is_left_to_the_worker(world: World) -> None:
    reply = await world.post(payment(), writing=world.writing(delivery="queued"), key="k-1")
    again = await world.post(payment(), writing=world.writing(delivery="queued"), key="k-1")
    assert (reply.status, again.status, (await world.only()).state) == (202, 202, State.QUEUED)
    assert (world.erp.sent, await world.kinds()) == ([], ["send"])


async def test_bytes_are_kept_as_they_came(world: World) -> None:
    body = b"\x00\xff not json"
    await world.post(body, writing=world.writing(reads="bytes"))
    document = await world.only()
    assert (document.request.body, world.erp.sent[0].body) == (body, body)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        (b"content-encoding", b"gzip", UnsupportedMediaType),
        (b"if-match", b'"7"', BadRequest),
        (b"if-unmodified-since", b"Sat, 01 Jan 2000 00:00:00 GMT", BadRequest),
    ],
)
async def test_a_header_that_would_be_missed_later_is_refused(
    world: World, name: bytes, value: bytes, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await world.post(b"x", writing=world.writing(reads="bytes"), headers=[(name, value)])
    assert await world.documents() == []


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_one_key_is_one_document(world: World) -> None:
    first = await world.post(payment(), key="k-1")
    again = await world.post(dict(reversed(payment().items())), key=b'"k-1"')
    assert (again.status, again.body) == (first.status, first.body)
    assert header(again, b"idempotent-replayed") == b"true"
    assert len(world.erp.sent) == 1


@pytest.mark.parametrize("other", [payment("12.51"), payment() | {"more": None}])
async def test_another_body_under_the_same_key_is_refused(world: World, other: object) -> None:
    await world.post(payment(), key="k-1")
    with pytest.raises(KeyReused):
        await world.post(other, key="k-1")
    assert len(world.erp.sent) == 1


async def test_another_path_or_document_to_supersede_is_another_request(world: World) -> None:
    await world.post(payment(), key="k-1")
    with pytest.raises(KeyReused):
        await world.post(payment(), key="k-1", path="/api/v1/payments/7")
    with pytest.raises(KeyReused):
        await world.post(payment(), key="k-1", headers=[(b"supersedes", b"a" * 32)])


async def test_a_key_belongs_to_one_satellite_of_one_tenant(world: World) -> None:
    for who in (
        Principal("oa", "demo"),
        Principal("oa", "other"),
        Principal("crm", "demo"),
        Principal("oa", "demo/k"),
        Principal("oa", "demo"),
    ):
        await world.post(payment(), key="k-1", who=who)
    assert len(await world.documents()) == 4
    assert len(world.erp.sent) == 4


async def test_while_the_first_is_on_its_way_the_second_waits(world: World) -> None:
    async def slow() -> Reply:
        arrived.set()
        await go.wait()
        return BOOKED

    arrived, go = asyncio.Event(), asyncio.Event()
    world.erp.answers = [slow]
    first = asyncio.create_task(world.post(payment(), key="k-1"))
    await arrived.wait()
    with pytest.raises(KeyInUse) as told:
        await world.post(payment(), key="k-1")
    assert told.value.headers == {"retry-after": "1"}
    go.set()
    assert (await first).status == 201
    assert (await world.post(payment(), key="k-1")).status == 201


async def test_a_hundred_at_once_book_once(world: World) -> None:
    calls = [world.post(payment(), key="k-1") for _ in range(100)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} <= {Reply, KeyInUse}
    assert len(world.erp.sent) == 1


async def test_a_refusal_is_told_again(world: World) -> None:
    world.erp.answers = [Refused("The payee is blocked."), BOOKED]
    with pytest.raises(Refused):
        await world.post(payment(), key="k-1")
    again = await world.post(payment(), key="k-1")
    assert (again.status, json.loads(again.body)["detail"]) == (422, "The payee is blocked.")


async def test_a_required_key_that_is_missing_stores_nothing(world: World) -> None:
    with pytest.raises(KeyMissing):
        await world.post(payment(), idempotency="required")
    assert await world.documents() == []


async def test_a_natural_key_needs_no_header(world: World) -> None:
    writing = world.writing(key=("externalNumber",))
    first, again = [await world.post(payment(), writing=writing, key=key) for key in (None, "k-7")]
    assert (first.body, len(world.erp.sent)) == (again.body, 1)
    with pytest.raises(KeyReused):
        await world.post(payment(externalNumber=" OA-1 "), writing=writing)
    with pytest.raises(Unprocessable):
        await world.post(payment(externalNumber=None), writing=writing)


async def test_keys_of_any_length_are_kept_apart(world: World) -> None:
    keys = ["\\" * 255, "\\" * 254 + "x", "x" * 255, "x" * 254]
    for key in keys:
        await world.post(payment(), key=key)
    documents = await world.documents()
    assert len({document.key for document in documents}) == len(keys)
    assert all(len(document.key or "") <= MOST_KEY for document in documents)


async def test_what_was_certainly_not_booked_is_sent_again_under_its_key(world: World) -> None:
    world.erp.answers = [Unreachable(sent=False), BOOKED]
    with pytest.raises(Unreachable):
        await world.post(payment(), key="k-1")
    reply = await world.post(payment(), key="k-1")
    document = await world.only()
    assert (reply.status, document.state, document.attempts) == (201, State.DELIVERED, 2)
    assert {value for sent in world.erp.sent for name, value in sent.headers if name == b"x-operation-id"} == {
        document.id.encode()
    }


# --- rules -----------------------------------------------------------------------------------------------------------


async def test_what_a_rule_holds_is_not_sent(world: World) -> None:
    reply = await world.post(payment("500000.01"), writing=world.writing(ruled=True), key="k-1")
    document = await world.only()
    assert (reply.status, document.state, world.erp.sent) == (202, State.HELD, [])
    assert document.hold is not None
    assert (document.hold.initiator, intact(document)) == (sends.CLERK, True)
    again = await world.post(payment("500000.01"), writing=world.writing(ruled=True), key="k-1")
    assert (again.status, header(again, b"document-id")) == (202, document.id.encode())


async def test_what_people_sign_is_the_body_without_the_gateways_own_field(world: World) -> None:
    writing = world.writing(ruled=True, operation_id=("gatewayId",))
    await world.post(payment("500000.01"), writing=writing)
    assert intact(await world.only())


async def test_a_dead_document_is_judged_again_before_it_is_repeated(world: World) -> None:
    writing = world.writing(ruled=True)
    world.erp.answers = [Unreachable(sent=False), BOOKED]
    with pytest.raises(Unreachable):
        await world.post(payment("300000.00"), writing=writing, key="k-1")
    dead = await world.only()
    world.clock.time += 25 * 3600
    assert (await world.post(payment("300000.00"), writing=writing, key="k-2")).status == 201
    reply = await world.post(payment("300000.00"), writing=writing, key="k-1")
    document = await world.find(dead.id)
    assert (reply.status, document.state, len(world.erp.sent)) == (202, State.HELD, 2)
    assert document.hold is not None
    assert document.hold.reasons[0]["code"] == "window_total"
    assert intact(document)
    assert "send" not in await world.kinds()


async def test_a_dead_document_that_is_repeated_counts_from_then(world: World) -> None:
    writing = world.writing(ruled=True)
    world.erp.answers = [Unreachable(sent=False), BOOKED]
    with pytest.raises(Unreachable):
        await world.post(payment("300000.00"), writing=writing, key="k-1")
    world.clock.time += 25 * 3600
    assert (await world.post(payment("300000.00"), writing=writing, key="k-1")).status == 201
    assert (await world.post(payment("300000.00"), writing=writing, key="k-2")).status == 202


async def test_a_held_one_is_superseded_by_its_satellite_only(world: World) -> None:
    writing = world.writing(ruled=True)
    await world.post(payment("500000.01"), writing=writing)
    old = await world.only()
    instead = [(b"supersedes", old.id.encode())]
    for who in (Principal("crm", "demo"), Principal("oa", "other")):
        with pytest.raises(Conflict):
            await world.post(payment("1.00"), writing=writing, headers=instead, who=who)
    assert (await world.find(old.id)).state is State.HELD
    assert (await world.post(payment("1.00"), writing=writing, headers=instead, key="k-2")).status == 201
    assert (await world.find(old.id)).state is State.SUPERSEDED
    again = await world.post(payment("1.00"), writing=writing, headers=instead, key="k-2")
    assert header(again, b"idempotent-replayed") == b"true"
    with pytest.raises(Conflict):
        await world.post(payment("1.00"), writing=writing, headers=instead, key="k-3")
    assert len(world.erp.sent) == 1


# --- what a call says about itself -----------------------------------------------------------------------------------


def call(*headers: tuple[bytes, bytes], value: object = None) -> Exchange:
    exchange = Exchange(Request("POST", "/p", "", list(headers), Whole(b"")), "", "p.create", "v1", {})
    exchange.value = value
    return exchange


@pytest.mark.parametrize("key", [b"", b" ", b'""', b'"abc', b'abc"', b'a"b', b"a,\x00", "ü".encode(), b"x" * 256, b"a\tb"])
def test_strange_keys_are_refused(key: bytes) -> None:
    with pytest.raises(BadRequest):
        idempotency_key(call((b"idempotency-key", key)))


def test_two_keys_are_none() -> None:
    with pytest.raises(BadRequest):
        idempotency_key(call((b"idempotency-key", b"a"), (b"idempotency-key", b"a")))
    assert idempotency_key(call()) is None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1, max_size=255))
def test_a_key_is_the_same_with_and_without_quotes(key: str) -> None:
    assert idempotency_key(call((b"idempotency-key", key.encode()))) == key
    assert idempotency_key(call((b"idempotency-key", f'"{key}"'.encode()))) == key


@given(st.tuples(st.text(max_size=20), st.text(max_size=300)), st.tuples(st.text(max_size=20), st.text(max_size=300)))
def test_keys_are_the_same_only_for_the_same(one: tuple[str, str], other: tuple[str, str]) -> None:
    if not any(0xD800 <= ord(c) < 0xE000 for text in (*one, *other) for c in text):
        assert (scoped("key", *one) == scoped("key", *other)) is (one == other)
        assert scoped("key", *one) != scoped("field", *one)


@pytest.mark.parametrize("value", ["", "  ", "a\x00b", "a\nb", "\ud800", "x" * 201, None, True, 1.5, [], {}])
def test_what_cannot_be_a_natural_key(value: object) -> None:
    with pytest.raises(Unprocessable) as wrong:
        natural_key({"a": {"b": value}}, ("a", "b"))
    assert wrong.value.errors[0].pointer == "/a/b"


@pytest.mark.parametrize(("value", "key"), [("OA-1", "OA-1"), (" OA-1\t", "OA-1"), (7, "7"), ("a\\b", "a\\b")])
def test_natural_keys(value: object, key: str) -> None:
    assert natural_key({"a": value}, ("a",)) == key


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(), json_values, min_size=2))
def test_the_order_of_keys_does_not_count(value: dict[str, Any]) -> None:
    again = dict(reversed(value.items()))
    assert fingerprint(call(value=value)) == fingerprint(call(value=again))
    name = next(iter(value))
    assert fingerprint(call(value=value | {name: [value[name]]})) != fingerprint(call(value=value))


@pytest.mark.parametrize("names", [[b"x"], [b"A" * 32], [b"a" * 32, b"b" * 32], [b"a" * 31]])
def test_supersedes_names_one_document(names: list[bytes]) -> None:
    with pytest.raises(BadRequest):
        superseded(call(*((b"supersedes", name) for name in names)))


def test_ids_sort_by_time() -> None:
    ids = [new_id() for _ in range(3)]
    assert len({*ids}) == 3
    assert all(len(id_) == 32 for id_ in ids)
    assert [id_[:12] for id_ in ids] == sorted(id_[:12] for id_ in ids)
