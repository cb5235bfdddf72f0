"""Bank accounts as people see them: the last four characters, wherever the account stands in what the satellite sent.

An account is looked for by its key, so that blanks or full-width digits hide none. What is masked too much can be revealed;
what is masked too little cannot be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from gateway.approvals.compare import account_key

DOTS = "••••"
_WRITTEN = ("reason", "detail", "note", "problem")
_SHOWN = 4
_SHORTEST = 7
"""An account shorter than this is masked whole, and not looked for inside other text."""
_MOST_LOOKED_FOR = 64
"""Accounts looked for one by one inside other text; in a larger batch whatever looks like one is masked there."""
_DIGITS = re.compile(r"[0-9](?:[\s-]?[0-9]){9,}")
"""What looks like an account in a sentence that a person wrote."""


def masked(account: str) -> str:
    """``•••• 2233``."""
    key = account_key(account)
    return f"{DOTS} {key[-_SHOWN:]}" if len(key) >= _SHORTEST else DOTS


def masked_text(text: str, accounts: Collection[str]) -> str:
    """Text in which no account of these stands. ``accounts`` are keys."""
    key = account_key(text)
    if key in accounts:
        return masked(text)
    if len(accounts) > _MOST_LOOKED_FOR:
        return _DIGITS.sub(lambda found: masked(found[0]), text)
    inside = [account for account in accounts if len(account) >= _SHORTEST and account in key]
    for account in inside:
        text = re.sub(r"[\s\W_]*".join(map(re.escape, account)), masked(account), text, flags=re.IGNORECASE)
    left = account_key(text)
    return DOTS if any(account in left for account in inside) else text


def masked_sentence(text: str, accounts: Collection[str]) -> str:
    """What a person wrote, without the accounts known and without anything that looks like one."""
    return _DIGITS.sub(lambda found: masked(found[0]), masked_text(text, accounts))


def masked_details(details: Mapping[str, Any], accounts: Collection[str]) -> dict[str, Any]:
    """What an audit entry or a note tells: whatever people or other systems put into words is read with distrust."""
    told: dict[str, Any] = {}
    for name, value in details.items():
        if isinstance(value, Mapping):
            told[name] = masked_details(value, accounts)
        elif name in _WRITTEN and isinstance(value, str):
            told[name] = masked_sentence(value, accounts)
        else:
            told[name] = masked_value(value, accounts)
    return told


def masked_value(value: object, accounts: Collection[str]) -> object:
    """A JSON value in which no account of these stands, neither as a value nor in a name."""
    if isinstance(value, str):
        return masked_text(value, accounts)
    if isinstance(value, Mapping):
        return {masked_text(str(name), accounts): masked_value(inner, accounts) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked_value(inner, accounts) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    return masked(str(value)) if masked_text(str(value), accounts) != str(value) else value


def accounts_in(facts: Mapping[str, Any]) -> list[str]:
    """The accounts of a manifest as written, in the order of its lines."""
    payees = [facts.get("payee"), *(line.get("payee") for line in facts.get("lines", ()))]
    return [payee["account"] for payee in payees if payee]
