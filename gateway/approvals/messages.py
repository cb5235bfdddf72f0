"""The mark of an English sentence that gettext translates where it is shown: ``pybabel extract -k msgid``."""

from __future__ import annotations


def msgid(sentence: str) -> str:
    """The sentence itself; its parameters are named, ``%(amount)s``."""
    return sentence
