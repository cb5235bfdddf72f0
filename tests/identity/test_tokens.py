"""Token verification: each rule of RFC 8725 that a token can break, and mutations of a good one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.config.identity import Issuer
from gateway.exchange import Principal
from gateway.identity.jwks import KeyStore
from gateway.identity.jws import Rejected
from gateway.identity.tokens import TokenVerifier, external_issuer

ISSUER = "https://login.example.com/realms/erp"
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
OTHER = ECKey.generate_key("P-256", {"kid": "one"})
HEADER = {"alg": "ES256", "kid": "one", "typ": "at+jwt"}

Sign = Callable[..., bytes]


def claims(clock: Any, **changes: Any) -> dict[str, Any]:
    now = int(clock.now())
    base = {"iss": ISSUER, "aud": "erp", "sub": "oa", "tenant": "demo", "iat": now, "exp": now + 600, "roles": ["sales"]}
    return {name: value for name, value in (base | changes).items() if value is not ...}


def verifier(clock: Any, *keys: Any, **changes: Any) -> TokenVerifier:
    settings_ = {"issuer": ISSUER, "audience": "erp", "jwks": "keys.json", "algorithms": ["ES256"]} | changes

    async def fetch(place: str) -> bytes:
        assert place == "keys.json"
        return json.dumps({"keys": [key.as_dict(private=False) for key in keys or (KEY,)]}).encode()

    return TokenVerifier([external_issuer(Issuer.model_validate(settings_), KeyStore(fetch, clock))], clock)


async def reason(verifier: TokenVerifier, token: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        await verifier.verify(token)
    return caught.value.reason


async def test_a_good_token_names_its_principal(clock: Any, sign: Sign) -> None:
    verified = await verifier(clock).verify(sign(KEY, HEADER, claims(clock)))
    assert verified.principal == Principal("oa", "demo", ("sales",))
    assert verified.expires == clock.now() + 600


KEYS = {
    **{name: RSAKey.generate_key(2048) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")},
    "ES256": ECKey.generate_key("P-256"),
    "ES384": ECKey.generate_key("P-384"),
    "ES512": ECKey.generate_key("P-521"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}


@pytest.mark.parametrize("alg", list(KEYS))
async def test_every_algorithm_works_when_it_is_named_and_only_then(clock: Any, sign: Sign, alg: str) -> None:
    token = sign(KEYS[alg], {"alg": alg, "typ": "JWT"}, claims(clock))
    good = await verifier(clock, KEYS[alg], algorithms=[alg]).verify(token)
    assert good.principal.subject == "oa"
    other = "ES256" if alg != "ES256" else "RS256"
    assert await reason(verifier(clock, KEYS[alg], algorithms=[other]), token) == "algorithm not allowed"


async def test_a_public_key_is_no_shared_secret(clock: Any, sign: Sign) -> None:
    from joserfc.jwk import OctKey

    pem = KEYS["RS256"].as_pem(private=False)
    token = sign(OctKey.import_key(base64.urlsafe_b64encode(pem)), HEADER | {"alg": "HS256"}, claims(clock))
    assert await reason(verifier(clock, KEYS["RS256"], algorithms=["RS256"]), token) == "algorithm not allowed"


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS256", "", "ES256 "])
async def test_unsigned_and_unknown_algorithms_are_refused(clock: Any, sign: Sign, alg: str) -> None:
    token = sign(KEY, HEADER | {"alg": alg}, claims(clock), "ES256")
    assert await reason(verifier(clock), token) == "algorithm not allowed"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": "https://login.example.com/realms/erp/"}, "unknown issuer"),
        ({"iss": ...}, "unknown issuer"),
        ({"iss": [ISSUER]}, "unknown issuer"),
        ({"aud": "erp2"}, "meant for another audience"),
        ({"aud": ["crm", "hr"]}, "meant for another audience"),
        ({"aud": ...}, "meant for another audience"),
        ({"aud": {"erp": 1}}, "meant for another audience"),
        ({"exp": ...}, "no exp"),
        ({"exp": None}, "exp is no time"),
        ({"exp": "1900000000"}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"exp": 10**400}, "exp is no time"),
        ({"exp": 1_799_999_970}, "expired"),
        ({"nbf": 1_800_000_031}, "nbf is in the future"),
        ({"iat": 1_800_000_031}, "iat is in the future"),
        ({"iat": "now"}, "iat is no time"),
        ({"sub": ...}, "the claim sub is missing or no plain name"),
        ({"sub": 7}, "the claim sub is missing or no plain name"),
        ({"sub": ""}, "the claim sub is missing or no plain name"),
        ({"sub": "oa\n"}, "the claim sub is missing or no plain name"),
        ({"sub": "\ud800"}, "the claim sub is missing or no plain name"),
        ({"sub": "a" * 257}, "the claim sub is missing or no plain name"),
        ({"tenant": ...}, "the claim tenant is missing or no plain name"),
        ({"roles": 3}, "the claim roles is no list of roles"),
        ({"roles": ["a"] * 201}, "the claim roles is no list of roles"),
        ({"roles": [["a"]]}, "the claim roles is missing or no plain name"),
    ],
)
async def test_a_claim_that_is_wrong(clock: Any, sign: Sign, changes: dict[str, Any], expected: str) -> None:
    assert await reason(verifier(clock), sign(KEY, HEADER, claims(clock, **changes))) == expected


async def test_claims_within_the_leeway_are_good(clock: Any, sign: Sign) -> None:
    now = int(clock.now())
    for changes in ({"exp": now - 29}, {"nbf": now + 30}, {"iat": now + 30}, {"aud": ["hr", "erp"]}, {"exp": now + 0.5}):
        verified = await verifier(clock).verify(sign(KEY, HEADER, claims(clock, **changes)))
        assert verified.principal.subject == "oa"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"])
async def test_types_that_are_accepted(clock: Any, sign: Sign, typ: str) -> None:
    assert (await verifier(clock).verify(sign(KEY, HEADER | {"typ": typ}, claims(clock)))).principal.subject == "oa"


@pytest.mark.parametrize("typ", ["logout+jwt", "", 1, None, ["JWT"], "dpop+jwt"])
async def test_types_that_are_not(clock: Any, sign: Sign, typ: Any) -> None:
    assert await reason(verifier(clock), sign(KEY, HEADER | {"typ": typ}, claims(clock))) == "type not allowed"


async def test_a_token_without_type_is_good_only_where_it_is_said(clock: Any, sign: Sign) -> None:
    token = sign(KEY, {"alg": "ES256", "kid": "one"}, claims(clock))
    assert await reason(verifier(clock), token) == "type not allowed"
    assert (await verifier(clock, typ=[""]).verify(token)).principal.subject == "oa"


async def test_keys_in_the_header_are_never_used(clock: Any, sign: Sign) -> None:
    for extra in ({"jwk": OTHER.as_dict(private=False)}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/c"}):
        assert await reason(verifier(clock), sign(OTHER, HEADER | extra, claims(clock))) == "the signature is wrong"
        assert (await verifier(clock).verify(sign(KEY, HEADER | extra, claims(clock)))).principal.subject == "oa"


async def test_duplicate_claims_are_refused(clock: Any, sign: Sign) -> None:
    good = json.dumps(claims(clock))
    twice = good[:-1] + ', "sub": "cfo"}'
    assert await reason(verifier(clock), sign(KEY, HEADER, twice.encode())) == "the payload is no proper JSON"


async def test_an_unknown_key_is_refused(clock: Any, sign: Sign) -> None:
    assert await reason(verifier(clock), sign(OTHER, HEADER | {"kid": "two"}, claims(clock))) == "unknown key"


async def test_without_kid_the_only_fitting_key_is_meant(clock: Any, sign: Sign) -> None:
    header = {"alg": "ES256", "typ": "JWT"}
    rsa = KEYS["RS256"]
    assert (await verifier(clock, KEY, rsa).verify(sign(KEY, header, claims(clock)))).principal.subject == "oa"
    assert await reason(verifier(clock, KEY, KEYS["ES256"]), sign(KEY, header, claims(clock))) == "unknown key"


@pytest.mark.parametrize("parameters", [{"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES384"}])
async def test_a_key_is_used_for_what_it_says(clock: Any, sign: Sign, parameters: Any) -> None:
    key = ECKey.import_key(OTHER.as_dict(private=True), parameters)
    public = key.as_dict(private=False)
    good = KEYS["ES256"].as_dict(private=False)

    async def fetch(place: str) -> bytes:
        return json.dumps({"keys": [public, good]}).encode()

    config = Issuer.model_validate({"issuer": ISSUER, "audience": "erp", "jwks": "keys.json", "algorithms": ["ES256"]})
    checked = TokenVerifier([external_issuer(config, KeyStore(fetch, clock))], clock)
    with pytest.raises(Rejected):
        await checked.verify(sign(OTHER, HEADER, claims(clock)))


async def test_claims_have_the_names_the_configuration_gives_them(clock: Any, sign: Sign) -> None:
    body = claims(clock, azp="crm", company="cn01", realm_access={"roles": ["sales", "cfo"]}, tenant=...)
    token = sign(KEY, HEADER, body)
    named = verifier(clock, subject_claim="azp", tenant_claim="company", roles_claim="/realm_access/roles")
    assert (await named.verify(token)).principal == Principal("crm", "cn01", ("sales", "cfo"))
    fixed = verifier(clock, tenant="demo", subject_prefix="idp:", roles_claim="scope")
    assert (await fixed.verify(token)).principal == Principal("idp:oa", "demo")
    scoped = sign(KEY, HEADER, body | {"scope": "sales cfo"})
    assert (await fixed.verify(scoped)).principal == Principal("idp:oa", "demo", ("sales", "cfo"))
    assert (await verifier(clock, tenant="demo", roles_claim="/sub/x").verify(token)).principal.roles == ()


# --- mutations -------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_mutation_of_a_good_token_is_refused(clock: Any, sign: Sign, data: st.DataObject) -> None:
    token = sign(KEY, HEADER, claims(clock))
    at = data.draw(st.integers(0, len(token) - 1))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "truncate", "swap"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    mutated = {
        "replace": token[:at] + byte + token[at + 1 :],
        "insert": token[:at] + byte + token[at:],
        "delete": token[:at] + token[at + 1 :],
        "truncate": token[:at],
        "swap": token[at:] + token[:at],
    }[kind]
    if mutated == token:
        return
    with pytest.raises(Rejected):
        asyncio.run(verifier(clock).verify(mutated))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payload=st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "tenant", "roles"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False),
            st.text(),
            st.lists(st.text()),
            st.just(ISSUER),
            st.just("erp"),
        ),
    )
)
def test_signed_nonsense_is_refused_and_never_breaks(clock: Any, sign: Sign, payload: dict[str, Any]) -> None:
    token = sign(KEY, HEADER, json.dumps({"iss": ISSUER, "aud": "erp"} | payload).encode())
    try:
        verified = asyncio.run(verifier(clock).verify(token))
    except Rejected:
        return
    assert payload["exp"] + 30 > clock.now()
    assert verified.principal.subject == payload["sub"]
