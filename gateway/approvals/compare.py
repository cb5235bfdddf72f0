"""When two bank accounts, or two people's ids, are the same.

Both are compared by a key and shown as written. A key is the compatibility caseless form of Unicode (NFKC and case folding, The
Unicode Standard, section 3.13, definition D146) without characters that nobody sees, so that a full-width digit, a blank or a
zero-width joiner makes no second account and no second person. Look-alikes of other scripts stay different.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = ("Cc", "Cf")


def account_key(text: str) -> str:
    """The key of a bank account or of a legal entity: no white space anywhere. Empty when nothing visible is left."""
    # Folding can leave white space, and what is left without it can be folded once more.
    return _fold("".join(_fold("".join(text.split())).split()))


def person_key(text: str) -> str:
    """The key of a person's id: no white space around it."""
    return _fold(_fold(text).strip())


def _fold(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.lower()
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", seen).casefold())
