"""The reference page of field tables: its examples work, and it names every key and every type there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from gateway.config.source import parse_source
from gateway.mapping import compile_answer, compile_request, read_tables, run_examples
from gateway.mapping.table import FieldTable, Row, Type

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "field-tables.md").read_text("utf-8")


def test_the_examples_work() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        for table in read_tables(parse_source(block.encode(), name="field-tables.md", folder=Path())).values():
            assert table.config.examples
            assert run_examples(table, compile_request(table), compile_answer(table)) == []


def test_every_key_and_type_is_on_the_page() -> None:
    for name in [*Row.model_fields, *FieldTable.model_fields, *get_args(Type)]:
        assert re.search(rf"`{name}\b", PAGE), name
