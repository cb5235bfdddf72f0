"""Proposing, and taking back: by whom, of what, and how often."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from gateway.documents.states import State
from gateway.errors import NotFound, Problem
from gateway.live import Live
from gateway.people import Person
from tests.activation.support import ADMIN, LAST, SECOND, World, person
from tests.support import edit

GIVES = "p, tour, demo, sales-orders.list, allow"


async def code(world: World, who: Person, digest: str) -> str:
    with pytest.raises(Problem) as caught:
        await world.policies.propose(who, digest)
    return str(caught.value.extensions["code"])


@pytest.mark.parametrize(
    "who",
    [
        person("approver-a"),
        person("auditor"),
        person("x", "security-admin"),
        person(""),
        person("policy.activate"),
        person("local"),
    ],
)
async def test_who_may_not(world: World, who: Person) -> None:
    held = await world.propose("g, local, security-admin, demo")
    await world.approve(SECOND, held)
    await world.release()
    digest = await world.add(GIVES, "p, tour, demo, payments.get, allow")
    assert await code(world, who, digest) == "not_activating"
    assert await world.policies.open(who) == []


async def test_the_draft_gives_nobody_the_right_to_propose_it(world: World) -> None:
    digest = await world.add("g, guest, security-admin, *")
    assert await code(world, person("guest"), digest) == "not_activating"
    document = await world.policies.propose(ADMIN, digest)
    assert await world.refusal(person("guest"), document) == "not-found"
    assert await world.refusal(person("auditor"), document) == "not_eligible"  # auditors see everything of their tenant
    (open_,) = await world.policies.open(SECOND)
    assert (open_.id, open_.state, open_.differs, open_.proposal.proposed_by) == (document, State.HELD, False, "security-admin")
    assert open_.bundle.summary(open_.base) == open_.proposal.summary == "policy.csv +1"


async def test_what_cannot_be_proposed(world: World) -> None:
    assert await code(world, ADMIN, "0" * 64) == "nothing_pending"
    digest = await world.add(GIVES)
    assert await code(world, ADMIN, "0" * 64) == "files_changed"
    document = await world.policies.propose(ADMIN, digest)
    assert await code(world, SECOND, digest) == "already_proposed"
    edit(world.csv, LAST, LAST + "p, tour\n")
    await world.live.reload()
    pending = world.live.pending
    assert pending is not None
    assert [finding.file for finding in pending.findings] == ["policies/policy.csv"]
    assert await code(world, ADMIN, pending.digest) == "files_wrong"
    world.csv.unlink()
    await world.live.reload()
    assert world.live.pending is not None
    assert await code(world, ADMIN, world.live.pending.digest) == "files_wrong"
    assert (await world.outcome(document), world.live.failure, world.live.number) == (("held", ""), None, 1)


async def test_who_proposed_can_take_it_back(world: World) -> None:
    document = await world.propose(GIVES)
    with pytest.raises(Problem) as caught:
        await world.policies.withdraw(SECOND, document)
    assert caught.value.extensions["code"] == "not_proposer"
    for stranger, id_ in ((person("security-admin", tenant="other"), document), (ADMIN, "0" * 32)):
        with pytest.raises(NotFound):
            await world.policies.withdraw(stranger, id_)
    await world.policies.withdraw(ADMIN, document)
    assert await world.outcome(document) == ("recalled", "recalled")
    with pytest.raises(Problem) as caught:
        await world.policies.withdraw(ADMIN, document)
    assert caught.value.extensions["code"] == "too_late"
    assert world.live.pending is not None
    assert await world.policies.propose(SECOND, world.live.pending.digest) != document


async def test_the_second_person_can_say_no(world: World) -> None:
    document = await world.propose(GIVES)
    found = await world.document(document)
    assert found.hold is not None
    shown = {"revision": 1, "payload_hash": found.hold.payload_hash}
    await world.desk().reject(SECOND, document, **shown, reason="not ordered")  # type: ignore[arg-type]
    await world.release()
    assert (await world.outcome(document), world.live.number) == (("rejected", "rejected"), 1)


async def test_nobody_acts_for_somebody_else(world: World) -> None:
    edit(world.path.parent / "policies" / "tests.yaml", "[payments.get, approvals.delegate, ", "[payments.get, ")
    digest = await world.add("g, security-admin-2, delegators, demo", "p, delegators, demo, approvals.delegate, allow")
    document = await world.policies.propose(ADMIN, digest)
    await world.approve(SECOND, document)
    await world.release()
    now = world.clock.time
    await world.desk().delegate(SECOND, "clerk-1", start=now, end=now + 3600)
    other = await world.propose(GIVES)
    assert await world.refusal(person("clerk-1"), other, on_behalf_of="security-admin-2") == "not-found"
    assert await world.refusal(person("auditor"), other, on_behalf_of="security-admin-2") == "delegation_not_valid"
    await world.approve(SECOND, other)
    await world.release()
    assert (await world.outcome(other))[0] == "delivered"


async def test_what_it_gives_and_takes_is_counted_for_the_second_person(world: World) -> None:
    document = await world.propose(GIVES, "p, mes, demo, stock.get, deny")
    detail = await world.desk().detail(SECOND, document)
    assert (detail.facts["gained"], detail.facts["lost"], detail.facts["summary"]) == (1, 1, "policy.csv +2")
    assert detail.facts["tests"] > 10
    assert detail.can >= {"approve", "reject"}


async def test_the_history_that_somebody_changed_is_not_shown(world: World) -> None:
    (first,) = await world.policies.history()
    assert (await world.policies.bundle(first.digest)).digest == first.digest
    await world.stores.ledger.write(lambda tx: tx.write(text("UPDATE policies SET content = NULL")) and None)
    with pytest.raises(NotFound):
        await world.policies.bundle(first.digest)
    with pytest.raises(NotFound):
        await world.policies.proposed("0" * 32)


async def test_files_that_are_live_at_once_are_proposed_by_nobody(world: World) -> None:
    edit(world.path, "policy: {activation: dual}", "policy: {activation: files}")
    world.live = Live(world.path, world.stores)
    assert await code(world, ADMIN, "0" * 64) == "one_person"


async def test_a_document_that_cannot_be_read_keeps_back_no_other(world: World) -> None:
    broken = await world.propose("p, tour, demo, reports.finance, allow")
    await world.sql("UPDATE documents SET roles = 'x' WHERE id = :document", document=broken)
    document = await world.propose("p, tour, demo, sales-orders.list, allow")
    await world.approve(SECOND, document)
    await world.release()
    assert world.may("tour", "sales-orders.list")
