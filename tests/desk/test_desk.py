"""What the desk adds to its parts: reveals on the record, limits, and the files of the moment."""

from __future__ import annotations

import pytest

from gateway.documents.states import State
from gateway.errors import Forbidden, NotFound
from gateway.people import AUDIT, DELEGATE, OPERATE, PERMISSIONS, POLICY_ACTIVATE, POLICY_READ
from tests.desk.world import ACCOUNT, AUDITOR, CLERK, OPERATORS, POLICY, A, World, payment, person


@pytest.mark.parametrize("who", [A, AUDITOR])
async def test_a_reveal_is_on_the_record_before_it_is_shown(world: World, who: object) -> None:
    document = await world.pay()
    shown = await world.desk.reveal(who, document.id)  # type: ignore[arg-type]
    assert shown["accounts"] == [ACCOUNT]
    assert shown["payload"]["payee"]["account"] == ACCOUNT
    entry = (await world.told(document))[-1]
    assert (entry["kind"], entry["actor"]) == ("document.revealed", who.subject)  # type: ignore[attr-defined]
    assert ACCOUNT not in str(entry)


@pytest.mark.parametrize("who", [CLERK, OPERATORS[0]])
async def test_who_need_not_know_the_account_is_not_told(world: World, who: object) -> None:
    document = await world.pay()
    entries = len(await world.told(document))
    with pytest.raises(Forbidden):
        await world.desk.reveal(who, document.id)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await world.desk.reveal(person("stranger"), document.id)
    assert len(await world.told(document)) == entries


async def test_the_files_of_the_moment_count(world: World) -> None:
    desk = world.desk
    document = await world.pay()
    world.book.change(policy_text=POLICY.replace("g, approver-a, finance-approver, demo\n", ""))
    with pytest.raises(NotFound):
        await desk.detail(A, document.id)


async def test_limits_are_kept_within_reason(world: World) -> None:
    for number in range(3):
        world.clock.time += 1
        await world.pay(payment(account=f"CN{number}"))
    assert len(await world.desk.inbox(A, "mine", limit=0)) == 1
    assert len(await world.desk.inbox(A, "mine", limit=10**9)) == 3


async def test_an_unheld_document_is_never_decided(world: World) -> None:
    document = await world.pay(payment("1.00"))
    with pytest.raises(NotFound):
        await world.desk.approve(A, document.id, revision=1, payload_hash="")
    with pytest.raises(Exception, match="only a held one"):
        await world.desk.approve(OPERATORS[0], document.id, revision=1, payload_hash="")
    assert await world.state(document) is State.QUEUED


def test_the_permissions_are_operations() -> None:
    assert PERMISSIONS[:3] == (OPERATE, AUDIT, DELEGATE) == ("documents.operate", "documents.audit", "approvals.delegate")
    assert PERMISSIONS[3:] == (POLICY_READ, POLICY_ACTIVATE) == ("policy.read", "policy.activate")
