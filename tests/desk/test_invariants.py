"""Random histories, several clicks at a time: nothing goes without enough different people, judged from the audit chain alone."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import unicodedata
from itertools import combinations
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.documents.ledger import open_ledger
from gateway.documents.records import Document
from gateway.documents.states import Event, IllegalStep, State, allowed
from gateway.errors import Problem
from tests.desk.world import APPROVALS, HOUR, KEY, TARGET, HandClock, World, payment, person

NAMES = ["ann", "bob", "cy", "dee", "eve"]
SPELLINGS = [str, str.upper, lambda name: name + " ", lambda name: "".join(chr(ord(c) + 0xFEE0) for c in name)]

PEOPLE = st.builds(lambda name, spell: spell(name), st.sampled_from(NAMES), st.sampled_from(SPELLINGS))
PLAIN = st.sampled_from(NAMES)
CLICK = st.one_of(
    st.tuples(st.just("approve"), PEOPLE, st.none() | PLAIN, st.booleans()),
    st.tuples(st.just("approve"), PLAIN, st.none(), st.just(False)),
    st.tuples(st.just("approve"), PLAIN, st.none(), st.just(False)),
    st.tuples(st.just("delegate"), PLAIN, PEOPLE),
    st.tuples(st.just("revise"), PLAIN, st.sampled_from(["600000", "700000.01"])),
    st.tuples(st.just("reject"), PLAIN),
    st.tuples(st.just("roles"), st.sets(PLAIN, min_size=2).map(frozenset)),
    st.tuples(st.just("required"), st.integers(2, 3)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, HOUR, 20 * HOUR])),
    st.tuples(st.just("tamper")),
    st.tuples(st.just("release")),
    st.tuples(st.just("release")),
)


def natural(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def policy_of(holders: frozenset[str]) -> str:
    rows = [f"g, {name}, finance-approver, demo" for name in sorted(holders)]
    rows += ["p, finance-approver, demo, payments.get, allow", *(f"p, {name}, demo, approvals.delegate, allow" for name in NAMES)]
    return "\n".join([*rows, "# end", ""])


class History:
    def __init__(self, world: World, document: Document, initiator: str) -> None:
        self.world, self.document, self.initiator = world, document, initiator
        self.first = document
        self.holders = frozenset(NAMES)
        self.required = 2
        self.tampered = False

    async def do(self, kind: str, *details: Any) -> None:
        with contextlib.suppress(Problem, IllegalStep):
            await getattr(self, kind)(*details)

    async def approve(self, who: str, for_whom: str | None, stale: bool) -> None:
        shown = self.first if stale else await self.world.find(self.document.id)
        assert shown.hold is not None
        await self.world.desk.approve(
            person(who), self.document.id, revision=shown.revision, payload_hash=shown.hold.payload_hash, on_behalf_of=for_whom
        )

    async def reject(self, who: str) -> None:
        await self.world.reject(person(who), self.document)

    async def delegate(self, who: str, to: str) -> None:
        now = self.world.clock.time
        await self.world.desk.delegate(person(who), to, start=now, end=now + 10 * HOUR)

    async def revise(self, who: str, amount: str) -> None:
        if (await self.world.state(self.document)) is State.HELD:
            await self.world.revise(self.document, payment(amount), who)
            self.tampered = False  # Another body was handed in, and is what people are asked about now.

    async def roles(self, holders: frozenset[str]) -> None:
        self.holders = holders
        self.world.book.change(policy_text=policy_of(holders))

    async def required_(self, number: int) -> None:
        self.required = max(self.required, number)
        self.world.book.change(approvals_text=APPROVALS.replace("required: 2", f"required: {self.required}"))

    async def wait(self, seconds: float) -> None:
        self.world.clock.time += seconds

    async def tamper(self) -> None:
        self.tampered = True
        await self.world.tamper(self.document, body=b'{"amount":"9000000"}')

    async def release(self) -> None:
        current = await self.world.find(self.document.id)
        if not allowed(current.state, Event.SEND) or current.state is State.RECEIVED:
            return
        if await self.world.release(self.document, target=TARGET) is None:
            await self.judge(current)

    async def judge(self, sent: Document) -> None:
        """The document went: would an auditor agree, who reads the chain and the files and nothing else?"""
        assert sent.hold is not None
        assert not self.tampered
        entries = await self.world.told(self.document)
        votes: dict[str, set[str]] = {}
        barred = {natural(self.initiator), *(natural(editor) for editor in sent.hold.editors)}
        for entry in entries:
            details = entry.get("details", {})
            assert entry["kind"] != "document.reject"
            if entry["kind"] not in ("document.vote", "document.approve") or details["revision"] != sent.revision:
                continue
            assert details["payload_hash"] == sent.hold.payload_hash
            votes[entry["actor"]] = {natural(entry["actor"]), natural(details.get("delegator", entry["actor"]))}
            holder = details.get("delegator", entry["actor"])
            if natural(holder) not in self.holders:
                del votes[entry["actor"]]
        people = [who for who in votes.values() if not who & barred]
        enough = any(
            all(not one & other for one, other in combinations(chosen, 2)) for chosen in combinations(people, self.required)
        )
        assert enough, (votes, barred, self.required)
        assert [entry["kind"] for entry in entries].count("document.send") == 1


async def play(initiator: str, rounds: list[list[tuple[Any, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = HandClock()
        async with open_ledger(f"sqlite:///{folder}/ledger.db", KEY, clock) as ledger:
            world = World(ledger, clock)
            world.book.change(policy_text=policy_of(frozenset(NAMES)))
            history = History(world, await world.pay(initiator=initiator), initiator)
            for clicks in rounds:
                changes = [click for click in clicks if click[0] in ("roles", "required", "wait", "tamper")]
                for kind, *details in changes:
                    await history.do("required_" if kind == "required" else kind, *details)
                await asyncio.gather(*(history.do(*click) for click in clicks if click not in changes))
            await history.do("release")
            kinds = [entry["kind"] for entry in await world.told(history.document)]
            assert kinds.count("document.send") <= 1
            assert await world.work(history.document, "send") <= 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["eve", "EVE", "zoe"]), st.lists(st.lists(CLICK, min_size=1, max_size=4), min_size=2, max_size=10))
def test_nothing_goes_without_enough_different_people(initiator: str, rounds: list[list[tuple[Any, ...]]]) -> None:
    asyncio.run(play(initiator, rounds))


async def test_a_plain_history_ends_in_a_release() -> None:
    rounds: list[list[tuple[Any, ...]]] = [[("approve", "ann", None, False)], [("approve", "bob", None, False)], [("release",)]]
    await play("zoe", rounds)
