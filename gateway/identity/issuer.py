"""The built-in token endpoint: client credentials in, a signed access token out (RFC 6749 section 4.4, RFC 9068).

authlib runs the grant; here are the satellites as its clients and the token it hands out. Strategy: the request is read strictly
before authlib sees it, an unknown client takes the same path as a known one with a wrong secret, and the slow check of a secret
runs in a thread. Tokens are never stored and never logged.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

import structlog
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, InvalidScopeError, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from joserfc import jws

from gateway.config.identity import Builtin
from gateway.exchange import Principal
from gateway.identity.jws import JsonObject, Rejected
from gateway.identity.satellites import Satellite, Satellites
from gateway.identity.signing import SigningKey, SigningKeys, algorithm
from gateway.identity.tokens import TrustedIssuer
from gateway.people import DEMO_TENANT
from gateway.ports import Clock

GRANT = "client_credentials"
METHODS = ("client_secret_basic", "client_secret_post")
TOKEN_PATH = "/oauth/token"  # noqa: S105
JWKS_PATH = "/.well-known/jwks.json"
METADATA_PATH = "/.well-known/oauth-authorization-server"
TYP = "at+jwt"

LEEWAY = 5.0
"""Seconds between the clocks of several gateway processes that check each other's tokens."""

NewId = Callable[[], str]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the token endpoint says: a JSON object, to be sent with ``Cache-Control: no-store``. ``failed`` is whether the client
    could not prove itself, which is what gets throttled."""

    status: int
    body: Mapping[str, object] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request read but not checked. ``method`` is how the client authenticates, or empty when it does not try."""

    form: Mapping[str, str] = field(repr=False)
    method: str = ""
    client: str = ""
    secret: str = field(default="", repr=False)


class TokenIssuer:
    """Immutable. The authorization server of one snapshot. ``new_id`` makes the ``jti``; ``people`` are the demo's, whose secrets
    follow from their names as its satellites' do: it stands in for the OpenID provider whose access tokens people call with."""

    def __init__(
        self,
        config: Builtin,
        keys: SigningKeys,
        satellites: Satellites,
        clock: Clock,
        *,
        realm: str = "erp-gateway",
        people: Collection[str] = (),
        new_id: NewId = lambda: secrets.token_urlsafe(16),
    ) -> None:
        self._config = config
        self._keys = keys
        self._satellites = satellites
        self._people = frozenset(people) - {satellite.client for satellite in satellites}
        self._clock = clock
        self._new_id = new_id
        self._realm = realm
        self._server = _Server(self._client, self._token)

    @property
    def jwks(self) -> dict[str, object]:
        """The JWK Set of the public keys (RFC 7517)."""
        return self._keys.document()

    @property
    def metadata(self) -> dict[str, object]:
        """The metadata document (RFC 8414 section 2)."""
        issuer = self._config.issuer
        return {
            "issuer": issuer,
            "token_endpoint": issuer + TOKEN_PATH,
            "jwks_uri": issuer + JWKS_PATH,
            "grant_types_supported": [GRANT],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": list(METHODS),
        }

    def trusted(self) -> TrustedIssuer:
        """The rules by which the gateway accepts its own tokens: as long as the satellite is still in the file, and with the
        tenant it has there now."""

        def principal(claims: JsonObject) -> Principal:
            client = claims.get("client_id")
            if isinstance(client, str) and client in self._people and client == claims.get("sub"):
                return Principal(client, DEMO_TENANT)
            satellite = self._satellites.get(client) if isinstance(client, str) and client == claims.get("sub") else None
            if satellite is None:
                raise Rejected("no such satellite any more", client=str(client))
            return Principal(satellite.client, satellite.tenant)

        algorithms = self._keys.algorithms()
        config = self._config
        return TrustedIssuer(config.issuer, config.audience, algorithms, frozenset({TYP}), LEEWAY, self._keys.find, principal)

    def read(self, form: Mapping[str, str], authorization: str | None) -> TokenRequest | Answer:
        """Read a token request from its form fields and its Authorization header. An ``Answer`` says why it cannot be read."""
        try:
            return _read(form, authorization)
        except OAuth2Error as error:
            return self._error(error)

    async def respond(self, request: TokenRequest) -> Answer:
        """Check the client and issue a token (RFC 6749 sections 5.1 and 5.2)."""
        uri = self._config.issuer + TOKEN_PATH
        try:
            body = await asyncio.to_thread(self._server.create_token_response, _GrantRequest(uri, request))
        except OAuth2Error as error:
            answer = self._error(error)
            log.info("token.refused", client=request.client[:64], error=answer.body["error"])
            return answer
        log.info("token.issued", client=request.client)
        return Answer(200, body)

    def _error(self, error: OAuth2Error) -> Answer:
        if isinstance(error, InvalidClientError):
            body = {"error": "invalid_client", "error_description": "unknown client or wrong secret"}
            return Answer(401, body, {"www-authenticate": f'Basic realm="{self._realm}", charset="UTF-8"'}, failed=True)
        description = "only client_credentials" if isinstance(error, UnsupportedGrantTypeError) else error.description
        return Answer(400, {"error": error.error, "error_description": description})

    def _client(self, client: str) -> _Client:
        return _Client(client, self._satellites, client in self._people)

    def _token(self, client: _Client, **_: object) -> dict[str, object]:
        now = int(self._clock.now())
        lifetime = int(self._config.lifetime)
        claims = {
            "iss": self._config.issuer,
            "sub": client.client,
            "client_id": client.client,
            "aud": self._config.audience,
            "iat": now,
            "exp": now + lifetime,
            "jti": self._new_id(),
        }
        return {"access_token": sign(claims, self._keys.current), "token_type": "Bearer", "expires_in": lifetime}


# --- reading a request -----------------------------------------------------------------------------------------------


def _read(form: Mapping[str, str], authorization: str | None) -> TokenRequest:
    if not form.get("grant_type"):
        raise InvalidRequestError("grant_type is missing")
    if form.get("scope"):
        raise InvalidScopeError("there are no scopes here, leave it out")
    basic = _basic(authorization) if authorization is not None else None
    posted = form.get("client_secret")
    if basic is None:
        return TokenRequest(form, METHODS[1] if posted else "", form.get("client_id", ""), posted or "")
    if posted is not None:
        raise InvalidRequestError("the client authenticates in two ways, use one")
    if form.get("client_id", basic[0]) != basic[0]:
        raise InvalidRequestError("client_id differs from the one in the Authorization header")
    return TokenRequest(form, METHODS[0], *basic)


def _basic(authorization: str) -> tuple[str, str]:
    """RFC 7617, both parts form-encoded (RFC 6749 section 2.3.1). ``+`` stays a plus: more clients forget the encoding than
    have a space in their secret."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        text = base64.b64decode(encoded.strip(" "), validate=True).decode("utf-8")
        client, colon, secret = text.partition(":")
        if not colon:
            raise ValueError("no colon")
        return unquote(client, errors="strict"), unquote(secret, errors="strict")
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError("the Authorization header is not HTTP Basic with client id and secret") from error


# --- authlib's side --------------------------------------------------------------------------------------------------


class _GrantRequest(OAuth2Request):  # type: ignore[misc]
    def __init__(self, uri: str, read: TokenRequest) -> None:
        super().__init__("POST", uri)
        self.payload = BasicOAuth2Payload(dict(read.form))
        self.read = read


class _Client(ClientMixin):  # type: ignore[misc]
    """A satellite, known or not, or one of the demo's people, as authlib sees it."""

    def __init__(self, client: str, satellites: Satellites, person: bool) -> None:
        self.client = client
        self._satellites = satellites
        self._person = person

    def check_client_secret(self, client_secret: str) -> bool:
        if self._person:
            return secrets.compare_digest(client_secret.encode("utf-8", "replace"), f"demo-{self.client}".encode())
        satellite: Satellite | None = self._satellites.by_secret(self.client, client_secret)
        return satellite is not None

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in METHODS and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == GRANT


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = list(METHODS)

    def create_token_response(self) -> Any:
        """As in authlib, which would also write the token to its debug log."""
        return 200, self.generate_token(include_refresh_token=False), self.TOKEN_RESPONSE_HEADER


class _Server(AuthorizationServer):  # type: ignore[misc]
    """authlib's server over the satellites. ``create_token_response`` returns the token or raises ``OAuth2Error``."""

    def __init__(self, client: Callable[[str], _Client], token: Callable[..., dict[str, object]]) -> None:
        super().__init__()
        self.query_client = client
        for method in METHODS:
            self.register_client_auth_method(method, _authenticate(method))
        self.register_token_generator(GRANT, token)
        self.register_grant(_Grant)

    def create_oauth2_request(self, request: _GrantRequest) -> _GrantRequest:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:
        return body

    def handle_error_response(self, request: object, error: OAuth2Error) -> Any:
        raise error

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""


def _authenticate(method: str) -> Callable[[Callable[[str], _Client], _GrantRequest], _Client | None]:
    def authenticate(query_client: Callable[[str], _Client], request: _GrantRequest) -> _Client | None:
        if request.read.method != method:
            return None
        client = query_client(request.read.client)
        return client if client.check_client_secret(request.read.secret) else None

    return authenticate


# --- the token -------------------------------------------------------------------------------------------------------


class _EveryAlgorithm(jws.JWSRegistry):
    """The key decides the algorithm; joserfc's own registry warns about the name EdDSA, which most verifiers still expect."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def sign(claims: Mapping[str, object], key: SigningKey) -> str:
    """A JWT access token (RFC 9068 section 2)."""
    header = {"alg": algorithm(key), "typ": TYP, "kid": key.kid}
    return jws.serialize_compact(header, json.dumps(claims, separators=(",", ":")), key, registry=_EveryAlgorithm())
