"""Envelopes from anybody: read as SOAP means them, or refused with a reason, whatever they are made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, Problem, Unauthenticated
from gateway.protocols.facade.envelope import Envelope, open_envelope, response_header

SPACES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
ROLES = {"1.1": "http://schemas.xmlsoap.org/soap/actor/next", "1.2": "http://www.w3.org/2003/05/soap-envelope/role/next"}
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSA = "http://www.w3.org/2005/08/addressing"
TYPE = "text/xml; charset=utf-8"


def corpus(name: str) -> Path:
    root = os.environ.get("GATEWAY_CORPORA")
    if not root:
        assert not os.environ.get("CI"), "GATEWAY_CORPORA must be set in CI"
        pytest.skip("GATEWAY_CORPORA is not set")
    return Path(root, name)


def envelope(body: str = "<a/>", header: str = "", version: str = "1.1", declaration: str = "") -> str:
    head = f"<e:Header>{header}</e:Header>" if header else ""
    spaces = f'xmlns:e="{SPACES[version]}" xmlns:s="{WSSE}" xmlns:w="{WSA}"'
    return f"{declaration}<e:Envelope {spaces}>{head}<e:Body>{body}</e:Body></e:Envelope>"


def read(text: str | bytes, kind: str = TYPE) -> Envelope:
    return open_envelope(text.encode() if isinstance(text, str) else text, kind, 0.0)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_one_element_in_the_body(version: str) -> None:
    found = read(envelope("\n <a xmlns='urn:x'>1<!-- -->2</a>\n ", version=version))
    assert (found.version, found.content.tag, found.content.text) == (version, "{urn:x}a", "12")
    assert (found.token, found.addressing) == (None, None)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (envelope("<a>漢</a>").encode("utf-16"), "text/xml; charset=utf-16"),
        (envelope("<a>漢</a>").encode("utf-16"), "text/xml"),
        (envelope("<a>漢</a>").encode("utf-8-sig"), TYPE),
        (envelope("<a>漢</a>").encode("gb18030"), 'text/xml; charset="GB18030"'),
        (envelope("<a>漢</a>", declaration='<?xml version="1.0" encoding="gbk"?>').encode("gbk"), "text/xml"),
        (envelope("<a>漢</a>", declaration='<?xml version="1.0" encoding="utf-8"?>').encode("gbk"), "text/xml; charset=gbk"),
    ],
)
def test_honest_encodings(data: bytes, kind: str) -> None:
    assert read(data, kind).content.text == "漢"


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", TYPE, "well-formed"),
        (b"not xml", TYPE, "well-formed"),
        (b"<a/>", TYPE, "no SOAP envelope"),
        (envelope()[:-3].encode(), TYPE, "well-formed"),
        (envelope("").encode(), TYPE, "is empty"),
        (envelope("text").encode(), TYPE, "is empty"),
        (envelope("<a/><b/>").encode(), TYPE, "more than one element"),
        (envelope().replace("</e:Body>", "</e:Body><e:Body><b/></e:Body>").encode(), TYPE, "one body"),
        (envelope().replace("</e:Body>", "</e:Body><x/>").encode(), TYPE, "nothing else"),
        (envelope().replace("<e:Body>", "<x/><e:Body>").encode(), TYPE, "nothing else"),
        (envelope("<a><?php x?></a>").encode(), TYPE, "processing instruction"),
        (envelope(declaration="<?xml-stylesheet href='x'?>").encode(), TYPE, "processing instruction"),
        (envelope("<a>&x;</a>").encode(), TYPE, "well-formed"),
        (envelope("<a>" * 300 + "</a>" * 300).encode(), TYPE, "nested too deep"),
        (envelope("<a>\x01</a>").encode(), TYPE, "well-formed"),
        (envelope("<a>&#1;</a>").encode(), TYPE, "well-formed"),
        (b"\xff\xfe<\x00a", TYPE, "utf-16"),
        (envelope("<a>\xe9</a>").encode("latin-1"), TYPE, "well-formed"),
        (envelope().encode(), "text/xml; charset=utf-7", "encoding that is not supported"),
        (envelope().encode("cp037"), "text/xml; charset=cp037", "encoding that is not supported"),
        (envelope(declaration='<?xml version="1.0" encoding="cp037"?>').encode(), TYPE, "encoding that is not supported"),
        (envelope("<a>漢</a>").encode("gbk")[:-30] + b"\x81", "text/xml; charset=gbk", "not valid gbk"),
    ],
)
def test_what_is_no_envelope(data: bytes, kind: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason) as refused:
        read(data, kind)
    assert "answer" not in refused.value.detail


def test_a_version_that_does_not_exist() -> None:
    with pytest.raises(BadRequest) as refused:
        read(envelope().replace(SPACES["1.1"], "urn:soap:3"))
    assert refused.value.extensions == {"fault_code": "VersionMismatch"}


# --- headers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "understood"),
    [
        ("", True),
        ('e:mustUnderstand="0"', True),
        ('e:mustUnderstand="1"', False),
        ('e:mustUnderstand="true"', False),
        ('e:mustUnderstand="1" e:actor="urn:somebody-else"', True),
        ('e:mustUnderstand="1" e:actor="{next}"', False),
        ('e:mustUnderstand="1" e:actor=""', False),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_headers_that_must_be_understood(attributes: str, understood: bool, version: str) -> None:
    attributes = attributes.format(next=ROLES[version])
    if version == "1.2":
        attributes = attributes.replace("e:actor", "e:role")
    message = envelope(header=f'<x:tx xmlns:x="urn:x" {attributes}/>', version=version)
    if understood:
        assert read(message).content.tag == "a"
        return
    with pytest.raises(BadRequest, match=r"\{urn:x\}tx") as refused:
        read(message)
    assert refused.value.extensions == {"fault_code": "MustUnderstand"}


def token(user: str = "oa", secret: str = "s") -> str:
    return f"<s:UsernameToken><s:Username>{user}</s:Username><s:Password>{secret}</s:Password></s:UsernameToken>"


def test_a_user_name_and_a_password() -> None:
    found = read(envelope(header=f'<s:Security e:mustUnderstand="1">{token()}</s:Security>')).token
    assert found is not None
    assert (found.username, found.password) == ("oa", "s")
    assert "'s'" not in repr(found)


def test_two_security_headers_are_one_too_many() -> None:
    with pytest.raises(Unauthenticated) as refused:
        read(envelope(header=f"<s:Security>{token()}</s:Security><s:Security>{token('crm')}</s:Security>"))
    assert refused.value.extensions == {"fault_code": "InvalidSecurity"}
    other = f'<s:Security>{token()}</s:Security><s:Security e:actor="urn:other">{token("crm")}</s:Security>'
    found = read(envelope(header=other)).token
    assert found is not None
    assert found.username == "oa"


def test_addressing() -> None:
    reply_to = f"<w:ReplyTo><w:Address>{WSA}/anonymous</w:Address></w:ReplyTo>"
    header = f"{reply_to}<w:MessageID>\n urn:uuid:1 </w:MessageID><w:Action e:mustUnderstand='1'>urn:a</w:Action><w:To>x</w:To>"
    found = read(envelope(header=header)).addressing
    assert found is not None
    assert (found.space, found.message_id, found.action) == (WSA, "urn:uuid:1", "urn:a")
    told = response_header(found, "urn:s", "createResponse")
    assert "<wsa:RelatesTo" in told
    assert "urn:uuid:1" in told
    assert "urn:s:createResponse" in told
    assert response_header(None, "urn:s", "createResponse") == ""


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("<w:ReplyTo><w:Address>http://127.0.0.1:1/</w:Address></w:ReplyTo>", "OnlyAnonymousAddressSupported"),
        ("<w:FaultTo/>", "OnlyAnonymousAddressSupported"),
        ("<w:MessageID>1</w:MessageID><w:MessageID>2</w:MessageID>", "InvalidAddressingHeader"),
    ],
)
def test_addressing_that_is_not_served(header: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(envelope(header=header))
    assert refused.value.extensions == {"fault_code": code}


# --- hostile files -----------------------------------------------------------------------------------------------------


def hostile() -> list[bytes]:
    """Each file of the corpus as it is, and its document type in front of an envelope that uses its entities."""
    files = sorted(corpus("security/defusedxml").rglob("*.x*"))
    assert len(files) > 8
    found = [file.read_bytes() for file in files]
    for data in list(found):
        start, end = data.find(b"<!DOCTYPE"), data.find(b"]>")
        if start >= 0 and end > start:
            entity = b"&%b;" % (data.split(b"<!ENTITY ")[-1].split(b" ")[0] if b"<!ENTITY" in data else b"amp")
            found.append(data[start : end + 2] + envelope("<a>ENTITY</a>").encode().replace(b"ENTITY", entity))
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_the_corpus_of_hostile_files(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr("socket.socket.connect", refuse)
    for data in hostile():
        kind = TYPE if encoding == "utf-8" else "text/xml"
        with pytest.raises(BadRequest):
            read(data if encoding == "utf-8" else data.decode().encode(encoding), kind)


@given(st.binary(max_size=200), st.sampled_from([TYPE, "text/xml", "text/xml; charset=utf-16", "text/xml; charset=gbk"]))
def test_any_bytes_are_refused_as_a_problem(data: bytes, kind: str) -> None:
    with pytest.raises(Problem):
        read(data, kind)


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_changed_byte_is_read_or_refused(place: int, byte: int) -> None:
    data = bytearray(envelope(header=f"<s:Security>{token()}</s:Security><w:MessageID>1</w:MessageID>").encode())
    data[place % len(data)] = byte
    try:
        content = read(bytes(data)).content
    except Problem:
        return
    assert len(content) == 0
