"""Which header fields may cross the gateway, in each direction.

Requests pass by allowlist, and some names never pass even when listed: those that belong to one connection, and those that
say who is calling, because the ERP must hear that from the gateway alone. Answers pass by denylist: what belongs to one
connection, what describes the ERP's insides, and what only the ERP's own clients may act on is taken out.
Pure, and run for every request: rules are compiled once per set of names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, TypeVar

from gateway.exchange import Headers

V = TypeVar("V")
_REMEMBERED: Final = 1024
_LONGEST: Final = 64


class Remembered(dict[bytes, V], Generic[V]):
    """A pure function of a field's name, looked up by subscription: quicker than calling it, cached or not. Names are the
    peer's to choose, so that only so many are kept, and none that is long."""

    def __init__(self, judge: Callable[[bytes], V]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, name: bytes) -> V:
        verdict = self._judge(name)
        if len(name) <= _LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[name] = verdict
        return verdict


# RFC 9110 section 7.6.1, with the older names that intermediaries must also treat so (RFC 9112 appendix C.2.2).
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

# What each connection's client or server writes itself.
FRAMING: Final = frozenset({b"content-length", b"expect", b"host"})

_CREDENTIALS: Final = frozenset({b"api-key", b"authorization", b"cookie", b"cookie2", b"x-api-key", b"x-csrf-token"})

# Names under which servers, ERPs and proxies believe that somebody in front has already identified the caller.
_IDENTITY: Final = frozenset(
    {
        b"cf-connecting-ip",
        b"client-cert",
        b"client-cert-chain",
        b"forwarded",
        b"from",
        b"iv-creds",
        b"iv-groups",
        b"iv-user",
        b"mysapsso2",
        b"oam-remote-user",
        b"remote-addr",
        b"remote-user",
        b"sm-user",
        b"smuser",
        b"tenant",
        b"true-client-ip",
        b"via",
    }
)
_IDENTITY_PREFIXES: Final = (
    b"remote-",
    b"sec-",
    b"ssl-client-",
    b"x-amzn-",
    b"x-auth",
    b"x-client-",
    b"x-cluster-client-",
    b"x-credential",
    b"x-envoy-",
    b"x-forward",
    b"x-goog-",
    b"x-http-method",
    b"x-identity",
    b"x-method-override",
    b"x-ms-client-principal",
    b"x-original-",
    b"x-principal",
    b"x-real-",
    b"x-remote-",
    b"x-rewrite-",
    b"x-role",
    b"x-scope",
    b"x-ssl-",
    b"x-subject",
    b"x-tenant",
    b"x-user",
)

# What a satellite may tell the ERP by default. Content negotiation and conditions (RFC 9110 sections 8, 12, 13, 14) are part
# of the call's meaning; content-encoding describes the body's bytes and goes where they go; Prefer (RFC 7240),
# Idempotency-Key and the trace context are made to be passed on. User-Agent is not: nobody verified it, ERPs branch on it,
# and the caller's name reaches them from the gateway. Accept-Encoding is not: whoever reads the answer decides that.
DEFAULT_FORWARD: Final = frozenset(
    {
        b"accept",
        b"accept-language",
        b"content-encoding",
        b"content-language",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"prefer",
        b"range",
        b"traceparent",
        b"tracestate",
    }
)

# Set-Cookie is taken out: a session of the gateway at the ERP is not the satellite's, and no cookie is ever sent up.
# WWW-Authenticate is taken out: the ERP's challenge is for the gateway. Content-Length goes because the edge frames what it
# sends. Transport policy (Alt-Svc, HSTS, CORS) is for the edge's own host to state.
_INTERNAL: Final = frozenset(
    {
        b"alt-svc",
        b"clear-site-data",
        b"nel",
        b"p3p",
        b"public-key-pins",
        b"report-to",
        b"server",
        b"server-timing",
        b"set-cookie",
        b"set-cookie2",
        b"sourcemap",
        b"strict-transport-security",
        b"via",
        b"www-authenticate",
        b"x-generator",
        b"x-host",
        b"x-hostname",
        b"x-served-by",
        b"x-server",
        b"x-sourcemap",
    }
)
_INTERNAL_PREFIXES: Final = (
    b"access-control-",
    b"sap-",
    b"x-accel-",
    b"x-amz",
    b"x-aspnet",
    b"x-backend",
    b"x-debug",
    b"x-drupal-",
    b"x-envoy-",
    b"x-forward",
    b"x-powered-by",
    b"x-runtime",
    b"x-sap-",
    b"x-sendfile",
    b"x-upstream",
)

# What the gateway's own answer says: its clock, its trace, its limits.
_OWN: Final = frozenset({b"date", b"ratelimit", b"ratelimit-policy", b"traceparent", b"tracestate", b"x-request-id"})

# Fields holding a URI reference: an absolute one names a host inside the company.
_REFERENCES: Final = frozenset({b"content-location", b"link", b"location", b"refresh"})

# What nearly every Connection field says.
_USUAL: Final = {option: frozenset({option}) for option in (b"close", b"keep-alive")}


def forwardable(headers: Headers, allow: frozenset[bytes] = DEFAULT_FORWARD) -> Headers:
    """The request headers that may be sent on.

    A name passes when it is in ``allow``, is not nominated by Connection (RFC 9110 section 7.6.1), and is neither
    hop-by-hop, framing, a credential nor a claim of identity: those never pass, ``allow`` or not.

    :param headers: names in lower case, as the caller sent them.
    :param allow: names in lower case; build the set once, its rule is compiled per set.
    """
    passing = _passing(allow)
    kept: Headers = []
    nominating = False
    for header in headers:
        if header[0] in passing:
            kept.append(header)
        elif header[0] == b"connection":
            nominating = True
    return _without(nominated(headers), kept) if nominating else kept


def answerable(headers: Headers) -> Headers:
    """The answer headers that may go back to the caller: all but hop-by-hop ones, those nominated by Connection, framing,
    cookies, challenges, descriptions of the ERP's insides, what the gateway says itself, and references that name a host.

    :param headers: names in lower case, as the upstream sent them.
    """
    kept: Headers = []
    nominating = False
    for header in headers:
        name = header[0]
        if _answers[name]:
            if name not in _REFERENCES or b"//" not in header[1]:
                kept.append(header)
        elif name == b"connection":
            nominating = True
    return _without(nominated(headers), kept) if nominating else kept


def nominated(headers: Headers) -> frozenset[bytes]:
    """The names that Connection fields declare to be for this connection only, in lower case."""
    values = [value for name, value in headers if name == b"connection"]
    if not values:
        return frozenset()
    usual = _USUAL.get(values[0]) if len(values) == 1 else None
    return usual or frozenset(token.strip(b" \t") for token in b",".join(values).lower().split(b","))


def _without(names: frozenset[bytes], headers: Headers) -> Headers:
    return [header for header in headers if header[0] not in names]


def protected(name: bytes) -> bool:
    """Whether a caller's header of this lower-case name must never reach an upstream. ``_`` counts as ``-``, because servers
    that hand headers on as variables cannot tell them apart."""
    name = name.replace(b"_", b"-")
    return (
        name in HOP_BY_HOP or name in FRAMING or name in _CREDENTIALS or name in _IDENTITY or name.startswith(_IDENTITY_PREFIXES)
    )


@lru_cache(maxsize=256)
def _passing(allow: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(name for name in allow if not protected(name))


@Remembered
def _answers(name: bytes) -> bool:
    return not (name in HOP_BY_HOP or name in FRAMING or name in _INTERNAL or name in _OWN or name.startswith(_INTERNAL_PREFIXES))
