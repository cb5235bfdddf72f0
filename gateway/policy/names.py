"""Which names a policy may use: two names that look alike must be the same name.

ASCII letters and digits with ``. _ : @ -`` inside, or letters of one script (UTS 39 "highly restrictive": Latin may stand beside
Chinese, Japanese or Korean). Full-width forms, invisible characters and words made of ASCII look-alikes are refused.
"""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 128
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]*")

EAST_ASIAN = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    frozenset({"CJK", "BOPOMOFO"}),
    frozenset({"CJK", "HANGUL"}),
)
ALIKE = {
    "a": "\u0430\u03b1\u0251",
    "c": "\u0441",
    "d": "\u0501",
    "e": "\u0435",
    "g": "\u0261",
    "h": "\u04bb",
    "i": "\u0456\u03b9\u0131",
    "j": "\u0458",
    "k": "\u03ba",
    "l": "\u04cf",
    "o": "\u043e\u03bf",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "r": "\u0433",
    "s": "\u0455",
    "t": "\u03c4",
    "u": "\u03c5",
    "v": "\u0475\u03bd",
    "w": "\u051d",
    "x": "\u0445",
    "y": "\u0443\u03b3",
    "A": "\u0410\u0391",
    "B": "\u0412\u0392",
    "C": "\u0421",
    "E": "\u0415\u0395",
    "H": "\u041d\u0397",
    "I": "\u0406\u0399",
    "J": "\u0408",
    "K": "\u041a\u039a",
    "M": "\u041c\u039c",
    "N": "\u039d",
    "O": "\u041e\u039f",
    "P": "\u0420\u03a1",
    "S": "\u0405",
    "T": "\u0422\u03a4",
    "X": "\u0425\u03a7",
    "Y": "\u04ae\u03a5",
    "Z": "\u0396",
}
"""Cyrillic, Greek and phonetic letters that most fonts draw like ASCII ones (after UTS 39's confusables)."""
LOOKALIKES = {alike: letter for letter, all_alike in ALIKE.items() for alike in all_alike}


def name_fault(name: str) -> tuple[str, str] | None:
    """What is wrong with a name and what would be right, or ``None``. The name is not empty."""
    if len(name) > MAX_LENGTH:
        return f"a name of {len(name)} characters", f"use at most {MAX_LENGTH}"
    if PLAIN.fullmatch(name):
        return None
    if name.isascii():
        return _ascii_fault(name)
    if unicodedata.normalize("NFC", name) != name:
        return f"'{name}' is not in Unicode normal form C", "type the name again"
    if unicodedata.normalize("NFKC", name) != name:
        return f"'{name}' has full-width or compatibility characters", f"write '{unicodedata.normalize('NFKC', name)}'"
    return _script_fault(name)


def _ascii_fault(name: str) -> tuple[str, str]:
    if "*" in name:
        return f"'*' in '{name}'", "only a tenant may be '*'; name roles and operations one by one, or as a group"
    if " " in name:
        return f"a space inside '{name}'", "use '-' or '_' in names"
    return f"'{name}' is not a name", "start with a letter or digit, then letters, digits and . _ : @ -"


def _script_fault(name: str) -> tuple[str, str] | None:
    scripts: set[str] = set()
    for character in name:
        if PLAIN.fullmatch("x" + character):
            if character.isalpha():
                scripts.add("LATIN")
            continue
        words = unicodedata.name(character, "").replace("-", " ", 1).split(" ")
        script = "KATAKANA" if character == "ー" else words[0]
        if unicodedata.category(character) not in ("Lu", "Ll", "Lt", "Lo", "Lm", "Mn", "Mc") or "FILLER" in words:
            return f"the character {describe(character)} in '{name}'", "use letters, digits and . _ : @ -"
        scripts.add(script)
    if len(scripts) > 1 and not any(scripts - {"LATIN"} <= allowed for allowed in EAST_ASIAN):
        return f"'{name}' mixes the scripts {', '.join(sorted(scripts))}", "use letters of one script"
    if all(character.isascii() or character in LOOKALIKES for character in name):
        plain = "".join(LOOKALIKES.get(character, character) for character in name)
        return f"'{name}' looks like '{plain}' and is another name", "use ASCII letters, or a name that cannot be mistaken"
    if unicodedata.category(name[0]) in ("Mn", "Mc") or name[0] in "._:@-":
        return f"'{name}' is not a name", "start with a letter or digit"
    return None


def describe(character: str) -> str:
    """A character as a message may show it: never raw when it cannot be seen."""
    code = f"U+{ord(character):04X}"
    return f"'{character}' ({code})" if character.isprintable() else code
