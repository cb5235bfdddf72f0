"""The comparison with stock Casbin that every new policy goes through."""

import random
from pathlib import Path

import pytest

from gateway.policy.file import PolicyFile, read_policy
from gateway.policy.index import compile_policy
from gateway.policy.oracle import MAX_DIFFERENCES, compare_with_casbin
from tests.policy.__main__ import differences

POLICIES = Path(__file__).parents[2] / "policies"
MODEL = (POLICIES / "model.conf").read_text("utf-8")


def made_up(rows: int, seed: int) -> PolicyFile:
    """A policy of our shape: roles below roles, groups, versions, tenants, some denials. Members come before roles in the
    alphabet of numbers, so there is no circle."""
    chance = random.Random(seed)
    lines = {"g2, pay.create, grp-0", "g2, grp-0, grp-1"}
    tenants = ["*", "one", "two", "three"]
    while len(lines) < rows:
        kind, tenant = chance.random(), chance.choice(tenants)
        if kind < 0.5:
            operation = chance.choice(
                ["pay.create", "pay.create@v1", "stock.get", "grp-0", "grp-1", f"op-{chance.randrange(rows)}"]
            )
            effect = chance.choice(["allow", "allow", "allow", "deny"])
            lines.add(f"p, n{chance.randrange(rows // 4 + 2)}, {tenant}, {operation}, {effect}")
        elif kind < 0.95:
            level = chance.randrange(9)
            lines.add(
                f"g, n{chance.randrange(rows) * 10 + level}, n{chance.randrange(rows // 10 + 1) * 10 + level + 1}, {tenant}"
            )
        else:
            lines.add(f"g2, op-{chance.randrange(rows)}, grp-{chance.randrange(2)}")
    ordered = sorted(lines)
    chance.shuffle(ordered)
    return read_policy("policy.csv", ("# made up (for a test)\n  \n" + "\n".join(ordered) + "\n# end\n").encode())


@pytest.mark.parametrize(("rows", "sample"), [(2, 50), (10, 500), (60, 1500), (300, 1500), (5_000, 300)])
@pytest.mark.parametrize("seed", [1, 2])
def test_finds_no_difference_in_thousands_of_decisions(rows: int, sample: int, seed: int) -> None:
    file = made_up(rows, seed)
    index = compile_policy(file)
    assert compare_with_casbin(MODEL, file, index, sample=sample, seed=seed, seconds=60) == []


def test_the_example_is_decided_alike() -> None:
    file = read_policy("policy.csv", (POLICIES / "policy.csv").read_bytes())
    assert compare_with_casbin(MODEL, file, compile_policy(file), sample=1000, seed=7, seconds=60) == []


def test_a_policy_without_rows_is_compared_too() -> None:
    file = read_policy("policy.csv", b"# end\n")
    assert compare_with_casbin(MODEL, file, compile_policy(file), sample=20, seed=1) == []


@pytest.mark.parametrize("rows", [60, 5_000])
def test_an_index_of_another_policy_is_caught(rows: int) -> None:
    file = made_up(rows, 3)
    found = compare_with_casbin(MODEL, file, compile_policy(made_up(rows, 4)), sample=5000, seed=1, seconds=60)
    assert len(found) == MAX_DIFFERENCES
    assert all(difference.index != difference.casbin for difference in found)


def test_stops_when_its_time_is_up() -> None:
    file = made_up(60, 5)
    ticks = iter(range(1000))
    other = compile_policy(read_policy("policy.csv", b"# end\n"))
    found = compare_with_casbin(MODEL, file, other, sample=5000, seed=1, seconds=10, monotonic=lambda: float(next(ticks)))
    assert next(ticks) == 12
    assert len(found) <= 11


def test_random_policies_of_our_shape_are_decided_alike() -> None:
    """``make differ`` asks a hundred thousand."""
    assert list(differences(5_000, seed=random.Random().randrange(2**32))) == []
