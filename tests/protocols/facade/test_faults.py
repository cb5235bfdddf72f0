"""Problems as faults: the problem in the detail, a code SOAP knows, a text that helps, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import BadAnswer, BadRequest, FieldError, Problem, Unauthenticated, Unprocessable
from gateway.protocols.facade import Offer, Service
from gateway.protocols.facade.faults import blames_caller, coded, fault, upgrade
from gateway.protocols.soap import compile_operation, read_contract

SERVICE = Service("things", "v1", [Offer("create", (), None, None, True, False)], {})
SOURCE = SERVICE.wsdl("http://gateway.example/")


def told(problem: Problem, version: str, wait: int | None = None) -> etree._Element:
    content = fault(version, problem.document("urn:request:1"), SERVICE.problem, wait)
    return etree.fromstring(SERVICE.envelope(version, content))[0][0]


WRONG = Unprocessable(errors=[FieldError("/lines/0/sku", "is <too> long"), FieldError("", "is odd")])


def test_a_fault_of_each_version() -> None:
    node = told(WRONG, "1.1")
    assert node.findtext("faultcode") == "soapenv:Client"
    text = "The request does not fit the contract (lines[1]/sku is <too> long; the message is odd)"
    assert node.findtext("faultstring") == text
    errors = node.findall("detail/{*}problem/{*}error")
    assert [[child.text for child in error] for error in errors] == [
        ["/lines/0/sku", "lines[1]/sku", "is <too> long"],
        [None, None, "is odd"],
    ]
    node = told(WRONG, "1.2")
    assert node.findtext("{*}Code/{*}Value") == "soapenv:Sender"
    assert node.findtext("{*}Reason/{*}Text") == text
    assert node.findtext("{*}Detail/{*}problem/{*}status") == "422"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_client_reads_the_declared_fault(version: str) -> None:
    contract = read_contract("http://gateway.example/wsdl", fetch=lambda _: SOURCE)
    port = {"1.1": "Soap11", "1.2": "Soap12"}[version]
    codec = compile_operation(contract, contract.operation("create", port=port))
    content = fault(version, BadAnswer("No.").document("urn:request:1"), SERVICE.problem, 5)
    with pytest.raises(Problem) as refused:
        codec.decode(SERVICE.envelope(version, content))
    facts: Any = refused.value.extensions["fault"]
    problem = facts["detail"]["problem"]
    assert (problem["status"], problem["detail"], problem["retryAfter"]) == (502, "No.", 5)
    assert facts["code"] in ("Server", "Receiver")


@pytest.mark.parametrize(
    ("problem", "code", "sub"),
    [
        (Unauthenticated(), "wsse:FailedAuthentication", "wsse:FailedAuthentication"),
        (coded(Unauthenticated, "MessageExpired", "Late."), "wsu:MessageExpired", "wsu:MessageExpired"),
        (coded(BadRequest, "InvalidAddressingHeader", "Twice."), "wsa:InvalidAddressingHeader", "wsa:InvalidAddressingHeader"),
    ],
)
def test_codes_of_other_standards(problem: Problem, code: str, sub: str) -> None:
    old, new = told(problem, "1.1"), told(problem, "1.2")
    assert old.findtext("faultcode") == code
    assert code.partition(":")[0] in old.nsmap
    assert new.findtext("{*}Code/{*}Value") == "soapenv:Sender"
    assert new.findtext("{*}Code/{*}Subcode/{*}Value") == sub


@pytest.mark.parametrize("code", ["MustUnderstand", "VersionMismatch"])
def test_a_fault_about_the_header_has_no_detail(code: str) -> None:
    node = told(coded(BadRequest, code, "No."), "1.1")
    assert (node.findtext("faultcode"), node.find("detail")) == (f"soapenv:{code}", None)
    assert told(coded(BadRequest, code, "No."), "1.2").findtext("{*}Code/{*}Value") == f"soapenv:{code}"


def test_without_a_service_there_is_no_detail() -> None:
    assert "detail" not in fault("1.1", BadRequest("No.").document(), None)


def test_what_a_version_mismatch_offers() -> None:
    node = etree.fromstring(upgrade())
    assert [child.get("qname") for child in node] == ["e1:Envelope", "e2:Envelope"]
    assert [child.nsmap[f"e{number}"] for number, child in enumerate(node, 1)] == [
        "http://www.w3.org/2003/05/soap-envelope",
        "http://schemas.xmlsoap.org/soap/envelope/",
    ]


def test_extensions_of_a_problem_stay_inside() -> None:
    problem = BadAnswer("No.", extensions={"fault": {"reasons": "secret"}, "document": "d1", "outcome": "unknown"})
    node = told(problem, "1.1").find("detail/{*}problem")
    assert node is not None
    assert {etree.QName(child).localname for child in node} == {
        "type", "title", "status", "detail", "instance", "origin", "retryable", "outcome", "document",
    }  # fmt: skip


@given(st.text(), st.text())
def test_every_text_can_be_told(detail: str, pointer: str) -> None:
    for version in ("1.1", "1.2"):
        node = told(Unprocessable(detail, errors=[FieldError(f"/{pointer}", detail)]), version)
        assert len(node) >= 2


def test_who_is_to_blame() -> None:
    assert blames_caller(BadRequest().document())
    assert not blames_caller(BadAnswer().document())
