"""Requests with a Security header: golden envelopes, judged by another implementation, nothing of a satellite's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree

from gateway.errors import Refused
from gateway.protocols.soap.wsse import Dress, Signer, dress
from gateway.protocols.soap.wsse.signature import ID, SECURITY, TOKEN, WSSE
from gateway.protocols.soap.wsse.username import Username
from tests.protocols.soap.wsse import xmlsec
from tests.protocols.soap.wsse.keys import NOW, SOAP_11, SOAP_12, Counting, certificate, ec_key, envelope, pem, rsa_key, signer
from tests.support import ROOT

GOLDEN = ROOT / "tests/golden/wsse"
ADDRESSED = (
    f'<s:Header><w:Action xmlns:w="{xmlsec.ADDRESSING}">urn:pay</w:Action>'
    f'<w:To xmlns:w="{xmlsec.ADDRESSING}">http://erp.test/</w:To><x:Other xmlns:x="urn:x"/></s:Header>'
)
TEXT, DIGEST = Username("gateway", "p&ss<word>"), Username("gateway", "p&ss<word>", digest=True)


def golden_signer() -> Signer:
    key = serialization.load_pem_private_key((GOLDEN / "key.pem").read_bytes(), None)
    own = x509.load_pem_x509_certificate((GOLDEN / "certificate.pem").read_bytes())
    return signer(key, own)


CASES = {
    "username-text": (envelope(), Dress(TEXT)),
    "username-digest": (envelope(), Dress(DIGEST, ttl=60)),
    "timestamp-soap-1.2-role": (
        envelope(space=SOAP_12),
        Dress(ttl=300, must_understand=False, actor="http://www.w3.org/2003/05/soap-envelope/role/next"),
    ),
    "signed": (envelope(), Dress(ttl=60, signer=golden_signer())),
    "signed-addressed-soap-1.2": (envelope(space=SOAP_12, header=ADDRESSED), Dress(DIGEST, ttl=60, signer=golden_signer())),
}


@pytest.mark.parametrize("name", CASES)
def test_an_envelope_is_dressed_like_its_golden_file(name: str) -> None:
    data, what = CASES[name]
    made = dress(data, what, NOW, Counting())
    assert made.decode() == (GOLDEN / f"{name}.xml").read_text("utf-8").removesuffix("\n")


@xmlsec.needed
@pytest.mark.parametrize(("name", "count"), [("signed", 2), ("signed-addressed-soap-1.2", 5)])
def test_another_implementation_accepts_the_golden_signatures(name: str, count: int, tmp_path: Path) -> None:
    own = (GOLDEN / "certificate.pem").read_bytes()
    message = (GOLDEN / f"{name}.xml").read_bytes()
    assert xmlsec.verify(tmp_path, message, own).startswith(f"OK\nSignedInfo References (ok/all): {count}/{count}\n")
    changed = message.replace(b">7<", b">8<")
    assert "FAIL" in xmlsec.verify(tmp_path, changed, own)


@xmlsec.needed
@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["rsa", "ecdsa"])
@pytest.mark.parametrize("space", [SOAP_11, SOAP_12], ids=["1.1", "1.2"])
def test_another_implementation_accepts_what_every_kind_of_key_signs(key: object, space: str, tmp_path: Path) -> None:
    body = '<a:x xmlns:a="urn:a" xmlns="urn:d" b="&quot;&#9;&#xa;&#13;" t="a:q">&amp;\u4e2d&#13;\n<y/> <![CDATA[<]]></a:x>'
    made = dress(envelope(body, space), Dress(DIGEST, 60, signer(key)), NOW, Counting())
    assert xmlsec.verify(tmp_path, made, pem(certificate(key))).startswith("OK\nSignedInfo References (ok/all): 3/3\n")


def security_of(made: bytes) -> etree._Element:
    blocks = etree.fromstring(made).findall(f"*/{SECURITY}")
    assert len(blocks) == 1
    return blocks[0]


def test_the_header_must_be_understood_and_keeps_the_order_of_its_parts() -> None:
    made = security_of(dress(envelope(), Dress(TEXT, 60, signer(ec_key())), NOW, Counting()))
    names = [etree.QName(child).localname for child in made]
    assert names == ["Timestamp", "BinarySecurityToken", "UsernameToken", "Signature"]
    assert made.get(f"{{{SOAP_11}}}mustUnderstand") == "1"
    plain = security_of(dress(envelope(), Dress(ttl=60, must_understand=False, actor="urn:hub"), NOW, Counting()))
    assert plain.attrib == {f"{{{SOAP_11}}}actor": "urn:hub"}


def test_a_security_header_that_is_there_already_is_not_the_gateways() -> None:
    forged = f'<s:Header><f:Security xmlns:f="{WSSE}"><f:UsernameToken/></f:Security><x xmlns="urn:x"/></s:Header>'
    made = security_of(dress(envelope(header=forged), Dress(ttl=60), NOW, Counting()))
    assert [etree.QName(child).localname for child in made] == ["Timestamp"]


def test_the_ids_are_new_in_every_message() -> None:
    made = {name for _ in range(2) for name in re.findall(rb'Id="([^"]+)"', dress(envelope(), Dress(ttl=1), NOW, Counting()))}
    assert made == set()
    random = Counting()
    first, second = (dress(envelope(), Dress(ttl=60, signer=signer(ec_key())), NOW, random) for _ in range(2))
    ids = [etree.fromstring(data).xpath("//@wsu:Id", namespaces={"wsu": ID[1:].partition("}")[0]}) for data in (first, second)]
    assert len(ids[0]) == 3
    assert not set(ids[0]) & set(ids[1])
    assert security_of(first).find(TOKEN).get(ID) in ids[0]


def test_what_has_no_canonical_form_is_refused_unsent() -> None:
    with pytest.raises(Refused) as caught:
        dress(envelope('<x xmlns="relative"/>'), Dress(signer=signer(ec_key())), NOW, Counting())
    assert not caught.value.sent
    assert dress(envelope('<x xmlns="relative"/>'), Dress(ttl=60), NOW, Counting())


def test_no_secret_is_shown() -> None:
    shown = repr(Dress(DIGEST, 60, signer(rsa_key())))
    assert "p&ss" not in shown
    assert "gateway" in shown
    assert "RSA" not in shown
