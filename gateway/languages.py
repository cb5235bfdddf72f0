"""Which language a person reads, and the sentences in it.

English is the source; every other language is a gettext catalogue, ``*/LC_MESSAGES/messages.po`` in the folder of the part that
speaks, read as text at start so that no compiled file can lag behind. A sentence without translation is shown in English, never
as a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po


@dataclass(frozen=True, slots=True)
class Language:
    """Immutable. One language people read.

    :param tag: BCP 47, for ``lang`` and for the cookie.
    :param name: what its readers call it.
    """

    tag: str
    name: str
    locale: Locale
    sentences: Mapping[str, str | tuple[str, ...]]
    plural: Callable[[int], int]

    def gettext(self, sentence: str) -> str:
        found = self.sentences.get(sentence)
        return found if isinstance(found, str) and found else sentence

    def ngettext(self, one: str, many: str, count: int) -> str:
        found = self.sentences.get(one)
        if isinstance(found, tuple) and all(found):
            return found[self.plural(count)]
        return one if count == 1 else many

    def say(self, sentence: str, parameters: Mapping[str, Any]) -> str:
        """A sentence with its parameters; the English one where the translation lacks one of them."""
        try:
            return self.gettext(sentence) % parameters
        except (KeyError, ValueError, TypeError):
            return sentence


def load(folder: Path, locale: str) -> Catalog:
    """A catalogue below a folder. Raises ``OSError`` when there is none."""
    with (folder / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def _language(folder: Path, tag: str, name: str, locale: str) -> Language:
    catalog = load(folder, locale)
    sentences: dict[str, str | tuple[str, ...]] = {}
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, str):
            sentences[message.id] = str(message.string)
        else:
            sentences[message.id[0]] = tuple(message.string or ())
    return Language(tag, name, Locale.parse(locale), sentences, _plural(catalog))


def _plural(catalog: Catalog) -> Callable[[int], int]:
    convert: Callable[[int], int] = c2py(catalog.plural_expr)
    return convert


ENGLISH = Language("en", "English", Locale("en"), {}, lambda count: int(count != 1))


@cache
def languages(folder: Path) -> Mapping[str, Language]:
    """All languages by tag, English first, with the catalogues below a folder."""
    chinese = _language(folder, "zh-CN", "简体中文", "zh_CN")
    return {language.tag: language for language in (ENGLISH, chinese)}


_SIMPLIFIED = re.compile(r"zh(?!-(?:Hant|TW|HK|MO)\b)", re.IGNORECASE)
"""Chinese, unless it asks for the traditional script."""


def choose(known: Mapping[str, Language], cookie: str | None, accept: str | None) -> Language:
    """What the person chose before, else what the browser asks for (RFC 9110 section 12.5.4), else English."""
    if cookie is not None and cookie in known:
        return known[cookie]
    tag = negotiate_locale(_preferred(accept or ""), list(known), sep="-")
    return known.get(tag or "", ENGLISH)


def _preferred(accept: str) -> list[str]:
    """Tags by descending weight. What cannot be read weighs nothing."""
    weighted = []
    for item in accept[:500].split(","):
        tag, _, parameters = item.strip().partition(";")
        weight = parameters.strip().removeprefix("q=") or "1"
        try:
            weighted.append((float(weight), tag.strip()))
        except ValueError:
            continue
    tags = [tag for weight, tag in sorted(weighted, key=lambda pair: -pair[0]) if weight > 0 and tag]
    return ["zh-CN" if _SIMPLIFIED.match(tag) else tag for tag in tags]
