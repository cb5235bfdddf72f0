"""A second opinion on every new policy: the index against stock Casbin, on random questions.

Casbin reads the file's own lines by its own reader, so a difference in reading shows as well as one in deciding. It scans every
row for every question; above ``MAX_ROWS`` it is given only the p rows that can matter to the questions of a round. Synchronous:
the caller runs it in a thread.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import casbin
from casbin.persist.adapters.string_adapter import StringAdapter

from gateway.exchange import Principal
from gateway.policy.file import Grant, PolicyFile, Row
from gateway.policy.index import PolicyIndex

MAX_ROWS = 2_000
MAX_DIFFERENCES = 20
ROUND = 50
STRANGER = "nobody-knows"


@dataclass(frozen=True, slots=True)
class Difference:
    """One question on which the index and Casbin disagree."""

    principal: Principal
    operation: str
    version: str
    index: bool
    casbin: bool


def compare_with_casbin(
    model_text: str,
    policy_file: PolicyFile,
    index: PolicyIndex,
    *,
    sample: int = 200,
    seed: int = 0,
    seconds: float = 3.0,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Difference]:
    """Ask both ``sample`` random questions, or as many as fit in ``seconds``; stops at twenty differences."""
    asker = _Asker(policy_file, random.Random(seed))
    deadline = monotonic() + seconds
    differences: list[Difference] = []
    enforcer = None
    for start in range(0, sample, ROUND):
        questions = [asker.question() for _ in range(min(ROUND, sample - start))]
        if enforcer is None or asker.sliced:
            enforcer = new_enforcer(model_text, asker.text({name for question in questions for name in _members(question[0])}))
        for question in questions:
            ours, theirs = index.decide(*question).allowed, casbin_allows(enforcer, *question)
            if ours != theirs:
                differences.append(Difference(*question, index=ours, casbin=theirs))
            if len(differences) >= MAX_DIFFERENCES or monotonic() > deadline:
                return differences
    return differences


def new_enforcer(model_text: str, policy_text: str) -> Any:
    """Stock Casbin over a model and a policy. ``keyMatch`` for tenants, as ``model.conf`` says; names are compared as they are,
    which Casbin spells ``None`` (its default compares each name with every other)."""
    model = casbin.Enforcer.new_model(text=model_text)
    enforcer = casbin.Enforcer(model, StringAdapter(policy_text))
    enforcer.add_named_matching_func("g", None)
    enforcer.add_named_domain_matching_func("g", casbin.util.key_match_func)
    return enforcer


def casbin_allows(enforcer: Any, principal: Principal, operation: str, version: str) -> bool:
    """Casbin knows one subject a question, so each member is asked alone: one deny row denies, else one allow row allows."""
    allowed = False
    for member in _members(principal):
        answer, row = enforcer.enforce_ex(member, principal.tenant, operation, f"{operation}@{version}")
        if row and row[3] == "deny":
            return False
        allowed = allowed or answer
    return allowed


def _members(principal: Principal) -> tuple[str, ...]:
    return (principal.subject, *principal.roles)


class _Asker:
    """Questions about what the file names, and now and then about what it does not."""

    def __init__(self, file: PolicyFile, chance: random.Random) -> None:
        self._file = file
        self._chance = chance
        self.sliced = len(file.grants) > MAX_ROWS
        named = file.named_operations() | file.groups()
        self._operations = sorted({name.partition("@")[0] for name in named})
        self._versions = sorted({name.partition("@")[2] for name in named} - {""})
        roles = {row.role for row in file.grants} | {row.role for row in file.memberships}
        tenants = {row.tenant for row in file.grants} | {row.tenant for row in file.memberships}
        self._tenants = sorted(tenants - {"*"})
        self._names = sorted(roles | {row.member for row in file.memberships})
        self._lines = [line.strip() for line in file.data.decode("utf-8").split("\n")]

    def question(self) -> tuple[Principal, str, str]:
        chance = self._chance
        roles = tuple(self._pick(self._names) for _ in range(max(0, chance.randrange(6) - 3)))
        if chance.random() < 0.5 and self._file.grants:
            return self._near(chance.choice(self._file.grants), roles)
        principal = Principal(self._pick(self._names), self._pick(self._tenants), roles)
        return principal, self._pick(self._operations), self._pick(self._versions)

    def _near(self, row: Grant, roles: tuple[str, ...]) -> tuple[Principal, str, str]:
        """A question some row is likely to answer: in a large policy a blind one hardly ever hits."""
        operation, _, version = row.operation.partition("@")
        tenant = self._pick(self._tenants) if row.tenant == "*" else row.tenant
        holders = [link.member for link in self._chance.sample(self._file.memberships, min(50, len(self._file.memberships)))]
        subject = row.role if self._chance.random() < 0.5 else self._pick([row.role, *holders])
        return Principal(subject, tenant, roles), operation, version or self._pick(self._versions)

    def _pick(self, names: list[str]) -> str:
        return self._chance.choice(names) if names and self._chance.random() < 0.95 else STRANGER

    def text(self, members: set[str]) -> str:
        """The file, or in a large one every g and g2 row and the p rows of all that ``members`` lead to in any tenant at all:
        more than can matter, by a rule that knows nothing of the index."""
        if not self.sliced:
            return "\n".join(self._lines)
        links: dict[str, set[str]] = defaultdict(set)
        for row in self._file.memberships:
            links[row.member].add(row.role)
        while grown := {role for name in members for role in links[name]} - members:
            members |= grown
        rows: tuple[Row, ...] = (
            *self._file.groupings,
            *(row for row in self._file.memberships if row.member in members),
            *(row for row in self._file.grants if row.role in members),
        )
        return "\n".join(["# of a larger file", *(self._lines[row.line - 1] for row in rows)])
