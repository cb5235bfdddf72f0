# mypy: allow-untyped-calls
"""A SOAP facade as it is usually written: Starlette, zeep with its httpx transport, and the fields moved by hand.

One zeep client for the life of the process. No token, no policy, no limit, no access log: only the translation.
Settings come from the environment: ERP (address of the service) and WSDL (a file).
"""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import httpx
import orjson
import zeep
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from zeep.helpers import serialize_object
from zeep.proxy import AsyncServiceProxy
from zeep.transports import AsyncTransport

BINDING = "{urn:demo-erp:procurement}ProcurementSoap12"
UNITS = {"PC": "ST", "KG": "KGM", "M": "MTR"}
UNIT_NAMES = {code: name for name, code in UNITS.items()}
STATUSES = {"01": "ordered", "02": "confirmed", "03": "delivered", "04": "cancelled"}


def to_erp(order: dict[str, Any]) -> dict[str, Any]:
    """A purchase order in the ERP's names and forms."""
    return {
        "BSTNK": order["externalNumber"],
        "LIFNR": order["supplierCode"].zfill(8),
        "BEDAT": _to_erp_date(order["orderDate"]),
        "WAERS": order["currency"],
        "KTEXT": order.get("note"),
        "Positions": {
            "Position": [
                {
                    "EBELP": line["lineNumber"],
                    "MATNR": line["sku"],
                    "MENGE": Decimal(line["quantity"]),
                    "MEINS": UNITS[line["unit"]],
                    "NETPR": Decimal(line["unitPrice"]),
                    "EINDT": _to_erp_date(line["deliveryDate"]) if line.get("deliveryDate") else None,
                }
                for line in order["lines"]
            ]
        },
    }


def to_rest(order: dict[str, Any]) -> dict[str, Any]:
    """The ERP's purchase order in the satellite's names and forms."""
    return {
        "number": order["EBELN"],
        "status": STATUSES[order["STATUS"]],
        "total": str(order["SUMME"]),
        "externalNumber": order["BSTNK"],
        "supplierCode": order["LIFNR"].lstrip("0"),
        "orderDate": _to_rest_date(order["BEDAT"]),
        "currency": order["WAERS"],
        "note": order["KTEXT"],
        "lines": [
            {
                "lineNumber": line["EBELP"],
                "sku": line["MATNR"],
                "quantity": str(line["MENGE"]),
                "unit": UNIT_NAMES[line["MEINS"]],
                "unitPrice": str(line["NETPR"]),
                "deliveryDate": _to_rest_date(line["EINDT"]) if line["EINDT"] else None,
            }
            for line in order["Positions"]["Position"]
        ],
    }


def _to_erp_date(text: str) -> str:
    return date.fromisoformat(text).strftime("%d/%m/%Y")


def _to_rest_date(text: str) -> str:
    return datetime.strptime(text, "%d/%m/%Y").date().isoformat()  # noqa: DTZ007  a date has no zone


def app() -> Starlette:
    """The application, for ``uvicorn --factory``."""
    transport = AsyncTransport(client=httpx.AsyncClient(limits=httpx.Limits(max_connections=64), timeout=30))
    client = zeep.AsyncClient(os.environ["WSDL"], transport=transport)
    service = AsyncServiceProxy(client, client.wsdl.bindings[BINDING], address=os.environ["ERP"])

    async def create(request: Request) -> Response:
        order = orjson.loads(await request.body())
        answer = await service.CreatePurchaseOrder(Order=to_erp(order))
        return Response(orjson.dumps(to_rest(serialize_object(answer, dict))), 201, media_type="application/json")

    return Starlette(routes=[Route("/api/v1/purchase-orders", create, methods=["POST"])])
