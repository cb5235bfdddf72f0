"""The WSDL as published: a golden file that clients may be compiled against, valid by every reader at hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import xmlschema
import zeep
from lxml import etree

from gateway.protocols.facade import Inexpressible, Offer, Service, require_expressible
from gateway.protocols.soap import read_contract
from gateway.protocols.soap.model import XSD

GOLDEN = Path(__file__).parents[2] / "golden/facade"

LINE = {
    "type": "object",
    "required": ["sku"],
    "properties": {"sku": {"type": "string", "pattern": "^[0-9]{6}$"}, "quantity": {"type": "string", "format": "decimal"}},
}
NODE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "additionalProperties": False,
}
REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["number", "lines"],
    "properties": {
        "number": {"type": "string", "maxLength": 64, "description": "Your own number."},
        "urgent": {"type": "boolean"},
        "note": {"type": ["string", "null"], "maxLength": 255},
        "订单 号": {"type": "string"},
        "unit": {"enum": ["PC", "KG"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 99999},
        "lines": {"type": "array", "items": LINE, "minItems": 1, "maxItems": 999},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "optional": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "card": {"type": "string"},
        "cash": {"type": "string"},
        "tree": {"$ref": "#/$defs/Node"},
        "payment": {
            "oneOf": [
                {
                    "type": "object",
                    "title": "transfer",
                    "properties": {"account": {"type": "string"}},
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "title": "cheque",
                    "properties": {"serial": {"type": "string"}},
                    "additionalProperties": False,
                },
            ]
        },
    },
    "allOf": [{"oneOf": [{"required": ["card"]}, {"required": ["cash"]}]}],
    "$defs": {"Node": NODE},
}
ANSWER = {"type": "object", "properties": {"number": {"type": "string"}, "unit": {"enum": ["PC", "KG"]}}}
OFFERS = [
    Offer("create", (), REQUEST, ANSWER, body=True, recorded=True, doc="Create a thing."),
    Offer("get", ("number",), None, ANSWER, body=False, recorded=False),
    Offer("list", (), None, {"type": "array", "items": LINE}, body=False, recorded=False),
    Offer("fire-and-forget", (), {"type": "string"}, None, body=True, recorded=False),
]
SERVICE = Service("things", "v2", OFFERS, {"create": {"request": {".": ["lines", "gone", "number"]}}})
SOURCE = SERVICE.wsdl('https://gateway.example:8443/soap/things?a=1&b="')


def test_the_golden_file() -> None:
    assert (GOLDEN / "things.wsdl").read_bytes() == SOURCE


def test_its_schema_is_valid_by_two_validators() -> None:
    node = etree.fromstring(SOURCE).find(f".//{{{XSD}}}schema")
    assert node is not None
    text = etree.tostring(node)
    assert set(xmlschema.XMLSchema(io.BytesIO(text)).elements) >= {"create", "createResponse", "problem"}
    etree.XMLSchema(etree.fromstring(text))


def test_zeep_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "things.wsdl"
    path.write_bytes(SOURCE)
    client = zeep.Client(str(path))
    ports = client.wsdl.services["things"].ports
    assert list(ports) == ["Soap11", "Soap12"]
    assert {port.binding_options["address"] for port in ports.values()} == {'https://gateway.example:8443/soap/things?a=1&b="'}
    assert set(ports["Soap11"].binding._operations) == {"create", "get", "list", "fire-and-forget"}


def test_our_own_reader_offers_all_of_it() -> None:
    contract = read_contract("http://gateway.example/wsdl", fetch=lambda _: SOURCE)
    assert contract.not_offered == ()
    assert {operation.action for operation in contract.operations if operation.name == "get"} == {
        "urn:erp-gateway:soap:things:v2:get"
    }
    assert all(list(operation.faults) == ["{urn:erp-gateway:soap:things:v2}problem"] for operation in contract.operations)


def test_the_frozen_order_comes_first() -> None:
    path = "//xs:element[@name='create']/xs:complexType/xs:sequence//xs:element/@name"
    names = etree.fromstring(SOURCE).xpath(path, namespaces={"xs": XSD})
    assert names[:4] == ["lines", "number", "urgent", "note"]
    assert SERVICE.frozen()["create"]["request"]["."][:4] == ["lines", "gone", "number", "urgent"]
    assert "create: request ./urgent" in SERVICE.missing
    assert "create: request ./lines" not in SERVICE.missing


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (Offer("problem", (), None, None, body=True, recorded=False), "the fault's element"),
        (Offer("get", (), {"type": "object", "properties": {"a": LINE}}, None, body=False, recorded=False), "a is a parameter"),
        (
            Offer("put", ("a",), {"type": "object", "properties": {"a": LINE}}, None, body=True, recorded=False),
            "a is a parameter",
        ),
        (Offer("put", ("a",), {"type": "string"}, None, body=True, recorded=False), "parameters beside it"),
        (Offer("get", (), {"type": "object"}, None, body=False, recorded=False), "in the request the whole"),
        (Offer("get", (), None, {"type": "object"}, body=False, recorded=False), "in the answer the whole"),
    ],
)
def test_what_cannot_be_offered(offer: Offer, reason: str) -> None:
    with pytest.raises(Inexpressible, match=reason):
        require_expressible(offer)
