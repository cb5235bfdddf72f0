"""Answers that prove what they say, and every way known to make one look so that does not.

The attacks are those of the literature on signature wrapping (McIntosh and Austel 2005, Gajek et al. 2009, Somorovsky et al.
2012): the signed original is kept where the verifier finds it, and other content put where the reader looks.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import BadAnswer, UntrustedAnswer
from gateway.protocols.soap.wsse import Dress, Trust, Unverified, dress, verified
from gateway.protocols.soap.wsse.signature import (
    DS,
    EXCLUSIVE,
    ID,
    SECURITY,
    SIGNATURE,
    TIMESTAMP,
    TOKEN,
    WSSE,
    WSU,
    canonical,
    sign,
)
from gateway.protocols.soap.wsse.username import Username
from tests.protocols.soap.wsse import xmlsec
from tests.protocols.soap.wsse.keys import (
    NOW,
    SOAP_11,
    SOAP_12,
    Counting,
    certificate,
    ec_key,
    envelope,
    pem,
    rsa_key,
    signed,
    signer,
)

OWN = certificate(rsa_key())
PINNED = Trust(certificates=(OWN,))
FORGED = '<a:Booked xmlns:a="urn:a"><a:number>666</a:number></a:Booked>'


def refusal(message: bytes, trust: Trust = PINNED, now: float = NOW) -> str:
    """Why an answer is not believed."""
    with pytest.raises(UntrustedAnswer) as caught:
        verified(message, trust, now)
    assert isinstance(caught.value.__cause__, Unverified)
    assert caught.value.detail == "The ERP's answer is not signed as it has to be."
    return str(caught.value.__cause__)


def numbers(message: bytes) -> list[str]:
    """What a reader finds in the Body of a message."""
    root = etree.fromstring(message)
    space = etree.QName(root).namespace
    return [node.text for node in root.findall(f"{{{space}}}Body/{{urn:a}}Booked/{{urn:a}}number")]


# --- what is believed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [SOAP_11, SOAP_12], ids=["1.1", "1.2"])
@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["rsa", "ecdsa"])
def test_a_signed_answer_is_read(key: Any, space: str) -> None:
    own = certificate(key)
    assert numbers(verified(signed(envelope(space=space), key, own=own), Trust(certificates=(own,)), NOW)) == ["7"]


def test_only_what_is_signed_is_read() -> None:
    header = f'<s:Header><w:Action xmlns:w="{xmlsec.ADDRESSING}">urn:a</w:Action><x:Other xmlns:x="urn:x"/></s:Header>'
    read = etree.fromstring(verified(signed(envelope(header=header)), PINNED, NOW))
    assert [etree.QName(child).localname for child in read[0]] == ["Action"]


def test_one_of_several_pinned_certificates_is_enough() -> None:
    other = certificate(rsa_key(name="next"))
    assert numbers(verified(signed(), Trust(certificates=(other, OWN)), NOW)) == ["7"]


def test_a_security_header_for_somebody_else_is_not_looked_at() -> None:
    root = etree.fromstring(signed())
    etree.SubElement(root[0], SECURITY, {f"{{{SOAP_11}}}actor": "urn:another-hop"})
    assert numbers(verified(etree.tostring(root), PINNED, NOW)) == ["7"]


def test_a_username_token_in_the_answer_may_be_signed_too() -> None:
    made = dress(envelope(), Dress(Username("erp", "x"), 60, signer(rsa_key())), NOW, Counting())
    assert numbers(verified(made, PINNED, NOW)) == ["7"]


TEMPLATE = (
    '<S:Envelope xmlns:S="{space}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:u="{wsu}" xmlns="urn:default"><S:Header>'
    '<o:Security S:mustUnderstand="1" xmlns:o="{wsse}"><u:Timestamp u:Id="_0"><u:Created>2026-11-22T11:59:58.123Z</u:Created>'
    "<u:Expires>2026-11-22T13:04:58.123+01:00</u:Expires></u:Timestamp>"
    '<Signature xmlns="{ds}"><SignedInfo><CanonicalizationMethod Algorithm="{exc}">{inclusive}</CanonicalizationMethod>'
    '<SignatureMethod Algorithm="{method}"/>{references}</SignedInfo><SignatureValue/></Signature></o:Security></S:Header>\n'
    '<S:Body u:Id="_1"><a:Booked xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    '<a:number xsi:type="xsd:string">7</a:number></a:Booked></S:Body></S:Envelope>'
)


def peer(folder: Path, key: Any, method: str, digest: str, prefixes: str = "", uris: tuple[str, ...] = ("#_0", "#_1")) -> bytes:
    """An answer signed by xmlsec1, in another style than the gateway's own."""
    inclusive = f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="{prefixes}"/>' if prefixes else ""
    references = "".join(
        f'<Reference URI="{uri}"><Transforms><Transform Algorithm="{EXCLUSIVE}">{inclusive}</Transform></Transforms>'
        f'<DigestMethod Algorithm="{digest}"/><DigestValue/></Reference>'
        for uri in uris
    )
    names = {"space": SOAP_12, "wsu": WSU, "wsse": WSSE, "ds": DS, "exc": EXCLUSIVE, "method": method}
    return xmlsec.sign(folder, TEMPLATE.format(**names, inclusive=inclusive, references=references).encode(), pem(key))


MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ENC = "http://www.w3.org/2001/04/xmlenc#"


@xmlsec.needed
@pytest.mark.parametrize(
    ("key", "method", "digest"),
    [
        (rsa_key(), f"{MORE}rsa-sha256", f"{ENC}sha256"),
        (rsa_key(), f"{MORE}rsa-sha384", f"{MORE}sha384"),
        (rsa_key(), f"{MORE}rsa-sha512", f"{ENC}sha512"),
        (ec_key(), f"{MORE}ecdsa-sha256", f"{ENC}sha256"),
    ],
    ids=["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256"],
)
def test_what_another_implementation_signs_is_read(key: Any, method: str, digest: str, tmp_path: Path) -> None:
    made = peer(tmp_path, key, method, digest, prefixes="S xsd #default")
    read = verified(made, Trust(certificates=(certificate(key),)), NOW)
    assert numbers(read) == ["7"]
    assert b"xmlns:xsd=" in read


@xmlsec.needed
def test_sha1_is_accepted_only_where_it_is_asked_for(tmp_path: Path) -> None:
    weak = certificate(rsa_key(1024))
    made = peer(tmp_path, rsa_key(1024), f"{DS}rsa-sha1", f"{DS}sha1")
    assert refusal(made, Trust(certificates=(weak,))) == "its signature algorithm is not allowed"
    assert numbers(verified(made, Trust(certificates=(weak,), sha1=True), NOW)) == ["7"]
    half = peer(tmp_path, rsa_key(), f"{MORE}rsa-sha256", f"{DS}sha1")
    assert refusal(half) == "its digest algorithm is not allowed"
    short = peer(tmp_path, rsa_key(1024), f"{MORE}rsa-sha256", f"{ENC}sha256")
    assert "too short" in refusal(short, Trust(certificates=(weak,)))


@xmlsec.needed
def test_a_prefix_the_signature_leaves_open_means_nothing_unless_that_is_asked_for(tmp_path: Path) -> None:
    made = peer(tmp_path, rsa_key(), f"{MORE}rsa-sha256", f"{ENC}sha256")
    assert b"xmlns:xsd=" not in verified(made, PINNED, NOW)
    turned = made.replace(b'http://www.w3.org/2001/XMLSchema"', b'urn:evil"')
    assert b"urn:evil" not in verified(turned, PINNED, NOW)
    lenient = Trust(certificates=(OWN,), unsigned_prefixes=True)
    assert b'xmlns:xsd="http://www.w3.org/2001/XMLSchema"' in verified(made, lenient, NOW)


# --- wrapping --------------------------------------------------------------------------------------------------------


def parts(root: Any) -> tuple[Any, Any, Any, Any]:
    """Header, Security, Signature and Body."""
    security = root[0].find(SECURITY)
    return root[0], security, security.find(SIGNATURE), root[-1]


def forged_body(identity: str | None = None) -> Any:
    body = etree.fromstring(envelope(FORGED))[0]
    if identity is not None:
        body.set(ID, identity)
    return body


def moved_into_a_wrapper_in_the_header(root: Any) -> None:
    header, _, _, body = parts(root)
    etree.SubElement(header, "{urn:w}Wrapper").append(body)
    root.append(forged_body())


def moved_into_the_header(root: Any) -> None:
    header, _, _, body = parts(root)
    header.append(body)
    root.append(forged_body())


def moved_into_the_header_under_the_same_id(root: Any) -> None:
    header, _, _, body = parts(root)
    etree.SubElement(header, "{urn:w}Wrapper").append(body)
    root.append(forged_body(body.get(ID)))


def moved_into_the_security_header(root: Any) -> None:
    _, security, _, body = parts(root)
    security.append(body)
    root.append(forged_body())


def moved_into_the_signature(root: Any) -> None:
    _, _, signature, body = parts(root)
    etree.SubElement(signature, f"{{{DS}}}Object").append(body)
    root.append(forged_body())


def moved_into_the_forged_body(root: Any) -> None:
    *_, body = parts(root)
    forged = forged_body()
    root.append(forged)
    forged[0].append(body)


def moved_into_a_header_for_another(root: Any) -> None:
    header, _, _, body = parts(root)
    etree.SubElement(header, SECURITY, {f"{{{SOAP_11}}}actor": "urn:other"}).append(body)
    root.append(forged_body())


def a_second_body_behind(root: Any) -> None:
    root.append(forged_body())


def a_second_body_before(root: Any) -> None:
    root.insert(1, forged_body())


def a_second_body_before_the_header(root: Any) -> None:
    root.insert(0, forged_body())


def a_second_header(root: Any) -> None:
    header, _, _, body = parts(root)
    second = etree.Element(header.tag)
    second.append(body)
    root.insert(0, second)
    root.append(forged_body())


def the_envelope_inside_another(root: Any) -> None:
    header, _, _, body = parts(root)
    inner = etree.Element(root.tag)
    inner.append(body)
    etree.SubElement(header, "{urn:w}Wrapper").append(inner)
    root.append(forged_body())


def the_body_of_another_name(root: Any) -> None:
    *_, body = parts(root)
    body.tag = "{urn:w}Body"
    root.append(forged_body())


def the_body_of_the_other_version(root: Any) -> None:
    *_, body = parts(root)
    forged = forged_body()
    body.tag = f"{{{SOAP_12}}}Body"
    root.append(forged)


def a_second_element_of_the_id(root: Any) -> None:
    *_, body = parts(root)
    body[0].set(ID, body.get(ID))


def a_second_security_header(root: Any) -> None:
    header, *_ = parts(root)
    etree.SubElement(header, SECURITY)


def a_second_security_header_for_next(root: Any) -> None:
    header, *_ = parts(root)
    etree.SubElement(header, SECURITY, {f"{{{SOAP_11}}}actor": "http://schemas.xmlsoap.org/soap/actor/next"})


def no_security_header(root: Any) -> None:
    header, security, *_ = parts(root)
    header.remove(security)


def a_security_header_for_another(root: Any) -> None:
    _, security, *_ = parts(root)
    security.set(f"{{{SOAP_11}}}actor", "urn:other")


def the_security_header_in_a_wrapper(root: Any) -> None:
    header, security, *_ = parts(root)
    etree.SubElement(header, "{urn:w}Wrapper").append(security)


def no_header(root: Any) -> None:
    root.remove(root[0])


def no_signature(root: Any) -> None:
    _, security, signature, _ = parts(root)
    security.remove(signature)


def a_second_signature(root: Any) -> None:
    _, security, signature, _ = parts(root)
    security.append(etree.fromstring(etree.tostring(signature)))


def the_signature_in_the_body(root: Any) -> None:
    _, _, signature, body = parts(root)
    body.append(signature)


def changed_content(root: Any) -> None:
    root[-1][0][0].text = "8"


def a_changed_attribute(root: Any) -> None:
    root[-1].set("x", "y")


def another_element_in_the_body(root: Any) -> None:
    root[-1].append(etree.fromstring(FORGED))


def a_changed_timestamp(root: Any) -> None:
    root.find(f".//{TIMESTAMP}")[1].text = "2026-11-22T13:00:00Z"


def a_second_timestamp(root: Any) -> None:
    _, security, *_ = parts(root)
    security.insert(
        0, etree.fromstring(f'<u:Timestamp xmlns:u="{WSU}"><u:Created>2026-11-22T12:00:00Z</u:Created></u:Timestamp>')
    )


def no_timestamp(root: Any) -> None:
    _, security, *_ = parts(root)
    security.remove(security.find(TIMESTAMP))


def a_changed_signature_value(root: Any) -> None:
    value = root.find(f".//{{{DS}}}SignatureValue")
    value.text = base64.b64encode(bytes(256)).decode()


def no_signature_value(root: Any) -> None:
    root.find(f".//{{{DS}}}SignatureValue").text = ""


def a_second_signed_info(root: Any) -> None:
    _, _, signature, _ = parts(root)
    signature.insert(0, etree.fromstring(etree.tostring(signature[0])))


def a_digest_of_the_forged_body(root: Any) -> None:
    *_, body = parts(root)
    body[0][0].text = "666"
    octets = etree.tostring(body, method="c14n", exclusive=True, with_tail=False)
    root.findall(f".//{{{DS}}}DigestValue")[-1].text = base64.b64encode(hashlib.sha256(octets).digest()).decode()


def an_object_in_the_signature(root: Any) -> None:
    _, _, signature, _ = parts(root)
    etree.SubElement(signature, f"{{{DS}}}Object")


def another_root(root: Any) -> None:
    root.tag = "{urn:w}Envelope"


ATTACKS: list[Callable[[Any], None]] = [
    moved_into_a_wrapper_in_the_header,
    moved_into_the_header,
    moved_into_the_header_under_the_same_id,
    moved_into_the_security_header,
    moved_into_the_signature,
    moved_into_the_forged_body,
    moved_into_a_header_for_another,
    a_second_body_behind,
    a_second_body_before,
    a_second_body_before_the_header,
    a_second_header,
    the_envelope_inside_another,
    the_body_of_another_name,
    the_body_of_the_other_version,
    a_second_element_of_the_id,
    a_second_security_header,
    a_second_security_header_for_next,
    no_security_header,
    a_security_header_for_another,
    the_security_header_in_a_wrapper,
    no_header,
    no_signature,
    a_second_signature,
    the_signature_in_the_body,
    changed_content,
    a_changed_attribute,
    another_element_in_the_body,
    a_changed_timestamp,
    a_second_timestamp,
    no_timestamp,
    a_changed_signature_value,
    no_signature_value,
    a_second_signed_info,
    a_digest_of_the_forged_body,
    an_object_in_the_signature,
    another_root,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("trust", [PINNED, Trust(certificates=(OWN,), unsigned_prefixes=True, sha1=True)], ids=["", "lenient"])
def test_an_attack_is_refused(attack: Callable[[Any], None], trust: Trust) -> None:
    root = etree.fromstring(signed())
    assert numbers(verified(etree.tostring(root), trust, NOW)) == ["7"]
    attack(root)
    assert refusal(etree.tostring(root), trust)


def test_an_unsigned_header_beside_the_signed_body_is_not_read() -> None:
    root = etree.fromstring(signed())
    root[0].append(etree.fromstring('<x:To xmlns:x="urn:x">evil</x:To>'))
    assert b"evil" not in verified(etree.tostring(root), PINNED, NOW)


# --- what a signature says of itself ---------------------------------------------------------------------------------


def resigned(change: Callable[[Any], None], key: Any = None) -> bytes:
    """An answer whose SignedInfo was changed before it was signed, by whoever has the key."""
    root = etree.fromstring(signed(key=key))
    info = root.find(f".//{{{DS}}}SignedInfo")
    change(info)
    value = base64.b64encode(sign(key or rsa_key(), canonical(info))).decode()
    root.find(f".//{{{DS}}}SignatureValue").text = value
    return etree.tostring(root)


def test_a_signature_made_again_is_good() -> None:
    assert numbers(verified(resigned(lambda info: None), PINNED, NOW)) == ["7"]


def reference(info: Any) -> Any:
    return info[-1]


def with_transform(algorithm: str) -> Callable[[Any], None]:
    def change(info: Any) -> None:
        etree.SubElement(reference(info)[0], f"{{{DS}}}Transform", Algorithm=algorithm)

    return change


def instead_of_transform(algorithm: str) -> Callable[[Any], None]:
    return lambda info: reference(info)[0][0].set("Algorithm", algorithm)


def with_uri(uri: str) -> Callable[[Any], None]:
    return lambda info: reference(info).set("URI", uri)


def many(info: Any) -> None:
    for _ in range(40):
        info.append(etree.fromstring(etree.tostring(reference(info))))


def without(name: str) -> Callable[[Any], None]:
    def change(info: Any) -> None:
        node = info.find(f".//{{{DS}}}{name}")
        node.getparent().remove(node)

    return change


def hmac_length(info: Any) -> None:
    etree.SubElement(info[1], f"{{{DS}}}HMACOutputLength").text = "1"


REFUSED: dict[str, Callable[[Any], None]] = {
    "XPath": with_transform("http://www.w3.org/TR/1999/REC-xpath-19991116"),
    "XPath filter": instead_of_transform("http://www.w3.org/2002/06/xmldsig-filter2"),
    "XSLT": instead_of_transform("http://www.w3.org/TR/1999/REC-xslt-19991116"),
    "enveloped": instead_of_transform(f"{DS}enveloped-signature"),
    "inclusive": instead_of_transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    "with comments": instead_of_transform(f"{EXCLUSIVE}WithComments"),
    "STR-Transform": instead_of_transform(
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
    ),
    "empty reference": with_uri(""),
    "only a mark": with_uri("#"),
    "external": with_uri("http://erp.test/other"),
    "a file": with_uri("file:///etc/passwd"),
    "XPointer": with_uri("#xpointer(/)"),
    "no such id": with_uri("#none"),
    "an attachment": with_uri("cid:part@erp"),
    "no URI": lambda info: reference(info).attrib.pop("URI"),
    "too many": many,
    "no transforms": without("Transforms"),
    "no transform": without("Transform"),
    "no digest": without("DigestValue"),
    "no digest method": without("DigestMethod"),
    "no signature method": without("SignatureMethod"),
    "no canonicalization": without("CanonicalizationMethod"),
    "an HMAC": lambda info: info[1].set("Algorithm", f"{MORE}hmac-sha256"),
    "ECDSA by an RSA key": lambda info: info[1].set("Algorithm", f"{MORE}ecdsa-sha256"),
    "RSA-MD5": lambda info: info[1].set("Algorithm", f"{MORE}rsa-md5"),
    "parameters": hmac_length,
    "inclusive SignedInfo": lambda info: info[0].set("Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    "only the Timestamp": lambda info: info.remove(info[-1]),
    "only the Body": lambda info: info.remove(info[-2]),
    "the Body twice": lambda info: info[-2].set("URI", info[-1].get("URI")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_signature_that_says_other_things_is_refused_even_from_its_owner(name: str) -> None:
    assert refusal(resigned(REFUSED[name]))


def test_a_signature_over_another_envelope_is_refused() -> None:
    root, other = etree.fromstring(signed()), etree.fromstring(signed(envelope(FORGED)))
    signature, foreign = root.find(f".//{SIGNATURE}"), other.find(f".//{SIGNATURE}")
    signature.getparent().replace(signature, foreign)
    assert refusal(etree.tostring(root)) == "its Body is not what was signed"


@given(st.data())
def test_no_changed_byte_changes_what_is_read(data: st.DataObject) -> None:
    made = bytearray(SIGNED)
    made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadAnswer):
        assert numbers(verified(bytes(made), PINNED, NOW)) == ["7"]


def edited(data: st.DataObject, root: Any) -> None:
    """One thing moved, copied, removed, forged or renamed, anywhere."""
    nodes = list(root.iter())
    node, place = data.draw(st.sampled_from(nodes)), data.draw(st.sampled_from(nodes))
    ids = [str(name) for name in root.xpath("//@u:Id", namespaces={"u": WSU})] or ["none"]
    tags = [str(other.tag) for other in nodes]
    at = data.draw(st.integers(0, len(place)))
    match data.draw(st.sampled_from(["move", "copy", "remove", "forge", "rename", "id", "uri", "wrap"])):
        case "move" if node not in (place, *place.iterancestors()):
            place.insert(at, node)
        case "copy":
            place.insert(at, etree.fromstring(etree.tostring(node, with_tail=False)))
        case "remove" if node is not root:
            node.getparent().remove(node)
        case "forge":
            place.insert(at, forged_body(data.draw(st.sampled_from([None, *ids]))))
        case "rename":
            node.tag = data.draw(st.sampled_from(tags))
        case "id":
            node.set(ID, data.draw(st.sampled_from(ids)))
        case "uri":
            node.set("URI", "#" + data.draw(st.sampled_from(ids)))
        case "wrap" if node is not root:
            wrapper = etree.Element(data.draw(st.sampled_from(tags)))
            node.getparent().replace(node, wrapper)
            wrapper.append(node)


@settings(max_examples=300)
@given(st.data())
def test_no_edit_changes_what_is_read(data: st.DataObject) -> None:
    root = etree.fromstring(SIGNED)
    for _ in range(data.draw(st.integers(1, 4))):
        edited(data, root)
    with suppress(BadAnswer):
        assert numbers(verified(etree.tostring(root), PINNED, NOW)) == ["7"]


SIGNED = signed(own=OWN)


# --- keys ------------------------------------------------------------------------------------------------------------

AUTHORITY = ec_key("authority")
ROOT_CERTIFICATE = certificate(AUTHORITY, "authority")
CHAINED = Trust(authorities=(ROOT_CERTIFICATE,), subject="erp.test")


def issued(name: str = "erp.test", **settings: Any) -> Any:
    return certificate(rsa_key(), name, by=AUTHORITY, issuer="authority", **settings)


def test_a_key_the_message_brings_is_not_believed() -> None:
    attacker = rsa_key(name="attacker")
    assert refusal(signed(key=attacker)) == "no accepted certificate made its signature"


def test_a_certificate_issued_by_the_authority_is_believed() -> None:
    assert numbers(verified(signed(own=issued()), CHAINED, NOW)) == ["7"]
    assert numbers(verified(signed(own=issued("x", dns="erp.test")), CHAINED, NOW)) == ["7"]


def in_x509_data(root: Any) -> None:
    info = root.find(f".//{{{DS}}}KeyInfo")
    token = root.find(f".//{TOKEN}")
    info.clear()
    etree.SubElement(etree.SubElement(info, f"{{{DS}}}X509Data"), f"{{{DS}}}X509Certificate").text = token.text


def test_the_certificate_may_stand_in_key_info() -> None:
    root = etree.fromstring(signed(own=issued()))
    in_x509_data(root)
    assert numbers(verified(etree.tostring(root), CHAINED, NOW)) == ["7"]


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (certificate(rsa_key()), "its certificate is not issued by a configured authority"),
        (certificate(rsa_key(), issuer="authority"), "its certificate is not issued by a configured authority"),
        (
            certificate(rsa_key(), by=ec_key("other"), issuer="authority"),
            "its certificate is not issued by a configured authority",
        ),
        (certificate(rsa_key(), by=AUTHORITY, issuer="other"), "its certificate is not issued by a configured authority"),
        (issued("somebody"), "its certificate is of another subject"),
        (issued(days=-1), "the certificate for its signature is not valid at this time"),
    ],
    ids=["self-signed", "name only", "other authority", "other issuer", "other subject", "expired"],
)
def test_another_certificate_is_not_believed(own: Any, reason: str) -> None:
    assert refusal(signed(own=own), CHAINED) == reason


def test_an_expired_authority_or_pin_is_not_believed() -> None:
    old = certificate(AUTHORITY, "authority", days=-1)
    assert refusal(signed(own=issued()), Trust(authorities=(old,), subject="erp.test"))
    expired = certificate(rsa_key(), days=-1)
    assert refusal(SIGNED, Trust(certificates=(expired,))) == "the certificate for its signature is not valid at this time"


def no_key_info(root: Any) -> None:
    info = root.find(f".//{{{DS}}}KeyInfo")
    info.getparent().remove(info)


def another_token(root: Any) -> None:
    root.find(f".//{{{WSSE}}}SecurityTokenReference/{{{WSSE}}}Reference").set("URI", "#none")


def two_certificates(root: Any) -> None:
    in_x509_data(root)
    info = root.find(f".//{{{DS}}}KeyInfo")
    info.append(etree.fromstring(etree.tostring(info[0])))


def a_certificate_that_is_none(root: Any) -> None:
    root.find(f".//{TOKEN}").text = "AAAA"


def a_token_elsewhere(root: Any) -> None:
    etree.SubElement(root[0], "{urn:w}W").append(root.find(f".//{TOKEN}"))


@pytest.mark.parametrize("change", [no_key_info, another_token, two_certificates, a_certificate_that_is_none, a_token_elsewhere])
def test_without_a_certificate_there_is_nothing_to_believe(change: Callable[[Any], None]) -> None:
    root = etree.fromstring(signed(own=issued()))
    change(root)
    assert "certificate" in refusal(etree.tostring(root), CHAINED)


def test_key_info_means_nothing_to_a_pinned_certificate() -> None:
    root = etree.fromstring(SIGNED)
    no_key_info(root)
    assert numbers(verified(etree.tostring(root), PINNED, NOW)) == ["7"]


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "reason"),
    [(0, ""), (-59, ""), (-61, "its Timestamp is in the future"), (359, ""), (361, "its Timestamp has expired")],
)
def test_an_answer_is_good_for_a_while(later: float, reason: str) -> None:
    made = signed(ttl=3600)
    if reason:
        assert refusal(made, now=NOW + later) == reason
    else:
        assert numbers(verified(made, PINNED, NOW + later)) == ["7"]


def test_an_answer_is_good_no_longer_than_it_says() -> None:
    assert numbers(verified(signed(ttl=10), PINNED, NOW + 69)) == ["7"]
    assert refusal(signed(ttl=10), now=NOW + 71) == "its Timestamp has expired"


def test_a_timestamp_can_be_waived() -> None:
    assert refusal(signed(ttl=None)) == "it has no signed Timestamp"
    assert numbers(verified(signed(ttl=None), Trust(certificates=(OWN,), timestamp=False), NOW)) == ["7"]


@pytest.mark.parametrize(
    "created", ["", "now", "2026-11-22T12:00:00", "2026-11-22", "2026-13-22T12:00:00Z", "2026-11-22T12:00:00+99:99", "9" * 5000]
)
def test_a_time_that_is_none_is_refused(created: str) -> None:
    unsigned = f'<u:Timestamp xmlns:u="{WSU}" u:Id="t"><u:Created>{created}</u:Created></u:Timestamp>'

    def change(info: Any) -> None:
        root = info.getroottree().getroot()
        old = root.find(f".//{TIMESTAMP}")
        new = etree.fromstring(unsigned)
        new.set(ID, old.get(ID))
        old.getparent().replace(old, new)
        octets = etree.tostring(new, method="c14n", exclusive=True, with_tail=False)
        info[2][2].text = base64.b64encode(hashlib.sha256(octets).digest()).decode()

    assert "Timestamp" in refusal(resigned(change))


# --- what is no message ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", b"<x>", b'<!DOCTYPE x [<!ENTITY e "y">]><x>&e;</x>', SIGNED[:-20]])
def test_what_is_no_xml_is_a_bad_answer(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        verified(data, PINNED, NOW)


def test_what_has_no_canonical_form_is_refused() -> None:
    root = etree.fromstring(SIGNED)
    root.find(f".//{{{DS}}}SignedInfo").append(etree.fromstring('<x xmlns="relative"/>'))
    assert refusal(etree.tostring(root))
    made = SIGNED.replace(b"<ds:SignedInfo>", b'<ds:SignedInfo xmlns:r="relative" r:a="b">')
    assert refusal(made) == "it has no canonical form"


@pytest.mark.parametrize(
    ("body", "space", "code"),
    [
        (
            "<s:Fault><faultcode>wsse:FailedAuthentication</faultcode><faultstring>no</faultstring></s:Fault>",
            SOAP_11,
            "it says of itself that it is a fault: wsse:FailedAuthentication",
        ),
        (
            "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault>",
            SOAP_12,
            "it says of itself that it is a fault: s:Sender",
        ),
        ("<s:Fault><faultcode>a secret\n</faultcode></s:Fault>", SOAP_11, "it says that it is a fault"),
    ],
)
def test_the_log_hears_of_an_unsigned_fault(body: str, space: str, code: str) -> None:
    assert refusal(envelope(body, space, "<s:Header/>")).endswith(code)
