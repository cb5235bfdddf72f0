"""The SOAP facade over a real socket: what HTTP says, what hostile callers hear, and that all of it is the route's own doing."""

from __future__ import annotations

import base64
import uuid
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from lxml import etree

from gateway.demo.erp.process import ErpProcess
from gateway.edge import soap
from gateway.exchange import Reply
from gateway.offering import Offered
from gateway.protocols.facade import Offer, Service
from tests.protocols.facade.test_envelope import envelope, hostile, token
from tests.support import GatewayProcess

PAYMENTS = "urn:erp-gateway:soap:payments:v1"
ORDERS = "urn:erp-gateway:soap:sales-orders:v1"
GET = f'<get xmlns="{PAYMENTS}"><number>9999999999</number></get>'
"""A call that goes all the way: the ERP has no such payment."""
TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}


def signed(body: str = GET, caller: str = "oa", header: str = "", version: str = "1.1") -> str:
    """An envelope with a UsernameToken."""
    return envelope(body, f"<s:Security>{token(caller, f'demo-{caller}')}</s:Security>{header}", version)


def create() -> str:
    """A payment that needs nobody's approval."""
    number = uuid.uuid4().hex[:20]
    return (
        f'<create xmlns="{PAYMENTS}"><externalNumber>{number}</externalNumber><initiator>li.na</initiator><entity>1000</entity>'
        f"<payee><code>4711</code><name>Falkenberg GmbH</name><account>{number}</account></payee>"
        "<amount>12.50</amount><currency>CNY</currency><dueDate>2026-12-31</dueDate></create>"
    )


def post(
    gateway: GatewayProcess, content: str | bytes, *, resource: str = "payments", version: str = "1.1", **headers: str
) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    said = {"content-type": TYPES[version], **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.post(f"{gateway.url}/soap/{resource}", content=data, headers=said, timeout=30)


def fault(answer: httpx.Response) -> tuple[str, str, dict[str, str]]:
    """Code, text and problem of a fault of either version."""
    body = etree.fromstring(answer.content)[-1][0]
    code = body.findtext("faultcode") or body.findtext("{*}Code/{*}Value") or ""
    text = body.findtext("faultstring") or body.findtext("{*}Reason/{*}Text") or ""
    problem = next(body.iter("{*}problem"), None)
    return code, text, {} if problem is None else {etree.QName(child).localname: child.text or "" for child in problem}


def reached(answer: httpx.Response) -> bool:
    """Whether a call came as far as the ERP, which has no such payment."""
    problem = fault(answer)[2]
    return (problem["type"].rpartition(":")[2], problem["status"]) == ("refused", "404")


# --- the WSDL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "wsdl=", "singleWsdl"])
def test_the_wsdl_names_the_host_it_was_asked_by(gateway: GatewayProcess, query: str) -> None:
    answer = httpx.get(f"{gateway.url}/soap/payments?{query}", headers={"host": "erp.example.com:8443"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert answer.headers["x-request-id"]
    assert answer.text.count('location="http://erp.example.com:8443/soap/payments"') == 2


def test_a_host_that_is_none_gets_no_wsdl(gateway: GatewayProcess) -> None:
    for host in ("a'b", "a%20b", "a&b", "-", "a:b", "[x]"):
        answer = httpx.get(f"{gateway.url}/soap/payments?wsdl", headers={"host": host})
        assert answer.status_code == 400, host


def test_the_public_address_counts_more(own_gateway: GatewayProcess) -> None:
    path = own_gateway.path
    text = path.read_text("utf-8").replace("  docs: public # outside a demo: token", "  public_url: https://erp.example.com/gw/")
    path.write_text(text, "utf-8")
    own_gateway.wait_for("snapshot.swapped")
    url = f"{own_gateway.url}/soap/payments?wsdl"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("oa", "wrong")).status_code == 401
    answer = httpx.get(url, auth=("oa", "demo-oa"))
    assert answer.text.count('location="https://erp.example.com/gw/soap/payments"') == 2
    assert httpx.get(url, headers={"authorization": f"Bearer {own_gateway.token('oa')}"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/soap/payments", 405),
        ("GET", "/soap/payments?xsd=1", 405),
        ("PUT", "/soap/payments?wsdl", 405),
        ("HEAD", "/soap/payments?wsdl", 200),
        ("GET", "/soap/stock?wsdl", 404),
        ("GET", "/soap/nothing?wsdl", 404),
        ("GET", "/soap/?wsdl", 404),
        ("GET", "/soap", 404),
        ("GET", "/soap/payments/..?wsdl", 404),
    ],
)
def test_other_requests(gateway: GatewayProcess, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, gateway.url + path)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD, POST"


# --- messages ----------------------------------------------------------------------------------------------------------


def test_a_call_and_what_the_log_says_of_it(gateway: GatewayProcess) -> None:
    request = uuid.uuid4().hex
    body = f'<list xmlns="{ORDERS}"><from>2026-11-01</from><to>2026-11-03</to></list>'
    answer = post(gateway, signed(body, "crm", version="1.2"), resource="sales-orders", version="1.2", x_request_id=request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES["1.2"])
    assert (answer.headers["x-request-id"], "ratelimit" in answer.headers) == (request, True)
    node = etree.fromstring(answer.content)[0][0]
    by_rest = gateway.call("crm", "GET", "/api/v1/sales-orders?from=2026-11-01&to=2026-11-03").json()
    assert [order.findtext("{*}number") for order in node.iter("{*}items")] == [order["number"] for order in by_rest["items"]]
    line = gateway.wait_for("call.finished", request_id=request)
    assert (line["operation"], line["status"], line["subject"], line["soap"]) == ("sales-orders.list", 200, "crm", "1.2")
    assert line["path"] == "/api/v1/sales-orders"


@pytest.mark.parametrize(
    ("change", "status", "code", "slug"),
    [
        ({}, 500, "soapenv:Client", "refused"),
        ({"body": GET.replace("9999999999", "12")}, 500, "soapenv:Client", "unprocessable"),
        ({"body": GET.replace("9999999999", "a/b")}, 500, "soapenv:Client", "bad-request"),
        ({"body": GET.replace("9999999999", "..")}, 500, "soapenv:Client", "bad-request"),
        ({"body": GET.replace("9999999999", "")}, 500, "soapenv:Client", "bad-request"),
        ({"body": GET.replace("number", "nummer")}, 500, "soapenv:Client", "unprocessable"),
        ({"body": GET.replace("</get>", "<more/></get>")}, 500, "soapenv:Client", "unprocessable"),
        ({"body": f'<get xmlns="{PAYMENTS}"/>'}, 500, "soapenv:Client", "unprocessable"),
        ({"body": GET.replace("payments:v1", "payments:v2")}, 500, "soapenv:Client", "bad-request"),
        ({"body": f'<drop xmlns="{PAYMENTS}"/>'}, 500, "soapenv:Client", "bad-request"),
        ({"body": GET.replace("<number>", '<number xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1">')
          .replace("9999999999", "")}, 500, "soapenv:Client", "unprocessable"),
        ({"caller": "wms"}, 500, "soapenv:Client", "forbidden"),
        ({"header": '<x:a xmlns:x="urn:x" e:mustUnderstand="1"/>'}, 500, "soapenv:MustUnderstand", ""),
    ],
)  # fmt: skip
def test_what_is_refused(gateway: GatewayProcess, change: dict[str, str], status: int, code: str, slug: str) -> None:
    answer = post(gateway, signed(**change))
    found, text, problem = fault(answer)
    assert (answer.status_code, found) == (status, code), text
    assert problem.get("type", "").rpartition(":")[2] == slug
    assert post(gateway, signed(**change, version="1.2"), version="1.2").status_code == 400


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"content_type": "multipart/related; boundary=x"}, "Attachments and MTOM are not taken"),
        ({"content_type": "application/json"}, "Send an envelope"),
        ({"content_type": ""}, "Send an envelope"),
        ({"content_encoding": "gzip"}, "without a Content-Encoding"),
        ({"soapaction": f'"{PAYMENTS}:create"'}, "names another operation"),
        ({"content_type": f'application/soap+xml; action="{PAYMENTS}:create"'}, "names another operation"),
        ({"x_api_key": "egk_oa_" + "0" * 64}, "Send one credential"),
        ({"authorization": "Basic b2E6ZGVtby1vYQ=="}, "Send one credential"),
    ],
)
def test_http_headers_that_do_not_go_with_it(gateway: GatewayProcess, headers: dict[str, str], detail: str) -> None:
    answer = post(gateway, signed(), **headers)
    assert detail in fault(answer)[1]
    assert answer.status_code in (400, 500)


@pytest.mark.parametrize("action", ['""', "", "urn:something", f'"{PAYMENTS}:get"', f"{PAYMENTS}:get", f'"{PAYMENTS}:x"'])
def test_an_action_nobody_needs(gateway: GatewayProcess, action: str) -> None:
    assert reached(post(gateway, signed(), soapaction=action))


def test_a_version_that_does_not_exist(gateway: GatewayProcess) -> None:
    answer = post(gateway, signed().replace("http://schemas.xmlsoap.org/soap/envelope/", "urn:other"), version="1.2")
    assert fault(answer)[0] == "soapenv:VersionMismatch"
    assert b"SupportedEnvelope" in answer.content
    assert answer.headers["content-type"] == TYPES["1.1"]


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": basic("oa:demo-oa")}, 404),
        ({"authorization": basic("oa:wrong")}, 401),
        ({"authorization": basic("nobody:demo-oa")}, 401),
        ({"authorization": "Bearer x"}, 401),
        ({"authorization": "Basic !"}, 500),
        ({"authorization": basic("oa")}, 500),
        ({"x_api_key": "wrong"}, 401),
    ],
)
def test_credentials_of_http(gateway: GatewayProcess, headers: dict[str, str], status: int) -> None:
    answer = post(gateway, envelope(GET), **headers)
    if status == 404:
        assert reached(answer)
        return
    assert answer.status_code == status
    if status == 401:
        assert fault(answer)[0] == "wsse:FailedAuthentication"
        challenges = answer.headers.get_list("www-authenticate")
        assert any(challenge.startswith("Basic") for challenge in challenges)


@pytest.mark.parametrize(("version", "status"), [("1.1", 500), ("1.2", 400)])
def test_a_wrong_user_name_token_keeps_the_status_of_the_binding(gateway: GatewayProcess, version: str, status: int) -> None:
    wrong = envelope(GET, f"<s:Security>{token('oa', 'wrong')}</s:Security>", version)
    answer = post(gateway, wrong, version=version)
    assert (answer.status_code, "www-authenticate" in answer.headers) == (status, False)
    assert b"wsse:FailedAuthentication" in answer.content


def test_a_digest_is_told_what_to_do(gateway: GatewayProcess) -> None:
    kind = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
    answer = post(gateway, signed().replace("<s:Password>", f'<s:Password Type="{kind}">'))
    assert (answer.status_code, fault(answer)[0]) == (500, "wsse:UnsupportedSecurityToken")
    assert "PasswordText" in fault(answer)[1]


def test_guessing_is_slowed_where_the_token_endpoint_slows_it(own_gateway: GatewayProcess) -> None:
    wrong = envelope(GET, f"<s:Security>{token('oa', 'guess')}</s:Security>")
    told: list[str] = []
    while "429" not in told and len(told) < 60:
        told.append(fault(post(own_gateway, wrong))[2]["status"])
    assert told[:10] == ["401"] * 10
    assert told[-1] == "429"
    form = {"grant_type": "client_credentials"}
    assert httpx.post(f"{own_gateway.url}/oauth/token", auth=("oa", "demo-oa"), data=form).status_code == 429


def test_a_body_that_is_too_large(gateway: GatewayProcess) -> None:
    answer = post(gateway, signed() + " " * 1024 * 1024)
    assert fault(answer)[2]["status"] == "413"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_corpus_of_hostile_files(gateway: GatewayProcess, erp: ErpProcess, version: str) -> None:
    before = len(erp.journal())
    for data in hostile():
        answer = post(gateway, data, version=version)
        code, text, _ = fault(answer)
        assert (answer.status_code, code) == ((500, "soapenv:Client") if version == "1.1" else (400, "soapenv:Sender"))
        assert "root:" not in text
        assert answer.elapsed.total_seconds() < 2
    assert len(erp.journal()) == before


@pytest.mark.parametrize(
    "content",
    [
        signed(f'<create xmlns="{PAYMENTS}">{"<payee>" * 5000}{"</payee>" * 5000}</create>'),
        signed(f'<create xmlns="{PAYMENTS}">{"<payee/>" * 50_000}</create>'),
        signed(f'<create xmlns="{PAYMENTS}"><purpose>{"x" * 900_000}</purpose></create>'),
        signed(f'<get xmlns="{PAYMENTS}" {" ".join(f"""a{n}="1" """ for n in range(20_000))}/>'),
        signed(GET.replace("<get", "<get " + " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(20_000)))),
        signed(GET.replace("<number>", '<number xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="x:Evil">')),
    ],
)
def test_a_message_made_to_be_slow(gateway: GatewayProcess, content: str) -> None:
    answer = post(gateway, content, idempotency_key=uuid.uuid4().hex)
    assert answer.elapsed.total_seconds() < 5
    assert answer.status_code in (200, 500)
    assert gateway.process.poll() is None


def test_a_key_is_the_messages_id_unless_there_is_a_header(gateway: GatewayProcess) -> None:
    space = "urn:erp-gateway:soap:stock-movements:v1"
    missing: dict[str, Any] = {"resource": "stock-movements"}
    odd = signed(f'<create xmlns="{space}"/>', "wms", header="<w:MessageID>订</w:MessageID>")
    assert "wsa:MessageID" in fault(post(gateway, odd, **missing))[1]
    assert reached(post(gateway, signed(header=f"<w:MessageID>订{'1' * 300}</w:MessageID>")))


def test_the_documentation_names_the_service(gateway: GatewayProcess) -> None:
    api = httpx.get(f"{gateway.url}/openapi/v1.json").json()
    said = api["paths"]["/api/v1/payments"]["post"]["externalDocs"]
    assert said == {"url": "/soap/payments?wsdl", "description": "Also offered as the SOAP operation create."}
    assert "externalDocs" not in api["paths"]["/api/v1/stock/{sku}"]["get"]
    page = httpx.get(f"{gateway.url}/docs/v1/payments.create", follow_redirects=True)
    assert (page.status_code, '<a href="/soap/payments?wsdl">' in page.text) == (200, True)


def test_a_fault_has_the_version_of_its_message_and_says_which_it_belongs_to(gateway: GatewayProcess) -> None:
    message = signed(caller="wms", header="<w:MessageID>urn:uuid:7</w:MessageID>", version="1.2")
    answer = post(gateway, message, version="1.1")
    assert (answer.status_code, answer.headers["content-type"], fault(answer)[0]) == (400, TYPES["1.2"], "soapenv:Sender")
    assert etree.fromstring(answer.content).findtext(".//{*}RelatesTo") == "urn:uuid:7"


def test_a_host_that_is_none_is_refused_before_anything_is_booked(gateway: GatewayProcess, erp: ErpProcess) -> None:
    before = len(erp.journal())
    answer = post(gateway, signed(), host="a'b")
    assert fault(answer)[2]["status"] == "400"
    assert len(erp.journal()) == before


@pytest.mark.parametrize(("value", "status"), [('{"n": "seven"}', "502"), ('{"n": "\\u0001"}', "502"), ("[]", "502")])
def test_an_answer_that_has_no_form_is_told_with_its_document(value: str, status: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    service = Service("things", "v1", [Offer("create", (), None, schema, body=True, recorded=True)], {})
    offered = Offered(service, {})
    operation = service.operation("{urn:erp-gateway:soap:things:v1}create")
    exchange = SimpleNamespace(id="r1", operation="things.create")
    said = SimpleNamespace(version="1.1", addressing=None)
    opened: Any = SimpleNamespace(offered=offered, operation=operation, exchange=exchange, envelope=said, base="http://a")
    reply = soap._answered(Reply(201, [(b"document-id", b"d1")], body=value.encode()), opened, secret=True)
    assert isinstance(reply.body, bytes)
    problem = next(etree.fromstring(reply.body).iter("{*}problem"))
    told = {etree.QName(child).localname: child.text for child in problem}
    assert (reply.status, told["status"], told["document"], told["retryable"]) == (500, status, "d1", "false")
    assert told["instance"] == "urn:request:r1"


def test_the_host_is_judged_before_anything_is_sent(gateway: GatewayProcess, erp: ErpProcess) -> None:
    """Docker names services with underscores; and an answer needs an address only where there is a document."""
    for host, booked in (("erp_gateway:8080", 1), ("a'b", 0)):
        before = len(erp.journal())
        answer = post(gateway, signed(create()), host=host, idempotency_key=uuid.uuid4().hex)
        assert (answer.status_code, len(erp.journal()) - before) == (200 if booked else 500, booked), host
    assert "names no host" in fault(answer)[1]


def test_headers_that_are_there_twice(gateway: GatewayProcess) -> None:
    url, kind = f"{gateway.url}/soap/payments", ("content-type", TYPES["1.1"])
    mine, others = ("authorization", basic("oa:demo-oa")), ("authorization", f"Bearer {gateway.token('crm')}")
    for pair in ([mine, others], [others, mine]):
        answer = httpx.post(url, content=envelope(GET), headers=[kind, *pair])
        assert "Send one Authorization header" in fault(answer)[1]
    actions = [("soapaction", '"urn:something"'), ("soapaction", f'"{PAYMENTS}:create"')]
    answer = httpx.post(url, content=signed(), headers=[kind, *actions])
    assert "names another operation" in fault(answer)[1]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"x_api_key": "wrong"}])
def test_strangers_learn_nothing_of_the_messages(gateway: GatewayProcess, headers: dict[str, str]) -> None:
    for body in (f'<get xmlns="{PAYMENTS}"/>', f'<create xmlns="{PAYMENTS}"><more/></create>'):
        answer = post(gateway, envelope(body), **headers)
        assert (answer.status_code, fault(answer)[0]) == (401, "wsse:FailedAuthentication")
    answer = post(gateway, envelope(f'<drop xmlns="{PAYMENTS}"/>'), **headers)
    assert "create" not in answer.text
