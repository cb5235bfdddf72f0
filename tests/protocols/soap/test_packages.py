# ruff: noqa: E501  (a schema reads best on one line)
"""MTOM both ways and attachments inwards: the JSON is the same as if everything had travelled inline."""

from __future__ import annotations

import base64
import json
from email import message_from_bytes
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadAnswer, FaultServer, UpstreamProblem
from gateway.protocols.soap import Codec, Contract, Packages, answer_schema, compile_operation, request_schema, resolve
from gateway.protocols.soap.packages import SMALLEST, with_attachments
from tests.protocols.soap.wsdls import ENVELOPE_12, attached, contract, envelope, read, root, schema, wsdl

XOP = "http://www.w3.org/2004/08/xop/include"
SWA = "http://ws-i.org/profiles/basic/1.1/xsd"
EVERYWHERE = (
    '<xs:complexType name="File"><xs:sequence><xs:element name="Data" type="xs:base64Binary" nillable="true"/></xs:sequence></xs:complexType>'
    '<xs:complexType name="Named"><xs:complexContent><xs:extension base="t:File"><xs:sequence><xs:element name="More" type="xs:base64Binary" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>'
    '<xs:complexType name="Typed"><xs:simpleContent><xs:extension base="xs:base64Binary"><xs:attribute name="kind" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType>'
    '<xs:element name="Known" type="xs:base64Binary"/>'
    + root(
        '<xs:sequence><xs:element name="File" type="t:File"/><xs:element name="Typed" type="t:Typed" minOccurs="0"/><xs:element name="Text" type="xs:string"/>'
        '<xs:element name="Hex" type="xs:hexBinary" minOccurs="0"/><xs:element name="Anything" minOccurs="0"/><xs:any namespace="##any" processContents="lax" minOccurs="0"/></xs:sequence>'
    )
)
FOUND = contract(EVERYWHERE)
CODEC = compile_operation(FOUND, FOUND.operation("echo"))
MTOM = Packages(FOUND, CODEC, mtom=True)
binary = st.one_of(st.binary(max_size=40), st.binary(min_size=SMALLEST, max_size=SMALLEST + 40)).map(
    lambda data: base64.b64encode(data).decode()
)


def named(value: dict[str, Any]) -> dict[str, Any]:
    return {"$type": "{urn:t}Named", **value}


values = st.fixed_dictionaries(
    {
        "File": st.one_of(
            st.fixed_dictionaries({"Data": st.one_of(st.none(), binary)}),
            st.fixed_dictionaries({"Data": binary}, optional={"More": st.lists(binary, min_size=1, max_size=3)}).map(named),
        ),
        "Text": st.one_of(binary, st.just("cid:1")),
    },
    optional={
        "Typed": st.fixed_dictionaries({"$value": binary}, optional={"@kind": st.just("k")}),
        "Hex": st.just("00FF" * 800),
        "Anything": binary.map(lambda text: {"$type": "{http://www.w3.org/2001/XMLSchema}base64Binary", "$value": text}),
        "$any": binary.map(lambda text: {"{urn:t}Known": text}),
    },
)


def package(root: str | bytes, *parts: tuple[str, bytes], kind: str = "application/xop+xml") -> tuple[str, bytes]:
    pieces = [f"--b\r\nContent-Type: {kind}\r\n\r\n".encode(), root.encode() if isinstance(root, str) else root]
    for id, content in parts:
        field = f"Content-ID: {id}\r\n" if id else ""
        pieces += [f"\r\n--b\r\nContent-Type: image/tiff\r\n{field}\r\n".encode(), content]
    return f'multipart/related; boundary=b; type="{kind}"', b"".join([*pieces, b"\r\n--b--\r\n"])


def unpacked(packages: Packages, codec: Codec, *made: Any, **said: str) -> Any:
    text, attachments = packages.unpack(*package(*made, **said))
    value = codec.decode(text)
    return with_attachments(value, attachments) if packages.attachments else value


# --- sending -----------------------------------------------------------------------------------------------------------------


@given(value=values)
def test_what_is_packed_unpacks_to_the_same_value(value: dict[str, Any]) -> None:
    rendered = CODEC.encode(value)
    packed = MTOM.pack(rendered)
    assert packed is not None
    text, attachments = MTOM.unpack(packed[0].decode(), packed[1])
    assert (CODEC.decode(text), attachments) == (CODEC.decode(rendered), [])
    assert MTOM.pack(rendered) == packed


@given(value=values)
def test_exactly_the_large_binaries_of_the_contract_become_parts(value: dict[str, Any]) -> None:
    packed = MTOM.pack(CODEC.encode(value))
    assert packed is not None
    file = value["File"]
    binaries = [
        file["Data"] or "",
        *file.get("More", ()),
        value.get("Typed", {}).get("$value", ""),
        value.get("Anything", {}).get("$value", ""),
    ]
    binaries += value.get("$any", {}).values()
    large = [data for data in map(base64.b64decode, binaries) if len(data) >= SMALLEST]
    whole: Any = message_from_bytes(b"Content-Type: " + packed[0] + b"\r\n\r\n" + packed[1])
    assert sorted(part.get_payload(decode=True) for part in whole.get_payload()[1:]) == sorted(large)
    assert {part["content-transfer-encoding"] for part in whole.get_payload()[1:]} <= {"binary"}


def test_an_mtom_request_on_the_wire() -> None:
    """XOP 1.0 section 4.1, the SOAP 1.1 binding for MTOM 1.0."""
    found = contract(EVERYWHERE)
    codec = compile_operation(found, found.operation("echo"))
    packed = Packages(found, codec, mtom=True).pack(codec.encode({"File": {"Data": "AAAA" * 300}, "Text": "x"}))
    assert packed is not None
    whole: Any = message_from_bytes(b"Content-Type: " + packed[0] + b"\r\n\r\n" + packed[1])
    (first, second), start = whole.get_payload(), whole.get_param("start")
    assert (whole.get_content_type(), whole.get_param("type"), whole.get_param("start-info")) == (
        "multipart/related",
        "application/xop+xml",
        "text/xml",
    )
    assert first.get_params() == [("application/xop+xml", ""), ("charset", "utf-8"), ("type", "text/xml")]
    assert (first["content-id"], first["content-transfer-encoding"]) == (start, "binary")
    reference = f'<xop:Include xmlns:xop="{XOP}" href="cid:{second["content-id"][1:-1]}"/>'
    assert reference in first.get_payload()
    assert second.get_payload(decode=True) == bytes(900)


def test_the_action_of_soap_1_2_is_where_servers_look_for_it() -> None:
    found = contract(EVERYWHERE, soap="soap12")
    codec = compile_operation(found, found.operation("echo"))
    packed = Packages(found, codec, mtom=True).pack(codec.encode({"File": {"Data": None}, "Text": "x"}))
    assert packed is not None
    whole: Any = message_from_bytes(b"Content-Type: " + packed[0] + b"\r\n\r\n" + packed[1])
    said = 'application/soap+xml; action="urn:echo"'
    assert (whole.get_param("start-info"), whole.get_param("action")) == (said, "urn:echo")
    assert whole.get_payload()[0].get_param("type") == said
    assert len(whole.get_payload()) == 1


def test_without_mtom_nothing_is_packed() -> None:
    plain = Packages(FOUND, CODEC)
    assert not plain.packs
    assert plain.pack(CODEC.encode({"File": {"Data": "AAAA" * 300}, "Text": "x"})) is None
    assert MTOM.packs


def test_base64_that_is_not_canonical_stays_where_it_is() -> None:
    spaced = "AAAA " * 300
    packed = MTOM.pack(CODEC.encode({"File": {"Data": spaced}, "Text": "x"}))
    assert packed is not None
    assert spaced.strip().encode() in packed[1]


SWA_IMPORT = f'<xs:import namespace="{SWA}" schemaLocation="http://ws-i.org/profiles/basic/1.1/swaref.xsd"/>'


def swa(content: str) -> tuple[Contract, Codec]:
    body = schema(SWA_IMPORT + root(content)).replace("<xs:schema ", f'<xs:schema xmlns:ref="{SWA}" ')
    found = read(wsdl(body))
    return found, compile_operation(found, found.operation("echo"))


def test_a_reference_to_an_attachment_both_ways() -> None:
    """WS-I Attachments Profile 1.0 section 4.4: the element holds a cid URL, the value is the attachment."""
    found, codec = swa('<xs:sequence><xs:element name="Scan" type="ref:swaRef" maxOccurs="2"/></xs:sequence>')
    packages = Packages(found, codec)
    rendered = codec.encode({"Scan": ["AAE=", ""]})
    packed = packages.pack(rendered)
    assert packages.packs
    assert packed is not None
    whole: Any = message_from_bytes(b"Content-Type: " + packed[0] + b"\r\n\r\n" + packed[1])
    assert (whole.get_param("type"), whole.get_payload()[0].get_content_type()) == ("text/xml", "text/xml")
    assert [part.get_payload(decode=True) for part in whole.get_payload()[1:]] == [b"\x00\x01", b""]
    text, _ = packages.unpack(packed[0].decode(), packed[1])
    assert codec.decode(text) == {"Scan": ["AAE=", ""]}
    described = answer_schema(found, found.operation("echo")) or {}
    assert '"contentEncoding": "base64"' in json.dumps(described)


@pytest.mark.parametrize(
    "where",
    [
        '<xs:attribute name="a" type="ref:swaRef"/>',
        '<xs:sequence><xs:element name="a"><xs:simpleType><xs:restriction base="ref:swaRef"/></xs:simpleType></xs:element></xs:sequence>',
    ],
)
def test_where_a_reference_cannot_be_followed_the_operation_is_not_offered(where: str) -> None:
    body = schema(SWA_IMPORT + root(where)).replace("<xs:schema ", f'<xs:schema xmlns:ref="{SWA}" ')
    (refused,) = read(wsdl(body)).not_offered
    assert refused.reason in ("attribute a refers to an attachment", "a type is derived from swaRef")


def test_the_standards_own_types_need_no_fetching() -> None:
    body = schema(
        '<xs:import namespace="http://www.w3.org/2005/05/xmlmime" schemaLocation="http://www.w3.org/2005/05/xmlmime"/>'
        + root(
            '<xs:sequence><xs:element name="P" type="m:base64Binary"/><xs:element name="D" type="a:DataHandler"/></xs:sequence>'
        )
    ).replace("<xs:schema ", '<xs:schema xmlns:m="http://www.w3.org/2005/05/xmlmime" xmlns:a="http://xml.apache.org/xml-soap" ')
    found = read(wsdl(body))
    codec = compile_operation(found, found.operation("echo"))
    value = {"P": {"@contentType": "image/png", "$value": "AAAA" * 300}, "D": "AAAA" * 300}
    packages = Packages(found, codec, mtom=True)
    packed = packages.pack(codec.encode(value))
    assert packed is not None
    assert packed[1].count(b"Content-ID") == 3
    text, _ = packages.unpack(packed[0].decode(), packed[1])
    assert codec.decode(text) == value


# --- receiving ---------------------------------------------------------------------------------------------------------------

FILE = root('<xs:sequence><xs:element name="F" type="xs:base64Binary" maxOccurs="unbounded"/></xs:sequence>')
ONE = contract(FILE)
ONE_CODEC = compile_operation(ONE, ONE.operation("echo"))
ONE_PACKAGES = Packages(ONE, ONE_CODEC)


def include(*hrefs: str, inside: str = "{}") -> bytes:
    files = "".join("<t:F>" + inside.format(f'<x:Include href="{href}"/>') + "</t:F>" for href in hrefs)
    return envelope(f"<t:Root>{files}</t:Root>", head=f'xmlns:x="{XOP}"')


@pytest.mark.parametrize(
    ("href", "id"),
    [
        ("cid:a@b", "<a@b>"),
        ("cid:a%40b", "<a@b>"),
        ("cid:%E4%BD%A0", "<你>"),
        ("cid:a%2Bb+c", "<a+b+c>"),
        ("cid:a%40b", "<a%40b>"),
        ("cid:http%3A//x/1", "<http://x/1>"),
        ("cid:a", "a"),
    ],
)
def test_content_ids_are_percent_encoded_in_references(href: str, id: str) -> None:
    assert unpacked(ONE_PACKAGES, ONE_CODEC, include(href), (id, b"\x00\x01")) == {"F": ["AAE="]}


def test_an_answer_with_parts_looks_like_one_without() -> None:
    inline = ONE_CODEC.decode(envelope("<t:Root><t:F>AAE=</t:F><t:F>Ag==</t:F><t:F></t:F></t:Root>"))
    parts = (("<2>", b"\x02"), ("<1>", b"\x00\x01"), ("<unused>", b"x"), ("<3>", b""))
    assert unpacked(ONE_PACKAGES, ONE_CODEC, include("cid:1", "cid:2", "cid:3"), *parts) == inline
    assert unpacked(ONE_PACKAGES, ONE_CODEC, include("cid:1", inside="\n {}\n "), ("<1>", b"\x00\x01")) == {"F": ["AAE="]}


def test_the_root_of_an_answer_may_be_in_another_encoding() -> None:
    utf16 = ('<?xml version="1.0" encoding="utf-16"?>' + include("cid:1").decode()).encode("utf-16")
    assert unpacked(ONE_PACKAGES, ONE_CODEC, utf16, ("<1>", b"\x00")) == {"F": ["AA=="]}


def test_a_fault_in_a_multipart_is_a_fault() -> None:
    fault = envelope("<e:Fault><faultcode>e:Server</faultcode><faultstring>Closed</faultstring></e:Fault>")
    for kind in ("text/xml", "application/xop+xml"):
        with pytest.raises(FaultServer, match="Closed"):
            unpacked(ONE_PACKAGES, ONE_CODEC, fault, ("<1>", b"x"), kind=kind)


def wrong(root: bytes, *parts: tuple[str, bytes], **said: str) -> str:
    with pytest.raises(BadAnswer) as caught:
        unpacked(ONE_PACKAGES, ONE_CODEC, root, *parts, **said)
    return caught.value.detail


@pytest.mark.parametrize(
    ("href", "what"),
    [
        ("cid:2", "part that is not there"),
        ("cid:", "part that is not there"),
        ("", "part that is not there"),
        ("1", "part that is not there"),
        ("http://127.0.0.1/x", "part that is not there"),
        ("file:///etc/passwd", "part that is not there"),
        ("cid:root", "part that is not there"),
    ],
)
def test_only_parts_of_the_message_can_be_included(href: str, what: str) -> None:
    assert what in wrong(include(href), ("<1>", b"x"))


def test_the_root_is_no_part_of_itself() -> None:
    kind = 'multipart/related; boundary=b; start="<0>"'
    data = b"--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <0>\r\n\r\n" + include("cid:0") + b"\r\n--b--"
    with pytest.raises(BadAnswer, match="part that is not there"):
        ONE_PACKAGES.unpack(kind, data)


@pytest.mark.parametrize("inside", ["x{}", "{}x", "{}<t:G/>", "<t:G/>{}", "{0}{0}"])
def test_an_include_stands_alone(inside: str) -> None:
    assert "not alone" in wrong(include("cid:1", inside=inside), ("<1>", b"x"))


def test_what_cannot_be_the_root() -> None:
    assert "is not SOAP" in wrong(b"<html/>", kind="text/html")
    assert "is not SOAP" in wrong(b"--bb--", kind="multipart/related; boundary=bb")
    assert "document type" in wrong(b"<!DOCTYPE x>" + include("cid:1"), ("<1>", b"x"))
    assert "well-formed" in wrong(include("cid:1")[:-3], ("<1>", b"x"))
    assert "does not fit" in wrong(include("cid:1"), ("<1>", b"x"), kind="text/xml")


def test_one_part_may_be_named_often_but_not_to_fill_the_memory() -> None:
    assert unpacked(ONE_PACKAGES, ONE_CODEC, include("cid:1", "cid:1"), ("<1>", b"\x00")) == {"F": ["AA==", "AA=="]}
    assert "unfolds into far more" in wrong(include(*["cid:1"] * 1000), ("<1>", bytes(1_000_000)))


def test_many_parts() -> None:
    count = 990
    parts = [(f"<{n}>", bytes(4_000)) for n in range(count)]
    value = unpacked(ONE_PACKAGES, ONE_CODEC, include(*[f"cid:{n}" for n in range(count)]), *parts)
    assert len(value["F"]) == count


# --- attachments -------------------------------------------------------------------------------------------------------------


def with_scan(output: str) -> tuple[Contract, Codec, Packages]:
    found = read(attached(schema(output), "output"))
    codec = compile_operation(found, found.operation("echo"))
    return found, codec, Packages(found, codec)


@pytest.mark.parametrize(
    ("output", "text", "value"),
    [
        (root('<xs:sequence><xs:element name="N" type="xs:int"/></xs:sequence>'), "<t:Root><t:N>1</t:N></t:Root>", {"N": 1}),
        ('<xs:element name="Root" type="xs:string"/>', "<t:Root>one</t:Root>", {"$value": "one"}),
        ('<xs:element name="Root" type="xs:string" nillable="true"/>', '<t:Root i:nil="1"/>', {"$value": None}),
    ],
)
def test_attachments_nobody_refers_to(output: str, text: str, value: dict[str, Any]) -> None:
    found, codec, packages = with_scan(output)
    described = jsonschema.Draft202012Validator(answer_schema(found, found.operation("echo")) or {})
    text = envelope(text, head='xmlns:i="http://www.w3.org/2001/XMLSchema-instance"').decode()
    got = unpacked(packages, codec, text, ("<scan=1@x>", b"\x00\x01"), ("", b""), kind="text/xml")
    items = [
        {"id": "scan=1@x", "contentType": "image/tiff", "content": "AAE="},
        {"id": "", "contentType": "image/tiff", "content": ""},
    ]
    assert got == {**value, "$attachments": items}
    described.validate(got)
    described.validate(with_attachments(codec.decode(text.encode()), []))


def test_a_field_table_may_take_the_attachments_whole() -> None:
    found, _, _ = with_scan(FILE)
    field = resolve(found, found.operation("echo"), "answer", "$attachments")
    assert field is not None
    assert (field.repeated, field.required) == (True, True)
    assert resolve(found, found.operation("echo"), "answer", "$attachments[].id") is None
    assert resolve(found, found.operation("echo"), "request", "$attachments") is None
    assert resolve(ONE, ONE.operation("echo"), "answer", "$attachments") is None


@pytest.mark.parametrize("file", ["<t:F>cid:1</t:F>", "<t:F> cid:1 </t:F>", '<t:F href="cid:1"/>', '<t:F href="cid:%31"></t:F>'])
def test_attachments_a_binary_element_refers_to(file: str) -> None:
    root = envelope(f"<t:Root>{file}</t:Root>")
    assert unpacked(ONE_PACKAGES, ONE_CODEC, root, ("<1>", b"\x00\x01"), kind="text/xml") == {"F": ["AAE="]}
    assert "part that is not there" in wrong(root, ("<2>", b"\x00"), kind="text/xml")


def test_text_that_looks_like_a_reference_is_text() -> None:
    found = contract('<xs:element name="Root" type="xs:string"/>')
    codec = compile_operation(found, found.operation("echo"))
    packages = Packages(found, codec)
    assert unpacked(packages, codec, envelope("<t:Root>cid:1</t:Root>"), ("<1>", b"x"), kind="text/xml") == "cid:1"


def test_an_encoded_answer_refers_to_attachments_as_it_refers_to_anything() -> None:
    """SOAP with Attachments section 3: ``href`` is that of SOAP 1.1 section 5.4.1, also behind other references."""
    text = wsdl("", style="rpc").replace('use="literal"', 'use="encoded" namespace="urn:r"')
    text = text.replace(
        '<part name="p" element="t:Root"/>', '<part name="a" type="xs:base64Binary"/><part name="b" type="xs:base64Binary"/>'
    )
    found = read(text)
    codec = compile_operation(found, found.operation("echo"))
    body = '<r:echoResponse xmlns:r="urn:r"><a href="cid:1"/><b href="#i"/></r:echoResponse><m id="i" href="cid:2"/>'
    got = unpacked(Packages(found, codec), codec, envelope(body), ("<1>", b"\x00\x01"), ("<2>", b"\x02"), kind="text/xml")
    assert got == {"a": "AAE=", "b": "Ag=="}


def test_soap_1_2_with_attachments() -> None:
    found = contract(FILE, soap="soap12")
    codec = compile_operation(found, found.operation("echo"))
    body = envelope("<t:Root><t:F>cid:1</t:F></t:Root>", space=ENVELOPE_12)
    assert unpacked(Packages(found, codec), codec, body, ("<1>", b"\x00"), kind="application/soap+xml") == {"F": ["AA=="]}


def test_attachments_of_a_request_are_no_part_of_its_value() -> None:
    found = read(attached(schema(FILE), "input"))
    operation = found.operation("echo")
    assert (operation.input.attachments, operation.output and operation.output.attachments) == (True, False)
    assert "$attachments" not in json.dumps([request_schema(found, operation), answer_schema(found, operation)])


# --- hostile -----------------------------------------------------------------------------------------------------------------

HONEST = package(include("cid:1", "cid:2"), ("<1>", b"\x00\x01"), ("<2>", b"\r\n--"))
pieces = st.sampled_from(
    [b"", b"--b", b"\r\n", b"\n", b"cid:1", b"<", b">", b'"', b"<x:Include", b"\xff", b"Content-ID: <1>", b"="]
)


@given(
    place=st.integers(0, len(HONEST[1])),
    length=st.integers(0, 40),
    piece=pieces,
    cut=st.one_of(st.none(), st.integers(0, len(HONEST[1]))),
)
def test_a_damaged_answer_is_read_or_refused_and_nothing_else(place: int, length: int, piece: bytes, cut: int | None) -> None:
    data = HONEST[1][:place] + piece + HONEST[1][place + length :]
    try:
        text, _ = ONE_PACKAGES.unpack(HONEST[0], data[:cut])
        assert "F" in str(ONE_CODEC.decode(text))
    except UpstreamProblem as problem:
        assert "\x00" not in problem.detail  # noqa: PT017


@given(kind=st.text(st.sampled_from('multipart/related; boundary="b";type=text\\xml\r\n\x00é'), max_size=60))
def test_a_damaged_content_type_is_read_or_refused_and_nothing_else(kind: str) -> None:
    with pytest.raises(BadAnswer):
        ONE_PACKAGES.unpack(kind, b"--c\r\n\r\n<x/>\r\n--c--")


def test_references_deep_in_the_tree_and_long_ones() -> None:
    deep = envelope("<t:Root>" + 5_000 * "<t:F>" + 5_000 * "</t:F>" + "</t:Root>cid:").decode()
    assert "well-formed" in wrong(deep.encode(), ("<1>", b"x"), kind="text/xml")
    assert "part that is not there" in wrong(include("cid:" + "%41" * 100_000), ("<1>", b"x"))
