"""When two bank accounts, or two people's ids, are the same.

Both are compared by a key and shown as written. A key is the compatibility caseless form of Unicode (NFKC and case folding, The
Unicode Standard, section 3.13, definition D146) without characters that nobody sees, so that a full-width digit, a blank, a
zero-width joiner or a variation selector makes no second account and no second person. Look-alikes of other scripts stay
different.
"""

from __future__ import annotations

import re
import unicodedata

_CONTROLS = ("Cc", "Cf")

# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, most of them marks and letters, and the empty Braille cell.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


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
    seen = "".join(c for c in _UNSEEN.sub("", text) if c.isspace() or unicodedata.category(c) not in _CONTROLS)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", seen).casefold())
