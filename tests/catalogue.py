"""The sentences people read, as babel extracts them from the templates and from the code that marks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from babel.messages.extract import extract_from_dir

from tests.support import ROOT

KEYWORDS: Any = {"_": None, "gettext": None, "ngettext": (1, 2), "msgid": None}
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
OPTIONS: Any = {"**/templates/**.html": {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}


def extracted(places: Iterable[str]) -> list[str | tuple[str, ...]]:
    """Each sentence once, in a stable order, of parts of the gateway; with a plural form, a pair."""
    found: dict[Any, None] = {}
    for place in places:
        for message in _in(place):
            found.setdefault(message)
    return list(found)


def _in(place: str) -> Iterator[Any]:
    folder = ROOT / "gateway" / place
    for _, _, message, _, _ in extract_from_dir(folder, METHODS, OPTIONS, KEYWORDS):
        yield message
