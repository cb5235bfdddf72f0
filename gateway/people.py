"""Who is signed in: a natural person, as proved by the console's sign-in and by nothing else.

What people may do beside deciding on documents is asked of the policy like any other call, by the built-in operations below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OPERATE: Final = "documents.operate"
"""See every document of the tenant, settle what is stuck: attest, replay, discard."""

AUDIT: Final = "documents.audit"
"""See every document of the tenant and, on the record, the accounts in it."""

DELEGATE: Final = "approvals.delegate"
"""Let somebody else vote in one's place for a time."""

POLICY_READ: Final = "policy.read"
"""See the policy: what is live, who may call what and why, what a changed file would change."""

POLICY_ACTIVATE: Final = "policy.activate"
"""Propose a changed policy, and approve one that somebody else proposed."""

PERMISSIONS: Final = (OPERATE, AUDIT, DELEGATE, POLICY_READ, POLICY_ACTIVATE)
"""Operations that policy rows may name beside those of routes."""


DEMO_TENANT: Final = "demo"
DEMO_PEOPLE: Final = (
    "clerk-1",
    "approver-a",
    "approver-b",
    "cfo",
    "security-admin",
    "security-admin-2",
    "operator",
    "operator-2",
    "auditor",
)
"""Who signs in by a button, and gets an access token of the token endpoint for the secret ``demo-NAME``, under ``demo: true``."""


@dataclass(frozen=True, slots=True)
class Person:
    """Immutable. One natural person, signed in.

    :param subject: the name policy rows use: ``approver-a``.
    :param name: what other people read.
    :param tenant: the legal entity the person belongs to.
    :param roles: roles the sign-in carried, beside those the policy file gives to ``subject``.
    :param method: how the person proved to be there: ``oidc``, ``webauthn`` or ``demo``.
    """

    subject: str
    name: str
    tenant: str
    roles: tuple[str, ...] = ()
    method: str = "oidc"
