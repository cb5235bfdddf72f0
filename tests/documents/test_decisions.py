"""What an entry of the decision log says, how it is found, and that a row somebody changed is."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gateway.documents.decisions import MOST_LISTED, MOST_TEXT, Search, decided_since, decisions, record
from gateway.documents.ledger import Ledger
from gateway.documents.records import receive
from gateway.documents.states import Event
from gateway.documents.transaction import Transaction
from gateway.exchange import Principal
from gateway.ports import Decided
from tests.documents.support import NOON, TERMS, chain, document, verdict

WMS = Principal("wms", "demo", ("仓库", "night"))
DENIAL = Decided(
    WMS,
    "sales-orders.list",
    "v1",
    False,
    "a" * 64,
    (("policies/policy.csv:48", "p, warehouse, *, sales-orders.list, deny"),),
    addresses=("10.0.3.7",),
    request="r-1",
    first=NOON - 3.25,
    last=NOON - 3.25,
)
ALLOW = replace(DENIAL, operation="stock.get", allowed=True, rows=(), limits=(("p.csv:2", "p4"),), unmet=(), count=17, last=NOON)


async def write(ledger: Ledger, *decided: Decided) -> list[int]:
    return [await ledger.write(lambda tx, one=one: record(tx, one)) for one in decided]  # type: ignore[misc]


async def found(ledger: Ledger, *, before: int | None = None, limit: int = 50, **search: Any) -> list[Decided]:
    return await ledger.read(lambda connection: decisions(connection, Search(**search), before=before, limit=limit))


async def test_what_is_written_is_read_again(ledger: Ledger) -> None:
    seqs = await write(ledger, DENIAL, ALLOW)
    assert await found(ledger) == [replace(ALLOW, seq=seqs[1]), replace(DENIAL, seq=seqs[0])]
    rows, _ = await chain(ledger)
    entry = json.loads(rows[0].entry)
    assert (entry["kind"], entry["actor"]) == ("policy.denied", "wms")
    assert entry["details"] == {
        "operation": "sales-orders.list",
        "version": "v1",
        "tenant": "demo",
        "first": "2026-11-22T11:59:56.750000Z",
        "last": "2026-11-22T11:59:56.750000Z",
        "count": 1,
        "policy": "a" * 64,
        "roles": ["仓库", "night"],
        "rows": [["policies/policy.csv:48", "p, warehouse, *, sales-orders.list, deny"]],
        "addresses": ["10.0.3.7"],
        "request_id": "r-1",
    }
    assert (await verdict(ledger)).intact


async def test_what_allowed_a_document_is_in_its_own_first_entry(ledger: Ledger) -> None:
    decided = replace(DENIAL, operation="payments.create", allowed=True)
    new = document(satellite="wms", tenant="demo")
    await ledger.write(lambda tx: receive(tx, new, Event.QUEUE, terms=TERMS, decided=decided))
    rows, _ = await chain(ledger)
    assert [json.loads(row.entry)["kind"] for row in rows] == ["document.received", "document.queue"]
    (one,) = await found(ledger)
    assert one == replace(decided, seq=1, first=NOON, last=NOON, document=new.id)
    assert (await verdict(ledger)).intact


async def test_entries_are_found_by_what_they_are_about(ledger: Ledger) -> None:
    other = replace(DENIAL, principal=Principal("oa", "cn01"), version="v2", first=NOON - 100, last=NOON - 90)
    first, second, third = await write(ledger, DENIAL, ALLOW, other)

    async def seqs(**search: Any) -> list[int]:
        return [one.seq for one in await found(ledger, **search)]

    assert await seqs() == [third, second, first]
    assert await seqs(tenant="demo") == [second, first]
    assert await seqs(tenant="nowhere") == []
    assert await seqs(who="oa") == [third]
    assert await seqs(operation="sales-orders.list") == [third, first]
    assert await seqs(operation="sales-orders.list@v1") == [first]
    assert await seqs(allowed=True) == [second]
    assert await seqs(since=NOON - 3.25) == [second, first]
    assert await seqs(until=NOON - 50) == [third]
    assert await seqs(before=third, limit=1) == [second]
    assert await seqs(who="' OR 1=1 --\x00") == []
    everything = await ledger.read(lambda connection: [one.seq for one in decided_since(connection, Search(since=0))])
    assert everything == [first, second, third]


async def test_lists_without_end_are_cut(ledger: Ledger) -> None:
    rows = tuple((f"p.csv:{number}", "x" * 1000) for number in range(1000))
    await write(ledger, replace(DENIAL, rows=rows))
    (one,) = await found(ledger)
    assert len(one.rows) == MOST_LISTED
    assert {len(text) for _, text in one.rows} == {MOST_TEXT}


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE decisions SET allowed = true WHERE seq = 1", "its row in the decision log says something else"),
        ("UPDATE decisions SET subject = 'oa' WHERE seq = 1", "its row in the decision log says something else"),
        ("UPDATE decisions SET last = last + 0.001 WHERE seq = 1", "its row in the decision log says something else"),
        ("DELETE FROM decisions WHERE seq = 1", "has no row in the decision log"),
    ],
)
async def test_a_row_that_somebody_changed_is_found(ledger: Ledger, statement: str, what: str) -> None:
    await write(ledger, DENIAL, ALLOW)
    await ledger.write(lambda tx: tx.connection.execute(text(statement)).close())
    assert [(one.seq, one.fault, one.what) for one in (await verdict(ledger)).tampered] == [(1, "misfiled", what)]


async def test_a_row_that_is_about_nothing_is_found(ledger: Ledger) -> None:
    await write(ledger, DENIAL)
    await ledger.write(lambda tx: tx.audit("something.else", "test"))
    columns = "first, last, count, subject, tenant, operation, version, allowed"
    for seq in (2, 9):
        copied = f"INSERT INTO decisions (seq, {columns}) SELECT {seq}, {columns} FROM decisions WHERE seq = 1"
        await ledger.write(lambda tx, copied=copied: tx.connection.execute(text(copied)).close())  # type: ignore[misc]
    assert [(one.seq, one.what) for one in (await verdict(ledger)).tampered] == [
        (2, "has a row in the decision log and is no decision"),
        (9, "a row in the decision log without an entry"),
    ]


async def test_a_unit_that_fails_leaves_no_row(ledger: Ledger) -> None:
    def failing(tx: Transaction) -> None:
        record(tx, DENIAL)
        raise LookupError

    units = [ledger.write(lambda tx: record(tx, ALLOW)), ledger.write(failing), ledger.write(lambda tx: record(tx, DENIAL))]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert [type(result) for result in results] == [int, LookupError, int]
    assert [one.operation for one in await found(ledger)] == ["sales-orders.list", "stock.get"]
    assert (await verdict(ledger)).intact
