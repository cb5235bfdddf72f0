"""The outermost stage: whatever happens inside becomes one reply, one count and one line in the access log.

This is the public part's edge in the sense of rule 7: the only place there that catches every exception.
"""

from __future__ import annotations

import os
import random
import re
import time
from dataclasses import dataclass
from typing import ClassVar

import structlog

from gateway.errors import ClientProblem, Internal, Problem, Refused
from gateway.exchange import ABSENT, Exchange, Reply
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Runtime
from gateway.protocols import json_http

log = structlog.get_logger()

_TRACEPARENT = re.compile(rb"(?!ff)(?!00.{53}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?\Z")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:@/+=-]{1,128}\Z")
_CORRELATION = frozenset({b"x-request-id", b"traceparent", b"tracestate"})
_NOT_ZERO = 1 << 64 | 1
"""In the last place of a trace id and of the parent id behind it: neither may be all zeros."""

_ids = random.Random(os.urandom(16))


@dataclass(frozen=True, slots=True)
class Observe:
    """Give the call its request id and trace, render problems, count, and log."""

    phase: ClassVar[Phase] = Phase.OBSERVE

    def build(self, runtime: Runtime) -> Stage:
        count = runtime.telemetry.count
        write = runtime.telemetry.access

        async def observe(exchange: Exchange, call_next: Handler) -> Reply:
            started = time.perf_counter()
            identify_call(exchange)
            problem: Problem | None = None
            try:
                reply = encoded(await call_next(exchange))
            except Problem as error:
                problem = error
                reply = problem_reply(error, exchange)
                log_problem(error, exchange)
            except Exception as error:
                problem = Internal()
                reply = problem_reply(problem, exchange)
                log.error("call.broke", request_id=exchange.id, operation=exchange.operation, exc_info=error)
            seconds = time.perf_counter() - started
            count(exchange.operation, exchange.version, reply.status, seconds)
            write(access_entry(exchange, reply, problem, seconds))
            reply.headers += exchange.headers
            reply.headers.append((b"x-request-id", exchange.id.encode("ascii")))
            reply.headers.append((b"traceparent", exchange.trace))
            return reply

        return observe


def identify_call(exchange: Exchange) -> None:
    """Take over the caller's request id and trace where they are well formed (W3C Trace Context), else make new ones; a call
    without an id has its trace's. A trace that is not taken over takes its ``tracestate`` with it."""
    said = [header for header in exchange.request.headers if header[0] in _CORRELATION]
    if not said:
        made = (_ids.getrandbits(192) | _NOT_ZERO).to_bytes(24, "big").hex()
        exchange.id = made[:32]
        exchange.trace = f"00-{made[:32]}-{made[32:]}-01".encode("ascii")
        return
    ids = [value for name, value in said if name == b"x-request-id"]
    traces = [value for name, value in said if name == b"traceparent"]
    parent = _TRACEPARENT.match(traces[0]) if len(traces) == 1 else None
    if parent is None:
        exchange.request.headers = [header for header in exchange.request.headers if header[0] != b"tracestate"]
    trace_id = parent[1] if parent else b"%032x" % (_ids.getrandbits(128) | 1)
    sampled = int(parent[2], 16) & 1 if parent else 1
    exchange.trace = b"00-%b-%016x-%02x" % (trace_id, _ids.getrandbits(64) | 1, sampled)
    known = _REQUEST_ID.match(ids[0]) if len(ids) == 1 else None
    exchange.id = (known[0] if known else trace_id).decode("ascii")


def encoded(reply: Reply) -> Reply:
    """The reply with its JSON value, if it has one, as a body. Raises ``TypeError`` for what is no JSON value."""
    if reply.value is not ABSENT:
        reply.body = json_http.dumps(reply.value)
        reply.value = ABSENT
        if not any(name == b"content-type" for name, _ in reply.headers):
            reply.headers.append((b"content-type", b"application/json"))
    return reply


def problem_reply(problem: Problem, exchange: Exchange) -> Reply:
    """A problem as RFC 9457 members. The request id is the occurrence's ``instance``."""
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in problem.headers.items()]
    try:
        return encoded(Reply(problem.status, headers, value=problem.document(f"urn:request:{exchange.id}")))
    except TypeError as error:
        log.error(
            "problem.unreadable", request_id=exchange.id, operation=exchange.operation, problem=problem.slug, exc_info=error
        )
        return encoded(Reply(problem.status, headers, value=type(problem)().document(f"urn:request:{exchange.id}")))


def log_problem(problem: Problem, exchange: Exchange) -> None:
    if problem.__cause__ is None and problem.origin == "client":
        return
    event = log.warning if problem.origin == "upstream" else log.info
    cause = problem.__cause__
    told = not isinstance(problem, ClientProblem | Refused)  # What was sent, or what the ERP says of it, is business data.
    event(
        "call.failed",
        request_id=exchange.id,
        operation=exchange.operation,
        problem=problem.slug,
        detail=problem.detail if told else None,
        cause=f"{type(cause).__name__}: {cause}"[:300] if cause and told else None,
    )


def access_entry(exchange: Exchange, reply: Reply, problem: Problem | None, seconds: float) -> dict[str, object]:
    request, principal = exchange.request, exchange.principal
    entry: dict[str, object] = {
        "event": "call.finished",
        "at": time.time(),
        "request_id": exchange.id,
        "method": request.method,
        "path": request.path,
        "operation": exchange.operation,
        "version": exchange.version,
        "status": reply.status,
        "ms": int(seconds * 1_000_000) / 1000,
        "peer": request.peer,
    }
    if principal is not None:
        entry["subject"] = principal.subject
        entry["tenant"] = principal.tenant
    if problem is not None:
        entry["problem"] = problem.slug
    if exchange.notes:
        entry |= exchange.notes
    return entry
