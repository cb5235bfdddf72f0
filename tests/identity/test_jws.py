"""Compact JWS: strict reading, and the public Wycheproof vectors."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from gateway.config.identity import AlgorithmName
from gateway.identity.jws import MAX_TOKEN, Rejected, check_signature, parse_compact, parse_object
from gateway.identity.keys import parse_key_set

MISNAMED = {346, 347, 350, 351}
"""Valid signatures whose key names another algorithm than the token (PS256 for PS384) or one nobody registered (ES521)."""


def b64(data: bytes | dict[str, Any]) -> bytes:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def vectors(name: str) -> list[dict[str, Any]]:
    corpora = os.environ.get("GATEWAY_CORPORA")
    if not corpora:
        assert not os.environ.get("CI"), "GATEWAY_CORPORA must be set in CI"
        pytest.skip("GATEWAY_CORPORA is not set")
    path = Path(corpora, "security/wycheproof/testvectors_v1", name)
    groups: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    return groups


def accepted(keys: list[dict[str, Any]], token: str) -> bool:
    public = [{name: value for name, value in key.items() if name not in ("d", "p", "q", "dp", "dq", "qi")} for key in keys]
    try:
        key_set = parse_key_set(json.dumps({"keys": public}).encode())
        compact = parse_compact(token.encode())
        if compact.alg not in get_args(AlgorithmName):
            return False
        key = key_set.find(compact.kid, compact.alg)
        if key is None:
            return False
        check_signature(compact, key)
    except Rejected:
        return False
    return True


def test_wycheproof_signatures() -> None:
    expected, wrong = {"valid": 0, "invalid": 0}, []
    for group in vectors("json_web_signature_test.json"):
        key = group.get("public") or group["private"]
        for case in group["tests"]:
            token = case["jws"] if isinstance(case["jws"], str) else json.dumps(case["jws"])
            good = case["result"] == "valid" and key["kty"] != "oct" and case["tcId"] not in MISNAMED
            expected["valid" if good else "invalid"] += 1
            if accepted([key], token) != good:
                wrong.append((case["tcId"], case["comment"], good))
    assert not wrong
    assert expected["valid"] >= 30
    assert expected["invalid"] >= 300


def test_wycheproof_key_sets() -> None:
    wrong = []
    for group in vectors("json_web_key_test.json"):
        keys = (group.get("public") or group["private"])["keys"]
        for case in group["tests"]:
            good = case["result"] == "valid" and all(key["kty"] != "oct" for key in keys)
            if accepted(keys, case["jws"]) != good:
                wrong.append((case["tcId"], case["comment"], good))
    assert not wrong


HEADER = {"alg": "ES256", "kid": "k"}


def refusal(token: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        parse_compact(token)
    return caught.value.reason


def test_a_token_is_taken_apart() -> None:
    token = parse_compact(b64(HEADER) + b"." + b64(b"{}") + b"." + b64(b"sig"))
    assert (token.alg, token.kid, token.payload, token.signature) == ("ES256", "k", b"{}", b"sig")
    assert token.signed == b64(HEADER) + b"." + b64(b"{}")


@pytest.mark.parametrize("name", ["crit", "b64", "zip", "enc", "cty"])
def test_a_header_that_changes_the_reading_is_refused(name: str) -> None:
    assert refusal(b64(HEADER | {name: "x"}) + b".e30.AA") == f"{name} in the header"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"a" * (MAX_TOKEN + 1), "longer than 8 KiB"),
        (b"", "not in JWS compact form"),
        (b"a.b", "not in JWS compact form"),
        (b"a.b.c.d.e", "not in JWS compact form"),
        (b64(HEADER) + b".e30.AA\n", "not in JWS compact form"),
        (b64(HEADER) + b".e30.", "not in JWS compact form"),
        (b64(HEADER) + b".e30.AA==", "not in JWS compact form"),
        (b64(HEADER) + b".e31.AB", "not base64url"),
        (b"A.e30.AA", "not base64url"),
        (b64(b"[]") + b".e30.AA", "the header is no JSON object"),
        (b64(b"{") + b".e30.AA", "the header is no proper JSON"),
        (b64(b'{"alg":"ES256","alg":"none"}') + b".e30.AA", "the header is no proper JSON"),
        (b64('{"alg": "ES256"}'.encode("utf-16")) + b".e30.AA", "the header is no proper JSON"),
        (b64({"kid": "k"}) + b".e30.AA", "no alg in the header"),
        (b64({"alg": ["ES256"]}) + b".e30.AA", "no alg in the header"),
        (b64(HEADER | {"kid": 1}) + b".e30.AA", "kid is not text"),
    ],
)
def test_liberties_are_refused(token: bytes, reason: str) -> None:
    assert refusal(token) == reason


@pytest.mark.parametrize(
    "text", ["[" * 4000, "[" * 4000 + "]" * 4000, '{"a":' * 1500 + "1" + "}" * 1500, "9" * 5000, '{"a":NaN}']
)
def test_json_that_exhausts_or_misleads_a_parser_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        parse_object(text.encode(), "payload")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for attempt in (data, b64(HEADER) + b"." + data, b".".join(map(b64, (data, data, data)))):
        try:
            token = parse_compact(attempt)
        except Rejected:
            continue
        assert token.signed + b"." + b64(token.signature) == attempt


def test_a_key_for_another_curve_does_not_fit() -> None:
    token = parse_compact(b64(HEADER) + b".e30." + b64(bytes(64)))
    with pytest.raises(Rejected, match="does not fit"):
        check_signature(token, ECKey.generate_key("P-384"))


def test_a_wrong_signature_is_refused() -> None:
    token = parse_compact(b64(HEADER) + b".e30." + b64(bytes(64)))
    with pytest.raises(Rejected, match="signature is wrong"):
        check_signature(token, ECKey.generate_key("P-256"))


def test_facts_for_the_log_are_short() -> None:
    assert Rejected("x", kid="k" * 500).facts == {"kid": "k" * 80}
