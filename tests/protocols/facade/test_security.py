"""WS-Security as it may be used: a UsernameToken in clear, a Timestamp, and nothing that would be ignored."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.errors import Unauthenticated
from gateway.protocols.facade.faults import WSSE, WSU
from gateway.protocols.facade.security import PASSWORD_TEXT, UsernameToken, username_token

DIGEST = PASSWORD_TEXT.replace("PasswordText", "PasswordDigest")


def security(content: str) -> etree._Element:
    return etree.fromstring(f'<s:Security xmlns:s="{WSSE}" xmlns:u="{WSU}">{content}</s:Security>')


def token(password: str) -> str:
    return f"<s:UsernameToken><s:Username> oa </s:Username>{password}<u:Created>2026-01-01</u:Created></s:UsernameToken>"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", None),
        ("<u:Timestamp><u:Created>x</u:Created></u:Timestamp>", None),
        (token("<s:Password> a b </s:Password>"), UsernameToken("oa", " a b ")),
        (token(f'<s:Password Type="{PASSWORD_TEXT}">a</s:Password>'), UsernameToken("oa", "a")),
        (token("<s:Password/><s:Nonce>x</s:Nonce>"), UsernameToken("oa", "")),
    ],
)
def test_what_is_taken(content: str, found: UsernameToken | None) -> None:
    assert username_token(security(content), 0.0) == found


@pytest.mark.parametrize(
    ("content", "code", "detail"),
    [
        (token(f'<s:Password Type="{DIGEST}">a</s:Password>'), "UnsupportedSecurityToken", "send PasswordText, over TLS"),
        (token(""), "InvalidSecurityToken", "one Password"),
        (token("<s:Password>a</s:Password><s:Password>b</s:Password>"), "InvalidSecurityToken", "one Password"),
        (token("<s:Password><b/></s:Password>"), "InvalidSecurityToken", "one Password"),
        (token("<s:Password>a</s:Password>") * 2, "InvalidSecurity", "more than one"),
        ("<s:BinarySecurityToken/>", "UnsupportedSecurityToken", "only a UsernameToken"),
        ('<d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"/>', "UnsupportedSecurityToken", "only a UsernameToken"),
        ("<u:Timestamp><u:Expires>2026-01-01T00:00:00</u:Expires></u:Timestamp>", "MessageExpired", "expired"),
        ("<u:Timestamp><u:Expires>soon</u:Expires></u:Timestamp>", "InvalidSecurity", "no time"),
    ],
)
def test_what_is_refused(content: str, code: str, detail: str) -> None:
    with pytest.raises(Unauthenticated, match=detail) as refused:
        username_token(security(content), 1_800_000_000.0)
    assert refused.value.extensions == {"fault_code": code}


@pytest.mark.parametrize(("late", "expired"), [(-60.0, False), (299.0, False), (301.0, True)])
def test_a_message_expires_by_the_gateways_clock(late: float, expired: bool) -> None:
    node = security("<u:Timestamp><u:Expires>2026-01-01T00:00:00.000Z</u:Expires></u:Timestamp>")
    now = 1_767_225_600.0 + late
    if not expired:
        assert username_token(node, now) is None
        return
    with pytest.raises(Unauthenticated):
        username_token(node, now)
