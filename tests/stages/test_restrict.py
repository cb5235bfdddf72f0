"""What is restricted of a call: nothing hidden comes out, nothing locked goes in, what cannot be looked into does not pass."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import BadAnswer, FieldError, Forbidden, KeyReused, Refused, RefusedMissing, Unprocessable
from gateway.exchange import Headers, Principal, Reply
from gateway.scope import Place, Records
from gateway.scope.scope import Kind, Scope, scope_of
from gateway.stages.restrict import Restriction, restricted, under

JSON: Headers = [(b"content-type", b"application/json")]
SECRET = {"number": "1", "price": "7", "lines": [{"sku": "a", "price": "7"}]}
SHOWN = {"number": "1", "lines": [{"sku": "a"}]}
ENTITY = Records((), {"entity": Place(("entity",), "entity")})


class Row:
    def __init__(self, kind: Kind, name: str, value: str) -> None:
        self.kind, self.name, self.value = kind, name, value


def scope(*rows: tuple[Kind, str, str]) -> Scope:
    return scope_of([Row(*row) for row in rows], [f"policy.csv:{number}" for number in range(1, len(rows) + 1)])


HIDDEN = scope(("p2", "price", "hide"), ("p2", "lines[].price", "hide"))
OWN = scope(("p3", "entity", "1000"))


def over(made: Scope, records: Records | None = None, *, writes: bool = False) -> Restriction:
    return restricted(made, records or Records(), Principal("oa", "1000"), writes=writes)


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, [], value=SECRET),
        Reply(200, [*JSON, (b"etag", b'"1"')], body=json.dumps(SECRET).encode()),
        Reply(
            201,
            [(b"content-type", b"application/vnd.x+json; charset=utf-8")],
            body=stream(b'{"number":"1","price":"7",', b'"lines":[{"sku":"a"}]}'),
        ),
    ],
)
async def test_answers_lose_what_is_hidden_however_they_come(reply: Reply) -> None:
    shown = await over(HIDDEN).reply(reply)
    assert shown.value == SHOWN
    assert (b"etag", b'"1"') not in shown.headers


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"content-type", b"text/xml")], b"<price>7</price>"),
        ([], b'{"price":7}'),
        ([*JSON, (b"content-encoding", b"gzip")], b"\x1f\x8b"),
        (JSON, b'{"price":'),
        (JSON, b'{"price":1,"price":2}'),
    ],
)
async def test_an_answer_that_cannot_be_looked_into_is_not_passed_on(headers: Headers, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        await over(HIDDEN).reply(Reply(200, headers, body=body))


async def test_no_body_is_nothing_to_hide() -> None:
    assert (await over(HIDDEN).reply(Reply(204))).status == 204
    assert (await over(HIDDEN).reply(Reply(200, list(JSON)))).body == b""


@pytest.mark.parametrize(
    "body",
    [
        {"type": "urn:erp-gateway:problem:refused", "title": "T", "status": 422, "detail": "price 7", "fault": {"price": 7}},
        {"error": {"price": 7}},
        ["price", 7],
    ],
)
async def test_an_error_body_keeps_only_what_the_gateway_says(body: object) -> None:
    for kind in (b"application/problem+json", b"application/json"):
        shown = await over(HIDDEN).reply(Reply(422, [(b"content-type", kind)], body=json.dumps(body).encode()))
        assert (b"content-type", b"application/problem+json") in shown.headers
        assert "7" not in json.dumps(shown.value)
        assert isinstance(shown.value, dict)
        assert (shown.value["type"], shown.value["status"]) == ("urn:erp-gateway:problem:refused", 422)


async def test_a_document_is_told_without_words_and_hidden_numbers() -> None:
    told = {
        "id": "x",
        "reference": "P-7",
        "reasons": [{"code": "over", "amount": "7"}],
        "note": {"code": "refused", "detail": "price 7"},
    }
    reply = Reply(202, [(b"location", b"/api/documents/x")], value=told)
    records = Records(reference=("price",))
    assert (await over(HIDDEN, records, writes=True).reply(reply)).value == {
        "id": "x",
        "reference": None,
        "reasons": [{"code": "over"}],
        "note": {"code": "refused"},
    }
    assert over(OWN, records, writes=True).document(told) == told


async def run(restriction: Restriction, exchange: Any, outcome: Any) -> Reply:
    async def rest(call: object) -> Reply:
        if isinstance(outcome, Exception):
            raise outcome
        reply: Reply = outcome
        return reply

    async def refused(unmet: tuple[str, ...]) -> None:
        exchange.notes["refused"] = unmet

    return await under(restriction, refused, rest, exchange)


async def test_problems_lose_hidden_pointers_and_the_erps_words(exchange: Any) -> None:
    wrong = Unprocessable(
        "/lines/0/price is required",
        errors=[
            FieldError("/lines/0/price", "is required"),
            FieldError("/lines/0", "lacks price"),
            FieldError("/number", "is long"),
        ],
    )
    with pytest.raises(Unprocessable) as caught:
        await run(over(HIDDEN, writes=True), exchange(), wrong)
    assert [error.pointer for error in caught.value.errors] == ["/lines/0", "/number"]
    assert caught.value.errors[1].detail == "is long"
    assert "price" not in json.dumps(caught.value.document())
    fault = Refused(
        "price 7 is too high", errors=[FieldError("/number", "price 7")], extensions={"fault": {"p": 7}, "document": "d"}
    )
    with pytest.raises(Refused) as refused:
        await run(over(HIDDEN), exchange(), fault)
    assert refused.value.document() | {"document": "d"} == refused.value.document()
    assert "7" not in json.dumps(refused.value.document())


async def test_problems_of_the_gateways_own_and_of_whoever_sees_all_stay(exchange: Any) -> None:
    with pytest.raises(KeyReused, match="same key"):
        await run(over(HIDDEN, writes=True), exchange(), KeyReused("The same key came"))
    with pytest.raises(Refused, match="price 7"):
        await run(over(scope(("p2", "price", "lock")), writes=True), exchange(), Refused("price 7"))


async def test_the_rows_are_noted_and_the_guard_is_there(exchange: Any) -> None:
    call, restriction = exchange(), over(HIDDEN)
    await run(restriction, call, Reply(200, [], value=1))
    assert call.notes == {"restricted": ("policy.csv:1", "policy.csv:2")}
    assert call.guard is restriction


def test_what_may_not_be_set_is_named() -> None:
    locked = scope(("p2", "price", "hide"), ("p2", "lines[].sku", "lock"))
    with pytest.raises(Forbidden) as caught:
        over(locked, writes=True).admit(SECRET)
    assert [error.pointer for error in caught.value.errors] == ["/price", "/lines/0/sku"]
    assert caught.value.detail == "oa may not set price, lines.0.sku."
    with pytest.raises(Forbidden, match="may not ask by price"):
        over(locked).admit({"price": "7"})
    assert over(locked).admit({"lines": [{"sku": "a"}]}) == {"lines": [{"sku": "a"}]}


def test_a_write_hands_in_permitted_records_only() -> None:
    assert over(OWN, ENTITY, writes=True).admit({"entity": "1000"}) == {"entity": "1000"}
    for value in ({"entity": "2000"}, {}, [], None):
        with pytest.raises(Forbidden, match="another entity"):
            over(OWN, ENTITY, writes=True).admit(value)
    with pytest.raises(Forbidden):
        over(OWN, writes=True).admit({"entity": "1000"})


def test_a_read_is_narrowed_by_the_backends_filter() -> None:
    assert over(OWN, ENTITY).admit({"x": "1"}) == {"x": "1", "entity": "1000"}
    assert over(OWN, ENTITY).admit({"entity": "1000"}) == {"entity": "1000"}
    with pytest.raises(Forbidden):
        over(OWN, ENTITY).admit({"entity": "2000"})
    several = scope(("p3", "entity", "1000"), ("p3", "entity", "2000"))
    assert over(several, ENTITY).admit({}) == {}
    with pytest.raises(Forbidden, match="say which"):
        over(several, Records((), {"entity": Place(filter="entity")})).admit({})
    upto = scope(("p3", "amount-up-to", "500 CNY"))
    amount = Place(("total",), "max", ("currency",))
    assert over(upto, Records((), {"amount-up-to": amount})).admit({}) == {"max": "500"}
    assert over(upto, Records((), {"amount-up-to": amount})).admit({"max": "100"}) == {"max": "100"}


async def test_a_list_is_filtered_and_a_single_record_is_as_if_missing(exchange: Any) -> None:
    mine, other = {"entity": "1000"}, {"entity": "2000"}
    assert (await over(OWN, ENTITY).reply(Reply(200, [], value=[mine, other]))).value == [mine]
    with pytest.raises(RefusedMissing) as hidden:
        await run(over(OWN, ENTITY), exchange(), Reply(200, [], value=other))
    with pytest.raises(RefusedMissing) as missing:
        await run(over(OWN, ENTITY), exchange(), RefusedMissing("No order 7", extensions={"fault": {}}))
    assert hidden.value.document() == missing.value.document()
    assert (await over(OWN, ENTITY, writes=True).reply(Reply(201, [], value=other))).value == other
