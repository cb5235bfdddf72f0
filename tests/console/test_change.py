"""What a changed policy changes, and how much of it a person sees."""

from __future__ import annotations

import pytest

from gateway.bundle import Bundle
from gateway.console.change import MOST_TUPLES, Change, Changes, Sight, change_of, sight_of
from gateway.people import POLICY_READ, Person
from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy
from tests.console.world import World

ALL = Sight("demo", everywhere=True)


def changed(console: World, name: str, *pairs: tuple[str, str]) -> tuple[Bundle, Bundle]:
    """The files that are live, and the same with words of one of them changed."""
    old = console.live.snapshot.deployment.bundle
    data = old.files[name].decode()
    for before, after in pairs:
        assert before in data
        data = data.replace(before, after)
    return old, Bundle({**old.files, name: data.encode()})


def of(console: World, *pairs: tuple[str, str], name: str = "policy.csv") -> Change:
    return change_of(console.live.snapshot, *changed(console, name, *pairs))


async def test_who_gains_and_loses_with_the_lines_and_the_tests(console: World) -> None:
    change = of(
        console, ("# end\n", "p, tour, demo, sales-orders.list, allow\np, shop, demo, stock-movements.create, deny\n# end\n")
    )
    assert [(one.who, one.named, one.what) for one in change.gained] == [("tour", "sales-orders.list@v1", "call")]
    assert [(one.who, one.named, one.what) for one in change.lost] == [("shop", "stock-movements.create@v1", "call")]
    assert [line.text for file in change.files for line in file.lines] == [
        "p, tour, demo, sales-orders.list, allow",
        "p, shop, demo, stock-movements.create, deny",
    ]
    assert change.tests
    assert change.failed == []


async def test_the_same_files_change_nothing(console: World) -> None:
    bundle = console.live.snapshot.deployment.bundle
    change = change_of(console.live.snapshot, bundle, bundle)
    assert (change.gained, change.lost, change.told, change.files, change.known) == ((), (), (), (), True)


async def test_a_test_that_would_fail_is_told(console: World) -> None:
    change = of(console, ("# end\n", "p, wms, demo, reports.finance, allow\n# end\n"))
    assert [outcome.principal.subject for outcome in change.failed] == ["wms"]


async def test_a_file_that_cannot_be_read_is_told_by_its_lines(console: World) -> None:
    change = of(console, ("# end\n", "p, wms\n# end\n")).seen_by(ALL)
    assert not change.known
    assert [line.text for file in change.files for line in file.lines] == ["p, wms"]


async def test_approvals_and_satellites_are_told_and_lines_that_may_hold_secrets_are_not(console: World) -> None:
    change = of(console, ("over: {CNY: 500000", "over: {CNY: 900000"), name="approvals.yaml").seen_by(ALL)
    assert change.told == ("payments.create has its threshold raised from 500000 to 900000 CNY: less waits",)
    assert [file.name for file in change.files] == ["approvals.yaml"]
    change = of(console, ("    limit: 3/min\n", "    limit: 4/min\n"), name="satellites.yaml").seen_by(ALL)
    assert change.told == ("tour may call more or less often",)
    assert [(file.name, file.lines, file.more) for file in change.files] == [("satellites.yaml", (), 2)]
    broken = of(console, ("    limit: 3/min\n", "    password: hunter2\n"), name="satellites.yaml").seen_by(ALL)
    assert "hunter2" not in repr(broken)
    assert broken.known


async def test_a_person_of_one_tenant_sees_what_is_about_it(console: World) -> None:
    rows = "p, finch, other, payments.get, allow\np, heron, demo, payments.get, allow\n# about finch\n"
    whole = of(console, ("# end\n", rows + "# end\n"))
    change = whole.seen_by(Sight("demo", everywhere=False))
    assert "finch" not in repr(change)
    assert [one.who for one in change.gained] == ["heron"]
    assert [line.text for file in change.files for line in file.lines] == ["p, heron, demo, payments.get, allow"]
    assert change.withheld == 3
    assert (change.gains, change.losses) == (1, 0)
    assert whole.seen_by(ALL).withheld == 0
    approvals = of(console, ("over: {CNY: 500000", "over: {CNY: 900000"), name="approvals.yaml")
    assert approvals.seen_by(Sight("demo", everywhere=False)).withheld > 0


async def test_a_page_shows_a_part_of_a_large_change(console: World) -> None:
    rows = "".join(f"p, r{number}, demo, payments.get, allow\n" for number in range(MOST_TUPLES + 50))
    change = of(console, ("# end\n", rows + "# end\n")).seen_by(ALL)
    assert len(change.gained) == MOST_TUPLES
    assert change.gains == MOST_TUPLES + 50
    assert change.files[0].more == 50


async def test_a_change_is_made_once(console: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = Changes(console.live)
    old, new = changed(console, "policy.csv", ("# end\n", "p, tour, demo, sales-orders.list, allow\n# end\n"))
    made = await changes.between(old, new)
    monkeypatch.setattr("gateway.console.change.change_of", None)
    assert await changes.between(old, new) is made


@pytest.mark.parametrize(
    ("rows", "roles", "seen"),
    [
        ([], (), None),
        (["p, li, demo, policy.read, allow"], (), Sight("demo", everywhere=False)),
        (["p, li, *, policy.read, allow"], (), Sight("demo", everywhere=True)),
        (["p, boss, *, policy.read, allow", "g, li, boss, demo"], (), Sight("demo", everywhere=False)),
        (["p, boss, *, policy.read, allow", "g, li, boss, *"], (), Sight("demo", everywhere=True)),
        (["p, boss, *, policy.read, allow"], ("boss",), Sight("demo", everywhere=False)),
        (["p, li, *, policy.read, allow", "p, li, demo, policy.read, deny"], (), None),
    ],
)
def test_whoever_reads_it_in_every_tenant_sees_every_tenant(rows: list[str], roles: tuple[str, ...], seen: Sight | None) -> None:
    policy = compile_policy(read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode()))
    assert sight_of(policy, Person("li", "li", "demo", roles), POLICY_READ) == seen
