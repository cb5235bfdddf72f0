"""What a well-formed policy may still get wrong: a deny row about an operation that no route has denies nothing."""

from __future__ import annotations

import difflib

from gateway.errors import Finding
from gateway.policy.file import Grant, Grouping, PolicyFile, Restriction


def unknown_operations(file: PolicyFile, known: set[str]) -> list[Finding]:
    """Rows naming an operation that is neither a group nor in ``known``, and groups named like an operation. ``known`` holds
    ``operation@version``, or ``operation`` where any version will do."""
    plain = {name.partition("@")[0] for name in known}
    good = known | plain | file.groups()
    findings = []
    rows: tuple[Grant | Restriction | Grouping, ...] = (*file.grants, *file.restrictions, *file.groupings)
    for row in rows:
        name = row.operation
        if name not in good and name.partition("@")[0] not in known:
            close = difflib.get_close_matches(name, good, n=1)
            remedy = f"did you mean '{close[0]}'?" if close else "name an operation of a route, or a group that has some"
            findings.append(Finding(file.path, row.line, f"no route has the operation '{name}'", remedy))
    for grouping in file.groupings:
        if grouping.group in plain:
            what = f"the group '{grouping.group}' has the name of an operation"
            findings.append(Finding(file.path, grouping.line, what, "give the group a name of its own"))
    return findings
