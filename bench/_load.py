"""Load from wrk: one thread, keep-alive connections, a fixed request, and figures read from what it tells at the end."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench._machine import cpu_seconds

TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to repeat. ``url`` is absolute; headers and body hold no Lua."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. ``cpu`` is the share of its core the server got, 1.0 when it had all of it; ``cpu_us`` what one request cost of it
    in microseconds, which a neighbour on the machine disturbs least; ``errors`` counts answers that were no success and failures
    of the connection."""

    rps: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu: float
    cpu_us: float


def measure(script: Path, call: Call, *, seconds: float, core: int, connections: int, server: int) -> Measured:
    """Load the server with process id ``server`` for some seconds."""
    options = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", f"{TIMEOUT}s", "-s", str(script)]
    cpu, started = cpu_seconds(server), time.monotonic()
    outcome = subprocess.run(
        ["taskset", "-c", str(core), "wrk", *options, call.url], capture_output=True, text=True, check=False, timeout=seconds + 60
    )
    elapsed, cpu = time.monotonic() - started, cpu_seconds(server) - cpu
    if outcome.returncode:
        raise RuntimeError(f"wrk: {outcome.stderr.strip() or outcome.stdout.strip()}")
    told = orjson.loads(outcome.stdout.strip().rpartition("\n")[2])
    return Measured(
        rps=told["requests"] / told["us"] * 1e6,
        p50_ms=told["p50_us"] / 1000,
        p99_ms=told["p99_us"] / 1000,
        errors=told["errors"],
        cpu=cpu / elapsed,
        cpu_us=cpu / max(1, told["requests"]) * 1e6,
    )


def median(rounds: Sequence[Measured]) -> Measured:
    """Each figure's median; errors are added up."""
    return Measured(
        rps=statistics.median(r.rps for r in rounds),
        p50_ms=statistics.median(r.p50_ms for r in rounds),
        p99_ms=statistics.median(r.p99_ms for r in rounds),
        errors=sum(r.errors for r in rounds),
        cpu=statistics.median(r.cpu for r in rounds),
        cpu_us=statistics.median(r.cpu_us for r in rounds),
    )
