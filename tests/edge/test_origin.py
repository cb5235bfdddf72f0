"""Whose address a request has, whatever clients and proxies write."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.origin import HOPS, origin
from gateway.scope.conditions import within

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
OURS = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")
THEIRS = st.ip_addresses().filter(lambda ip: not within(str(ip), PROXIES))


def said(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"gw"), *((b"x-forwarded-for", value) for value in values)]


@pytest.mark.parametrize(
    ("peer", "values", "expected"),
    [
        ("10.0.0.1", [b"192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"198.51.100.1", b"192.0.2.7, 10.9.9.9"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"10.0.0.2,10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", [b"192.0.2.7:49152"], "192.0.2.7"),
        ("10.0.0.1", [b"[2001:db8::1]:443"], "2001:db8::1"),
        ("10.0.0.1", [b"2001:DB8:0::1"], "2001:db8::1"),
        ("fd00::1", [b"192.0.2.7"], "192.0.2.7"),
        ("::ffff:10.0.0.1", [b"192.0.2.7"], "192.0.2.7"),
        ("192.0.2.9", [b"10.1.1.1"], "192.0.2.9"),
        ("", [b"10.1.1.1"], ""),
        ("10.0.0.1", [b"unknown"], ""),
        ("10.0.0.1", [b""], ""),
        ("10.0.0.1", [b"192.0.2.7,"], ""),
        ("10.0.0.1", [b"10.1.1.1, 999.1.1.1"], ""),
        ("10.0.0.1", [b"010.1.1.1"], ""),
        ("10.0.0.1", [b"10.0.0.2," * HOPS + b"10.0.0.2,10.0.0.2"], ""),
    ],
)
def test_the_nearest_address_that_is_no_proxy(peer: str, values: list[bytes], expected: str) -> None:
    assert origin(peer, said(*values) if values != [b""] else said(b" "), PROXIES) == expected


@given(THEIRS, st.lists(OURS, max_size=HOPS - 2), st.binary(max_size=60))
def test_what_a_client_makes_up_changes_nothing(client: object, through: list[object], made_up: bytes) -> None:
    hops = ", ".join(map(str, [client, *through]))
    assert origin("10.0.0.1", said(made_up, hops.encode()), PROXIES) == str(ip_address(str(client)))


@given(THEIRS, st.binary(max_size=60))
def test_who_is_no_proxy_says_nothing(client: object, made_up: bytes) -> None:
    assert origin(str(client), said(made_up), PROXIES) == str(client)


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_an_answer_is_an_address_or_nothing(values: list[bytes]) -> None:
    found = origin("10.0.0.1", said(*values), PROXIES)
    assert found == "" or str(ip_address(found)) == found
