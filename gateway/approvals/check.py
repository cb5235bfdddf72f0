"""Whether the rules can work in this deployment: each is about a route, and enough people may approve.

Values in, findings out; who holds which role, and which operations there are, is the caller's to say.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator

from gateway.approvals.compare import person_key
from gateway.approvals.file import Approvals, Rule
from gateway.errors import Finding


def check_eligible(approvals: Approvals, members_of: Callable[[str], Collection[str]]) -> list[Finding]:
    """A finding for each rule that too few people could satisfy. ``members_of`` gives the people who hold a role, themselves or
    through other roles; two spellings of one id are one person."""
    return [finding for name, rule in approvals.rules.items() for finding in _eligible(approvals, name, rule, members_of)]


def _eligible(approvals: Approvals, name: str, rule: Rule, members_of: Callable[[str], Collection[str]]) -> Iterator[Finding]:
    place = ("approvals", name)
    people = {person_key(person) for person in members_of(rule.approvers)} - {""}
    if len(people) < rule.required:
        who = f" ({', '.join(sorted(people))})" if people else ""
        what = f"'{name}' needs {rule.required} approvers, and the role '{rule.approvers}' has {len(people)}{who}"
        remedy = f"give the role to {rule.required - len(people)} more in policy.csv, or name another role"
        yield approvals.source.finding((*place, "approvers"), what, remedy)
    if rule.escalate is not None and not any(map(person_key, members_of(rule.escalate.to))):
        what = f"'{name}' escalates to the role '{rule.escalate.to}', which nobody holds"
        yield approvals.source.finding(
            (*place, "escalate", "to"), what, "give the role to somebody in policy.csv, or name another"
        )


def check_operations(approvals: Approvals, operations: Collection[str]) -> list[Finding]:
    """A finding for each rule about an operation that is not among ``operations``: those that a hold can stop."""
    findings = []
    for name in approvals.rules:
        if name not in operations:
            close = difflib.get_close_matches(name, operations, n=1)
            remedy = (
                f"did you mean '{close[0]}'?" if close else "name a write that has a route and is recorded, or remove the rule"
            )
            findings.append(approvals.source.finding(("approvals", name), f"no recorded write is called '{name}'", remedy))
    return findings
