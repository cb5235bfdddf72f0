"""A proposal goes live as a whole, by two people, or not at all."""

from __future__ import annotations

import json

import pytest

from gateway.activation import Release
from gateway.documents.policies import active
from gateway.documents.records import claim
from gateway.documents.states import State
from gateway.errors import LedgerUnavailable
from gateway.holding.proposals import EXECUTE_WITHIN, EXPIRES
from tests.activation.support import ADMIN, SECOND, World, person
from tests.documents.support import verdict
from tests.support import edit

GIVES = "p, tour, demo, sales-orders.list, allow"


async def test_two_people_make_it_live(world: World) -> None:
    document = await world.propose(GIVES)
    assert await world.refusal(ADMIN, document) == "initiator"
    assert await world.refusal(person("SECURITY-ADMIN ", "security-admin"), document) == "initiator"
    assert await world.refusal(person("approver-a"), document) == "not-found"
    assert await world.refusal(person("security-admin-2", tenant="other"), document) == "not-found"
    await world.release()
    assert not world.may("tour", "sales-orders.list")
    await world.approve(SECOND, document)
    await world.release()
    assert world.may("tour", "sales-orders.list")
    assert (await world.outcome(document), world.live.number, world.live.pending) == (("delivered", ""), 2, None)
    newest, first = await world.policies.history()
    assert (newest.how, newest.mode, newest.document, newest.summary) == ("document", "dual", document, "policy.csv +1")
    assert (newest.proposed_by, newest.approved_by) == ("security-admin", ("security-admin-2",))
    assert (first.how, first.number, first.approved_by) == ("start", 1, ())
    assert (await verdict(world.stores.ledger)).intact


async def test_what_was_agreed_to_goes_live_whatever_the_files_say_by_then(world: World) -> None:
    document = await world.propose(GIVES)
    await world.add("p, tour, demo, reports.finance, allow")
    proposed = await world.policies.proposed(document)
    assert (proposed.differs, proposed.current) == (True, True)
    await world.approve(SECOND, document)
    await world.release()
    assert world.may("tour", "sales-orders.list")
    assert not world.may("tour", "reports.finance")
    assert world.live.pending is not None
    assert world.live.pending.summary == "policy.csv +1"


async def test_one_of_two_proposals_goes_live_and_the_other_must_be_made_anew(world: World) -> None:
    one = await world.propose(GIVES)
    other = await world.propose("p, tour, demo, reports.finance, allow", by=SECOND)
    third = await world.propose("p, tour, demo, payments.get, allow", by=SECOND)
    await world.approve(SECOND, one)
    await world.approve(ADMIN, other)
    await world.release()
    await world.release()
    states = sorted([await world.outcome(one), await world.outcome(other)])
    assert states == [("delivered", ""), ("refused", "base_changed")]
    assert await world.outcome(third) == ("superseded", "base_changed")
    assert world.live.number == 2


async def test_who_lost_the_right_meanwhile_does_not_count(world: World) -> None:
    third = person("third")
    hired = await world.propose("g, third, security-admin, *")
    await world.approve(SECOND, hired)
    await world.release()
    document = await world.propose(GIVES)
    await world.approve(third, document)
    edit(world.csv, "g, third, security-admin, *\n", "")
    await world.live.reload()
    assert world.live.pending is not None
    fired = await world.policies.propose(ADMIN, world.live.pending.digest)
    await world.approve(SECOND, fired)
    # The one that takes the right away goes live first.
    works = await world.stores.ledger.write(lambda tx: claim(tx, ("send",), lease=30, limit=10))
    for work in sorted(works, key=lambda work: work.document != fired):
        await Release(world.live)(work, await world.document(work.document or ""))
    assert await world.outcome(fired) == ("delivered", "")
    assert await world.outcome(document) == ("refused", "base_changed")
    again = await world.propose("p, tour, demo, reports.finance, allow")
    assert await world.refusal(third, again) == "not-found"


async def test_a_vote_by_a_role_that_only_a_sign_in_gives_counts_for_nothing(world: World) -> None:
    document = await world.propose(GIVES)
    assert await world.refusal(person("auditor", "security-admin"), document) == "not_eligible"
    assert await world.refusal(person("guest", "security-admin", "policy.activate"), document) == "not-found"


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("UPDATE policies SET content = :junk WHERE digest = :digest", ("refused", "not_kept")),
        ("DELETE FROM votes", ("refused", "quorum_lost")),
        ("UPDATE votes SET person = 'cfo'", ("refused", "not_on_record")),
        ("UPDATE documents SET body = :junk WHERE id = :document", ("refused", "not_on_record")),
        ("UPDATE documents SET satellite = 'oa' WHERE id = :document", ("refused", "not_on_record")),
        ("DELETE FROM audit WHERE document = :document AND entry LIKE '%document.approve%'", ("refused", "not_on_record")),
    ],
)
async def test_what_somebody_wrote_to_the_database_makes_nothing_live(
    world: World, statement: str, state: tuple[str, str]
) -> None:
    document = await world.propose(GIVES)
    proposed = await world.policies.proposed(document)
    await world.approve(SECOND, document)
    values = {"junk": b'{"digest":"x"}', "digest": proposed.bundle.digest, "document": document}
    await world.sql(statement, **{name: value for name, value in values.items() if f":{name}" in statement})
    await world.release()
    assert (await world.outcome(document), world.live.number) == (state, 1)
    assert not world.may("tour", "sales-orders.list")


@pytest.mark.parametrize("thorough", [False, True])
async def test_what_was_live_and_undone_is_not_put_live_by_its_votes_of_then(world: World, thorough: bool) -> None:
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    await world.release()
    edit(world.csv, GIVES + "\n", "")
    await world.live.reload()
    assert world.live.pending is not None
    undone = await world.policies.propose(ADMIN, world.live.pending.digest)
    await world.approve(SECOND, undone)
    await world.release()
    assert (world.live.number, world.may("tour", "sales-orders.list")) == (3, False)
    # Whoever owns the database takes away all that happened after the votes; with ``thorough``, of both.
    await world.sql("DELETE FROM audit WHERE document = :one AND seq > 4", one=document)
    if thorough:
        await world.sql("DELETE FROM activations WHERE number > 1")
        await world.sql("UPDATE audit SET document = NULL WHERE document = 'policy' AND seq > 1")
    await world.sql("UPDATE documents SET state = 'approved', seq = 2, attempts = 0 WHERE id = :one", one=document)
    again = "INSERT INTO work (document, kind, at, attempts, data) VALUES (:one, 'send', 0, 0, '{}')"
    await world.sql(again, one=document)
    await world.release()
    assert await world.outcome(document) == ("refused", "base_changed")
    assert not world.may("tour", "sales-orders.list")


async def test_a_document_that_only_the_database_says_is_approved(world: World) -> None:
    document = await world.propose(GIVES)
    await world.sql("UPDATE documents SET state = 'approved' WHERE id = :document", document=document)
    await world.sql("UPDATE work SET kind = 'send', at = 0 WHERE document = :document AND kind = 'expire'", document=document)
    await world.release()
    assert (await world.outcome(document))[0] == "refused"
    assert world.live.number == 1


async def test_a_hold_that_asks_for_less_is_not_believed(world: World) -> None:
    document = await world.propose(GIVES)
    found = await world.document(document)
    assert found.hold is not None
    hold = json.loads(found.hold.text()) | {"initiator": "somebody", "approvers": "tour"}
    await world.sql("UPDATE documents SET hold = :hold WHERE id = :document", hold=json.dumps(hold), document=document)
    assert await world.refusal(ADMIN, document) != ""
    await world.release()
    assert (await world.outcome(document), world.live.number) == (("held", ""), 1)


async def test_routes_that_no_longer_go_with_it(world: World) -> None:
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    (world.path.parent / "routes" / "sales-orders.yaml").unlink()
    edit(world.csv, GIVES + "\n", "")
    await world.release()
    assert await world.outcome(document) == ("delivered", "")  # they are not live: they go with no policy
    assert world.may("tour", "sales-orders.list")
    assert world.live.failure is not None


async def test_it_must_be_put_live_in_time(world: World) -> None:
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    world.clock.time += EXECUTE_WITHIN
    await world.release()
    assert await world.outcome(document) == ("refused", "execution_expired")
    late = await world.policies.propose(ADMIN, world.live.pending.digest if world.live.pending else "")
    world.clock.time += EXPIRES
    assert await world.refusal(SECOND, late) == "expired"


async def test_a_process_that_lags_leaves_it_for_later(world: World) -> None:
    slow = await world.another()
    first = await world.propose(GIVES)
    await world.approve(SECOND, first)
    await world.release()
    second = await world.propose("p, tour, demo, reports.finance, allow")
    await world.approve(SECOND, second)
    await world.release(slow)
    assert (await world.outcome(second))[0] == "approved"
    assert slow.number == 2  # it has caught up, and tries again
    world.clock.time += 1
    await world.release(slow)
    assert (await world.outcome(second), slow.number, slow.snapshot.policy.sha256) == (
        ("delivered", ""),
        3,
        (slow.snapshot.deployment.policy.sha256),
    )
    await world.live.reload()
    assert world.live.snapshot.digest == slow.snapshot.digest


async def test_a_crash_leaves_the_old_policy_or_the_new_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    works = await world.stores.ledger.write(lambda tx: claim(tx, ("send",), lease=30, limit=10))
    found = await world.document(document)

    def broken(*_: object, **__: object) -> None:
        raise OSError("the machine is gone")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.activation.release.activate", broken)
        with pytest.raises(LedgerUnavailable):
            await Release(world.live)(works[0], found)
    started = await world.another()
    assert (started.number, (await world.outcome(document))[0]) == (1, "approved")
    with monkeypatch.context() as patched:
        patched.setattr(world.live, "reload", broken)
        with pytest.raises(OSError, match="gone"):
            await Release(world.live)(works[0], found)
    started = await world.another()
    assert (started.number, (await world.outcome(document))[0]) == (2, State.DELIVERED)
    assert world.may("tour", "sales-orders.list", started)
    kept = await world.stores.ledger.proved(active)
    assert kept is not None
    assert kept.digest == started.snapshot.deployment.bundle.digest
