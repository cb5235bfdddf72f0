"""Everything wrong with the input is found before anything is sent, in the caller's own terms."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import BadRequest, FieldError, Unprocessable, UnsupportedMediaType
from gateway.exchange import Outgoing, Reply
from gateway.stages.prepare import Prepare

JSON = [(b"content-type", b"application/json")]
OUT = Outgoing("GET", "/", [])


class FakeOperation:
    """Remembers the value it was given; refuses it when told to."""

    def __init__(self, *errors: FieldError) -> None:
        self.errors = errors
        self.value: Any = None

    def prepare(self, exchange: Any) -> Outgoing:
        self.value = exchange.value
        if self.errors:
            raise Unprocessable("No.", errors=self.errors)
        return OUT


async def run(reads: Any, call: Any, operation: Any = None, depth: int = 64) -> Any:
    operation = operation or FakeOperation()

    async def handler(exchange: Any) -> Reply:
        assert exchange.outgoing is OUT
        return Reply(200)

    assert (await Prepare(operation, reads, depth).build(None)(call, handler)).status == 200  # type: ignore[arg-type]
    return operation.value


@pytest.mark.parametrize(
    "kind", [b"application/json", b"Application/JSON; charset=utf-8", b"application/hal+json", b" application/json ;x"]
)
async def test_a_json_body(kind: bytes, exchange: Any) -> None:
    assert await run("json", exchange(b'{"a": [1]}', headers=[(b"content-type", kind)])) == {"a": [1]}


@pytest.mark.parametrize("kind", [None, b"", b"text/plain", b"text/json", b"application/xml", b"application/jsonx", b"json"])
async def test_another_media_type_is_415(kind: bytes | None, exchange: Any) -> None:
    headers = [] if kind is None else [(b"content-type", kind)]
    with pytest.raises(UnsupportedMediaType) as caught:
        await run("json", exchange(b"{}", headers=headers))
    assert caught.value.headers == {"accept": "application/json"}


async def test_a_content_encoding_is_415(exchange: Any) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        await run("json", exchange(b"{}", headers=[*JSON, (b"content-encoding", b"gzip")]))
    assert caught.value.headers == {"accept-encoding": "identity"}
    assert await run("json", exchange(b"{}", headers=[*JSON, (b"content-encoding", b"Identity")])) == {}


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1,"a":2}', b"[[[[[]]]]]", b"\xff", b"NaN"])
async def test_a_body_that_cannot_be_read(body: bytes, exchange: Any) -> None:
    with pytest.raises(BadRequest):
        await run("json", exchange(body, headers=JSON), depth=4)


async def test_a_body_gets_the_parameters_of_its_path(exchange: Any) -> None:
    assert await run("json", exchange(b'{"a":1}', headers=JSON, params={"id": "7"})) == {"a": 1, "id": "7"}
    assert await run("json", exchange(b'{"id":"7"}', headers=JSON, params={"id": "7"})) == {"id": "7"}
    assert await run("json", exchange(b'{"id":7}', headers=JSON, params={"id": "7"})) == {"id": 7}
    assert await run("json", exchange(b"[1]", headers=JSON, params={"id": "7"})) == [1]


async def test_a_body_must_not_contradict_its_path_nor_have_a_query(exchange: Any) -> None:
    with pytest.raises(Unprocessable) as caught:
        await run("json", exchange(b'{"id":"8"}', headers=JSON, params={"id": "7"}, query="x=1&y="))
    assert caught.value.errors == (
        FieldError("query/x", "is not known here"),
        FieldError("query/y", "is not known here"),
        FieldError("/id", "is not what the path says"),
    )


@pytest.mark.parametrize("reads", ["json", "parameters"])
@pytest.mark.parametrize("query", ["a=%ff", "&".join(f"a{n}=" for n in range(101))])
async def test_a_query_that_cannot_be_read(reads: str, query: str, exchange: Any) -> None:
    with pytest.raises(BadRequest, match="query"):
        await run(reads, exchange(b"{}", headers=JSON, query=query))


async def test_parameters(exchange: Any) -> None:
    call = exchange(query="from=2026-01-01&to=&q=a%20b%2Bc+d", params={"sku": "007"})
    assert await run("parameters", call) == {"sku": "007", "from": "2026-01-01", "to": "", "q": "a b+c d"}
    assert await run("parameters", exchange()) == {}


async def test_a_parameter_given_twice_has_no_single_meaning(exchange: Any) -> None:
    with pytest.raises(Unprocessable) as caught:
        await run("parameters", exchange(query="a=1&b=2&a=1&sku=x", params={"sku": "007"}))
    assert [error.pointer for error in caught.value.errors] == ["query/a", "query/sku"]


async def test_errors_of_parameters_are_told_as_parameters(exchange: Any) -> None:
    operation = FakeOperation(FieldError("/sku", "a"), FieldError("/from", "b"), FieldError("", "c"), FieldError("query/to", "d"))
    with pytest.raises(Unprocessable) as caught:
        await run("parameters", exchange(query="from=1", params={"sku": "007"}), operation)
    assert caught.value.detail == "No."
    assert [error.pointer for error in caught.value.errors] == ["path/sku", "query/from", "", "query/to"]


async def test_errors_of_a_body_are_told_as_they_are(exchange: Any) -> None:
    with pytest.raises(Unprocessable) as caught:
        await run("json", exchange(b"{}", headers=JSON), FakeOperation(FieldError("/a", "b")))
    assert caught.value.errors == (FieldError("/a", "b"),)


async def test_a_body_to_be_streamed_is_left_alone(exchange: Any) -> None:
    call = exchange(b"\xff")
    call.request.body = None
    assert not await run("nothing", call)
