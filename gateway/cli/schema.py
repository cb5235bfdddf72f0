"""``schema``: JSON Schema of each kind of file, for editors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from pydantic import BaseModel

from gateway.approvals.file import ApprovalsFile
from gateway.config.gateway import Gateway
from gateway.config.routes import SoapOrder, route_file
from gateway.identity.satellites import SatellitesFile
from gateway.mapping.table import TableFile
from gateway.policy.duties_file import DutiesFile
from gateway.policy.expectations import TestsFile
from gateway.stages import CONFIGURABLE


class Kind(StrEnum):
    gateway = "gateway"
    routes = "routes"
    transformers = "transformers"
    satellites = "satellites"
    approvals = "approvals"
    soap = "soap"
    tests = "tests"
    duties = "duties"


def model(kind: Kind) -> type[BaseModel]:
    """The model a kind of file is validated with."""
    models: dict[Kind, type[BaseModel]] = {
        Kind.gateway: Gateway,
        Kind.routes: route_file(CONFIGURABLE),
        Kind.transformers: TableFile,
        Kind.satellites: SatellitesFile,
        Kind.approvals: ApprovalsFile,
        Kind.soap: SoapOrder,
        Kind.tests: TestsFile,
        Kind.duties: DutiesFile,
    }
    return models[kind]


def document(kind: Kind) -> dict[str, Any]:
    """The schema, JSON Schema 2020-12."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model(kind).model_json_schema()}


def text(kind: Kind) -> str:
    return orjson.dumps(document(kind), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def schema(
    kind: Annotated[
        Kind, typer.Argument(help="Kind of file: gateway, routes, transformers, satellites, approvals, soap, tests or duties.")
    ],
) -> None:
    """Print the JSON Schema of a kind of file; editors use it through a yaml-language-server line."""
    print(text(kind), end="")
