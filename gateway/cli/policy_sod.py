"""``policy sod``: separation of duties. Who holds what nobody may hold together, and by which rows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import typer

from gateway.cli.candidate import JsonOption, asking, candidate, plain
from gateway.cli.output import DEFAULT, ConfigPath, out, warnings
from gateway.cli.policy import PolicyOption
from gateway.cli.policy_diff import routes_of
from gateway.policy.duties import Conflict
from gateway.policy.duties_file import tenants
from gateway.scoping import judged


def sod(policy: PolicyOption = None, config: ConfigPath = DEFAULT, json: JsonOption = False) -> None:
    """Find conflicts of duties: who may ask and approve, who administers both security and money, system, security and audit in
    one hand, satellites that approve, rules too few can satisfy, and the pairs of duties.yaml.

    Exit 0: there is none but what is accepted. 1: there are. 2: it cannot be asked."""
    with asking(json):
        one = candidate(config, policy)
        found = judged(one.deployment, one.policy, routes_of(one.deployment), time.time())
    if json:
        told: dict[str, Any] = {
            "conflicts": list(map(dataclasses.asdict, found.open)),
            "expired": list(map(dataclasses.asdict, found.expired)),
            "accepted": list(map(dataclasses.asdict, found.accepted)),
            "warnings": plain(found.idle),
        }
        print(orjson.dumps(told).decode())
    else:
        warnings(found.idle)
        _say(lines(found.open, "conflict"))
        _say(lines(found.accepted, "accepted"))
        if not found.open:
            _say(["No conflict of duties."])
    if found.open:
        raise typer.Exit(1)


def lines(found: Iterable[Conflict], label: str) -> Iterator[str]:
    """Conflicts for people."""
    for conflict in found:
        yield f"{label} {conflict.code}: {conflict.who} of {tenants(conflict)} {conflict.what}"
        for way in conflict.ways:
            rows = " → ".join(f"{text} ({place})" for place, text in way.rows)
            yield f"  {way.right}: {rows or 'the role itself'}"
        if conflict.people != (conflict.who,) and len(conflict.ways) > 1:
            yield f"  people: {', '.join(conflict.people) or 'none today; whoever gets it has both'}"
        if label != "accepted":
            yield f"  {conflict.remedy}"


def _say(texts: Iterable[str]) -> None:
    for text in texts:
        out.print(text, markup=False, highlight=False, soft_wrap=True)
