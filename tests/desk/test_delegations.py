"""Delegations are boxed in time, made and taken back on the record, and seen by the two they are about."""

from __future__ import annotations

import json
import math

import pytest
from sqlalchemy import select

from gateway.desk import Deputy
from gateway.documents import tables
from gateway.errors import Forbidden, Unprocessable
from tests.desk.world import HOUR, NOON, OPERATORS, A, B, World, person, refused

DAY = 24 * HOUR


async def test_a_delegation_is_made_seen_and_taken_back(each_world: World) -> None:
    made = await each_world.desk.delegate(A, " deputy ", start=NOON + HOUR, end=NOON + DAY)
    assert made == Deputy(1, "approver-a", "deputy", NOON + HOUR, NOON + DAY, None)
    for who in (A, person("Deputy")):
        assert await each_world.desk.delegations(who) == [made]
    for who in (B, person("deputy", tenant="other")):
        assert await each_world.desk.delegations(who) == []
    await each_world.desk.revoke_delegation(A, made.id)
    await each_world.desk.revoke_delegation(A, made.id)
    assert await each_world.desk.delegations(A) == []
    texts = await each_world.ledger.read(lambda connection: connection.execute(select(tables.audit.c.entry)).scalars().all())
    assert [json.loads(text)["kind"] for text in texts] == ["delegation.made", "delegation.revoked"]
    assert json.loads(texts[0])["details"]["end"] == "2026-11-23T12:00:00.000000Z"


async def test_only_who_made_it_takes_it_back(world: World) -> None:
    made = await world.desk.delegate(A, "deputy", start=NOON, end=NOON + DAY)
    for who in (B, person("deputy"), person("approver-a", tenant="other")):
        assert await refused(world.desk.revoke_delegation(who, made.id)) == "delegation_unknown"
    assert await refused(world.desk.revoke_delegation(A, 99)) == "delegation_unknown"


async def test_a_start_that_has_passed_is_now(world: World) -> None:
    made = await world.desk.delegate(A, "deputy", start=NOON - 30 * DAY, end=NOON + DAY)
    assert made.start == NOON


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOON, NOON),
        (NOON, NOON - 1),
        (NOON + DAY, NOON + HOUR),
        (NOON, NOON + 91 * DAY),
        (NOON, math.inf),
        (NOON, math.nan),
        (math.nan, math.nan),
        (math.inf, math.inf),
    ],
)
async def test_a_delegation_has_an_end_in_sight(world: World, start: float, end: float) -> None:
    with pytest.raises(Unprocessable):
        await world.desk.delegate(A, "deputy", start=start, end=end)


async def test_a_delegate_has_a_name(world: World) -> None:
    for name in ("", "  ", "\u200b", "x" * 201):
        assert await refused(world.desk.delegate(A, name, start=NOON, end=NOON + DAY)) == "delegate_missing"


async def test_it_needs_the_permission(world: World) -> None:
    with pytest.raises(Forbidden):
        await world.desk.delegate(OPERATORS[0], "deputy", start=NOON, end=NOON + DAY)
