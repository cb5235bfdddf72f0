"""What a contract's security policy asks for and an upstream's settings do not give: a warning for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from gateway.config.credentials import Credentials, Security
from gateway.config.gateway import Upstream
from gateway.config.source import Place, Source
from gateway.errors import Finding
from gateway.protocols.soap.wsse.policy import assertions

_Given = Callable[[Credentials, Security], object]

# Assertions, what they ask for, where it is configured, and whether it is.
_ASKED: Final[tuple[tuple[frozenset[str], str, str, _Given], ...]] = (
    (frozenset({"UsernameToken"}), "a UsernameToken", "security: {username:, password:}", lambda _, s: s.username),
    (frozenset({"HashPassword"}), "a password as digest", "digest: true", lambda _, s: s.digest),
    (frozenset({"IncludeTimestamp"}), "a Timestamp", "security: {timestamp:}", lambda _, s: s.timestamp),
    (
        frozenset({"AsymmetricBinding", "EndorsingSupportingTokens", "SignedEndorsingSupportingTokens"}),
        "a signature",
        "security: {sign:}",
        lambda _, s: s.sign,
    ),
    (frozenset({"HttpBasicAuthentication"}), "HTTP basic authentication", "credentials: {basic:}", lambda c, _: c.basic),
    (
        frozenset({"RequireClientCertificate"}),
        "a client certificate",
        "credentials: {client_certificate:}",
        lambda c, _: c.client_certificate,
    ),
)
_NOT_OFFERED: Final = frozenset(
    {
        "EncryptedParts",
        "EncryptedElements",
        "SymmetricBinding",
        "SamlToken",
        "IssuedToken",
        "KerberosToken",
        "SecureConversationToken",
    }
)


def unmet(wsdl: bytes, upstream: Upstream, place: Place, source: Source) -> Iterator[Finding]:
    """``wsdl`` is the upstream's, which was read already."""
    asked = assertions(wsdl)
    security = upstream.security or Security.model_construct()
    for names, what, remedy, given in _ASKED:
        if names & asked and not given(upstream.credentials or Credentials(), security):
            yield source.finding(
                (*place, "wsdl"), f"the WSDL's policy asks for {what}, and none is configured", f"add '{remedy}'"
            )
    for name in sorted(_NOT_OFFERED & asked):
        remedy = "ask the ERP for an endpoint without it, over TLS"
        yield source.finding((*place, "wsdl"), f"the WSDL's policy asks for {name}, which the gateway cannot do", remedy)
