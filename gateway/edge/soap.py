"""The SOAP facade: ``POST /soap/RESOURCE`` as a call of the route that the element in the body names.

A message becomes the exchange a REST caller would have made, goes through the same handler, and its reply becomes an envelope.
Nothing is decided here that the route decides: who may call, how often, whether it waits for people, whether it came before.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
import structlog

from gateway.edge.body import AsgiBody, NoBody
from gateway.edge.credentials import Credentials, basic
from gateway.edge.cycle import ApiCycle
from gateway.edge.path import canonical, checked_query
from gateway.errors import (
    BadAnswer,
    BadRequest,
    Internal,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthenticated,
    UnsupportedMediaType,
)
from gateway.exchange import ABSENT, Exchange, Headers, Reply, Request, Whole
from gateway.offering import Offered
from gateway.pipeline import Handler, compose
from gateway.ports import Clock
from gateway.protocols import json_http
from gateway.protocols.facade import (
    Addressing,
    Call,
    Envelope,
    Misfit,
    OfferedOperation,
    blames_caller,
    coded,
    fault,
    open_envelope,
    response_header,
    upgrade,
    wrapped,
)
from gateway.routing import Route
from gateway.snapshot import Snapshot

log = structlog.get_logger()

SOAP: Final = b"/soap/"
TYPES: Final = {"1.1": b"text/xml; charset=utf-8", "1.2": b"application/soap+xml; charset=utf-8"}
_TAKEN: Final = frozenset({"text/xml", "application/soap+xml", "application/xml"})
_OWN: Final = frozenset({b"accept", b"content-length", b"content-type", b"expect", b"soapaction", b"transfer-encoding"})
"""Headers about the message itself, which the call it stands for does not have."""
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_ACTION = re.compile(r"""action\s*=\s*"([^"]*)\"""", re.I)
_WSDL: Final = frozenset({"wsdl", "singlewsdl"})


@dataclass(frozen=True, slots=True)
class _Opened:
    """A message understood: the operation it calls and the exchange it stands for. ``base`` is the gateway's public address."""

    offered: Offered
    operation: OfferedOperation
    route: Route
    exchange: Exchange
    envelope: Envelope
    base: str


class SoapFacade:
    """Immutable but for what ``credentials`` remembers."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._now = clock.now

    async def reply(self, snapshot: Snapshot, cycle: ApiCycle, body: AsgiBody | NoBody) -> Reply:
        """The reply to any request below ``/soap/``: an envelope, a WSDL, or a problem for what is neither."""
        raw_path, _, query = cycle.target.partition(b"?")
        request = Request(cycle.method, raw_path.decode("latin-1"), query.decode("latin-1"), cycle.headers, body, cycle.peer)
        if request.method != "POST":
            return await compose([snapshot.outermost], self._describe(snapshot))(_outside(request))
        envelope: Envelope | None = None
        secret = snapshot.issuer is not None
        try:
            offered = _required(snapshot, request)
            envelope = await self._envelope(request)
            opened = await self._open(snapshot, request, offered, envelope)
        except Exception as error:  # noqa: BLE001 - told by the outermost stage, like every failure
            reply = await compose([snapshot.outermost], _raising(error))(_outside(request))
            said = "1.2" if _media_type(request) == "application/soap+xml" else "1.1"
            version, addressing = (envelope.version, envelope.addressing) if envelope is not None else (said, None)
            return _fault(reply, version, _offered(snapshot, request), addressing, secret=secret)
        return _answered(await opened.route.handler(opened.exchange), opened, secret=secret)

    # --- the WSDL ----------------------------------------------------------------------------------------------------

    def _describe(self, snapshot: Snapshot) -> Handler:
        async def describe(exchange: Exchange) -> Reply:
            request = exchange.request
            offered = _required(snapshot, request)
            asked = request.query.partition("=")[0].lower()
            if request.method not in ("GET", "HEAD") or asked not in _WSDL:
                raise MethodNotAllowed("POST an envelope, or GET ?wsdl.", headers={"allow": "GET, HEAD, POST"})
            if not snapshot.docs_public:
                headers = await self._with_token(snapshot, request, None)
                await snapshot.authenticator.principal(headers)
            address = f"{_base(snapshot, request)}{offered.path}"
            body = await asyncio.to_thread(offered.service.wsdl, address)
            return Reply(200, [(b"content-type", TYPES["1.1"])], body=body)

        return describe

    # --- a message ---------------------------------------------------------------------------------------------------

    async def _envelope(self, request: Request) -> Envelope:
        """Raises ``Problem``."""
        if request.query.lower() not in ("", *_WSDL):
            raise BadRequest("An envelope is posted to the path alone, without a query.")
        _require_envelope(request)
        content_type = (request.header(b"content-type") or b"").decode("latin-1")
        return open_envelope(await request.body.read(), content_type, self._now())

    async def _open(self, snapshot: Snapshot, request: Request, offered: Offered, envelope: Envelope) -> _Opened:
        """Everything that can be wrong with a message is found here, before the route is called. Raises ``Problem``."""
        base = _base(snapshot, request)
        if not offered.service.is_ready(str(envelope.content.tag)):
            await asyncio.to_thread(offered.service.operation, str(envelope.content.tag))
        operation, route = _dispatched(offered, envelope, request)
        headers = request.headers
        if not route.public:
            # The route asks again; a stranger's message is not worth reading to its end.
            headers = await self._with_token(snapshot, request, envelope)
            await snapshot.authenticator.principal(headers)
        exchange = _exchange(snapshot, request, route, operation.call(envelope.content), _passed(headers, route, envelope))
        exchange.notes["soap"] = envelope.version
        return _Opened(offered, operation, route, exchange, envelope, base)

    async def _with_token(self, snapshot: Snapshot, request: Request, envelope: Envelope | None) -> Headers:
        """The request's headers, a secret in them or in the envelope replaced by a token."""
        own = basic(request.headers)
        token = envelope.token if envelope is not None else None
        said = [name for name, _ in request.headers if name in (b"authorization", b"x-api-key")]
        if token is not None and said:
            raise BadRequest("Send one credential: in the Security header, in Authorization, or in X-API-Key.")
        if token is None and own is None:
            return request.headers
        client, secret = (token.username, token.password) if token is not None else own or ("", "")
        try:
            value = await self._credentials.authorization(snapshot.issuer, client, secret, request.peer)
        except Unauthenticated as error:
            if token is None:
                raise
            raise coded(Unauthenticated, "FailedAuthentication", error.detail) from error
        return [*((n, v) for n, v in request.headers if n != b"authorization"), (b"authorization", value)]


def _outside(request: Request) -> Exchange:
    return Exchange(request, "", "soap", "", {})


def _raising(error: Exception) -> Handler:
    async def raising(exchange: Exchange) -> Reply:
        raise error

    return raising


def _offered(snapshot: Snapshot, request: Request) -> Offered | None:
    return snapshot.soap.get(request.path.removeprefix(SOAP.decode()))


def _required(snapshot: Snapshot, request: Request) -> Offered:
    """Raises ``NotFound``."""
    offered = _offered(snapshot, request)
    if offered is None:
        raise NotFound("There is no SOAP service at this path.")
    return offered


def _base(snapshot: Snapshot, request: Request) -> str:
    """The public address: configured, else the one the caller used. Raises ``BadRequest`` for a host that is none."""
    if snapshot.public_url is not None:
        return snapshot.public_url.rstrip("/")
    host = (request.header(b"host") or b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        raise BadRequest("The Host header names no host.")
    return f"http://{host}"


def _media_type(request: Request) -> str:
    return (request.header(b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")


def _require_envelope(request: Request) -> None:
    """Raises ``UnsupportedMediaType``."""
    kind = _media_type(request)
    if kind.startswith("multipart/"):
        raise UnsupportedMediaType("Attachments and MTOM are not taken: send the envelope alone, binary content in base64 in it.")
    if kind not in _TAKEN:
        raise UnsupportedMediaType("Send an envelope as text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2).")
    if (request.header(b"content-encoding") or b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Send the envelope without a Content-Encoding.")


def _dispatched(offered: Offered, envelope: Envelope, request: Request) -> tuple[OfferedOperation, Route]:
    """The operation that the element in the body names. An action that names another one is refused: whoever looks at the action
    only, as firewalls do, must not see another call than the one that is made."""
    service = offered.service
    found = service.operation(str(envelope.content.tag))
    if found is None:
        raise BadRequest(f"The body must hold an operation of {service.space}; ?wsdl has them all.")
    said = [value.decode("latin-1").strip('" ') for name, value in request.headers if name == b"soapaction"]
    match = _ACTION.search((request.header(b"content-type") or b"").decode("latin-1"))
    addressed = envelope.addressing.action if envelope.addressing is not None else ""
    for action in (*said, match[1] if match else "", addressed):
        meant = service.by_action(action)
        if meant is not None and meant != envelope.content.tag:
            raise BadRequest("The action names another operation than the element in the body.")
    return found, offered.routes[found.name]


def _passed(headers: Headers, route: Route, envelope: Envelope) -> Headers:
    """The headers of the call: the caller's own, and the message's id as its key where it has none. A read needs no key."""
    passed = [header for header in headers if header[0] not in _OWN]
    if route.method not in ("GET", "DELETE"):
        passed.append((b"content-type", b"application/json"))
    key = envelope.addressing.message_id if envelope.addressing is not None and route.method != "GET" else ""
    if key and not any(name == b"idempotency-key" for name, _ in headers):
        if not _KEY.fullmatch(key):
            raise BadRequest("wsa:MessageID is used as the idempotency key: 1 to 255 printable ASCII characters.")
        passed.append((b"idempotency-key", key.encode("ascii")))
    return passed


def _exchange(snapshot: Snapshot, request: Request, route: Route, call: Call, headers: Headers) -> Exchange:
    """The exchange of the same call in REST. Raises ``Problem`` for a path or query that no REST caller could have sent."""
    path = canonical(call.path(route.template).encode("ascii"))
    matched, params = snapshot.router.match(route.method, path)
    if matched is not route:
        raise NotFound
    query = checked_query(urlencode(call.query, quote_via=quote).encode("ascii"))
    content = b"" if call.value is ABSENT else json_http.dumps(call.value)
    inner = Request(route.method, path, query, headers, Whole(content), request.peer)
    return Exchange(inner, "", route.operation, route.version, params)


# --- replies -----------------------------------------------------------------------------------------------------------


def _answered(reply: Reply, opened: _Opened, *, secret: bool) -> Reply:
    """A route's reply as an envelope."""
    version, addressing = opened.envelope.version, opened.envelope.addressing
    if reply.status >= 400:
        return _fault(reply, version, opened.offered, addressing, secret=secret)
    value = orjson.loads(reply.body) if isinstance(reply.body, bytes) and reply.body else ABSENT
    found = {name: header.decode("latin-1") for name, header in reply.headers}
    document = _document(found, value, opened.base)
    if reply.status == 202 and b"location" in found:
        value = ABSENT
    header = response_header(addressing, opened.offered.service.space, f"{opened.operation.name}Response")
    try:
        body = opened.operation.answer(version, value, document, header)
    except Exception as error:  # noqa: BLE001 - the call is made; its caller must hear of it all the same
        return _unanswerable(reply, opened, error)
    return Reply(200, _headers(reply, version), body=body)


def _unanswerable(reply: Reply, opened: _Opened, error: Exception) -> Reply:
    """The route answered, and the answer has no form in XML."""
    log.error("answer.inexpressible", request_id=opened.exchange.id, operation=opened.exchange.operation, exc_info=error)
    detail = "The call was made, and its answer cannot be told in XML."
    problem: Problem = BadAnswer(detail, extensions={"retryable": False}) if isinstance(error, Misfit) else Internal(detail)
    ids = [value.decode("latin-1") for name, value in reply.headers if name == b"document-id"]
    problem.extensions |= {"document": ids[0]} if ids else {}
    body = orjson.dumps(problem.document(f"urn:request:{opened.exchange.id}"))
    replaced = Reply(problem.status, reply.headers, body=body)
    return _fault(replaced, opened.envelope.version, opened.offered, opened.envelope.addressing, secret=False)


def _document(headers: dict[bytes, str], value: Any, base: str) -> dict[str, Any] | None:
    """What is told of the document a call became."""
    if b"document-id" not in headers:
        return None
    found: dict[str, Any] = {"id": headers[b"document-id"], "reason": []}
    if b"idempotent-replayed" in headers:
        found["replayed"] = True
    if b"location" in headers and isinstance(value, dict):
        found |= {name: value[name] for name in ("state", "execution", "reference") if value.get(name) is not None}
        found["reason"] = [reason["code"] for reason in value.get("reasons", ())]
        found["location"] = f"{base}{headers[b'location']}"
        found["retryAfter"] = int(headers.get(b"retry-after", "60"))
    return found


def _fault(reply: Reply, version: str, offered: Offered | None, addressing: Addressing | None, *, secret: bool) -> Reply:
    """A problem as a fault. ``secret`` says whether a user name and password could have been sent.

    HTTP status: what the SOAP bindings say, 500, and for SOAP 1.2 400 where the sender is to blame; but 401 where HTTP's own
    credential is wrong or none came, since clients wait for it before they send one. Some read no fault under a 401, so one about
    the Security header never has it.
    """
    problem = orjson.loads(reply.body)  # type: ignore[arg-type]
    if problem["type"].endswith(":idempotency-key-missing"):
        problem["detail"] = "Send an Idempotency-Key header or a wsa:MessageID: new for each new request, the same for a retry."
    waits = [value for name, value in reply.headers if name == b"retry-after" and value.isdigit()]
    mismatch = problem.get("fault_code") == "VersionMismatch"
    version = "1.1" if mismatch else version
    headers = _headers(reply, version)
    write = offered.service.problem if offered is not None else None
    content = fault(version, problem, write, int(waits[0]) if waits else None)
    if offered is None:
        body = wrapped(version, content)
    else:
        header = upgrade() if mismatch else response_header(addressing, offered.service.space, "problem")
        body = offered.service.envelope(version, content, header)
    status = 400 if version == "1.2" and blames_caller(problem) else 500
    if problem["status"] == 401 and "fault_code" not in problem:
        status = 401
        if secret:
            headers.append((b"www-authenticate", b'Basic realm="erp-gateway", charset="UTF-8"'))
    return Reply(status, headers, body=body)


def _headers(reply: Reply, version: str) -> Headers:
    """A reply's headers around an envelope."""
    return [
        *(header for header in reply.headers if header[0] not in (b"content-type", b"location")),
        (b"content-type", TYPES[version]),
    ]
