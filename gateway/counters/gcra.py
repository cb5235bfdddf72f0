"""The generic cell rate algorithm (ITU-T I.371) on plain numbers: no store, no clock.

One number is the whole state of a partition: its *theoretical arrival time*, the moment it will be full again. Each call moves it
one interval (``period / count``) on; a call is refused when that would put it further ahead of now than the burst reaches.
In any stretch of ``t`` seconds at most ``burst + t / interval`` calls pass.

A quota per day is the same with an interval of ``86400 / count``. A burst of ``count`` gives the whole quota at once; what a
fixed window would give back at midnight comes back evenly. ``remaining`` and ``reset`` are true at any moment, there is no
rush when the window opens, and no stretch of time can see more calls than around a fixed window's edge: twice the quota.
"""

from __future__ import annotations

from gateway.ports import Limit, Quote

SLACK = 1e-6
"""Of an interval: sums of fractions may come out a hair too long, and must not cost a call."""


def charge(limit: Limit, tat: float, now: float) -> tuple[float, Quote] | None:
    """The arrival time after one more call at ``now`` and the quote for that call, or ``None`` when it is to be refused."""
    interval = limit.period / limit.count
    start = tat if tat > now else now
    if start - now > (limit.burst - 1 + SLACK) * interval:
        return None
    tat = start + interval
    ahead = tat - now
    return tat, Quote(limit, True, int(limit.burst - ahead / interval + SLACK), ahead, 0.0)


def quote(limit: Limit, tat: float, now: float) -> Quote:
    """What to tell a caller who is not charged. ``remaining`` counts the calls that would pass at once; ``reset`` and
    ``retry_after`` are seconds from now."""
    interval = limit.period / limit.count
    ahead = max(tat - now, 0.0)
    remaining = max(0, int(limit.burst - ahead / interval + SLACK))
    retry_after = max(0.0, ahead - (limit.burst - 1) * interval)
    return Quote(limit, remaining > 0, remaining, ahead, 0.0 if remaining else retry_after)


def bounded(limit: Limit, tat: float, now: float) -> float:
    """``tat``, but never further ahead than ``limit`` can put it: after a limit was changed, the old one's debt is forgotten."""
    return min(tat, now + limit.burst * limit.period / limit.count)
