# ruff: noqa: E501  (a schema reads best on one line)
"""Which operations a contract offers: every one of every SOAP binding, or the reason why not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import ConfigError, Finding, Problem, Unprocessable
from gateway.protocols.soap import answer_schema, compile_operation, fault_schemas, read_contract, request_schema
from tests.protocols.soap.wsdls import contract, envelope, read, root, schema, wsdl

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = ("{http://schemas.xmlsoap.org/wsdl/soap/}binding", "{http://schemas.xmlsoap.org/wsdl/soap12/}binding")
STRING = '<xs:element name="Root" type="xs:string"/>'


def corpus(name: str) -> Path:
    root = os.environ.get("GATEWAY_CORPORA")
    if not root:
        if os.environ.get("CI"):
            pytest.fail("GATEWAY_CORPORA is not set")
        pytest.skip("GATEWAY_CORPORA is not set")
    return Path(root, name)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was attempted")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def finding(text: str, **files: str) -> tuple[str, int, str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **files)
    (found,) = caught.value.findings
    assert found.remedy
    return Path(found.file).name, found.line, found.what


def reasons(text: str) -> list[str]:
    return [refused.reason for refused in read(text).not_offered]


def test_an_operation_is_described() -> None:
    operation = contract(STRING).operation("echo", service="S", port="Port")
    assert (operation.version, operation.action, operation.style) == ("1.1", "urn:echo", "document")
    assert (operation.address, operation.documentation) == ("http://127.0.0.1/s", "Says it again.")


def test_an_operation_not_there_says_why() -> None:
    found = read(wsdl(schema("")))
    with pytest.raises(LookupError, match=r"not offered: element \{urn:t\}Root is not in the contract"):
        found.operation("echo")
    with pytest.raises(LookupError, match="has no operation other"):
        found.operation("other")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('use="literal"', 'use="encoded"'), "its input is encoded in document style"),
        (("<input><soap:body", "<input><soap:other"), "its input has no soap:body"),
        (
            ('schemas.xmlsoap.org/soap/http"', 'schemas.xmlsoap.org/soap/smtp"'),
            "the transport http://schemas.xmlsoap.org/soap/smtp is not HTTP",
        ),
        (
            ('<operation name="echo"><soap:', '<operation name="echo2"><soap:'),
            "the port type P does not declare it",
        ),
        (
            ('<input message="w:M"/><output message="w:M"/>', '<output message="w:M"/>'),
            "it has no input: the server calls, the client listens",
        ),
        (('binding="w:B"', 'binding="w:C"'), "no port of a service uses the binding B"),
        (('style="document"', 'style="rpc"'), "part p names an element where RPC style needs a type"),
        (
            ("<input><soap:body", '<input><soap:header message="w:X" part="p" use="literal"/><soap:body'),
            "the message X it names does not exist",
        ),
        (
            ("<input><soap:body", '<input><soap:header message="w:M" part="q" use="literal"/><soap:body'),
            "the message M has no part q for its header",
        ),
        (('type="w:P"', 'type="w:Z"'), "the port type Z it names does not exist"),
        (('<input message="w:M"/>', '<input message="w:Z"/>'), "the message Z it names does not exist"),
        (('<input message="w:M"/>', '<input message="v:M"/>'), "the prefix of v:M is not declared"),
    ],
)
def test_what_cannot_be_offered_says_exactly_why(change: tuple[str, str], reason: str) -> None:
    assert reasons(wsdl(schema(STRING)).replace(*change, 1)) == [reason]


OVERLOADED = wsdl(schema(STRING + '<xs:element name="Other" type="xs:int"/>')).replace(
    "</portType>",
    '<operation name="echo"><input name="second" message="w:N"/><output message="w:N"/></operation></portType>'
    '<message name="N"><part name="p" element="t:Other"/></message>',
)


@pytest.mark.parametrize("named", [True, False])
def test_overloads_are_told_apart_by_the_names_of_their_inputs_or_else_by_order(named: bool) -> None:
    first = OVERLOADED[OVERLOADED.index('<operation name="echo"><soap:') : OVERLOADED.index("</binding>")]
    second = first.replace("<input>", '<input name="second">') if named else first
    text = OVERLOADED.replace(first, second + first if named else first + second)
    found = read(text)
    assert not found.not_offered
    types = {operation.name: operation.input.body[0].name for operation in found.operations}
    assert types == {"echo_M": "{urn:t}Root", "echo_N": "{urn:t}Other"}


@pytest.mark.parametrize(("type", "value"), [("xs:int", 7), ("t:Pair", {"a": "1", "b": "2"})])
def test_a_document_part_with_a_type_is_the_content_of_the_body(type: str, value: object) -> None:
    pair = '<xs:complexType name="Pair"><xs:sequence><xs:element name="a" type="xs:string"/><xs:element name="b" type="xs:string"/></xs:sequence></xs:complexType>'
    found = read(wsdl(schema(pair)).replace('element="t:Root"', f'type="{type}"'))
    codec = compile_operation(found, found.operation("echo"))
    sent = codec.encode(value)
    assert [child.tag for child in etree.fromstring(sent)] == ["{http://schemas.xmlsoap.org/soap/envelope/}Body"]
    assert codec.decode(sent) == value


def test_a_wsdl_without_services_offers_its_bindings() -> None:
    text = wsdl(schema(STRING))
    found = read(text[: text.index("<service")] + "</definitions>")
    (operation,) = found.operations
    assert (operation.service, operation.port, operation.address) == ("", "B", "")


def test_what_a_binding_leaves_out_is_literal() -> None:
    text = wsdl(schema(STRING)).replace('<output><soap:body use="literal"/></output>', "")
    found = read(text)
    assert found.operation("echo").output == found.operation("echo").input


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<xs:element name="Root" type="t:Nix"/>', "type {urn:t}Nix is not in the contract"),
        ('<xs:element name="Root" type="xs:nix"/>', "XML Schema has no type nix"),
        ('<xs:element name="Root" type="no:T"/>', "the prefix of no:T is not declared"),
        (root('<xs:sequence><xs:element ref="t:Nix"/></xs:sequence>'), "element {urn:t}Nix is not in the contract"),
        (root('<xs:sequence><xs:element name="a" maxOccurs="many"/></xs:sequence>'), "minOccurs '1' or maxOccurs 'many' is no number"),
        (root('<xs:sequence><xs:any processContents="maybe"/></xs:sequence>'), "processContents 'maybe' is unknown"),
        (root('<xs:group ref="t:G"/>') + '<xs:group name="G"><xs:sequence><xs:group ref="t:G"/></xs:sequence></xs:group>', "contain themselves"),
        (root('<xs:attributeGroup ref="t:A"/>') + '<xs:attributeGroup name="A"><xs:attributeGroup ref="t:A"/></xs:attributeGroup>', "contain themselves"),
        (root('<xs:attribute name="a" type="t:C"/>') + '<xs:complexType name="C"/>', "attribute a has a complex type"),
        (root("<xs:simpleContent><xs:extension base='t:C'/></xs:simpleContent>") + '<xs:complexType name="C"/>', "a type without text"),
        (root("<xs:complexContent><xs:extension base='xs:int'/></xs:complexContent>"), "derived from a simple type"),
        ('<xs:element name="Root" type="t:C"/><xs:complexType name="C" abstract="true"/>', "is abstract and nothing is derived from it"),
        ('<xs:element name="Root" type="t:C"/><xs:complexType name="C"><xs:complexContent><xs:extension base="t:C"/></xs:complexContent></xs:complexType>', "derived from itself"),
        ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:restriction base="xs:string"><xs:pattern value="[z-a"/></xs:restriction></xs:simpleType>', "no XML Schema regular expression"),
        ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:restriction base="xs:string"><xs:maxLength value="-1"/></xs:restriction></xs:simpleType>', "facet maxLength"),
        ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"/>', "has no content"),
        ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:list itemType="t:C"/></xs:simpleType><xs:complexType name="C"/>', "names no simple type"),
        ('<xs:element name="Head" abstract="true"/>' + root('<xs:sequence><xs:element ref="t:Head"/></xs:sequence>'), "abstract and nothing may stand for it"),
        ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:list itemType="xs:QName"/></xs:simpleType>', "QName"),
        ("<xs:element name='Root'><xs:complexType><xs:simpleContent><xs:extension base='xs:QName'/></xs:simpleContent></xs:complexType></xs:element>", "QName"),
        ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:restriction base="xs:int"><xs:minInclusive value="low"/></xs:restriction></xs:simpleType>', "minInclusive"),
    ],
)  # fmt: skip
def test_a_schema_that_does_not_hold_together_costs_only_its_operation(body: str, reason: str) -> None:
    (found,) = reasons(wsdl(schema(body)))
    assert reason in found


def test_files_that_cannot_be_read_are_named_with_their_line() -> None:
    text = wsdl(schema('<xs:include schemaLocation="gone.xsd"/>' + STRING))
    assert finding(text)[2].endswith("gone.xsd cannot be read (No such file or directory)")
    assert finding(wsdl(schema('\n\n<xs:include schemaLocation="a.xsd"/>')), a_xsd="<x>")[:2] == ("a.xsd", 1)
    assert finding(wsdl(schema('\n\n<xs:include schemaLocation="a.xsd"/>')), a_xsd="<x/>")[1:] == (
        5,
        "a.xsd is not an XML schema",
    )
    other = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o"/>'
    assert "another target namespace" in finding(wsdl(schema('<xs:include schemaLocation="a.xsd"/>')), a_xsd=other)[2]
    assert finding("<definitions/>")[2].startswith("this is no WSDL")
    assert finding('<description xmlns="http://www.w3.org/ns/wsdl"/>')[2] == "this is WSDL 2.0"
    assert "not well-formed" in finding("<a")[2]
    assert "no name" in finding(wsdl(schema("<xs:complexType/>")))[2]
    missing = wsdl(schema(STRING)).replace("<types>", '<import namespace="urn:q" location="gone.wsdl"/><types>')
    assert "gone.wsdl" in finding(missing)[2]
    remote = missing.replace("gone.wsdl", "http://127.0.0.1:9/x.wsdl")
    assert "not fetched" in finding(remote)[2]
    with pytest.raises(ConfigError, match="cannot be read"):
        read_contract("/nowhere/at/all.wsdl")


def test_schemas_in_many_files() -> None:
    main = '<xs:include schemaLocation="chameleon.xsd"/><xs:import namespace="urn:o" schemaLocation=".\\other.xsd"/>' + root(
        '<xs:sequence><xs:element name="code" type="t:Code"/><xs:element ref="o:x" xmlns:o="urn:o"/></xs:sequence>'
    )
    chameleon = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:simpleType name="Code"><xs:restriction base="Base"/></xs:simpleType><xs:simpleType name="Base"><xs:restriction base="xs:string"><xs:length value="2"/></xs:restriction></xs:simpleType></xs:schema>'
    other = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:o="urn:o" xmlns:t="urn:t" targetNamespace="urn:o"><xs:import namespace="urn:o" schemaLocation="other.xsd"/><xs:element name="x" type="xs:int"/></xs:schema>'
    found = read(wsdl(schema(main)), chameleon_xsd=chameleon, other_xsd=other)
    codec = compile_operation(found, found.operation("echo"))
    assert codec.decode(codec.encode({"code": "ab", "x": 1})) == {"code": "ab", "x": 1}


def test_redefinition() -> None:
    original = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t" xmlns:t="urn:t" elementFormDefault="qualified"><xs:complexType name="C"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType><xs:group name="G"><xs:sequence><xs:element name="g" type="xs:int"/></xs:sequence></xs:group><xs:element name="Root" type="t:C"/></xs:schema>'
    change = '<xs:redefine schemaLocation="a.xsd"><xs:complexType name="C"><xs:complexContent><xs:extension base="t:C"><xs:sequence><xs:element name="b" type="xs:int"/><xs:group ref="t:G"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType><xs:group name="G"><xs:sequence><xs:group ref="t:G"/><xs:element name="h" type="xs:int"/></xs:sequence></xs:group></xs:redefine>'
    found = read(wsdl(schema(change)), a_xsd=original)
    codec = compile_operation(found, found.operation("echo"))
    value = {"a": 1, "b": 2, "g": 3, "h": 4}
    assert codec.decode(codec.encode(value)) == value


def test_wsdls_that_import_each_other() -> None:
    text = wsdl(schema(STRING))
    service = text[text.index("<service") : text.index("</definitions>")]
    head = text[: text.index("<types>")]
    outer = f'{head}<import namespace="urn:w" location="inner.wsdl"/><import namespace="urn:t" location="types.xsd"/>{service}</definitions>'
    inner = (
        text.replace(service, "")
        .replace(schema(STRING), "")
        .replace("<types>", '<import namespace="urn:w" location="service.wsdl"/><types>')
    )
    found = read(outer, inner_wsdl=inner, types_xsd=schema(STRING))
    assert [operation.name for operation in found.operations] == ["echo"]
    reversed_ = read(
        inner.replace("service.wsdl", "outer.wsdl"),
        outer_wsdl=outer.replace("inner.wsdl", "service.wsdl"),
        types_xsd=schema(STRING),
    )
    assert [operation.name for operation in reversed_.operations] == ["echo"]


def test_both_soap_versions_in_one_file() -> None:
    found = read_contract(Path(__file__).parents[3] / "gateway/demo/erp/contracts/procurement.wsdl")
    assert sorted({operation.version for operation in found.operations}) == ["1.1", "1.2"]
    assert not found.not_offered


def test_a_url_is_read_through_the_operators_own_fetch_and_only_from_there() -> None:
    main = '<xs:include schemaLocation="types/a.xsd"/><xs:import namespace="urn:far" schemaLocation="http://elsewhere.example/x.xsd"/>'
    files = {"http://erp.example/s?wsdl": wsdl(schema(main)).encode(), "http://erp.example/types/a.xsd": schema(STRING).encode()}
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return files[url]

    found = read_contract("http://erp.example/s?wsdl", fetch=fetch)
    assert [operation.name for operation in found.operations] == ["echo"]
    assert asked == list(files)
    with pytest.raises(ConfigError, match="no fetching is configured"):
        read_contract("http://erp.example/s?wsdl")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:9/a.xsd",
        "file:///etc/passwd",
        "/etc/passwd",
        "C:\\\\a.xsd",
        "ftp://x/a.xsd",
        "http://169.254.169.254/a.xsd",
    ],
)
def test_schemas_elsewhere_are_not_read_and_the_operation_says_so(location: str, no_network: None) -> None:
    text = wsdl(
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="urn:t" schemaLocation="{location}"/></xs:schema>'
    )
    (reason,) = reasons(text)
    assert "not fetched" in reason or "only relative ones are read" in reason


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE definitions>",
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_document_types_are_refused(prolog: str, encoding: str, tmp_path: Path, no_network: None) -> None:
    path = tmp_path / "x.wsdl"
    path.write_bytes((prolog + wsdl(schema(STRING))).encode(encoding))
    with pytest.raises(ConfigError, match=r"DOCTYPE|well-formed"):
        read_contract(path)


def test_hostile_files_are_refused_quickly(no_network: None, tmp_path: Path) -> None:
    files = sorted(corpus("security/defusedxml").rglob("*.xml"))
    assert files
    codec = compile_operation(contract(STRING), contract(STRING).operation("echo"))
    for file in files:
        with pytest.raises(ConfigError):
            read_contract(file)
        with pytest.raises(Exception, match="answer") as caught:
            codec.decode(file.read_bytes())
        assert type(caught.value).__name__ == "BadAnswer"


def bound_operations(path: Path) -> int:
    """SOAP binding operations of one file, counted without any of the code under test; each port of a binding counts."""
    tree = etree.parse(str(path))
    total = 0
    ports = [port.get("binding", "").rpartition(":")[2] for port in tree.iter(f"{WSDL}port")]
    for binding in tree.iter(f"{WSDL}binding"):
        if any(child.tag in SOAP for child in binding):
            total += len(binding.findall(f"{WSDL}operation")) * max(1, ports.count(str(binding.get("name"))))
    return total


def test_every_contract_of_the_corpora_compiles_or_says_why(no_network: None) -> None:
    files = sorted(corpus("soap").rglob("*.wsdl"))
    assert len(files) > 150
    offered = 0
    findings: list[Finding] = []
    for file in files:
        try:
            found = read_contract(file)
        except ConfigError as error:
            findings += error.findings
            continue
        assert all(refused.reason for refused in found.not_offered)
        if b"import" not in file.read_bytes():
            assert len(found.operations) + len(found.not_offered) == bound_operations(file), file
        for operation in found.operations:
            compile_operation(found, operation)
            request_schema(found, operation)
            answer_schema(found, operation)
            fault_schemas(found, operation)
            offered += 1
    assert offered > 130
    assert all(found.what and found.remedy for found in findings)


def test_answers_of_the_corpora_are_values_or_problems() -> None:
    codec = compile_operation(contract(STRING), contract(STRING).operation("echo"))
    for file in sorted(corpus("soap").rglob("*.xml")):
        with pytest.raises(Problem) as caught:
            codec.decode(file.read_bytes())
        assert caught.value.status >= 400, file


def test_a_large_number_of_rows_takes_linear_time() -> None:
    body = root(
        '<xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'
    )
    found = contract(body)
    codec = compile_operation(found, found.operation("echo"))
    value = {"$items": [{"a": 1}, {"b": 2}] * 50_000}
    assert codec.decode(codec.encode(value)) == value
    assert codec.decode(envelope("<t:Root><t:a>1</t:a></t:Root>")) == {"$items": [{"a": 1}]}


def test_open_content_knows_no_element_that_cannot_be_read_to_its_end() -> None:
    """It travels as XML; the types it is made of count as unknown too, whatever names them."""
    deep = '<xs:complexType name="Deep"><xs:sequence><xs:element name="x" type="t:Missing" minOccurs="0"/></xs:sequence></xs:complexType>'
    body = deep + '<xs:element name="deep" type="t:Deep"/><xs:element name="good" type="xs:int"/>'
    found = contract(
        body + root('<xs:sequence><xs:any processContents="lax"/><xs:element name="any" minOccurs="0"/></xs:sequence>')
    )
    assert found.not_offered == ()
    assert set(found.elements) == {"{urn:t}good", "{urn:t}Root"}
    assert "{urn:t}Deep" not in found.types
    codec = compile_operation(found, found.operations[0])
    assert codec.decode(envelope("<t:Root><t:good>1</t:good></t:Root>")) == {"$any": {"{urn:t}good": 1}}
    value = codec.decode(envelope("<t:Root><t:deep><t:x>1</t:x></t:deep></t:Root>"))
    assert value == {"$any": {"$xml": '<t:deep xmlns:t="urn:t"><t:x>1</t:x></t:deep>'}}
    assert codec.decode(codec.encode(value)) == value
    with pytest.raises(Unprocessable, match="is no element of the contract"):
        codec.encode({"$any": {"{urn:t}deep": {"x": "1"}}})
    with pytest.raises(Unprocessable, match="names no type"):
        codec.encode({"$any": {"{urn:t}good": 1}, "any": {"$type": "{urn:t}Deep"}})
