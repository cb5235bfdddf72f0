"""REST operations: what crosses in each direction, and what of an ERP's failure a satellite may hear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadAnswer, FaultServer, FieldError, Problem, Refused, Unprocessable
from gateway.exchange import ABSENT, Exchange, Headers, Outgoing, Request
from gateway.mapping.path import Path
from gateway.upstreams.rest import PassThrough, RestOperation, Target, query_of
from gateway.upstreams.table import Table

JSON: Headers = [(b"content-type", b"application/json")]


class FakeIncoming:
    def __init__(self, status: int, headers: Headers, data: bytes) -> None:
        self.status, self.headers, self.data = status, headers, data
        self.given_up = False

    async def read(self) -> bytes:
        return self.data

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.data

    async def aclose(self) -> None:
        self.given_up = True


class FakeClient:
    """Answers every request with the same answer."""

    def __init__(self, status: int = 200, headers: Headers = JSON, data: bytes = b"{}") -> None:
        self.incoming = FakeIncoming(status, headers, data)
        self.timeout: float | None = None

    async def send(self, outgoing: Outgoing, *, timeout: float | None = None) -> Any:
        self.timeout = timeout
        return self.incoming

    async def aclose(self) -> None:
        raise AssertionError("a client outlives its operations")


class FixedBody:
    async def read(self) -> bytes:
        return b"{}"

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"{}"


class UpperCase:
    """A request map that renames every field to upper case."""

    def __call__(self, value: Any) -> object:
        return {name.upper(): inner for name, inner in value.items()}

    def pointer(self, erp_pointer: str) -> str:
        return erp_pointer.lower()

    def schema(self) -> dict[str, Any]:
        return {"title": "mapped"}

    def whole(self) -> list[tuple[Path, Path]]:
        return []


class LowerCase:
    def __call__(self, value: Any) -> object:
        if not isinstance(value, dict):
            raise BadAnswer("The answer is no object.")
        return {name.lower(): inner for name, inner in value.items()}

    def schema(self) -> dict[str, Any]:
        return {"title": "answered"}

    def whole(self) -> list[tuple[Path, Path]]:
        return []


def call(headers: Headers | None = None, query: str = "", params: dict[str, str] | None = None, value: Any = ABSENT) -> Exchange:
    request = Request("GET", "/api/v1/x", query, headers or [], FixedBody())
    return Exchange(request, "req-1", "r.o", "v1", params or {}, trace=b"00-a-b-01", value=value)


def outgoing() -> Outgoing:
    return Outgoing("GET", "/", [])


# --- targets ---------------------------------------------------------------------------------------------------------


def test_a_target_is_filled_percent_encoded() -> None:
    target = Target("/items/{sku}/at/{place}?fixed=1")
    assert target.names == ("sku", "place")
    assert target.fill({"sku": "a b&é", "place": 7}) == "/items/a%20b%26%C3%A9/at/7?fixed=1"
    assert Target("/d/{d}").fill({"d": Decimal("1.50")}) == "/d/1.50"
    assert Target("/plain").fill({}) == "/plain"


@pytest.mark.parametrize(
    "value",
    [None, "", ".", "..", True, 1.5, [], {}, "a/b", "a\\b", "a%2fb", "../x", "a;b", "a?b", "a#b", "a\x00", "a\n", "\ud800"],
)
def test_what_cannot_stand_in_a_path(value: object) -> None:
    with pytest.raises(Unprocessable) as caught:
        Target("/items/{sku}").fill({"sku": value})
    assert caught.value.errors == (FieldError("/sku", "cannot stand in a path"),)


VALUES = st.text(max_size=10) | st.text("./\\%2eEfF;", max_size=8) | st.integers() | st.none() | st.booleans()


@given(VALUES, VALUES)
def test_a_value_never_becomes_a_segment_of_its_own(first: object, second: object) -> None:
    try:
        filled = Target("/a/{x}/b/{y}").fill({"x": first, "y": second})
    except Unprocessable:
        return
    for text in (filled, unquote(filled), unquote(unquote(filled))):
        segments = text.split("/")
        assert len(segments) == 5
        assert not {"", ".", ".."} & set(segments[1:])
    assert filled.isascii()
    assert not set("?#;\\ ") & set(filled)
    assert [unquote(part) for part in filled.split("/")[2::2]] == [str(first), str(second)]


@given(st.text(max_size=10) | st.text("aZ09-._~ ", min_size=1, max_size=4))
def test_a_value_is_encoded_alike_whether_it_needs_to_be_or_not(value: str) -> None:
    try:
        filled = Target("/a/{x}").fill({"x": value})
    except Unprocessable:
        assert value in ("", ".", "..") or set(value) & set("/\\%;?#") or not value.isprintable()
        return
    assert filled == "/a/" + quote(value, safe="")


# --- pass-through ----------------------------------------------------------------------------------------------------


def test_only_what_may_cross_is_forwarded_and_nothing_twice() -> None:
    operation = PassThrough(
        FakeClient(), "GET", Target("/i/{sku}"), forward=frozenset({b"accept", b"prefer", b"traceparent", b"x-request-id"}),
        headers=((b"prefer", b"gateway"), (b"authorization", b"Basic x")), safe=True,
    )  # fmt: skip
    headers = [
        (b"accept", b"a/b"), (b"prefer", b"caller"), (b"traceparent", b"theirs"), (b"x-request-id", b"theirs"),
        (b"authorization", b"Bearer y"), (b"x-user", b"cfo"), (b"host", b"h"), (b"connection", b"accept"), (b"cookie", b"c"),
    ]  # fmt: skip
    out = operation.prepare(call(headers[:-2] + headers[-1:], query="a=%20&b", params={"sku": "7"}))
    assert (out.method, out.target, out.body, out.safe) == ("GET", "/i/7?a=%20&b", b"", True)
    assert out.headers == [
        (b"accept", b"a/b"),
        (b"prefer", b"gateway"),
        (b"authorization", b"Basic x"),
        (b"x-request-id", b"req-1"),
        (b"traceparent", b"00-a-b-01"),
    ]
    assert (b"accept", b"a/b") not in operation.prepare(call(headers, params={"sku": "7"})).headers


@pytest.mark.parametrize(
    ("headers", "streamed"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"2")], True),
        ([(b"transfer-encoding", b"chunked")], True),
    ],
)
def test_a_body_is_streamed_if_there_is_one(headers: Headers, streamed: bool) -> None:
    out = PassThrough(FakeClient(), "POST", Target("/")).prepare(call(headers))
    assert isinstance(out.body, bytes) is not streamed


def test_the_length_of_a_body_goes_with_it() -> None:
    given: Headers = [(b"content-length", b"2"), (b"content-length", b"2"), (b"accept", b"a/b")]
    out = PassThrough(FakeClient(), "POST", Target("/")).prepare(call(given))
    assert [header for header in out.headers if header[0] == b"content-length"] == [(b"content-length", b"2")]
    chunked = PassThrough(FakeClient(), "POST", Target("/")).prepare(call([(b"transfer-encoding", b"chunked")]))
    assert b"content-length" not in dict(chunked.headers)


async def test_an_answer_passes_without_what_is_the_gateways() -> None:
    headers = [
        (b"content-type", b"a/b"), (b"content-length", b"2"), (b"server", b"SAP"), (b"set-cookie", b"s"), (b"etag", b'"1"'),
        (b"x-request-id", b"theirs"), (b"traceparent", b"theirs"), (b"ratelimit", b"theirs"), (b"location", b"http://10.0.0.1/"),
    ]  # fmt: skip
    client = FakeClient(404, headers, b"no")
    reply = await PassThrough(client, "GET", Target("/"), timeout=3).send(outgoing())
    assert (reply.status, reply.body, client.timeout) == (404, b"no", 3)
    assert reply.headers == [(b"content-type", b"a/b"), (b"etag", b'"1"')]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-length", b"65537")],
        [(b"content-length", b"x")],
        [(b"content-length", b"2"), (b"content-encoding", b"gzip")],
    ],
)
async def test_large_unknown_and_compressed_answers_stream(headers: Headers) -> None:
    reply = await PassThrough(FakeClient(200, headers, b"ok"), "GET", Target("/")).send(outgoing())
    assert not isinstance(reply.body, bytes)
    assert [part async for part in reply.body] == [b"ok"]


@pytest.mark.parametrize("status", [401, 407, 500, 503])
async def test_an_erp_failure_is_not_shown(status: int) -> None:
    client = FakeClient(status, [(b"content-length", b"9")], b"ORA-00942")
    with pytest.raises(FaultServer) as caught:
        await PassThrough(client, "GET", Target("/")).send(outgoing())
    assert "ORA" not in str(caught.value.document())
    assert client.incoming.given_up


def test_a_pass_through_has_no_schema() -> None:
    operation = PassThrough(FakeClient(), "GET", Target("/"))
    assert operation.request_schema() is None
    assert operation.answer_schema() is None


# --- mapped ----------------------------------------------------------------------------------------------------------


def test_a_mapped_body() -> None:
    operation = RestOperation(FakeClient(), "POST", Target("/m/{ID}"), Table(UpperCase()), headers=((b"accept", b"x/y"),))
    out = operation.prepare(call(value={"id": "7", "a": [1]}))
    assert (out.target, out.body) == ("/m/7", b'{"A":[1]}')
    assert out.headers == [
        (b"content-type", b"application/json"),
        (b"accept", b"x/y"),
        (b"x-request-id", b"req-1"),
        (b"traceparent", b"00-a-b-01"),
    ]


def test_a_mapped_query() -> None:
    out = RestOperation(FakeClient(), "GET", Target("/m/{ID}"), Table(UpperCase())).prepare(
        call(value={"id": "7", "a": "x y&", "b": True, "c": None, "d": [1, None, "z"]})
    )
    path, _, query = out.target.partition("?")
    assert (path, out.body) == ("/m/7", b"")
    assert parse_qsl(query) == [("A", "x y&"), ("B", "true"), ("D", "1"), ("D", "z")]
    assert RestOperation(FakeClient(), "GET", Target("/m"), Table()).prepare(call(value={})).target == "/m"


def test_a_value_that_is_no_object_is_the_body() -> None:
    assert RestOperation(FakeClient(), "PUT", Target("/m"), Table()).prepare(call(value=[1])).body == b"[1]"


@pytest.mark.parametrize("value", [{"a": 1}, [[1]]])
def test_what_has_no_form_in_a_query(value: object) -> None:
    with pytest.raises(Unprocessable) as caught:
        query_of({"a": value})
    assert caught.value.errors == (FieldError("/a", "cannot stand in a query"),)


@pytest.mark.parametrize(("table", "pointer"), [(Table(UpperCase()), "/id"), (Table(), "/ID")])
def test_a_path_value_that_does_not_fit_is_told_in_the_callers_terms(table: Table, pointer: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        RestOperation(FakeClient(), "GET", Target("/m/{ID}"), table).prepare(call(value={"id": "a/b", "ID": "a/b"}))
    assert caught.value.errors[0].pointer == pointer


async def test_a_mapped_answer() -> None:
    operation = RestOperation(FakeClient(data=b'{"A":1}'), "GET", Target("/"), Table(None, LowerCase()), status=201, timeout=2)
    reply = await operation.send(outgoing())
    assert (reply.status, reply.value) == (201, {"a": 1})


async def test_an_unmapped_answer_and_an_empty_one() -> None:
    assert (await RestOperation(FakeClient(data=b"[1]"), "GET", Target("/"), Table()).send(outgoing())).value == [1]
    empty = await RestOperation(FakeClient(204, [], b""), "PUT", Target("/"), Table()).send(outgoing())
    assert (empty.status, empty.value, empty.body) == (200, ABSENT, b"")
    with pytest.raises(BadAnswer):
        await RestOperation(FakeClient(204, [], b""), "PUT", Target("/"), Table(None, LowerCase())).send(outgoing())


PROBLEM: Headers = [(b"content-type", b"application/problem+json; charset=utf-8")]
SAID = b'{"detail":"No such SKU.","trace":"at com.sap.X"}'


@pytest.mark.parametrize(
    ("status", "headers", "data", "kind", "expected", "detail"),
    [
        (400, PROBLEM, SAID, Refused, 400, "No such SKU."),
        (404, PROBLEM, SAID, Refused, 404, "No such SKU."),
        (409, PROBLEM, SAID, Refused, 409, "No such SKU."),
        (422, PROBLEM, SAID, Refused, 422, "No such SKU."),
        (410, PROBLEM, SAID, Refused, 422, "No such SKU."),
        (404, JSON, SAID, Refused, 404, ""),
        (404, PROBLEM, b"{", Refused, 404, ""),
        (404, PROBLEM, b"[]", Refused, 404, ""),
        (404, PROBLEM, b'{"detail":5}', Refused, 404, ""),
        (404, PROBLEM, b'{"detail":"a\\u0000"}', Refused, 404, ""),
        (404, PROBLEM, b'{"detail":"' + b"x" * 999 + b'"}', Refused, 404, "x" * 300),
        (401, PROBLEM, SAID, FaultServer, 502, "The ERP does not accept the gateway's credentials."),
        (403, PROBLEM, SAID, FaultServer, 502, "The ERP does not accept the gateway's credentials."),
        (429, PROBLEM, SAID, FaultServer, 502, "The ERP asks for fewer calls."),
        (405, PROBLEM, SAID, BadAnswer, 502, "The ERP does not take the call as the gateway makes it."),
        (500, PROBLEM, SAID, FaultServer, 502, "The ERP answered with an error."),
        (503, JSON, b"<html>", FaultServer, 502, "The ERP answered with an error."),
        (302, JSON, b"", BadAnswer, 502, "The ERP answered with a redirection."),
        (200, [(b"content-type", b"text/html")], b"<html>login</html>", BadAnswer, 502, "The ERP's answer is not JSON."),
        (200, JSON, b"", BadAnswer, 502, "The ERP's answer is not JSON."),
    ],
)
async def test_what_a_satellite_hears_of_an_erp_that_says_no(
    status: int, headers: Headers, data: bytes, kind: type[Problem], expected: int, detail: str
) -> None:
    operation = RestOperation(FakeClient(status, headers, data), "GET", Target("/"), Table(None, LowerCase()))
    with pytest.raises(kind) as caught:
        await operation.send(outgoing())
    assert (caught.value.status, caught.value.detail) == (expected, detail)
    assert "com.sap" not in str(caught.value.document())


def test_schemas_are_the_tables_or_the_contracts() -> None:
    mapped = RestOperation(FakeClient(), "GET", Target("/"), Table(UpperCase(), LowerCase()))
    assert (mapped.request_schema(), mapped.answer_schema()) == ({"title": "mapped"}, {"title": "answered"})
    plain = RestOperation(FakeClient(), "GET", Target("/"), Table())
    assert (plain.request_schema(), plain.answer_schema()) == (None, None)
