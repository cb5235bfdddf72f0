"""Seals on rows that say who somebody is or acts for: sessions, security keys, delegations.

Whoever can write the database can write a row. Without the audit key, which is not in the database, it has no seal, and then it
is nobody's session, nobody's key and no delegation. A seal does not keep a row from being deleted, or an earlier row of the same
number from being put back.
"""

from __future__ import annotations

import hmac
import json

from gateway.documents.audit import mac_of

Value = str | int | float | bytes | None


def seal_of(key: bytes, kind: str, *values: Value) -> str:
    """HMAC-SHA-256, in hex, over what kind of row it is and what it says."""
    plain = [[type(value).__name__, value.hex()] if isinstance(value, bytes | float) else value for value in values]
    return mac_of(key, json.dumps(["seal", kind, *plain]))


def sealed(key: bytes, given: str, kind: str, *values: Value) -> bool:
    """Whether ``given`` is the seal of such a row."""
    return hmac.compare_digest(seal_of(key, kind, *values).encode(), given.encode("utf-8", "surrogatepass"))
