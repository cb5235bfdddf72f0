"""Key sets: what is kept, what is left out, what is refused whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.identity.jws import Rejected
from gateway.identity.keys import is_roca, parse_key_set

EC = ECKey.generate_key("P-256").as_dict(private=False)
RSA = RSAKey.generate_key(2048).as_dict(private=False)
PRIVATE = ECKey.generate_key("P-256").as_dict(private=True)
OCT = OctKey.generate_key(256).as_dict(private=True)


def kids(*members: Any) -> list[str | None]:
    anchor = EC | {"kid": "anchor"}
    return [key.kid for key in parse_key_set(json.dumps({"keys": [anchor, *members]}).encode()).keys]


def test_keys_of_three_types_are_kept() -> None:
    okp = OKPKey.generate_key("Ed25519").as_dict(private=False)
    assert kids(RSA | {"kid": "r"}, okp | {"kid": "o"}, EC | {"kid": "e", "use": "sig", "key_ops": ["verify"]}) == [
        "anchor",
        "r",
        "o",
        "e",
    ]


def modulus(bits: int) -> str:
    from joserfc.util import int_to_base64

    return int_to_base64((1 << (bits - 1)) + 12345)


@pytest.mark.parametrize(
    "member",
    [
        None,
        "key",
        {},
        {"kty": "XYZ"},
        {"kty": ["EC"]},
        OCT,
        PRIVATE,
        EC | {"use": "enc"},
        EC | {"key_ops": ["sign"]},
        EC | {"key_ops": "verify"},
        EC | {"alg": "RS256"},
        EC | {"alg": "ES521"},
        EC | {"alg": 3},
        EC | {"crv": "P-384"},
        EC | {"crv": "P-999"},
        EC | {"y": EC["x"]},
        EC | {"x": 1},
        {"kty": "EC", "crv": "P-256"},
        RSA | {"n": modulus(2047)},
        RSA | {"n": modulus(8193)},
        RSA | {"n": 5},
        RSA | {"n": "*"},
        RSA | {"e": "Aw"},
        RSA | {"e": "AQ"},
        RSA | {"e": "AQAA"},
        {"kty": "RSA"},
        EC | {"kid": "anchor"} | {"x": 1},
    ],
)
def test_a_key_unfit_for_signatures_is_left_out(member: Any) -> None:
    assert kids(member) == ["anchor"]


def test_keys_that_share_a_kid_are_left_out() -> None:
    assert kids(RSA | {"kid": "same"}, EC | {"kid": "same"}) == ["anchor"]
    # Another use of the same name does not matter.
    assert kids(RSA | {"kid": "same"}, RSA | {"kid": "same", "use": "enc"}) == ["anchor", "same"]


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [{}]}', b'{"keys":[],"keys":[]}', b"\xff\xfe"],
)
def test_a_set_without_usable_keys_is_refused(data: bytes) -> None:
    with pytest.raises(Rejected):
        parse_key_set(data)


def test_a_set_with_too_many_keys_is_refused() -> None:
    with pytest.raises(Rejected, match="at most 100"):
        parse_key_set(json.dumps({"keys": [EC] * 101}).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid", "key_ops"]), json_values))
def test_any_member_is_read_or_left_out(changes: dict[str, Any]) -> None:
    for base in (EC, RSA):
        assert "anchor" in kids(base | {"kid": "k"} | changes) or changes.get("kid") == "anchor"


def test_the_roca_fingerprint_is_seen() -> None:
    primorial = 1
    for prime in (n for n in range(2, 168) if all(n % d for d in range(2, n))):
        primorial *= prime
    assert is_roca(pow(65537, 91, primorial) + primorial * 3)
    assert not is_roca(RSAKey.generate_key(2048).raw_value.public_key().public_numbers().n)
