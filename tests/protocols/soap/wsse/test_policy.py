"""Assertions are found in every version of WS-SecurityPolicy, and those that are optional are not."""

from __future__ import annotations

import pytest

from gateway.protocols.soap.wsse.policy import assertions

SPACES = ["http://schemas.xmlsoap.org/ws/2005/07/securitypolicy", "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"]


def wsdl(policy: str, space: str = SPACES[1]) -> bytes:
    return (
        f'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:p="http://www.w3.org/ns/ws-policy" xmlns:sp="{space}">'
        f"<!-- c --><p:Policy>{policy}</p:Policy></w:definitions>"
    ).encode()


@pytest.mark.parametrize("space", SPACES)
def test_assertions_are_found_by_name(space: str) -> None:
    policy = '<sp:TransportBinding><p:Policy><sp:HttpsToken RequireClientCertificate="true"/></p:Policy></sp:TransportBinding>'
    assert assertions(wsdl(policy, space)) == {"TransportBinding", "HttpsToken", "RequireClientCertificate"}


def test_what_is_optional_is_not_asked_for() -> None:
    assert assertions(wsdl('<sp:UsernameToken p:Optional="true"/><sp:HttpsToken RequireClientCertificate="false"/>')) == {
        "HttpsToken"
    }


def test_a_wsdl_without_policy_asks_for_nothing() -> None:
    assert assertions(b"<definitions/>") == frozenset()
    assert assertions(wsdl("<x:UsernameToken xmlns:x='urn:securitypolicy'/>")) == frozenset()
