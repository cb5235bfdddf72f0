"""What a store promises by itself: durability settings, and where a file lies."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.documents import stores
from gateway.documents.stores import PostgresStore, SqliteStore, located, open_store


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///var/ledger.db", "sqlite:////srv/erp/var/ledger.db"),
        ("sqlite:////var/lib/ledger.db", "sqlite:////var/lib/ledger.db"),
        ("postgresql://erp:s%40cret@db/ledger", "postgresql://erp:s%40cret@db/ledger"),
    ],
)
def test_a_relative_file_lies_below_the_deployment(url: str, expected: str) -> None:
    assert located(url, Path("/srv/erp")) == expected


async def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    store = SqliteStore(f"sqlite:///{tmp_path}/new/folder/ledger.db")
    names = ("journal_mode", "synchronous", "foreign_keys")
    found = await store.write(lambda c: [c.execute(text(f"PRAGMA {name}")).scalar() for name in names])
    assert found == ["wal", 2, 1]
    await store.aclose()


async def test_postgresql_syncs_every_commit_whatever_its_default(postgres_url: str) -> None:
    asking = PostgresStore(postgres_url)
    await asking.write(lambda c: c.execute(text("ALTER ROLE postgres SET synchronous_commit = off")).close())
    await asking.aclose()
    store = PostgresStore(postgres_url)
    try:
        found = await store.write(lambda c: c.execute(text("SHOW synchronous_commit")).scalar())
        assert found == "on"
    finally:
        await store.write(lambda c: c.execute(text("ALTER ROLE postgres RESET synchronous_commit")).close())
        await store.aclose()


async def test_a_new_file_that_another_process_is_about_to_write_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(stores, "sleep", lambda _: other.execute("ROLLBACK").close())
    store = open_store(f"sqlite:///{path}")
    assert await store.write(lambda connection: connection.execute(text("PRAGMA journal_mode")).scalar()) == "wal"
    assert not other.in_transaction
    await store.aclose()
    other.close()
