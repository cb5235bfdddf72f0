"""Every sentence can be translated and takes the parameters its code has."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_file

from gateway.approvals import quorum, rules

FOLDER = Path(quorum.__file__).parent


def test_every_sentence_is_found_by_the_extractor() -> None:
    found = set()
    for module in ("quorum.py", "rules.py"):
        found |= {message for _, message, *_ in extract_from_file("python", FOLDER / module, keywords={"msgid": None})}
    assert found == {*quorum.MESSAGES.values(), *rules.MESSAGES.values()}


def test_sentences_end_as_sentences_do() -> None:
    for sentence in (*quorum.MESSAGES.values(), *rules.MESSAGES.values()):
        assert sentence.endswith(".")
        assert not sentence.replace("%(", "").count("%")
