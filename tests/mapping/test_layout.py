"""Rows that do not go together, and files that are no field tables: every finding has file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.mapping import read_tables


def findings(rows: str, head: str = "") -> list[str]:
    text = f"tables:\n  t:\n{head}    rows:\n{rows}"
    with pytest.raises(ConfigError) as caught:
        read_tables(parse_source(text.encode(), name="t.yaml", folder=Path()))
    return [str(finding) for finding in caught.value.findings]


PAIRS = {
    ("{rest: 'a[].x', erp: X}",): "5: the row 'a[].x' of table 't' is in 1 lists on the REST side and in 0 on the ERP side; "
    "write [] after the same lists on both sides; a list cannot become a single value",
    ("{rest: a, erp: A}", "{rest: b, erp: A}"): "6: the row 'b' of table 't' fills 'A' in requests, as line 5 does; "
    "remove one of the two, or let each serve one direction",
    ("{rest: a, erp: A}", "{rest: a, erp: B}"): "6: the row 'a' of table 't' fills 'a' in answers, as line 5 does; "
    "remove one of the two, or let each serve one direction",
    ("{rest: a, erp: A, type: any}", "{rest: a.b, erp: B}"): "6: the row 'a.b' of table 't' reaches into 'a', "
    "which another row moves whole; keep the rows inside or the one around them",
    ("{rest: 'a[].x', erp: 'A[].X'}", "{rest: 'a.y', erp: Y}"): "6: the row 'a.y' of table 't' uses 'a' as an object, "
    "another row as a list; write [] after it in every row, or in none",
    (
        "{rest: 'a[].x', erp: 'A[].X'}",
        "{rest: 'a[].y', erp: 'B[].Y'}",
    ): "6: the row 'a[].y' of table 't' pairs the list 'a[]' with "
    "'B[]', another row pairs them differently; pair each REST list with one ERP list",
    ("{rest: x, erp: X}", "{erp: 'A[].K', constant: 1, serves: request}"): "6: the row 'A[].K' of table 't' stands in the list "
    "'A[]', which no other row fills; add a row that pairs this list with one on the other side",
    (
        "{rest: x, erp: X}",
        "{rest: y, type: object}",
    ): "6: the row 'y' of table 't' describes an object no other row has fields in; add its fields, or remove the row",
    ("{rest: x, erp: X}", "{rest: 'y[]', erp: 'Y[]', type: list}"): "6: the row 'y[]' of table 't' describes a list no other row "
    "has fields in; add its fields, or remove the row",
}


@pytest.mark.parametrize("rows", PAIRS)
def test_rows_together(rows: tuple[str, ...]) -> None:
    found = findings("      - {rest: fine, erp: FINE}\n" + "".join(f"      - {row}\n" for row in rows))
    assert f"t.yaml:{PAIRS[rows]}" in found


def test_all_findings_come_together() -> None:
    found = findings("      - {rest: a}\n      - {erp: B}\n      - {rest: c, erp: C, type: code}\n")
    assert [finding.split(":")[1] for finding in found] == ["4", "5", "6"]


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", "a[", "a[0]", "a[][]", "a b", "{urn:x}", "a{b}"])
def test_a_path_that_is_none(path: str) -> None:
    (finding,) = findings(f"      - {{rest: '{path}', erp: A}}\n")
    assert finding.startswith(f"t.yaml:4: 'rest' is '{path}'; write names joined by dots") or "'rest'" in finding


def test_an_unknown_key_names_the_right_one() -> None:
    assert findings("      - {rest: a, erp: A, requird: true}\n") == ["t.yaml:4: unknown key 'requird'; did you mean 'required'?"]


def test_a_file_without_tables() -> None:
    with pytest.raises(ConfigError, match="the key 'tables' is missing"):
        read_tables(parse_source(b"", name="t.yaml", folder=Path()))
