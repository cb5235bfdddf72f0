"""The sentences people read in the console, as babel extracts them from the templates and from the code that marks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from babel.messages.extract import extract_from_dir

from tests.support import ROOT

KEYWORDS: Any = {"_": None, "gettext": None, "ngettext": (1, 2), "msgid": None}
PLACES = ("console", "desk", "holding", "approvals")
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
OPTIONS: Any = {"**/templates/**.html": {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}


def extracted() -> list[str | tuple[str, ...]]:
    """Each sentence once, in a stable order; with a plural form, a pair."""
    found: dict[Any, None] = {}
    for place in PLACES:
        for message in _in(place):
            found.setdefault(message)
    return list(found)


def _in(place: str) -> Iterator[Any]:
    folder = ROOT / "gateway" / place
    for _, _, message, _, _ in extract_from_dir(folder, METHODS, OPTIONS, KEYWORDS):
        yield message
