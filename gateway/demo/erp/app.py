"""The ERP as an ASGI application: routes, and the one path every business request takes.

mischief before? ─▶ decide ─▶ journal ─▶ mischief after? ─▶ answer
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.demo.erp import finance, procurement, soap
from gateway.demo.erp.books import Books, Fields
from gateway.demo.erp.inventory import Inventory, RestError, read_fields, sales_orders
from gateway.demo.erp.journal import Journal
from gateway.demo.erp.mischief import Mischief, after, before
from gateway.demo.erp.soap import CONTRACTS, Result

MAX_BODY = 16 * 1024 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]
Decide = Callable[[Request, bytes], Result]


@dataclass(frozen=True, slots=True)
class Settings:
    """:param limit: how many journal entries and documents of each kind to remember. :param duplicates: accept a sender's
    number again, as a load test needs."""

    limit: int | None = None
    duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What every business endpoint shares."""

    journal: Journal
    mischief: Mischief

    def endpoint(self, service: str, decide: Decide, fail: Decide) -> Endpoint:
        """:param decide: the request and its body to a result. :param fail: the answer when the ERP itself is broken."""

        async def answer(request: Request) -> Response:
            trick = self.mischief.take(service)
            if trick and (instead := await before(trick, request)):
                return instead
            raw = await _body(request)
            if trick and trick.mode == "fault":
                return _response(fail(request, raw))
            result = decide(request, raw)
            self._record(service, request, raw, result)
            response = _response(result)
            return await after(trick, self.mischief, service, response) if trick else response

        return answer

    def _record(self, service: str, request: Request, raw: bytes, result: Result) -> None:
        self.journal.add(
            service=service,
            operation=result.operation,
            outcome=result.outcome,
            reason=result.reason,
            request=result.request,
            raw=raw or request.url.path.encode() + (b"?" + request.url.query.encode() if request.url.query else b""),
            headers=request.headers.raw,
            answer=result.body,
        )


def application(journal: Journal, settings: Settings) -> Starlette:
    """The whole ERP."""
    desk = Desk(journal, Mischief())
    return Starlette(
        routes=[
            *_soap_routes(desk, finance.service(_books(1_900_000_001, settings))),
            *_soap_routes(desk, procurement.service(_books(4_500_000_001, settings))),
            Route("/soap/{name}.xsd", _xsd),
            *_rest_routes(desk, Inventory(_books(4_900_000_001, settings))),
            Route("/journal", _journal(journal)),
            Route("/control", _control(desk.mischief), methods=["GET", "POST"]),
            Route("/health", _health),
        ]
    )


def _books(first: int, settings: Settings) -> Books:
    return Books(first, limit=settings.limit, duplicates=settings.duplicates)


async def _body(request: Request) -> bytes:
    if int(request.headers.get("content-length") or 0) > MAX_BODY:
        raise HTTPException(413)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise HTTPException(413)
        chunks.append(chunk)
    return b"".join(chunks)


def _response(result: Result) -> Response:
    return Response(result.body, result.status, media_type=result.media_type)


def _soap_routes(desk: Desk, service: soap.Service) -> list[Route]:
    def decide(request: Request, raw: bytes) -> Result:
        return soap.respond(service, raw, request.headers.get("content-type", ""), request.headers.get("soapaction"))

    def fail(request: Request, _: bytes) -> Result:
        return soap.server_fault(service, request.headers.get("content-type", ""))

    async def wsdl(request: Request) -> Response:
        if "wsdl" not in {name.lower() for name in request.query_params}:
            raise HTTPException(405, headers={"Allow": "POST"})
        contract = (CONTRACTS / f"{service.name}.wsdl").read_text("utf-8")
        placeholder = quoteattr(f"http://127.0.0.1/soap/{service.name}")
        return Response(contract.replace(placeholder, quoteattr(str(request.url.replace(query="")))), media_type="text/xml")

    path = f"/soap/{service.name}"
    return [Route(path, desk.endpoint(service.name, decide, fail), methods=["POST"]), Route(path, wsdl, methods=["GET"])]


async def _xsd(request: Request) -> Response:
    file = CONTRACTS / f"{request.path_params['name']}.xsd"
    if file not in CONTRACTS.glob("*.xsd"):
        raise HTTPException(404)
    return Response(file.read_bytes(), media_type="text/xml")


def _rest_routes(desk: Desk, stock: Inventory) -> list[Route]:
    def get(path: str, service: str, operation: str, find: Callable[[Request], dict[str, object]]) -> Route:
        def decide(request: Request, _: bytes) -> Result:
            fields: Fields = {**request.path_params, **request.query_params}
            try:
                return _json(200, operation, find(request), request=fields)
            except RestError as error:
                return _error(error, operation, fields)

        return Route(path, desk.endpoint(service, decide, _broken), methods=["GET"])

    def move(_: Request, raw: bytes) -> Result:
        try:
            fields, booked = stock.move(raw)
        except RestError as error:
            return _error(error, "PostMovement", _readable(raw))
        return _json(201, "PostMovement", booked, request=fields)

    return [
        Route("/inventory/movements", desk.endpoint("inventory", move, _broken), methods=["POST"]),
        get("/inventory/movements", "inventory", "FindMovement", lambda r: stock.movement_by_ref(r.query_params.get("ref", ""))),
        get("/inventory/movements/{id}", "inventory", "GetMovement", lambda r: stock.movement(r.path_params["id"])),
        get("/inventory/items/{sku}", "inventory", "GetItem", lambda r: stock.item(r.path_params["sku"])),
        get("/sales/orders", "sales", "ListOrders", lambda r: sales_orders(r.query_params)),
    ]


def _json(status: int, operation: str, value: dict[str, object], *, request: Fields) -> Result:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Result(status, "application/json", body, operation, "booked" if status == 201 else "read", request=request)


def _error(error: RestError, operation: str, request: Fields) -> Result:
    body = json.dumps(error.document, ensure_ascii=False).encode()
    return Result(error.status, "application/json", body, operation, "refused", error.code, request)


def _broken(_: Request, __: bytes) -> Result:
    return _error(RestError(500, "INTERNAL", "", "posting is closed for maintenance"), "", {})


def _readable(raw: bytes) -> Fields:
    try:
        value = read_fields(raw)
    except RestError:
        return {}
    return value if isinstance(value, dict) else {}


def _journal(journal: Journal) -> Endpoint:
    async def entries(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdigit()):
            raise HTTPException(400, "since must be a seq")
        return JSONResponse(journal.since(int(since)))

    return entries


def _control(mischief: Mischief) -> Endpoint:
    async def control(request: Request) -> Response:
        if request.method == "POST":
            try:
                mischief.control(json.loads(await _body(request)))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(mischief.armed())

    return control


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "up"})
