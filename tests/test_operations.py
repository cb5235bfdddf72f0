"""What a route entry names and what it gets; what is not there is a finding at its line."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.deployment import read_deployment
from gateway.errors import ConfigError
from gateway.protocols.soap.features import SUBMISSION, WSA
from gateway.runtime import check_stores
from gateway.snapshot import Snapshot, build
from gateway.stages.prepare import Prepare
from gateway.upstreams.rest import PassThrough, RestOperation
from gateway.upstreams.soap import SoapOperation
from gateway.upstreams.stores import Contracts
from tests.protocols.soap.wsdls import root, schema, wsdl
from tests.protocols.soap.wsse.keys import certificate, ec_key, pem
from tests.support import copy_deployment


def built(path: Path) -> Snapshot:
    return build(read_deployment(path), check_stores(path))


def change(path: Path, file: str, old: str, new: str) -> None:
    target = path.parent / file
    assert old in target.read_text()
    target.write_text(target.read_text().replace(old, new))


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        built(path)
    return [str(finding) for finding in wrong.value.findings]


def test_each_kind_of_route_ends_in_its_kind_of_operation(tmp_path: Path) -> None:
    snapshot = built(copy_deployment(tmp_path))
    kinds = {route.operation: type(route.call) for route in snapshot.routes}
    assert kinds["payments.create"] is SoapOperation
    assert kinds["stock.get"] is PassThrough
    assert kinds["sales-orders.list"] is RestOperation
    reads = {route.operation: stage.reads for route in snapshot.routes for stage in route.stages if isinstance(stage, Prepare)}
    assert (reads["payments.create"], reads["payments.get"], reads["stock.get"]) == ("json", "parameters", "nothing")


def test_a_soap_operation_without_field_tables_takes_the_contract_as_it_is(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "routes/payments.yaml", "    request: payment-key\n    answer: payment\n", "")
    change(path, "routes/payments.yaml", "/payments/{number}", "/payments/{BELNR}")
    change(path, "routes/payments.yaml", "{at: $.entity}", "{at: $.Payment.BUKRS}")
    route = next(route for route in built(path).routes if route.operation == "payments.get")
    schema = route.call.request_schema()
    assert schema is not None
    assert "BELNR" in str(schema)


def test_contracts_are_kept_below_the_folder_the_deployment_names(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", "cache: ${env:ERP_GATEWAY_VAR:-var}/cache", "cache: kept")
    looking = check_stores(path)
    build(read_deployment(path), looking)
    assert not (tmp_path / "kept").exists()
    serving = replace(looking, contracts=Contracts())
    first, second = (build(read_deployment(path), serving) for _ in range(2))
    folder = tmp_path / "kept/contracts"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(list(folder.iterdir())) == 2
    codecs = [[route.call.codec for route in each.routes if isinstance(route.call, SoapOperation)] for each in (first, second)]
    assert all(one is other for one, other in zip(*codecs, strict=True))


def test_a_body_that_is_passed_through_has_no_fields(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    entry = "  put:\n    put: /stock/{sku}\n    call: PUT /inventory/items/{sku}\n    key: $.number\n    operation_id: $.id\n"
    (tmp_path / "routes/stock.yaml").write_text((tmp_path / "routes/stock.yaml").read_text() + entry)
    change(path, "policies/policy.csv", "# end", "p, wms, demo, stock.put, allow\n# end")
    assert [error.partition(";")[0] for error in errors(path)] == [
        "routes/stock.yaml:12: 'key' names a field of a body that is passed through unread",
        "routes/stock.yaml:13: 'operation_id' names a field of a body that is passed through unread",
    ]


def test_a_probe_is_compiled_with_its_route(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    writing = built(path).writing_of("payments.create", "v1")
    assert writing is not None
    assert writing.probe is not None
    assert isinstance(writing.probe.call, SoapOperation)
    assert writing.probe.by == {"externalNumber": "$.externalNumber"}
    change(path, "routes/payments.yaml", "probe: {call: GetPayment,", "probe: {call: GetPaymint,")
    assert "GetPaymint" in errors(path)[0]
    assert "did you mean 'GetPayment'?" in errors(path)[0]


def test_a_call_of_a_rest_upstream_needs_method_and_path(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "routes/stock.yaml", "call: GET /inventory/items/{sku}", "call: items")
    assert errors(path) == [
        "routes/stock.yaml:8: 'call' is 'items', and inventory is a REST upstream; write METHOD /path, such as GET /items/{sku}"
    ]


def test_a_parameter_the_path_does_not_have_is_found(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "routes/stock.yaml", "/inventory/items/{sku}", "/inventory/items/{number}")
    assert errors(path)[0].startswith("routes/stock.yaml:8: 'call' needs {number}")


def test_two_operations_on_one_path_are_found(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "routes/sales-orders.yaml", "get: /sales-orders", "get: /reports/finance")
    assert any("has the same method and path as" in error for error in errors(path))


def test_an_identity_header_can_never_be_forwarded(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", "    timeout: 5s", "    timeout: 5s\n    forward: [X-Forwarded-For]")
    assert any("'X-Forwarded-For' may never pass" in error for error in errors(path))


def test_a_service_or_port_the_wsdl_does_not_have_is_found(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", "contracts/finance.wsdl", "contracts/finance.wsdl\n    port: FinanceSoap13")
    assert any("no port 'FinanceSoap13'; did you mean 'FinanceSoap11'?" in error for error in errors(path))


def test_a_wsdl_at_a_url_nobody_serves_is_found(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", "gateway/demo/erp/contracts/finance.wsdl", "http://127.0.0.1:9/finance?wsdl")
    assert any("http://127.0.0.1:9/finance?wsdl: it cannot be fetched" in error for error in errors(path))


def test_an_example_that_does_not_come_out_is_found(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "transformers/payments.yaml", 'LIFNR: "00004711", NAME1', 'LIFNR: "4711", NAME1')
    assert any(error.startswith("transformers/payments.yaml:") for error in errors(path))


def test_the_other_soap_version_is_one_line_away(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", "contracts/procurement.wsdl", "contracts/procurement.wsdl\n    port: ProcurementSoap11")
    route = next(route for route in built(path).routes if route.operation == "purchase-orders.create")
    assert isinstance(route.call, SoapOperation)
    assert route.call.codec.content_type.startswith("text/xml")


@pytest.mark.parametrize(
    ("said", "space", "packs"),
    [
        ("", None, False),
        ("mtom: true", None, True),
        ("addressing: true", WSA, False),
        ("addressing: 2004/08", SUBMISSION, False),
    ],
)
def test_how_messages_travel_is_what_the_upstream_says(tmp_path: Path, said: str, space: str | None, packs: bool) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", "    timeout: 10s\n", f"    timeout: 10s\n    {said}\n")
    operation = next(route.call for route in built(path).routes if route.operation == "payments.create")
    assert isinstance(operation, SoapOperation)
    assert operation.packing is not None
    assert operation.packing.packs == packs
    assert getattr(operation.addressing, "space", None) == space
    if space:
        to, action = "http://127.0.0.1:9090/soap/finance", "urn:demo-erp:finance:CreatePayment"
        assert (operation.addressing.to, operation.addressing.action) == (to, action)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "said", "space", "packs"),
    [
        (WSA, "", WSA, True),
        (SUBMISSION, "addressing: true, mtom: false", SUBMISSION, False),
        (WSA, "addressing: false, attachments: true", None, True),
    ],
)
def test_what_the_contract_asks_for_holds_unless_the_upstream_says_otherwise(
    tmp_path: Path, asked: str, said: str, space: str | None, packs: bool
) -> None:
    policy = "http://schemas.xmlsoap.org/ws/2004/09/policy"
    addressing = "http://www.w3.org/2006/05/addressing/wsdl" if asked == WSA else f"{SUBMISSION}/policy"
    asks = (
        f'<a:UsingAddressing xmlns:a="{addressing}"/><p:Policy xmlns:p="{policy}">'
        f'<m:OptimizedMimeSerialization xmlns:m="{policy}/optimizedmimeserialization"/></p:Policy><soap:binding'
    )
    (tmp_path / "echo.wsdl").write_text(wsdl(schema(root(""))).replace("<soap:binding", asks), "utf-8")
    path = copy_deployment(tmp_path)
    start = "upstreams: # the systems behind the gateway; the demo starts its own and says where it is\n"
    change(path, "gateway.yaml", start, f"upstreams:\n  echo: {{wsdl: echo.wsdl, {said}}}\n")
    (tmp_path / "routes/echo.yaml").write_text("resource: echo\nupstream: echo\noperations: {say: {post: /echo, call: echo}}\n")
    change(path, "policies/policy.csv", "demo\n# end", "demo\np, oa, demo, echo.say, allow\n# end")
    operation = next(route.call for route in built(path).routes if route.operation == "echo.say")
    assert isinstance(operation, SoapOperation)
    assert operation.packing is not None
    assert (getattr(operation.addressing, "space", None), operation.packing.packs) == (space, packs)
    assert operation.packing.attachments == ("attachments" in said) == ("$attachments" in str(operation.answer_schema()))


FINANCE = "    url: ${env:DEMO_ERP_URL:-http://127.0.0.1:9090}/soap/finance\n"


def test_credentials_and_security_reach_the_operations_of_their_upstream(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    (tmp_path / "password").write_text("s3cret")
    settings = "    security: {timestamp: 60s}\n    credentials: {basic: {user: gw, password: '${file:password}'}}\n"
    change(path, "gateway.yaml", FINANCE, FINANCE + settings)
    snapshot = built(path)
    calls = {route.operation: route.call for route in snapshot.routes}
    paying, ordering = calls["payments.create"], calls["purchase-orders.create"]
    assert isinstance(paying, SoapOperation)
    assert isinstance(ordering, SoapOperation)
    assert (b"authorization", b"Basic Z3c6czNjcmV0") in paying.headers
    assert paying.security is not None
    assert b"Timestamp" in paying.security.outward(b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>')
    assert ordering.security is None
    assert [name for name, _ in ordering.headers if name == b"authorization"] == []
    assert snapshot.warnings == ()


def test_a_credential_in_the_file_is_an_error_except_in_a_demo(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    change(path, "gateway.yaml", FINANCE, FINANCE + "    credentials: {bearer: s3cret}\n")
    assert [warning.what for warning in built(path).warnings] == ["'bearer' is a secret written into the file"]
    change(path, "gateway.yaml", "demo: true", "demo: false")
    (finding,) = [error for error in errors(path) if "bearer" in error]
    assert finding.endswith("'bearer' is a secret written into the file; use ${env:NAME} or ${file:path}")
    assert "s3cret" not in finding


def test_what_will_fail_or_can_be_read_by_others_is_warned_of(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    (tmp_path / "own.pem").write_bytes(pem(certificate(ec_key(), "gateway", now=time.time(), days=2), ec_key()))
    (tmp_path / "token").write_text("s3cret")
    change(path, "gateway.yaml", FINANCE, "    url: http://erp.test/\n    credentials: {bearer: '${file:token}'}\n")
    old = "    url: ${env:DEMO_ERP_URL:-http://127.0.0.1:9090}/soap/procurement\n"
    new = "    url: https://erp.test/\n    credentials: {client_certificate: {certificate_file: own.pem}}\n"
    change(path, "gateway.yaml", old, new)
    warnings = [warning.what for warning in built(path).warnings]
    assert warnings[0] == "the credential goes over the network in the clear"
    assert warnings[1].startswith("a certificate of 'certificate_file' expires on ")
    assert len(warnings) == 2
    change(path, "gateway.yaml", "https://erp.test/", "http://erp.test/")
    assert any("'client_certificate' is for TLS" in error for error in errors(path))


@pytest.mark.parametrize(("kind", "warned"), [("ref:swaRef", True), ("xs:base64Binary", False)])
def test_attachments_by_reference_are_warned_of_where_requests_are_signed(tmp_path: Path, kind: str, warned: bool) -> None:
    space = "http://ws-i.org/profiles/basic/1.1/xsd"
    imported = f'<xs:import namespace="{space}" schemaLocation="http://ws-i.org/profiles/basic/1.1/swaref.xsd"/>'
    scan = root(f'<xs:sequence><xs:element name="Scan" type="{kind}"/></xs:sequence>')
    body = schema(imported + scan).replace("<xs:schema ", f'<xs:schema xmlns:ref="{space}" ')
    (tmp_path / "echo.wsdl").write_text(wsdl(body), "utf-8")
    (tmp_path / "own.pem").write_bytes(pem(certificate(ec_key(), now=time.time(), days=90), ec_key()))
    path = copy_deployment(tmp_path)
    start = "upstreams: # the systems behind the gateway; the demo starts its own and says where it is\n"
    change(path, "gateway.yaml", start, start + "  echo: {wsdl: echo.wsdl, security: {sign: {certificate_file: own.pem}}}\n")
    (tmp_path / "routes/echo.yaml").write_text("resource: echo\nupstream: echo\noperations: {say: {post: /echo, call: echo}}\n")
    change(path, "policies/policy.csv", "demo\n# end", "demo\np, oa, demo, echo.say, allow\n# end")
    said = [str(warning) for warning in built(path).warnings if "by reference" in warning.what]
    assert bool(said) == warned
    assert all(warning.startswith("routes/echo.yaml:3: echo sends attachments by reference") for warning in said)
