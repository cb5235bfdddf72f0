"""The Authorization header of an upstream, and warnings where anybody on the way could read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.credentials import Credentials
from gateway.config.gateway import Upstream
from gateway.config.source import parse_source
from gateway.exchange import Headers
from gateway.upstreams.credentials import authorization, in_the_clear

SOURCE = parse_source(
    b"upstreams:\n  erp:\n    credentials:\n      bearer: x\n    security:\n      password: x\n",
    name="gateway.yaml",
    folder=Path(),
)


@pytest.mark.parametrize(
    ("section", "headers"),
    [
        (None, []),
        ({}, []),
        # RFC 7617 section 2, and section 2.1: the pound sign in UTF-8.
        ({"basic": {"user": "Aladdin", "password": "open sesame"}}, [(b"authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")]),
        ({"basic": {"user": "test", "password": "123\u00a3"}}, [(b"authorization", b"Basic dGVzdDoxMjPCow==")]),
        ({"bearer": "mF_9.B5f-4.1JqM"}, [(b"authorization", b"Bearer mF_9.B5f-4.1JqM")]),
        ({"client_certificate": {"certificate_file": "a"}}, []),
    ],
)
def test_the_authorization_header(section: dict[str, object] | None, headers: Headers) -> None:
    assert authorization(None if section is None else Credentials.model_validate(section)) == headers


TEXT = {"username": "a", "password": "x"}


@pytest.mark.parametrize(
    ("url", "settings", "lines"),
    [
        ("http://erp.example.com/", {"credentials": {"bearer": "x"}, "security": TEXT}, [3, 6]),
        ("http://erp.example.com/", {"security": TEXT | {"digest": True}}, []),
        ("http://erp.example.com/", {"credentials": {}}, []),
        ("https://erp.example.com/", {"credentials": {"bearer": "x"}, "security": TEXT}, []),
        ("http://127.0.0.1:9/", {"credentials": {"bearer": "x"}, "security": TEXT}, []),
        ("http://[::1]:9/", {"credentials": {"bearer": "x"}}, []),
    ],
)
def test_a_secret_in_the_clear_is_warned_of(url: str, settings: dict[str, object], lines: list[int]) -> None:
    upstream = Upstream.model_validate({"wsdl": "a.wsdl", **settings})
    assert [finding.line for finding in in_the_clear(upstream, url, ("upstreams", "erp"), SOURCE)] == lines
