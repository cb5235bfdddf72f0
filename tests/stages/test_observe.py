"""Whatever happens inside becomes one reply, one count and one line; nothing inside is told outside."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.errors import BadAnswer, Forbidden, Refused, TooManyRequests
from gateway.exchange import ABSENT, Principal, Reply
from gateway.stages.observe import Observe

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def observe(runtime: Any, exchange: Any, handler: Any) -> Reply:
    return await Observe().build(runtime)(exchange, handler)


def header(reply: Reply, name: bytes) -> bytes:
    (value,) = [value for key, value in reply.headers if key == name]
    return value


async def test_a_value_is_encoded_once(runtime: Any, exchange: Any, answering: Any) -> None:
    reply = await observe(runtime, exchange(), answering(Reply(201, value={"a": [1, None]})))
    assert (reply.status, reply.body, reply.value) == (201, b'{"a":[1,null]}', ABSENT)
    assert header(reply, b"content-type") == b"application/json"


async def test_a_body_and_its_type_stay_as_they_are(runtime: Any, exchange: Any, answering: Any) -> None:
    reply = await observe(runtime, exchange(), answering(Reply(200, [(b"content-type", b"text/csv")], body=b"a;b")))
    assert reply.body == b"a;b"
    assert header(reply, b"content-type") == b"text/csv"
    typed = Reply(200, [(b"content-type", b"application/hal+json")], value=[])
    assert header(await observe(runtime, exchange(), answering(typed)), b"content-type") == b"application/hal+json"


async def test_headers_for_every_outcome(runtime: Any, exchange: Any, answering: Any) -> None:
    for outcome in (Reply(200), Forbidden("No."), ValueError()):
        call = exchange()
        call.headers.append((b"ratelimit", b"x"))
        assert header(await observe(runtime, call, answering(outcome)), b"ratelimit") == b"x"


async def test_a_well_formed_request_id_and_trace_are_taken_over(runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange(headers=[(b"x-request-id", b"oa-4711"), (b"traceparent", TRACE), (b"tracestate", b"a=b")])
    reply = await observe(runtime, call, answering(Reply(200)))
    assert header(reply, b"x-request-id") == b"oa-4711"
    made = header(reply, b"traceparent")
    assert re.fullmatch(rb"00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01", made)
    assert made != TRACE
    assert call.request.header(b"tracestate") == b"a=b"
    assert (call.id, call.trace) == ("oa-4711", made)


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (TRACE[:-2] + b"00", b"00"),
        (TRACE[:-2] + b"ff", b"01"),
        (b"cc" + TRACE[2:] + b"-what-comes-later", b"01"),
        (b"01" + TRACE[2:], b"01"),
    ],
)
async def test_traces_of_other_versions_and_flags(
    given: bytes, flags: bytes, runtime: Any, exchange: Any, answering: Any
) -> None:
    reply = await observe(runtime, exchange(headers=[(b"traceparent", given)]), answering(Reply(200)))
    version, trace, _, sampled = header(reply, b"traceparent").split(b"-")
    assert (version, trace, sampled) == (b"00", TRACE[3:35], flags)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"traceparent", b"")],
        [(b"traceparent", TRACE + b"-more")],
        [(b"traceparent", b"ff" + TRACE[2:])],
        [(b"traceparent", TRACE.upper())],
        [(b"traceparent", b"00-" + b"0" * 32 + TRACE[35:])],
        [(b"traceparent", TRACE[:36] + b"0" * 16 + b"-01")],
        [(b"traceparent", TRACE + b"\n")],
        [(b"traceparent", TRACE), (b"traceparent", TRACE)],
        [(b"x-request-id", b"")],
        [(b"x-request-id", b"a" * 129)],
        [(b"x-request-id", b"a b")],
        [(b"x-request-id", b"a\r\nb: c")],
        [(b"x-request-id", "é".encode())],
        [(b"x-request-id", b"a"), (b"x-request-id", b"b")],
    ],
)
async def test_others_are_made(headers: Any, runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange(headers=[*headers, (b"tracestate", b"a=b")])
    reply = await observe(runtime, call, answering(Reply(200)))
    assert re.fullmatch(rb"[0-9a-f]{32}", header(reply, b"x-request-id"))
    made = header(reply, b"traceparent")
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", made)
    assert made[3:35] != TRACE[3:35]
    assert call.request.header(b"tracestate") is None


async def test_a_problem_is_rendered_with_its_headers(runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange(headers=[(b"x-request-id", b"7")])
    with capture_logs() as logs:
        reply = await observe(runtime, call, answering(TooManyRequests("Wait.", headers={"retry-after": "3"})))
    assert reply.status == 429
    assert header(reply, b"content-type") == b"application/problem+json"
    assert header(reply, b"retry-after") == b"3"
    document = orjson.loads(reply.body)  # type: ignore[arg-type]
    assert (document["type"], document["instance"]) == ("urn:erp-gateway:problem:too-many-requests", "urn:request:7")
    assert logs == []


async def test_an_upstream_problem_is_logged_with_its_cause(runtime: Any, exchange: Any, answering: Any) -> None:
    problem = BadAnswer("The answer is cut short.")
    problem.__cause__ = OSError("10.0.0.7 closed " + "x" * 500)
    with capture_logs() as logs:
        reply = await observe(runtime, exchange(), answering(problem))
    assert b"10.0.0.7" not in bytes(reply.body)  # type: ignore[arg-type]
    (event,) = logs
    assert (event["event"], event["log_level"], event["problem"]) == ("call.failed", "warning", "upstream-bad-answer")
    assert event["cause"].startswith("OSError: 10.0.0.7")
    assert len(event["cause"]) == 300


async def test_what_nobody_expected_is_a_500_that_says_nothing(runtime: Any, exchange: Any, answering: Any) -> None:
    with capture_logs() as logs:
        reply = await observe(runtime, exchange(), answering(KeyError("secret")))
    assert reply.status == 500
    assert orjson.loads(reply.body).keys() == {"type", "title", "status", "instance", "origin", "retryable"}  # type: ignore[arg-type]
    (event,) = logs
    assert (event["event"], event["operation"]) == ("call.broke", "r.create")
    assert isinstance(event["exc_info"], KeyError)
    assert runtime.counted == [("r.create", "v1", 500)]


@pytest.mark.parametrize("value", [{"a": 2**70}, object(), "\ud800"])
async def test_an_answer_that_is_no_json_value_is_a_500(value: object, runtime: Any, exchange: Any, answering: Any) -> None:
    reply = await observe(runtime, exchange(), answering(Reply(200, value=value)))
    assert (reply.status, runtime.lines[0]["problem"]) == (500, "internal")


async def test_a_problem_that_is_no_json_value_keeps_its_outcome(runtime: Any, exchange: Any, answering: Any) -> None:
    reply = await observe(runtime, exchange(), answering(Refused("No.", extensions={"fault": object()})))
    assert reply.status == 422
    assert orjson.loads(reply.body)["type"] == "urn:erp-gateway:problem:refused"  # type: ignore[arg-type]


async def test_the_access_line(runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange(headers=[(b"x-request-id", b"7")])
    await observe(runtime, call, answering(Reply(200)))
    (line,) = runtime.lines
    assert isinstance(line.pop("at"), float)
    assert isinstance(line.pop("ms"), float)
    assert line == {
        "event": "call.finished",
        "request_id": "7",
        "method": "POST",
        "path": "/api/v1/r",
        "operation": "r.create",
        "version": "v1",
        "status": 200,
        "peer": "127.0.0.1",
    }
    assert runtime.counted == [("r.create", "v1", 200)]


async def test_the_access_line_of_a_known_caller_and_a_problem(runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange()
    call.principal = Principal("oa", "1000")
    call.notes["rows"] = ("policy.csv:3",)
    await observe(runtime, call, answering(Forbidden("No.")))
    (line,) = runtime.lines
    assert (line["subject"], line["tenant"], line["problem"], line["rows"]) == ("oa", "1000", "forbidden", ("policy.csv:3",))
