"""``audit``: prove that nobody changed what the ledger says happened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from gateway.cli.output import DEFAULT, ConfigPath, err, errors, out
from gateway.config.gateway import Gateway
from gateway.config.source import read_source, validate
from gateway.documents.audit import Anchor, read_anchors
from gateway.documents.keys import audit_key
from gateway.documents.stores import located, open_store
from gateway.documents.verify import Verdict
from gateway.documents.verify import verify as examine
from gateway.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="The audit chain: who did what, provably.")

TAMPERED, UNREADABLE = 1, 2


@app.callback()
def audit() -> None:
    pass


@app.command()
def verify(
    config: ConfigPath = DEFAULT, json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False
) -> None:
    """Read the whole audit chain, with its anchors and documents, and name every entry that was tampered with.

    Exit 0: intact. 1: tampered with. 2: the ledger, its key or its anchors cannot be read."""
    try:
        found, anchors = _examined(config)
    except ConfigError as error:
        errors(error.findings)
        raise typer.Exit(UNREADABLE) from error
    except (SQLAlchemyError, OSError) as error:
        err.print(f"The ledger cannot be read: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(UNREADABLE) from error
    if json:
        print(orjson.dumps({"intact": found.intact, "anchors": len(anchors), **asdict(found)}).decode())
    else:
        _tell(found, anchors)
    if not found.intact:
        raise typer.Exit(TAMPERED)


def _examined(config: Path) -> tuple[Verdict, Sequence[Anchor]]:
    source = read_source(config, name=config.name)
    ledger = validate(source, Gateway).ledger
    key = audit_key(ledger, source, config.parent, make=False)
    path = config.parent / ledger.anchors
    anchors = tuple(read_anchors(path.read_text("utf-8", "replace"))) if path.exists() else ()
    url = make_url(located(ledger.url, config.parent))
    if url.drivername == "sqlite" and not Path(url.database or "").is_file():
        raise FileNotFoundError(f"there is no file {url.database}")
    return asyncio.run(_read(located(ledger.url, config.parent), key, anchors)), anchors


async def _read(url: str, key: bytes, anchors: Sequence[Anchor]) -> Verdict:
    store = open_store(url)
    try:
        return await store.read(lambda connection: examine(connection, key, anchors))
    finally:
        await store.aclose()


def _tell(found: Verdict, anchors: Sequence[Anchor]) -> None:
    lines = [_line(one.seq, one.last, one.fault, one.what) for one in found.tampered]
    lines += [f"document {one.document}: {one.what}" for one in found.strayed]
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if found.intact:
        out.print(f"{found.entries} entries, {len(anchors)} anchors: intact. Last entry {found.head.seq}, {found.head.hash}")
    if not anchors:
        err.print("There are no anchors, so an end cut off together with the ledger's record of it would not be found.")


def _line(seq: int, last: int, fault: str, what: str) -> str:
    which = f"entry {seq}" if seq == last else f"entries {seq} to {last}"
    return f"{which}: {fault}, {what}"
