"""Nanoseconds per policy decision at 10 to 100,000 rows, beside pycasbin's Enforcer and FastEnforcer, and what loading takes.

The same rows and the same questions for all three. Times are of the processor, not of the clock, so that a busy machine does not
count; a question is asked of each in turn, and the median of several rounds is shown. Run ``python -m bench.policy``.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import casbin
from casbin.model import FastModel
from casbin.persist.adapters.string_adapter import StringAdapter

from gateway.exchange import Principal
from gateway.policy.file import PolicyFile, read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.oracle import compare_with_casbin, new_enforcer

ROOT = Path(__file__).parent.parent
MODEL = (ROOT / "policies" / "model.conf").read_text("utf-8")
SIZES = (10, 1_000, 10_000, 100_000)
ROUNDS = 7
QUESTIONS, MANY = 250, 20_000
"""Different questions, each asked in its turn: the callers of a busy minute, which the processor's caches hold; and so many that
they do not, which is the price of memory."""
OPERATIONS = 200
"""Operations of a large gateway; rows beyond that are more roles and more people."""
BY_OPERATION = 2
"""FastEnforcer looks at the rows of one operation only: the place of the operation in a request and in a row."""

Question = tuple[Principal, str, str]


def policy_text(rows: int) -> str:
    """Twenty rows a role: eight allow, two deny, two restrict, eight give the role to somebody."""
    lines = ["# made for the bench", "g2, another.get, reads"]
    roles = max(1, rows // 20)
    for number in range(rows):
        turn, role, tenant = number // roles % 20, number % roles, f"tenant-{number % 7}"
        operation = f"resource-{(role * 7 + turn) % OPERATIONS}.get"
        if turn < 8:
            lines.append(f"p, role-{role}, {tenant}, {operation}, allow")
        elif turn < 10:
            lines.append(f"p, role-{role}, *, {operation}, deny")
        elif turn < 12:
            lines.append(f"p2, role-{role}, {tenant}, {operation}, lines[].field{turn}, hide")
        else:
            lines.append(f"g, person-{number}, role-{role}, {tenant}")
    return "\n".join([*lines, "# end"]) + "\n"


def questions(file: PolicyFile, count: int) -> list[Question]:
    """Half of them about rows that are there, asked by members of the role; half about somebody or something else."""
    chance = random.Random(7)
    members: dict[tuple[str, str], list[str]] = {}
    for link in file.memberships:
        members.setdefault((link.role, link.tenant), []).append(link.member)
    found = []
    for number in range(count):
        row = chance.choice(file.grants)
        tenant = row.tenant if row.tenant != "*" else "tenant-1"
        subject = chance.choice(members.get((row.role, tenant), [row.role]))
        operation = row.operation if number % 2 else chance.choice(file.grants).operation
        found.append((Principal(subject, tenant), operation, "v1"))
    return found


def nanoseconds(ask: Callable[[Question], object], asked: list[Question]) -> float:
    """Processor time of one decision: the median of the rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        for question in asked:
            ask(question)
        rounds.append((time.process_time_ns() - started) / len(asked))
    return statistics.median(rounds)


def of_index(index: PolicyIndex, asked: list[Question]) -> float:
    decide = index.decide

    def ask(question: Question) -> object:
        return decide(*question)

    ask(asked[0])
    return nanoseconds(ask, asked)


def of_casbin(enforcer: object, asked: list[Question], seconds: float = 2.0) -> float:
    """As many of the questions as fit into some seconds; Casbin walks the rows for each."""
    enforce = enforcer.enforce  # type: ignore[attr-defined]
    took: list[int] = []
    for principal, operation, version in asked:
        started = time.process_time_ns()
        enforce(principal.subject, principal.tenant, operation, f"{operation}@{version}")
        took.append(time.process_time_ns() - started)
        if sum(took) > seconds * 1e9:
            break
    return statistics.median(took)


class WholeModel(FastModel):  # type: ignore[misc]
    """As it comes it stops after the first definition of a section, because it does not say that it took it; then ``g2`` is
    unknown."""

    def add_def(self, sec: str, key: str, value: object) -> bool:
        super().add_def(sec, key, value)
        return bool(value)


def fast_enforcer(text: str) -> object:
    model = WholeModel([BY_OPERATION])
    model.load_model_from_text(MODEL)
    enforcer = casbin.FastEnforcer(model, StringAdapter(text), cache_key_order=[BY_OPERATION])
    enforcer.add_named_matching_func("g", None)
    enforcer.add_named_domain_matching_func("g", casbin.util.key_match_func)
    return enforcer


def loaded(data: bytes) -> tuple[PolicyIndex, float]:
    """The index of a file, and the processor seconds of reading it strictly, linting it and building the index."""
    gc.collect()
    started = time.process_time()
    file = read_policy("policy.csv", data)
    index = compile_policy(file)
    index.unknown_operations({f"{name}@v1" for name in file.named_operations()})
    return index, time.process_time() - started


def memory(data: bytes) -> float:
    """Mebibytes that a file and its index keep."""
    gc.collect()
    tracemalloc.start()
    index = compile_policy(read_policy("policy.csv", data))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / 2**20 if index.sha256 else 0.0


def main() -> None:
    result: dict[str, float] = {}
    print(f"{'rows':>8} {'index ns':>10} {'cold ns':>8} {'Enforcer ns':>14} {'FastEnforcer ns':>16} {'load s':>8} {'MiB':>7}")
    for rows in SIZES:
        text = policy_text(rows)
        index, seconds = loaded(text.encode())
        asked = questions(index.file, QUESTIONS)
        ours, cold = of_index(index, asked), of_index(index, questions(index.file, MANY))
        few = asked[:40] if rows > 1_000 else asked[:400]
        peer, fast = of_casbin(new_enforcer(MODEL, text), few), of_casbin(fast_enforcer(text), few)
        mebibytes = memory(text.encode())
        print(f"{rows:>8,} {ours:>10,.0f} {cold:>8,.0f} {peer:>14,.0f} {fast:>16,.0f} {seconds:>8.3f} {mebibytes:>7.1f}")
        result |= {f"ns_{rows}": round(ours), f"enforcer_ns_{rows}": round(peer), f"fast_enforcer_ns_{rows}": round(fast)}
        result |= {f"cold_ns_{rows}": round(cold)}
        result |= {f"load_s_{rows}": round(seconds, 3), f"mib_{rows}": round(mebibytes, 1)}
    started = time.process_time()
    differences = compare_with_casbin(MODEL, index.file, index, sample=300, seed=1, seconds=60)
    result |= {"compare_s_100000": round(time.process_time() - started, 3), "differences": len(differences)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
