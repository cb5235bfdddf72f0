"""What a converter raises: everything wrong with one value, each thing with its place below that value."""

from __future__ import annotations

MOST = 100
"""Errors reported for one value; the rest of a hostile body is not looked at."""


class Wrong(Exception):
    """A value a row cannot convert. Company functions may raise it with a sentence for the satellite, free of secrets.

    ``errors`` are pairs of a JSON pointer (RFC 6901) relative to the value, and a sentence.
    """

    def __init__(self, detail: str = "", *, errors: list[tuple[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors: list[tuple[str, str]] = [("", detail)] if errors is None else errors

    def under(self, key: str | int) -> list[tuple[str, str]]:
        """The same errors seen from the object or list around the value."""
        step = "/" + escape(str(key))
        return [(step + pointer, detail) for pointer, detail in self.errors]


def escape(key: str) -> str:
    """One reference token (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
