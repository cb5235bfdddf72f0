"""The YAML text of tables holds exactly the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.contracts.listing import listing
from gateway.errors import ConfigError

TABLES = {
    "order": {
        "doc": 'It\'s "one": # no comment',
        "rest": "items[]",
        "rows": [
            {"rest": "a", "erp": "@A", "values": {"x": ["1", 2, True], "null": "", "é": "~"}, "min": "0.01", "required": False},
            {"rest": "b.c", "erp": "B", "call": {"request": "f", "answer": "g"}, "example": "2026-01-31"},
        ],
        "examples": [{"rest": {"a": [1.5, None, "x: y"]}, "erp": {"": {}}, "serves": "request"}],
    },
    "other": {"rows": [{"rest": "a", "erp": "A"}]},
}


def test_the_text_read_again_is_the_tables() -> None:
    text = listing("t.yaml", TABLES)
    assert parse_source(text.encode(), name="t.yaml", folder=Path()).data == {"tables": TABLES}
    assert text.count("\n      - ") == 4


@pytest.mark.parametrize("doc", ["${env:HOME}", "\x00", "\ud800"[:0] + "a\x85b"])
def test_what_yaml_would_change_is_refused(doc: str) -> None:
    with pytest.raises(ConfigError):
        listing("t.yaml", {"a": {"doc": doc, "rows": [{"rest": "a", "erp": "A"}]}})
