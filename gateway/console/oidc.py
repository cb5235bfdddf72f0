"""Sign-in at an OpenID provider: authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636, RFC
9207).

authlib builds the requests and checks the claims; signatures are checked as those of access tokens are, with keys fetched and
kept by the same store. The provider's discovery document is fetched when first needed and must name exactly the configured
issuer. Nothing a provider answers is trusted before it is proved, and no reason leaves for the browser: it is in the log.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus

from authlib.common.urls import add_params_to_qs, add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from gateway.config.console import SignIn
from gateway.config.identity import safe_url
from gateway.identity.jws import JsonObject, PublicKey, Rejected, check_signature, parse_compact, parse_object
from gateway.identity.tokens import plain_name, roles_at
from gateway.people import Person
from gateway.ports import Clock

DISCOVERY_AGE = 3600.0
"""Seconds a discovery document is used before it is fetched again."""

FLOW_SECONDS = 600.0
"""How long a person may take at the provider."""


class Caller(Protocol):
    """HTTP to the provider, bounded in size and time: ``gateway.identity.fetch.KeyFetcher``."""

    async def __call__(self, place: str) -> bytes: ...

    async def post(self, url: str, headers: Mapping[str, str], form: bytes) -> tuple[int, bytes]: ...


FindKey = Callable[[str, str | None, str], Awaitable[PublicKey]]
"""From the place of a key set, a ``kid`` and an algorithm to the key: ``KeyStore.key``."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Immutable. One sign-in under way, kept in a cookie of the browser that began it: what comes back counts in that browser
    only.

    :param fresh: seconds since the person proved to be there that are still good; ``None`` where any sign-in will do.
    """

    state: str
    nonce: str
    verifier: str
    next: str
    at: float
    fresh: int | None = None

    @classmethod
    def begin(cls, next_: str, now: float, fresh: int | None) -> Flow:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, next_, now, fresh)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Immutable. Who came back. ``authenticated_at`` is 0 where the provider did not say when."""

    person: Person
    authenticated_at: float
    id_token: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Immutable. What is used of a discovery document."""

    authorization: str
    token: str
    keys: str
    end_session: str | None
    form_secret: bool
    names_issuer: bool


class Provider:
    """The company's OpenID provider."""

    def __init__(self, config: SignIn, caller: Caller, find_key: FindKey, clock: Clock) -> None:
        self._config = config
        self._caller = caller
        self._find_key = find_key
        self._clock = clock
        self._endpoints: Endpoints | None = None
        self._fetched = 0.0

    async def endpoints(self) -> Endpoints:
        """Raises ``FetchError`` or ``Rejected``."""
        if self._endpoints is None or self._clock.monotonic() - self._fetched >= DISCOVERY_AGE:
            place = self._config.issuer.rstrip("/") + "/.well-known/openid-configuration"
            self._endpoints = read_discovery(await self._caller(place), self._config.issuer)
            self._fetched = self._clock.monotonic()
        return self._endpoints

    async def ask(self, flow: Flow, redirect_uri: str, language: str) -> str:
        """Where to send the browser. Raises ``FetchError`` or ``Rejected``."""
        endpoints = await self.endpoints()
        url: str = prepare_grant_uri(
            endpoints.authorization,
            self._config.client_id,
            "code",
            redirect_uri,
            self._config.scopes,
            flow.state,
            nonce=flow.nonce,
            code_challenge=create_s256_code_challenge(flow.verifier),
            code_challenge_method="S256",
            ui_locales=language,
            max_age=None if flow.fresh is None else str(flow.fresh),
        )
        return url

    async def finish(self, flow: Flow, answer: Mapping[str, str], redirect_uri: str) -> SignedIn:
        """Who came back with the query ``answer``. Raises ``FetchError``, ``Rejected`` or ``gateway.errors.Overloaded``."""
        endpoints = await self.endpoints()
        self._check_answer(flow, answer, endpoints)
        form = prepare_token_request("authorization_code", "", redirect_uri, code=answer["code"], code_verifier=flow.verifier)
        headers, form = self._authenticated(form, endpoints)
        status, body = await self._caller.post(endpoints.token, headers, form.encode())
        if status != 200:
            raise Rejected("token endpoint refused", status=str(status), answer=ascii(body[:60]))
        id_token = parse_object(body, "answer").get("id_token")
        if not isinstance(id_token, str):
            raise Rejected("no ID token")
        claims = await self._claims(id_token, flow, endpoints)
        return SignedIn(self._person(claims), float(claims.get("auth_time") or 0.0), id_token)

    async def sign_out(self, id_token: str | None, back: str) -> str | None:
        """Where the browser goes to end the session at the provider too (RP-Initiated Logout 1.0), if that is offered."""
        end = (await self.endpoints()).end_session
        if end is None:
            return None
        parameters = [("client_id", self._config.client_id), ("post_logout_redirect_uri", back)]
        url: str = add_params_to_uri(end, parameters + ([("id_token_hint", id_token)] if id_token else []))
        return url

    def _check_answer(self, flow: Flow, answer: Mapping[str, str], endpoints: Endpoints) -> None:
        if not hmac.compare_digest(flow.state.encode(), answer.get("state", "").encode("utf-8", "replace")):
            raise Rejected("state is another")
        if not 0 <= self._clock.now() - flow.at <= FLOW_SECONDS:
            raise Rejected("took too long")
        issuer = answer.get("iss")
        if (issuer is not None or endpoints.names_issuer) and issuer != self._config.issuer:
            raise Rejected("answer of another issuer", iss=str(issuer))
        if "error" in answer:
            raise Rejected("provider refused", error=answer["error"])
        if not answer.get("code"):
            raise Rejected("no code")

    def _authenticated(self, form: str, endpoints: Endpoints) -> tuple[dict[str, str], str]:
        """RFC 6749 section 2.3.1."""
        client, secret = self._config.client_id, self._config.client_secret
        if secret is None:
            return {}, add_params_to_qs(form, [("client_id", client)])
        if endpoints.form_secret:
            return {}, add_params_to_qs(form, [("client_id", client), ("client_secret", secret.get_secret_value())])
        pair = f"{quote_plus(client)}:{quote_plus(secret.get_secret_value())}"
        return {"authorization": "Basic " + b64encode(pair.encode()).decode()}, form

    async def _claims(self, id_token: str, flow: Flow, endpoints: Endpoints) -> dict[str, Any]:
        """OpenID Connect Core 1.0 section 3.1.3.7."""
        config, now = self._config, self._clock.now()
        token = parse_compact(id_token.encode())
        if token.alg not in config.algorithms:
            raise Rejected("algorithm not allowed", alg=token.alg)
        check_signature(token, await self._find_key(endpoints.keys, token.kid, token.alg))
        payload = parse_object(token.payload, "payload")
        options = {"iss": {"essential": True, "value": config.issuer}, "aud": {"essential": True, "value": config.client_id}}
        options |= {"exp": {"essential": True}, "iat": {"essential": True}, "nonce": {"essential": True, "value": flow.nonce}}
        params = {"nonce": flow.nonce, "client_id": config.client_id, "max_age": flow.fresh}
        claims = CodeIDToken(payload, token.header, options, params)
        try:
            claims.validate(int(now), int(config.leeway))
        except JoseError as error:
            raise Rejected("claims not good", why=str(error)) from error
        self._check_time(payload, flow, now)
        return dict(payload)

    def _check_time(self, payload: JsonObject, flow: Flow, now: float) -> None:
        """authlib wants ``auth_time`` where it was asked for, and leaves its age to us."""
        at = payload.get("auth_time", 0)
        if isinstance(at, bool) or not isinstance(at, int | float) or at > now + self._config.leeway:
            raise Rejected("auth_time is no time in the past")
        if flow.fresh is not None and now - at > flow.fresh + self._config.leeway:
            raise Rejected("signed in too long ago")

    def _person(self, claims: JsonObject) -> Person:
        config = self._config
        subject = config.subject_prefix + plain_name(claims.get(config.subject_claim), config.subject_claim)
        tenant_claim = config.tenant_claim or "tenant"
        tenant = config.tenant if config.tenant is not None else plain_name(claims.get(tenant_claim), tenant_claim)
        shown = claims.get(config.name_claim)
        name = shown if isinstance(shown, str) and shown.isprintable() and 0 < len(shown) <= 200 else subject
        if "*" in (subject, tenant):
            raise Rejected("a name policy rows use for everybody")
        return Person(subject, name, tenant, roles_at(claims, config.roles_claim))


def read_discovery(body: bytes, issuer: str) -> Endpoints:
    """OpenID Connect Discovery 1.0 section 4. Raises ``Rejected``."""
    document = parse_object(body, "discovery document")
    if document.get("issuer") != issuer:
        raise Rejected("discovery names another issuer", issuer=str(document.get("issuer")))
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    challenges = document.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(methods, list) or not isinstance(challenges, list) or "S256" not in challenges:
        raise Rejected("provider without PKCE by S256")
    end = document.get("end_session_endpoint")
    return Endpoints(
        _endpoint(document, "authorization_endpoint"),
        _endpoint(document, "token_endpoint"),
        _endpoint(document, "jwks_uri"),
        None if end is None else _endpoint(document, "end_session_endpoint"),
        "client_secret_basic" not in methods and "client_secret_post" in methods,
        document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: JsonObject, name: str) -> str:
    try:
        return safe_url(str(document.get(name)))
    except ValueError as error:
        raise Rejected("discovery without a safe endpoint", name=name) from error
