"""The differential test at length: random policies of our shape, and stock Casbin's answer to every question.

``python -m tests.policy --decisions 100000 --seed 1``: half a minute. Rows, members, tenants, versions, groups and
denials are drawn anew for each policy; p2, p3 and p4 rows stand between them, which must change no decision. Exit 1 with the
policy and the question of the first difference.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy
from gateway.policy.oracle import casbin_allows, new_enforcer

MODEL = (Path(__file__).parents[2] / "policies" / "model.conf").read_text("utf-8")
PER_POLICY = 250
NAMES = ("oa", "crm", "li", "wu", "财务", "a.b", "x", "y")
TENANTS = ("*", "one", "two", "three")
OPERATIONS = ("pay.create", "pay.get", "pay.create@v1", "pay.get@v2", "stock.get", "grp", "all", "x")
GROUPS = ("grp", "all", "x", "pay.get")
RESTRICTIONS = ("p2, {}, price, hide", "p2, {}, lines[].sku, show", "p3, {}, entity, own", "p4, {}, network, 10.0.0.0/8")


def row(chance: random.Random) -> str:
    kind, tenant, pick = chance.random(), chance.choice(TENANTS), chance.choice
    if kind < 0.45:
        return f"p, {pick(NAMES)}, {tenant}, {pick(OPERATIONS)}, {pick(('allow', 'allow', 'deny'))}"
    if kind < 0.6:
        return pick(RESTRICTIONS).format(f"{pick(NAMES)}, {tenant}, {pick(OPERATIONS)}")
    if kind < 0.85:
        return f"g, {pick(NAMES)}, {pick(NAMES)}, {tenant}"
    return f"g2, {pick(OPERATIONS)}, {pick(GROUPS)}"


def policies(chance: random.Random) -> Iterator[str]:
    """Policies the strict reader takes: no circle, no row twice."""
    while True:
        rows = list(dict.fromkeys(row(chance) for _ in range(chance.randrange(1, 26))))
        text = "\n".join([*rows, "# end", ""])
        try:
            read_policy("policy.csv", text.encode())
        except ConfigError:
            continue
        yield text


def question(chance: random.Random) -> tuple[Principal, str, str]:
    """A principal always has a tenant; identity sees to that."""
    roles = tuple(chance.choice(NAMES) for _ in range(max(0, chance.randrange(5) - 2)))
    principal = Principal(chance.choice((*NAMES, "nobody", "*", "")), chance.choice((*TENANTS, "four")), roles)
    return principal, chance.choice((*OPERATIONS, "nothing")), chance.choice(("v1", "v2", "v3"))


def differences(decisions: int, seed: int) -> Iterator[str]:
    """Every question to which the index and Casbin give different answers, with its policy."""
    chance = random.Random(seed)
    asked = 0
    for text in policies(chance):
        if asked >= decisions:
            return
        index, enforcer = compile_policy(read_policy("policy.csv", text.encode())), new_enforcer(MODEL, text)
        for _ in range(min(PER_POLICY, decisions - asked)):
            asked += 1
            put = question(chance)
            if index.decide(*put).allowed != casbin_allows(enforcer, *put):
                yield f"{put}\n{text}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = list(differences(arguments.decisions, arguments.seed))
    sys.stdout.write(f"{arguments.decisions} decisions, {len(found)} differences\n")
    sys.stdout.writelines(found[:1])
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
