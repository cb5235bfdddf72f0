"""Rates as people write them: ``100/s``, ``10/min``, ``5000/d``."""

from __future__ import annotations

import re

PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
RATE = re.compile(r"([0-9]{1,9}) ?/ ?([a-z]+)")


def parse_rate(text: str) -> tuple[int, float]:
    """``"100/s"`` to calls and seconds, ``(100, 1.0)``. Raises ``ValueError`` with a sentence for the file's author."""
    match = RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text[:40]}' is no rate; write calls per period, such as 100/s, 10/min, 1000/h or 5000/d")
    count, unit = int(match[1]), match[2]
    if unit not in PERIODS:
        raise ValueError(f"'{unit}' is no period; use s, min, h or d")
    if count == 0:
        raise ValueError("a rate of 0 allows nothing; to close a route, deny it in the policy")
    return count, PERIODS[unit]
