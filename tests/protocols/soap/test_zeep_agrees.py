"""zeep as a second opinion, on what zeep does right: it reads our envelopes as we meant them, and we read what it renders."""

from __future__ import annotations

import base64
import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from zeep import Client
from zeep.helpers import serialize_object
from zeep.wsa import WsAddressingPlugin

from gateway.protocols.soap import Addressing, Contract, Packages, compile_operation, read_contract
from gateway.protocols.soap.features import WSA
from tests.protocols.soap.wsdls import root, schema, wsdl

WSDL = Path(__file__).parents[3] / "gateway/demo/erp/contracts/procurement.wsdl"

LINES = st.fixed_dictionaries(
    {
        "EBELP": st.integers(1, 99_999),
        "MATNR": st.integers(0, 999).map("{:06d}".format),
        "MENGE": st.integers(1, 10**9).map(lambda n: f"{n // 1000}.{n % 1000:03d}"),
        "MEINS": st.sampled_from(["ST", "KGM", "MTR"]),
        "NETPR": st.integers(0, 10**9).map(lambda n: f"{n // 100}.{n % 100:02d}"),
    },
    optional={"EINDT": st.just("15/02/2026")},
)
ORDERS = st.fixed_dictionaries(
    {
        "BSTNK": st.from_regex(r"[A-Z0-9-]{1,20}", fullmatch=True),
        "LIFNR": st.integers(1000, 1999).map("{:08d}".format),
        "BEDAT": st.just("31/01/2026"),
        "WAERS": st.sampled_from(["CNY", "EUR"]),
        "Positions": st.fixed_dictionaries({"Position": st.lists(LINES, min_size=1, max_size=4)}),
    },
    optional={"KTEXT": st.text("ab <>&é漢", min_size=1, max_size=10).filter(str.strip), "@BSART": st.just("NB")},
)


class Both:
    """The same operation, ours and zeep's."""

    def __init__(self, version: str) -> None:
        contract = read_contract(WSDL)
        operation = next(o for o in contract.operations if o.name == "CreatePurchaseOrder" and o.version == version)
        self.ours = compile_operation(contract, operation)
        self.client = Client(str(WSDL))
        self.proxy = self.client.bind(operation.service, operation.port)
        self.zeep = self.client.wsdl.services[operation.service].ports[operation.port].binding.get(operation.name)


@pytest.fixture(scope="module", params=["1.1", "1.2"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def as_text(value: Any) -> Any:
    """zeep's values in our forms: decimals and dates as text, what is None left out, attributes with their sign."""
    if isinstance(value, dict):
        return {("@BSART" if key == "BSART" else key): as_text(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return str(value) if isinstance(value, Decimal | datetime.date) else value


@settings(max_examples=60, deadline=None)
@given(order=ORDERS)
def test_zeep_reads_what_we_write(both: Both, order: dict[str, Any]) -> None:
    envelope = both.ours.encode({"Order": order}).replace(b"CreatePurchaseOrder>", b"CreatePurchaseOrderResponse>")
    result = serialize_object(both.zeep.process_reply(etree.fromstring(envelope)), dict)
    assert as_text(result) == order
    assert both.ours.decode(envelope) == {"Order": order}


@settings(max_examples=60, deadline=None)
@given(order=ORDERS)
def test_we_read_what_zeep_writes(both: Both, order: dict[str, Any]) -> None:
    given_ = {("BSART" if key == "@BSART" else key): item for key, item in order.items()}
    envelope = etree.tostring(both.client.create_message(both.proxy, "CreatePurchaseOrder", Order=given_))
    answer = envelope.replace(b"CreatePurchaseOrder ", b"CreatePurchaseOrderResponse ").replace(
        b"CreatePurchaseOrder>", b"CreatePurchaseOrderResponse>"
    )
    assert both.ours.decode(answer) == {"Order": order}


BINARY = root('<xs:sequence><xs:element name="Scan" type="xs:base64Binary" maxOccurs="unbounded"/></xs:sequence>')


@pytest.fixture(params=["soap", "soap12"])
def binary(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Contract, Client]:
    """``echo`` over a binary list; its input is given an action, as WS-Addressing has it."""
    said = 'xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl" wsaw:Action="urn:say/it"'
    text = wsdl(schema(BINARY), soap=request.param).replace('<input message="w:M"/>', f'<input message="w:M" {said}/>')
    (tmp_path / "echo.wsdl").write_text(text, "utf-8")
    return read_contract(tmp_path / "echo.wsdl"), Client(str(tmp_path / "echo.wsdl"), plugins=[WsAddressingPlugin()])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scans=st.lists(st.binary(min_size=1, max_size=900).map(lambda data: b"[" + data + b"]"), min_size=1, max_size=3))
def test_zeep_unpacks_what_we_pack(binary: tuple[Contract, Client], scans: list[bytes]) -> None:
    found, client = binary
    codec = compile_operation(found, found.operation("echo"))
    value = {"Scan": [base64.b64encode(scan).decode() for scan in scans]}
    packed = Packages(found, codec, mtom=True).pack(codec.encode(value))
    assert packed is not None
    answer: Any = requests.Response()
    answer.status_code, answer._content, answer.headers["content-type"] = 200, packed[1], packed[0].decode()
    bound = client.wsdl.services["S"].ports["Port"].binding
    assert bound.process_reply(client, bound.get("echo"), answer) == scans


def test_zeep_addresses_a_message_as_we_do(binary: tuple[Contract, Client]) -> None:
    found, client = binary
    operation = found.operation("echo")
    theirs = client.create_message(client.bind("S", "Port"), "echo", Scan=[b"x"])
    said = {node.tag: node.text for node in theirs[0] if "addressing" in node.tag}
    id = said[f"{{{WSA}}}MessageID"] or ""
    rendered = compile_operation(found, operation).encode({"Scan": ["eA=="]})
    ours = etree.fromstring(Addressing(WSA, operation.request_action, operation.address).dress(rendered, id))
    assert said.items() <= {node.tag: node.text for node in ours[0]}.items()
    assert len(said) == 3
