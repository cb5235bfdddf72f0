"""``openapi``: what the gateway serves, as OpenAPI 3.1 or as a Postman collection, without starting it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, NoReturn

import orjson
import typer

from gateway.cli.output import DEFAULT, ConfigPath, err
from gateway.deployment import read_deployment
from gateway.edge.openapi import document
from gateway.edge.postman import collection
from gateway.exchange import Principal
from gateway.runtime import check_stores
from gateway.snapshot import Snapshot, build


def openapi(
    version: Annotated[str | None, typer.Option(help="API version; default: the newest.")] = None,
    client: Annotated[str | None, typer.Option("--as", metavar="CLIENT", help="Only what this satellite may call.")] = None,
    postman: Annotated[bool, typer.Option("--postman", help="Print a Postman collection (format 2.1) instead.")] = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the OpenAPI 3.1 document of an API version: types, examples, problems, required roles."""
    snapshot = build(read_deployment(config), check_stores(config))
    chosen = version or snapshot.versions[-1]
    if chosen not in snapshot.versions:
        _refuse(f"There is no version '{chosen}'.", chosen, snapshot.versions)
    viewer = None if client is None else _viewer(snapshot, client)
    base = snapshot.public_url or f"http://{snapshot.deployment.gateway.edge.listen}"
    api = document(snapshot, chosen, base, viewer=viewer)
    print(orjson.dumps(collection(api) if postman else api, option=orjson.OPT_INDENT_2).decode())


def _viewer(snapshot: Snapshot, client: str) -> Principal:
    satellites = snapshot.deployment.satellites
    satellite = satellites.get(client)
    if satellite is None:
        known = [each.client for each in satellites]
        _refuse(f"There is no satellite '{client}' in policies/satellites.yaml.", client, known)
    return Principal(satellite.client, satellite.tenant)


def _refuse(what: str, name: str, known: Iterable[str]) -> NoReturn:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    remedy = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(names[:12])}"
    err.print(f"{what} {remedy}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
