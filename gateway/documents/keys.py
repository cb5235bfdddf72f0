"""The audit key: from a secret, or from a file that is made at the first start. It must never be kept in the database."""

from __future__ import annotations

import secrets
from pathlib import Path

from gateway.config.gateway import Ledger
from gateway.config.once import made_once
from gateway.config.source import Source
from gateway.errors import ConfigError

LEAST = 32
"""Characters. RFC 2104 section 3: a key shorter than the hash's 32 bytes weakens the seal."""


def audit_key(config: Ledger, source: Source, folder: Path, *, make: bool = True) -> bytes:
    """What ``ledger.audit_key`` or ``ledger.audit_key_file`` gives; the file is relative to ``folder`` and is made, readable by
    its owner only, when it is not there and ``make`` is true. Raises ``ConfigError``, with the lines of ``source``."""
    if config.audit_key is not None:
        return _usable(config.audit_key.get_secret_value(), source, "audit_key")
    path = folder / config.audit_key_file
    try:
        text = made_once(path, _new, encoding="utf-8") if make else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"'audit_key_file' cannot be read or made ({getattr(error, 'strerror', None) or 'it is not text'})"
        raise ConfigError(
            [source.finding(("ledger", "audit_key_file"), what, "put the key there, or choose a folder the gateway may write")]
        ) from error
    return _usable(text.strip(), source, "audit_key_file")


def _usable(text: str, source: Source, name: str) -> bytes:
    if len(text) < LEAST:
        raise ConfigError(
            [
                source.finding(
                    ("ledger", name), f"'{name}' has fewer than {LEAST} characters", "make one with: openssl rand -hex 32"
                )
            ]
        )
    return text.encode()


def _new() -> str:
    return secrets.token_hex(32) + "\n"
