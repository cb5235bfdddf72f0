"""The digest of a password is the profile's, and is another one in every message."""

from __future__ import annotations

import base64
import hashlib
import secrets

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.protocols.soap.wsse import Dress, dress
from gateway.protocols.soap.wsse.signature import WSSE, WSU
from gateway.protocols.soap.wsse.username import Username
from tests.protocols.soap.wsse.keys import NOW, envelope

PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1)


def token(username: Username) -> etree._Element:
    found = etree.fromstring(dress(envelope(), Dress(username), NOW, secrets.token_bytes)).find(f".//{{{WSSE}}}UsernameToken")
    assert found is not None
    return found


@given(WORDS, WORDS)
def test_a_digest_is_made_of_nonce_time_and_password(name: str, password: str) -> None:
    made = token(Username(name, password, digest=True))
    nonce = base64.b64decode(made.findtext(f"{{{WSSE}}}Nonce"))
    created = made.findtext(f"{{{WSU}}}Created")
    assert created == "2026-11-22T12:00:00Z"
    expected = base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()
    given_ = made.find(f"{{{WSSE}}}Password")
    assert (given_.text, given_.get("Type")) == (expected, f"{PROFILE}PasswordDigest")
    assert made.findtext(f"{{{WSSE}}}Username") == name
    assert len(nonce) >= 16


@given(WORDS, WORDS)
def test_a_text_is_the_password(name: str, password: str) -> None:
    made = token(Username(name, password)).find(f"{{{WSSE}}}Password")
    assert (made.text, made.get("Type")) == (password, f"{PROFILE}PasswordText")


def test_a_nonce_is_used_once() -> None:
    nonces = {token(Username("a", "b", digest=True)).findtext(f"{{{WSSE}}}Nonce") for _ in range(20)}
    assert len(nonces) == 20
