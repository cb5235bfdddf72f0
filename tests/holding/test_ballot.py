"""What people said, read back: votes in order, delegations as long as they were in force, bodies that belong to their facts."""

from __future__ import annotations

import json
from dataclasses import replace

from gateway.approvals.quorum import Delegation
from gateway.documents import tables
from gateway.documents.records import Document, Request
from gateway.holding import intact, value_of
from gateway.holding.ballot import ballots, delegations_of
from gateway.policy.roles import Roles
from tests.desk.world import HOUR, NOON, OPERATORS, A, B, World, payment


async def test_votes_come_in_the_order_they_were_given_and_attestations_are_none(each_world: World) -> None:
    document = await each_world.manual()
    await each_world.desk.attest(OPERATORS[0], document.id, "absent", reason="not in the journal")
    assert len(await each_world.rows(tables.votes, document)) == 3
    assert document.hold is not None
    key = (document.id, document.revision, document.received_at, document.hold)
    policy = each_world.book.policy
    roles = Roles(policy, "demo")
    ballot = (await each_world.ledger.read(lambda connection: ballots(connection, [key], "demo", roles, policy)))[document.id]
    assert [cast.vote.person for cast in ballot.casts] == ["approver-a", "approver-b"]
    assert ballot.quorum().met
    assert await each_world.ledger.read(lambda connection: ballots(connection, [], "demo", roles, policy)) == {}


async def test_a_delegation_ends_when_it_is_taken_back(each_world: World) -> None:
    await each_world.desk.delegate(A, "deputy", start=NOON, end=NOON + 10 * HOUR)
    later = await each_world.desk.delegate(B, "deputy", start=NOON + 5 * HOUR, end=NOON + 10 * HOUR)
    each_world.clock.time += HOUR
    await each_world.desk.revoke_delegation(A, 1)
    await each_world.desk.revoke_delegation(B, later.id)
    found = await each_world.ledger.read(lambda connection: delegations_of(connection, "demo", NOON))
    assert found == (Delegation("approver-a", "deputy", NOON, NOON + HOUR),)
    assert await each_world.ledger.read(lambda connection: delegations_of(connection, "other", NOON)) == ()
    assert await each_world.ledger.read(lambda connection: delegations_of(connection, "demo", NOON + 10 * HOUR)) == ()


def with_body(document: Document, body: bytes, **params: str) -> Document:
    kept = document.request
    return replace(document, request=Request(kept.method, kept.path, kept.query, params, kept.content_type, body))


async def test_a_body_is_read_with_the_parameters_of_its_path(world: World) -> None:
    document = await world.pay()
    assert value_of(with_body(document, b'{"a":1}', number="7")) == {"a": 1, "number": "7"}
    assert value_of(with_body(document, b'{"number":"8"}', number="7")) == {"number": "8"}


async def test_only_the_very_body_people_were_shown_is_intact(world: World) -> None:
    document = await world.pay()
    assert intact(document)
    assert intact(with_body(document, json.dumps(payment(), indent=1).encode()))
    for body in (b"", b"{", b"[]", b"null", json.dumps(payment("500000.010")).encode(), json.dumps(payment(x=None)).encode()):
        assert not intact(with_body(document, body))
    assert not intact(replace(document, hold=None))
