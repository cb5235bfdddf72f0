"""WS-Security as callers may use it here: a UsernameToken with its password as text, and a Timestamp (WSS 1.0, OASIS 2004/01).

Secrets are kept as hashes, so a digest of one cannot be checked. Whatever else a Security header holds would be ignored security,
so it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway.errors import Unauthenticated
from gateway.protocols.facade.faults import WSSE, WSU, coded

PASSWORD_TEXT: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"  # noqa: S105

SKEW: Final = 300.0
"""Seconds the caller's clock may be wrong by; WSS4J's default."""


@dataclass(frozen=True, slots=True)
class UsernameToken:
    username: str
    password: str = field(repr=False)


def username_token(security: Any, now: float) -> UsernameToken | None:
    """The token in a Security header, None without one. Raises ``Unauthenticated``."""
    token: UsernameToken | None = None
    for child in security:
        if child.tag == f"{{{WSU}}}Timestamp":
            _fresh(child, now)
        elif child.tag == f"{{{WSSE}}}UsernameToken":
            if token is not None:
                raise coded(Unauthenticated, "InvalidSecurity", "The Security header holds more than one UsernameToken.")
            token = _token(child)
        else:
            detail = "Of WS-Security only a UsernameToken with PasswordText, and a Timestamp, are taken here."
            raise coded(Unauthenticated, "UnsupportedSecurityToken", detail)
    return token


def _token(node: Any) -> UsernameToken:
    names = [child for child in node if child.tag == f"{{{WSSE}}}Username"]
    passwords = [child for child in node if child.tag == f"{{{WSSE}}}Password"]
    if len(names) != 1 or len(passwords) != 1 or len(names[0]) or len(passwords[0]):
        raise coded(Unauthenticated, "InvalidSecurityToken", "The UsernameToken needs one Username and one Password.")
    if passwords[0].get("Type", PASSWORD_TEXT) != PASSWORD_TEXT:
        detail = "Secrets are kept as hashes, so a PasswordDigest cannot be checked: send PasswordText, over TLS."
        raise coded(Unauthenticated, "UnsupportedSecurityToken", detail)
    return UsernameToken((names[0].text or "").strip(), passwords[0].text or "")


def _fresh(node: Any, now: float) -> None:
    expires = (node.findtext(f"{{{WSU}}}Expires") or "").strip()
    if not expires:
        return
    try:
        moment = datetime.fromisoformat(expires)
        past = moment.tzinfo is None or moment.timestamp() + SKEW < now
    except (ValueError, OverflowError) as error:
        raise coded(Unauthenticated, "InvalidSecurity", "The Timestamp's Expires is no time with a zone.") from error
    if past:
        raise coded(Unauthenticated, "MessageExpired", "The message has expired, by the gateway's clock.")
