"""Which language is chosen, and that every sentence people read in the console and the documentation has its Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.languages import ENGLISH, choose, languages, load
from tests.catalogue import extracted
from tests.support import ROOT

CONSOLE, EDGE = (ROOT / "gateway" / part / "locale" for part in ("console", "edge"))
SOURCES = {CONSOLE: ("console", "desk", "holding", "approvals", "policy"), EDGE: ("edge",)}
PLACEHOLDER = re.compile(r"%\(\w+\)s")


@pytest.mark.parametrize(
    ("cookie", "accept", "tag"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "zh-CN", "zh-CN"),
        (None, "zh", "zh-CN"),
        (None, "zh-Hans-SG,en;q=0.5", "zh-CN"),
        (None, "zh-TW,en;q=0.8", "en"),
        (None, "en-GB,zh;q=0.9", "en"),
        (None, "de,zh;q=0.5,en;q=0.4", "zh-CN"),
        (None, "en;q=0.1,zh-CN;q=0.9", "zh-CN"),
        (None, "zh;q=0,en", "en"),
        (None, "zh;q=x", "en"),
        (None, ",;q=,*;\x00" * 500, "en"),
        ("en", "zh-CN", "en"),
        ("zh-CN", "en", "zh-CN"),
        ("xx", "zh-CN", "zh-CN"),
    ],
)
def test_the_choice(cookie: str | None, accept: str | None, tag: str) -> None:
    assert choose(languages(CONSOLE), cookie, accept).tag == tag


@pytest.mark.parametrize(("folder", "fewest"), [(CONSOLE, 200), (EDGE, 60)])
def test_every_sentence_is_translated(folder: Path, fewest: int) -> None:
    messages = [message for message in load(folder, "zh_CN") if message.id]
    catalog = {message.id[0] if isinstance(message.id, tuple) else message.id: message for message in messages}
    wanted = {sentence if isinstance(sentence, str) else sentence[0] for sentence in extracted(SOURCES[folder])}
    assert len(wanted) > fewest
    assert wanted - catalog.keys() == set(), "not in the catalogue"
    assert catalog.keys() - wanted == set(), "in the catalogue and nowhere else"
    lacking = [id_ for id_, message in catalog.items() if message.fuzzy or not message.string or not all(message.string)]
    assert lacking == []


@pytest.mark.parametrize("folder", [CONSOLE, EDGE])
def test_translations_have_the_parameters_of_their_sentences(folder: Path) -> None:
    for message in load(folder, "zh_CN"):
        if message.id:
            sentence = message.id if isinstance(message.id, str) else message.id[1]
            strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
            for string in strings:
                assert sorted(set(PLACEHOLDER.findall(string))) == sorted(set(PLACEHOLDER.findall(sentence))), sentence
                assert string.count("%") == len(PLACEHOLDER.findall(string)), sentence


def test_a_sentence_nobody_translated_stays_english() -> None:
    chinese = languages(CONSOLE)["zh-CN"]
    assert chinese.gettext("Inbox") == "审批箱"
    assert chinese.gettext("A sentence of tomorrow") == "A sentence of tomorrow"
    assert chinese.say("%(state)s of tomorrow", {}) == "%(state)s of tomorrow"
    assert ENGLISH.gettext("Inbox") == "Inbox"


def test_plurals() -> None:
    sentence = ("%(count)s line", "%(count)s lines")
    assert [ENGLISH.ngettext(*sentence, count) for count in (0, 1, 2)] == [sentence[1], sentence[0], sentence[1]]
    assert {languages(CONSOLE)["zh-CN"].ngettext(*sentence, count) for count in (0, 1, 2)} == {"%(count)s 行"}
    assert ENGLISH.ngettext("one", "many", 2) == languages(CONSOLE)["zh-CN"].ngettext("one", "many", 2) == "many"
