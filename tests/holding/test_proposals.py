"""What is proposed is bound to its document, and nobody else's document is taken for a proposal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.holding import intact
from gateway.holding.proposals import CONSOLE, REQUIRED, Proposal, ballot_of, is_proposal, proposals
from gateway.identity.hashes import CLIENT
from gateway.people import POLICY_ACTIVATE
from tests.desk.world import World

PROPOSAL = Proposal("a" * 64, "b" * 64, "admin-1", "policy.csv +1", 3, 1, None)
DOCUMENT = PROPOSAL.document("d" * 32, "demo", ("security-admin",), 1000.0)


def test_a_document_holds_its_proposal() -> None:
    assert Proposal.of(DOCUMENT) == PROPOSAL
    assert is_proposal(DOCUMENT)
    assert intact(DOCUMENT)
    assert DOCUMENT.hold == PROPOSAL.hold(1000.0)
    assert DOCUMENT.hold is not None
    assert (DOCUMENT.hold.required, DOCUMENT.hold.initiator, DOCUMENT.hold.approvers) == (REQUIRED, "admin-1", POLICY_ACTIVATE)
    assert CLIENT.fullmatch(CONSOLE) is None


@pytest.mark.parametrize("changed", [{"satellite": "oa"}, {"version": "v1"}, {"operation": "payments.create"}])
def test_another_document_is_no_proposal(changed: dict[str, str]) -> None:
    assert not is_proposal(replace(DOCUMENT, **changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b"null", json.dumps(PROPOSAL.value() | {"more": 1}).encode(), b'{"digest":1}'],
)
def test_a_body_that_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="no proposal"):
        Proposal.of(replace(DOCUMENT, request=replace(DOCUMENT.request, body=body)))
    wrong = json.dumps(PROPOSAL.value() | {"proposed_by": None}).encode()
    with pytest.raises(ValueError, match="no proposal"):
        Proposal.of(replace(DOCUMENT, request=replace(DOCUMENT.request, body=wrong)))


@pytest.mark.parametrize("name", ["CORP\\li.na", "李娜", "a\0b", " Admin-1"])
def test_who_proposed_is_kept_out_by_the_name_as_it_is(name: str) -> None:
    proposal = replace(PROPOSAL, proposed_by=name)
    document = proposal.document("d" * 32, "demo", (), 1000.0)
    assert Proposal.of(document).proposed_by == name
    assert document.hold is not None
    assert document.hold.initiator == name


def test_votes_name_everything_that_is_proposed() -> None:
    hold = PROPOSAL.hold(1000.0)
    for other in (replace(PROPOSAL, digest="c" * 64), replace(PROPOSAL, proposed_by="admin-2"), replace(PROPOSAL, lost=1)):
        assert other.hold(1000.0).payload_hash != hold.payload_hash


async def test_no_proposals_and_no_votes(each_world: World) -> None:
    assert await each_world.ledger.read(proposals) == []
    policy = each_world.book.policy
    ballot = await each_world.ledger.read(lambda connection: ballot_of(connection, DOCUMENT, PROPOSAL, policy))
    assert not ballot.quorum().met
