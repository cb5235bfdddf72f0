"""What the gateway says about itself: metrics, the access log, structured events.

Counting is on the path of every call, so calls are counted in plain dictionaries and turned into Prometheus families only when
somebody scrapes. Access lines are JSON, gathered in a buffer and written together. Neither ever holds a payload or a secret.
"""

from __future__ import annotations

import json
import logging
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import BinaryIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. The usual Prometheus decade steps, from a cached read to the slowest ERP call worth waiting for."""

FLUSH_BYTES = 32 * 1024


class Calls:
    """Finished calls by operation and status, with their durations: ``gateway_calls_total``, ``gateway_call_seconds``."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._durations: dict[str, tuple[list[int], list[float]]] = {}

    def count(self, operation: str, version: str, status: int, seconds: float) -> None:
        key = (operation, version, status)
        self._counts[key] = self._counts.get(key, 0) + 1
        buckets, total = self._durations.get(operation) or self._durations.setdefault(
            operation, ([0] * (len(BUCKETS) + 1), [0.0])
        )
        buckets[bisect_left(BUCKETS, seconds)] += 1
        total[0] += seconds

    def collect(self) -> Iterable[Metric]:
        calls = CounterMetricFamily("gateway_calls", "Finished calls.", labels=("operation", "version", "status"))
        for (operation, version, status), count in sorted(self._counts.items()):
            calls.add_metric((operation, version, str(status)), count)
        yield calls
        seconds = HistogramMetricFamily("gateway_call_seconds", "Duration of calls.", labels=("operation",))
        for operation, (buckets, total) in sorted(self._durations.items()):
            edges = [*map(str, BUCKETS), "+Inf"]
            seconds.add_metric((operation,), list(zip(edges, map(float, accumulate(buckets)), strict=True)), sum_value=total[0])
        yield seconds


class Gauges:
    """Values read at scrape time from whoever holds them."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, Callable[[], float]]] = {}

    def add(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._read[name] = (text, read)

    def collect(self) -> Iterable[Metric]:
        for name, (text, read) in self._read.items():
            yield GaugeMetricFamily(name, text, value=read())


class AccessLog:
    """JSON lines, buffered. ``flush`` is called by a timer and at the end; a full buffer flushes itself. A call never fails
    because its line cannot be written: ``lost`` counts such lines."""

    def __init__(self, out: BinaryIO | None) -> None:
        self._out = out
        self._lines: list[bytes] = []
        self._size = 0
        self.lost = 0

    def write(self, entry: dict[str, object]) -> None:
        if self._out is None:
            return
        try:
            line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # orjson refuses a lone surrogate, which a token's claims may hold.
            line = json.dumps(entry, default=repr).encode("ascii") + b"\n"
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._lines and self._out is not None:
            lines, self._lines, self._size = self._lines, [], 0
            try:
                self._out.write(b"".join(lines))
                self._out.flush()
            except OSError:
                self.lost += len(lines)


class Telemetry:
    """The three together. One per process; it outlives every snapshot.

    :param access: where access lines go; ``None`` writes none.
    """

    def __init__(self, access: BinaryIO | None = None) -> None:
        self.calls = Calls()
        self.gauges = Gauges()
        self.log = AccessLog(access)
        self.count = self.calls.count
        self.access = self.log.write
        self.gauges.add("gateway_access_lines_lost", "Access log lines that could not be written.", lambda: float(self.log.lost))
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self.calls)
        self._registry.register(self.gauges)

    def exposition(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)


def configure_logging(level: str = "info", *, colours: bool | None = None) -> None:
    """Structured events on standard error: JSON lines, or readable ones on a terminal. A traceback never shows the values of
    variables: payments, tokens and keys are among them."""
    terminal = sys.stderr.isatty() if colours is None else colours
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in ("uvicorn", "uvicorn.error", "zeep", "httpx", "httpcore", "casbin"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _dumps(value: object, **_: object) -> str:
    """One event. What somebody sent may hold a lone surrogate, which orjson refuses; logging must not fail for it."""
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:
        return json.dumps(value, default=str)
