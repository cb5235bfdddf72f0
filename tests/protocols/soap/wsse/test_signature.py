"""The canonical form against W3C's own example of exclusive canonicalization, and signatures of each kind of key."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from gateway.protocols.soap.wsse.signature import ECDSA_SHA256, RSA_SHA256, SIGNATURES, canonical, sign, signed_by
from tests.protocols.soap.wsse.keys import ec_key, rsa_key

# Exclusive XML Canonicalization 1.0, section 2.2: the same element in two surroundings.
INNER = '<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2>'
FIRST = f'<n0:local xmlns:n0="foo:bar" xmlns:n3="ftp://example.org">{INNER}</n0:local>'
SECOND = f'<n2:pdu xmlns:n1="http://example.com" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain">{INNER}</n2:pdu>'
FORM = b'<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>'


@pytest.mark.parametrize("text", [FIRST, SECOND])
def test_the_surroundings_make_no_difference(text: str) -> None:
    assert canonical(etree.fromstring(text)[0]) == FORM


def test_prefixes_are_included_where_that_is_asked_for() -> None:
    node = etree.fromstring('<a:x xmlns:a="urn:a" xmlns:b="urn:b" xmlns="urn:d"><a:y t="b:c"><z/></a:y> tail</a:x>')[0]
    assert canonical(node) == b'<a:y xmlns:a="urn:a" t="b:c"><z xmlns="urn:d"></z></a:y>'
    assert canonical(node, ["b", "none"]) == b'<a:y xmlns:a="urn:a" xmlns:b="urn:b" t="b:c"><z xmlns="urn:d"></z></a:y>'
    assert canonical(node, ["#default"]) == b'<a:y xmlns="urn:d" xmlns:a="urn:a" t="b:c"><z></z></a:y>'


def test_a_relative_namespace_has_no_canonical_form() -> None:
    with pytest.raises(etree.LxmlError):
        canonical(etree.fromstring('<x xmlns="relative"/>'))


@pytest.mark.parametrize(
    ("key", "method"),
    [(rsa_key(), RSA_SHA256), (ec_key(), ECDSA_SHA256), (ec.generate_private_key(ec.SECP521R1()), ECDSA_SHA256)],
    ids=["rsa", "p-256", "p-521"],
)
def test_a_signature_is_good_for_its_key_and_octets_only(key: Any, method: str) -> None:
    made = sign(key, b"octets")
    assert signed_by(key.public_key(), SIGNATURES[method], made, b"octets")
    assert not signed_by(key.public_key(), SIGNATURES[method], made, b"others")
    assert not signed_by(key.public_key(), SIGNATURES[method], made[:-1], b"octets")
    assert not signed_by(key.public_key(), SIGNATURES[method], b"", b"octets")
    other = ECDSA_SHA256 if method == RSA_SHA256 else RSA_SHA256
    assert not signed_by(key.public_key(), SIGNATURES[other], made, b"octets")
    assert not signed_by(
        (rsa_key(name="b") if method == RSA_SHA256 else ec_key("b")).public_key(), SIGNATURES[method], made, b"octets"
    )
