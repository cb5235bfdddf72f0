"""The contracts themselves: valid by two independent schema processors, complete, and offering what they promise."""

import pytest
import xmlschema
import zeep
from lxml import etree

from gateway.demo.erp.soap import CONTRACTS

XSD = "{http://www.w3.org/2001/XMLSchema}"


@pytest.mark.parametrize("file", sorted(path.name for path in CONTRACTS.glob("*.xsd")))
def test_each_schema_is_valid_for_lxml_and_xmlschema(file):
    assert etree.XMLSchema(file=str(CONTRACTS / file)) is not None
    assert xmlschema.XMLSchema10(str(CONTRACTS / file), allow="local").validity == "valid"


@pytest.mark.parametrize("file", ["finance-types.xsd", "procurement.xsd"])
def test_each_contract_has_more_than_ten_named_types_of_its_own(file):
    maps = xmlschema.XMLSchema10(str(CONTRACTS / file), allow="local").maps
    assert len([name for name in maps.types if name.startswith("{urn:demo-erp:")]) > 10


@pytest.mark.parametrize(
    ("name", "operations", "ports"),
    [
        ("finance", {"CreatePayment", "GetPayment", "GetFinanceReport"}, {"FinanceSoap11"}),
        ("procurement", {"CreatePurchaseOrder", "GetPurchaseOrder"}, {"ProcurementSoap12", "ProcurementSoap11"}),
    ],
)
def test_each_wsdl_offers_its_operations_on_every_port_and_declares_its_faults(name, operations, ports):
    client = zeep.Client(str(CONTRACTS / f"{name}.wsdl"))
    (service,) = client.wsdl.services.values()
    assert set(service.ports) == ports
    for port in service.ports.values():
        assert set(port.binding._operations) == operations
    for offered in port.binding.port_type.operations.values():
        assert set(offered.fault_messages) == {"Refused" if offered.name.startswith("Create") else "NotFound"}
    client.transport.session.close()


def test_the_contracts_hold_the_constructs_a_translator_must_know():
    found = {element.tag for path in CONTRACTS.glob("*.xsd") for element in etree.parse(path).iter(etree.Element)}
    wanted = "enumeration choice extension attribute fractionDigits totalDigits pattern include import minExclusive maxInclusive"
    assert {f"{XSD}{name}" for name in wanted.split()} <= found
    assert any(element.get("nillable") for path in CONTRACTS.glob("*.xsd") for element in etree.parse(path).iter())
