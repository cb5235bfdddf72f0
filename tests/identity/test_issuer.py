"""The token endpoint without HTTP: requests read, clients checked, tokens that other libraries accept."""

from __future__ import annotations

import base64
import logging
import threading
from contextlib import nullcontext
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OKPKey

from gateway.config.identity import Builtin
from gateway.exchange import Principal
from gateway.identity import issuer as module
from gateway.identity.issuer import Answer, TokenIssuer, TokenRequest
from gateway.identity.jws import Rejected
from gateway.identity.satellites import Satellite, Satellites
from gateway.identity.signing import SigningKeys, generate_key, parse_key
from gateway.identity.tokens import TokenVerifier

CONFIG = Builtin.model_validate({"issuer": "https://erp.example.com", "key_file": "k"})
SATELLITES = Satellites([Satellite("oa", "Office", "demo", demo_secret=True)])
EC = parse_key(generate_key())
ED = parse_key(OKPKey.generate_key("Ed25519").as_pem(private=True).decode())
FORM = {"grant_type": "client_credentials"}


@pytest.fixture(autouse=True)
def cheap_secrets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Checks of secrets are counted and need no work; demo secrets still have to be right."""
    threads: list[int] = []

    def matches(self: object, secret: str) -> bool:
        threads.append(threading.get_ident())
        return False

    monkeypatch.setattr("gateway.identity.hashes.ScryptHash.matches", matches)
    return threads


def issuer(clock: Any, keys: SigningKeys | None = None) -> TokenIssuer:
    return TokenIssuer(CONFIG, keys or SigningKeys(EC), SATELLITES, clock, new_id=lambda: "id-1")


def basic(client: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


async def ask(issuer: TokenIssuer, form: dict[str, str], authorization: str | None = None) -> Answer:
    read = issuer.read(form, authorization)
    return read if isinstance(read, Answer) else await issuer.respond(read)


@pytest.mark.parametrize("key", [EC, ED], ids=["ES256", "EdDSA"])
async def test_a_client_gets_an_access_token(clock: Any, key: Any) -> None:
    own = issuer(clock, SigningKeys(key))
    answer = await ask(own, FORM, basic("oa", "demo-oa"))
    assert answer.status == 200
    assert answer.body["token_type"] == "Bearer"
    assert answer.body["expires_in"] == 900
    assert not answer.failed

    alg = own.jwks["keys"][0]["alg"]
    with pytest.warns(SecurityWarning) if alg == "EdDSA" else nullcontext():
        token = jwt.decode(str(answer.body["access_token"]), KeySet.import_key_set(own.jwks), algorithms=[alg])
    assert token.header == {"alg": alg, "typ": "at+jwt", "kid": key.kid}
    now = int(clock.now())
    assert token.claims == {
        "iss": "https://erp.example.com",
        "sub": "oa",
        "client_id": "oa",
        "aud": "erp-gateway",
        "iat": now,
        "exp": now + 900,
        "jti": "id-1",
    }


async def test_the_gateway_accepts_what_it_issued_also_after_the_key_changed(clock: Any) -> None:
    answer = await ask(issuer(clock), FORM | {"client_id": "oa", "client_secret": "demo-oa"})
    token = str(answer.body["access_token"]).encode()
    for keys in (SigningKeys(EC), SigningKeys(ED, (EC,))):
        verified = await TokenVerifier([issuer(clock, keys).trusted()], clock).verify(token)
        assert verified.principal == Principal("oa", "demo")
    with pytest.raises(Rejected):
        await TokenVerifier([issuer(clock, SigningKeys(ED)).trusted()], clock).verify(token)


@pytest.mark.parametrize("claims", [{"sub": "cfo"}, {"client_id": "crm", "sub": "crm"}, {"client_id": 1}, {"client_id": ["oa"]}])
async def test_own_tokens_for_other_names_are_refused(clock: Any, claims: dict[str, Any]) -> None:
    now = clock.now()
    good = {"iss": CONFIG.issuer, "aud": CONFIG.audience, "client_id": "oa", "sub": "oa", "exp": now + 9}
    verifier = TokenVerifier([issuer(clock).trusted()], clock)
    assert (await verifier.verify(module.sign(good, EC).encode())).principal.subject == "oa"
    with pytest.raises(Rejected, match="no such satellite"):
        await verifier.verify(module.sign(good | claims, EC).encode())


@pytest.mark.parametrize(
    ("client", "secret"), [("oa", "demo-crm"), ("crm", "demo-crm"), ("oa", ""), ("", "demo-oa"), ("", ""), ("oa", "ä")]
)
async def test_a_client_that_cannot_prove_itself(clock: Any, cheap_secrets: list[int], client: str, secret: str) -> None:
    answer = await ask(issuer(clock), FORM, basic(client, secret))
    assert answer.status == 401
    assert answer.body == {"error": "invalid_client", "error_description": "unknown client or wrong secret"}
    assert answer.headers == {"www-authenticate": 'Basic realm="erp-gateway", charset="UTF-8"'}
    assert answer.failed
    assert len(cheap_secrets) == 1


async def test_secrets_are_checked_off_the_event_loop(clock: Any, cheap_secrets: list[int]) -> None:
    await ask(issuer(clock), FORM, basic("oa", "demo-oa"))
    assert len(cheap_secrets) == 1
    assert cheap_secrets[0] != threading.get_ident()


async def test_without_client_authentication_there_is_nothing_to_check(clock: Any, cheap_secrets: list[int]) -> None:
    answer = await ask(issuer(clock), FORM | {"client_id": "oa"})
    assert (answer.status, answer.failed, cheap_secrets) == (401, True, [])


@pytest.mark.parametrize(
    ("form", "authorization", "error"),
    [
        ({}, basic("oa", "demo-oa"), "invalid_request"),
        ({"grant_type": "password"}, basic("oa", "demo-oa"), "unsupported_grant_type"),
        ({"grant_type": 'x"\\\n'}, basic("oa", "demo-oa"), "unsupported_grant_type"),
        (FORM | {"scope": "all"}, basic("oa", "demo-oa"), "invalid_scope"),
        (FORM | {"client_secret": "demo-oa"}, basic("oa", "demo-oa"), "invalid_request"),
        (FORM | {"client_id": "crm"}, basic("oa", "demo-oa"), "invalid_request"),
        (FORM, "Bearer x", "invalid_request"),
        (FORM, "Basic", "invalid_request"),
        (FORM, "Basic !!!", "invalid_request"),
        (FORM, "Basic " + base64.b64encode(b"oa").decode(), "invalid_request"),
        (FORM, "Basic " + base64.b64encode(b"oa:\xff").decode(), "invalid_request"),
        (FORM, basic("oa", "%ff"), "invalid_request"),
    ],
)
async def test_requests_that_break_the_rules(clock: Any, form: dict[str, str], authorization: str, error: str) -> None:
    answer = await ask(issuer(clock), form, authorization)
    assert answer.status == 400
    assert answer.body["error"] == error
    description = str(answer.body["error_description"])
    assert description
    assert '"' not in description
    assert "\\" not in description
    assert description.isascii()
    assert not answer.failed


def test_both_parts_of_basic_are_form_encoded(clock: Any) -> None:
    read = issuer(clock).read(FORM | {"client_id": "o:a"}, basic("o%3Aa", "a%20b+c"))
    assert read == TokenRequest(FORM | {"client_id": "o:a"}, "client_secret_basic", "o:a", "a b+c")


async def test_neither_secrets_nor_tokens_are_shown_or_logged(clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    own = issuer(clock)
    read = own.read(FORM | {"client_id": "oa", "client_secret": "demo-oa"}, None)
    assert isinstance(read, TokenRequest)
    with structlog.testing.capture_logs() as logs:
        answer = await own.respond(read)
        refused = await ask(own, FORM | {"client_id": "oa", "client_secret": "s3cret"})
    assert refused.status == 401
    token = str(answer.body["access_token"])
    shown = f"{read!r} {answer!r} {refused!r} {logs} {caplog.text}"
    assert token not in shown
    assert "demo-oa" not in shown
    assert "s3cret" not in shown
    assert [entry["event"] for entry in logs] == ["token.issued", "token.refused"]


def test_the_documents(clock: Any) -> None:
    own = issuer(clock, SigningKeys(EC, (ED,)))
    assert [key["kid"] for key in own.jwks["keys"]] == [EC.kid, ED.kid]
    assert own.metadata == {
        "issuer": "https://erp.example.com",
        "token_endpoint": "https://erp.example.com/oauth/token",
        "jwks_uri": "https://erp.example.com/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["grant_type", "client_id", "client_secret", "scope", "x"]), st.text()), st.none() | st.text()
)
def test_any_request_is_read_or_answered(form: dict[str, str], authorization: str | None) -> None:
    read = TokenIssuer(CONFIG, SigningKeys(EC), SATELLITES, None).read(form, authorization)  # type: ignore[arg-type]
    assert isinstance(read, TokenRequest) or read.status == 400


def test_ids_are_random_by_default() -> None:
    made = TokenIssuer(CONFIG, SigningKeys(EC), SATELLITES, None)._new_id  # type: ignore[arg-type]
    assert len({made() for _ in range(100)}) == 100
