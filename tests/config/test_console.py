"""The console's settings: what a deployment may say, and what it is told when it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.console import Console
from gateway.config.source import parse_source, validate
from gateway.errors import ConfigError

SIGN_IN = """
sign_in:
  issuer: https://login.example.com/realms/company
  client_id: console
  client_secret: ${env:CONSOLE_SECRET:-unset}
"""


def read(text: str) -> Console:
    return validate(parse_source(text.encode(), name="gateway.yaml", folder=Path()), Console)


def test_the_defaults() -> None:
    console = read("{}")
    assert str(console.listen) == "127.0.0.1:8081"
    assert (console.sign_in, console.public_url, console.timezone) == (None, None, None)
    assert (console.fresh, console.idle, console.lifetime) == (300, 900, 28800)


def test_a_provider() -> None:
    sign_in = read(SIGN_IN).sign_in
    assert sign_in is not None
    assert sign_in.scopes == ["openid", "profile"]
    assert sign_in.algorithms == ["RS256", "PS256", "ES256"]
    assert "unset" not in repr(sign_in)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SIGN_IN.replace("https://", "http://"), "which others on the network could change"),
        (SIGN_IN + "  scopes: [profile]", "without openid"),
        (SIGN_IN + "  algorithms: [HS256]", "could also forge"),
        (SIGN_IN + "  algorithms: [none]", "could also forge"),
        (SIGN_IN + "  algorithms: []", "algorithms"),
        (SIGN_IN + "  tenant: a\n  tenant_claim: b", "both tenant and tenant_claim"),
        (SIGN_IN + "listen: 0.0.0.0:8081", "does not say how browsers reach it"),
        ("public_url: http://console.example.com", "which others on the network could change"),
        ("public_url: https://console.example.com/console", "write only the origin"),
        ("fresh: 2h", "choose between 1s and 1h"),
        ("fresh: 0s", "choose between 1s and 1h"),
        ("idle: 1s", "idle"),
        ("lifetime: 48h", "lifetime"),
        ("timezone: Mars/Olympus", "which this machine does not know"),
        ("demo: true", "demo"),
    ],
)
def test_what_would_be_weak_is_an_error(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read(text)


def test_a_public_listener_says_its_name() -> None:
    console = read(SIGN_IN + "listen: 0.0.0.0:8081\npublic_url: https://console.example.com\ntimezone: Asia/Shanghai")
    assert console.public_url == "https://console.example.com"
    assert str(console.timezone) == "Asia/Shanghai"
