"""From headers to a principal: kinds of credentials, the cache, and what the caller and the log get to know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from gateway.config.identity import Builtin, Issuer
from gateway.errors import BadRequest, Overloaded, Unauthenticated
from gateway.exchange import Principal
from gateway.identity import authenticator as module
from gateway.identity.authenticator import CACHE_SECONDS, HeaderAuthenticator, TokenCache
from gateway.identity.hashes import hash_api_key, new_api_key
from gateway.identity.issuer import TokenIssuer
from gateway.identity.jwks import MAX_AGE, FetchError, KeyStore
from gateway.identity.satellites import Satellite, Satellites
from gateway.identity.signing import SigningKeys, generate_key, parse_key
from gateway.identity.tokens import TokenVerifier, external_issuer

ISSUER = "https://login.example.com"
KEY = ECKey.generate_key("P-256", {"kid": "one"})
API_KEY = new_api_key("oa")
SATELLITES = Satellites([Satellite("oa", "Office", "demo", api_keys=(bytes.fromhex(hash_api_key(API_KEY)[7:]),))])
EXTERNAL = Issuer.model_validate(
    {"issuer": ISSUER, "audience": "erp", "jwks": "keys.json", "algorithms": ["ES256"], "tenant": "demo"}
)

Sign = Callable[..., bytes]


class World:
    """An issuer, its keys, an authenticator, and a count of signature checks."""

    def __init__(self, clock: Any, sign: Sign, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.clock, self.sign = clock, sign
        self.published: list[Any] | None = [KEY]
        self.keys = KeyStore(self.fetch, clock)
        verifier = TokenVerifier([external_issuer(EXTERNAL, self.keys)], clock)
        options = {"satellites": SATELLITES} | options
        self.authenticator = HeaderAuthenticator(verifier, self.keys, clock, **options)
        self.checks = 0
        real = module.TokenVerifier.verify

        async def counted(verifier: Any, token: bytes) -> Any:
            self.checks += 1
            return await real(verifier, token)

        monkeypatch.setattr(module.TokenVerifier, "verify", counted)

    async def fetch(self, place: str) -> bytes:
        if self.published is None:
            raise FetchError("gone")
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.published]}).encode()

    def bearer(self, subject: str = "oa", lifetime: float = 3600, key: Any = KEY) -> tuple[bytes, bytes]:
        now = self.clock.now()
        claims = {"iss": ISSUER, "aud": "erp", "sub": subject, "exp": now + lifetime}
        return b"authorization", b"Bearer " + self.sign(key, {"alg": "ES256", "kid": key.kid, "typ": "JWT"}, claims)

    async def ask(self, *headers: tuple[bytes, bytes]) -> Principal:
        return await self.authenticator.principal([(b"host", b"erp"), *headers, (b"accept", b"*/*")])


@pytest.fixture
def world(clock: Any, sign: Sign, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(clock, sign, monkeypatch)


async def test_a_bearer_token_and_an_api_key_name_principals(world: World) -> None:
    assert await world.ask(world.bearer("crm")) == Principal("crm", "demo")
    assert await world.ask((b"x-api-key", API_KEY.encode())) == Principal("oa", "demo")


@pytest.mark.parametrize("scheme", [b"bearer ", b"BEARER ", b"Bearer   "])
async def test_the_scheme_is_read_as_rfc_9110_says(world: World, scheme: bytes) -> None:
    _, value = world.bearer()
    assert (await world.ask((b"authorization", scheme + value[7:]))).subject == "oa"


@pytest.mark.parametrize(
    "header", [None, b"", b"Basic b2E6eA==", b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer a,b", b"Token x", b"Bearer \xff"]
)
async def test_without_a_usable_credential_the_caller_hears_which_kind_is_wanted(world: World, header: bytes | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await world.ask(*([] if header is None else [(b"authorization", header)]))
    assert caught.value.headers == {"www-authenticate": 'Bearer realm="erp-gateway"'}
    assert caught.value.detail == "Send a bearer token or an API key."


async def test_a_bad_token_is_refused_without_telling_why_and_logged_with_the_reason(world: World) -> None:
    _, expired = world.bearer(lifetime=-100)
    with structlog.testing.capture_logs() as logs, pytest.raises(Unauthenticated) as caught:
        await world.ask((b"authorization", expired))
    assert caught.value.headers["www-authenticate"] == (
        'Bearer realm="erp-gateway", error="invalid_token", error_description="The credential is invalid or has expired"'
    )
    (entry,) = [entry for entry in logs if entry["event"] == "token.rejected"]
    assert entry["reason"] == "expired"
    assert expired[7:].decode() not in str(logs)


async def test_a_bad_api_key_is_refused_and_never_logged(world: World) -> None:
    for bad in (new_api_key("oa"), new_api_key("crm"), "x", ""):
        with structlog.testing.capture_logs() as logs, pytest.raises(Unauthenticated) as caught:
            await world.ask((b"x-api-key", bad.encode()))
        assert 'error="invalid_token"' in caught.value.headers["www-authenticate"]
        assert logs[0]["reason"] == "unknown API key"
        assert not bad or bad not in str(logs[0].values()) or bad == "x"


async def test_more_than_one_credential_is_a_bad_request(world: World) -> None:
    good = world.bearer()
    await world.ask(good)
    await world.ask(good)
    key = (b"x-api-key", API_KEY.encode())
    for headers in ([good, good], [good, key], [key, good], [key, key], [good, (b"authorization", b"Basic x")]):
        with pytest.raises(BadRequest) as caught:
            await world.ask(*headers)
        assert caught.value.headers == {"www-authenticate": 'Bearer realm="erp-gateway", error="invalid_request"'}


async def test_api_keys_are_not_looked_at_when_they_are_off(clock: Any, sign: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(clock, sign, monkeypatch, satellites=None, realm="ERP")
    key = (b"x-api-key", API_KEY.encode())
    with pytest.raises(Unauthenticated) as caught:
        await world.ask(key)
    assert caught.value.headers == {"www-authenticate": 'Bearer realm="ERP"'}
    assert caught.value.detail == "Send a bearer token."
    assert (await world.ask(key, world.bearer())).subject == "oa"


async def test_an_issuer_that_cannot_be_asked_is_not_the_callers_fault(world: World) -> None:
    world.published = None
    with pytest.raises(Overloaded):
        await world.ask(world.bearer())


# --- the cache -------------------------------------------------------------------------------------------------------


async def warm(world: World, header: tuple[bytes, bytes]) -> None:
    """The first call fetches the keys, which forgets everything; the second is remembered."""
    await world.ask(header)
    await world.ask(header)
    world.checks = 0


async def test_a_verified_token_is_checked_once(world: World) -> None:
    header = world.bearer()
    await warm(world, header)
    for _ in range(5):
        assert (await world.ask(header)).subject == "oa"
    assert world.checks == 0


async def test_a_remembered_token_ends_when_it_expires(world: World) -> None:
    header = world.bearer(lifetime=100)
    await warm(world, header)
    world.clock.advance(99)
    await world.ask(header)
    assert world.checks == 0
    world.clock.advance(1)
    await world.ask(header)
    await world.ask(header)
    assert world.checks == 2, "within the leeway a token is checked each time"
    world.clock.advance(30)
    with pytest.raises(Unauthenticated):
        await world.ask(header)


async def test_a_remembered_token_is_checked_again_after_a_while(world: World) -> None:
    header = world.bearer(lifetime=86400)
    await warm(world, header)
    world.clock.advance(CACHE_SECONDS)
    await world.ask(header)
    assert world.checks == 1


async def test_changed_keys_end_every_remembered_token(world: World) -> None:
    header = world.bearer()
    await warm(world, header)
    other = ECKey.generate_key("P-256", {"kid": "two"})
    world.published = [other]
    world.clock.advance(MAX_AGE - 1)
    assert (await world.ask(world.bearer("crm", key=other))).subject == "crm"
    with pytest.raises(Unauthenticated):
        await world.ask(header)


async def test_a_key_that_changes_during_the_check_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    header = world.bearer()
    await warm(world, header)
    real = module.TokenVerifier.verify

    async def meanwhile(verifier: Any, token: bytes) -> Any:
        verified = await real(verifier, token)
        world.keys.version += 1
        return verified

    world.keys.version += 1
    monkeypatch.setattr(module.TokenVerifier, "verify", meanwhile)
    await world.ask(header)
    await world.ask(header)
    assert world.checks == 2


async def test_remembered_tokens_are_bounded_and_used_ones_stay(clock: Any) -> None:
    cache = TokenCache(10)
    entry = (Principal("oa", "demo"), 1.0)
    cache.put(b"used", entry)
    for n in range(100):
        cache.put(b"%d" % n, entry)
        assert len(cache) <= 10
        assert cache.young.get(b"used") or cache.from_old(b"used") == entry
    cache.put(b"used", entry)
    cache.clear()
    assert len(cache) == 0
    assert cache.from_old(b"used") is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pgc"), st.integers(0, 30)), max_size=200), st.integers(1, 12))
def test_the_cache_never_invents_and_never_overflows(steps: list[tuple[str, int]], size: int) -> None:
    cache, put = TokenCache(size), {}
    for step, n in steps:
        key = b"%d" % n
        if step == "p":
            put[key] = (Principal(str(n), "t"), float(len(put)))
            cache.put(key, put[key])
        elif step == "g":
            found = cache.young.get(key) or cache.from_old(key)
            assert found is None or found == put[key]
        else:
            cache.clear()
            put.clear()
        assert len(cache) <= max(2, size)


async def test_a_token_in_the_older_half_is_still_remembered(world: World) -> None:
    world.authenticator._cache = TokenCache(4)
    headers = [world.bearer(f"s{n}") for n in range(3)]
    await warm(world, headers[0])
    for header in headers[1:]:
        await world.ask(header)
    world.checks = 0
    await world.ask(headers[0])
    assert world.checks == 0


# --- the gateway's own tokens ----------------------------------------------------------------------------------------


async def test_own_tokens_are_good_while_their_satellite_is_in_the_file(world: World) -> None:
    config = Builtin.model_validate({"issuer": "https://erp.example.com", "key_file": "k"})
    keys = SigningKeys(parse_key(generate_key()))

    def deployed(satellites: Satellites) -> tuple[TokenIssuer, HeaderAuthenticator]:
        issuer = TokenIssuer(config, keys, satellites, world.clock)
        return issuer, HeaderAuthenticator(TokenVerifier([issuer.trusted()], world.clock), world.keys, world.clock)

    issuer, authenticator = deployed(Satellites([Satellite("oa", "Office", "demo", demo_secret=True)]))
    form = {"grant_type": "client_credentials", "client_id": "oa", "client_secret": "demo-oa"}
    answer = await issuer.respond(issuer.read(form, None))
    header = (b"authorization", b"Bearer " + str(answer.body["access_token"]).encode())
    assert await authenticator.principal([header]) == Principal("oa", "demo")
    _, moved = deployed(Satellites([Satellite("oa", "Office", "cn01")]))
    assert await moved.principal([header]) == Principal("oa", "cn01")
    _, gone = deployed(Satellites([Satellite("crm", "CRM", "demo")]))
    with pytest.raises(Unauthenticated):
        await gone.principal([header])
