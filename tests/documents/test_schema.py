"""The tables are what the migrations make, on both stores; processes that start together take turns."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from gateway.documents import schema, tables
from gateway.documents.decisions import Search, decisions
from gateway.documents.ledger import Ledger, open_ledger
from gateway.documents.records import find, receive
from gateway.documents.schema import HEAD, UnknownSchema, upgrade
from gateway.documents.states import Event
from gateway.documents.stores import open_store
from gateway.exchange import Principal
from gateway.ports import Decided
from tests.documents.support import KEY, TERMS, HandClock, document, record, verdict


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))


async def test_the_tables_are_what_the_migrations_make(ledger: Ledger) -> None:
    assert await ledger.read(differences) == []


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_those_that_start_together_take_turns(ledger_url: str) -> None:
    stores = [open_store(ledger_url) for _ in range(4)]
    await asyncio.gather(*(store.write(upgrade) for store in stores))
    rows = await stores[0].read(lambda connection: connection.execute(text("SELECT id, seq FROM chain")).all())
    assert [tuple(row) for row in rows] == [(1, 0)]
    for store in stores:
        await store.aclose()


async def test_an_old_ledger_is_upgraded_at_the_start_and_stays_intact(ledger_url: str, clock: HandClock) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))

    def first(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    store = open_store(ledger_url)
    await store.write(first)
    assert not await store.read(lambda connection: inspect(connection).has_table("decisions"))
    ledger = Ledger(store, KEY, clock)
    await ledger.start()
    old = await record(ledger)
    await ledger.aclose()
    async with open_ledger(ledger_url, KEY, clock) as upgraded:
        new = document(satellite="wms")
        decided = Decided(Principal("wms", "cn01"), "payments.create", "v1", True, "a" * 64)
        await upgraded.write(lambda tx: receive(tx, new, Event.QUEUE, terms=TERMS, decided=decided))
        found = await upgraded.read(lambda connection: decisions(connection, Search()))
        assert [one.document for one in found] == [new.id]
        assert await upgraded.read(lambda connection: find(connection, old.id)) == old
        assert (await verdict(upgraded)).intact
        assert await upgraded.read(differences) == []


async def test_a_newer_schema_is_refused_and_left_alone(ledger_url: str, clock: HandClock) -> None:
    store = open_store(ledger_url)
    await store.write(upgrade)
    await store.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")).close())
    with pytest.raises(UnknownSchema, match="9999"):
        async with open_ledger(ledger_url, KEY, clock):
            pass
    found = await store.read(lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    assert found == "9999"
    await store.aclose()


async def test_an_older_ledger_is_brought_up_to_date(ledger_url: str, clock: HandClock) -> None:
    store = open_store(ledger_url)

    def older(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO sessions VALUES ('i', 'approver-a', '{}', 1.0, 1.0, 1.0)"))

    await store.write(older)
    await store.aclose()
    async with open_ledger(ledger_url, KEY, clock) as ledger:
        assert await ledger.read(differences) == []
        assert await ledger.read(lambda connection: connection.execute(text("SELECT seal FROM sessions")).scalar()) == ""
