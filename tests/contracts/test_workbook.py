"""Workbooks from anybody: bounded, no formula, no entity, no other file; a clear refusal for everything that is none."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from gateway.contracts import workbook
from gateway.contracts.workbook import MAX_COLUMNS, read, unfit, write
from gateway.errors import ConfigError

GOOD = write({"A": [["head"], ["text"]]})


def repacked(change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A workbook whose parts somebody has changed."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as parts:
        held = {info.filename: parts.read(info) for info in parts.infolist()}
    change(held)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as target:
        for name, data in held.items():
            target.writestr(name, data)
    return made.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read(data, "t.xlsx")
    (finding,) = caught.value.findings
    assert finding.remedy
    return str(finding)


def test_cells_come_back_as_what_they_were() -> None:
    rows: list[list[Any]] = [["a", "b"], ["007", 7], [True, None], ["=1+1", "+1"]]
    (sheet,) = read(write({"Sheet": rows}), "t.xlsx").values()
    assert [[cells[at].value if at in cells else None for at in (1, 2)] for cells in sheet] == rows
    assert sheet[1][2].form == "0"
    assert sheet[3][1].address == "Sheet!A4"


@given(st.lists(st.lists(st.text(max_size=10) | st.integers(-(10**14), 10**14) | st.booleans(), max_size=3), max_size=4))
def test_whatever_is_fit_comes_back(rows: list[list[Any]]) -> None:
    fit = [[value if not isinstance(value, str) or not unfit(value) else "x" for value in row] for row in rows]
    found = read(write({"S": [["head"], *fit]}), "t.xlsx")["S"][1:]
    for wanted, cells in zip(fit, found, strict=False):
        assert {at: cell.value for at, cell in cells.items()} == {at: v for at, v in enumerate(wanted, 1) if v != ""}


def test_what_no_cell_can_hold_is_not_written() -> None:
    for text in ("a\x00b", "a\rb", "_x000D_", "x" * 40_000):
        with pytest.raises(ValueError, match=r"changes|more than"):
            write({"S": [[text]]})


def test_bombs_are_refused_before_they_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = repacked(lambda parts: parts.update({"xl/media/x.bin": bytes(70 * 1024 * 1024)}))
    assert len(bomb) < 200_000
    assert "unpacks to more than 64 MiB" in refused(bomb)
    many = repacked(lambda parts: parts.update({f"x{n}": b"" for n in range(2_001)}), zipfile.ZIP_STORED)
    assert "2000 parts" in refused(many)
    monkeypatch.setattr(workbook, "MAX_BYTES", 100)
    assert "larger than" in refused(GOOD)


@pytest.mark.parametrize(
    "document",
    [
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><worksheet/>',
        b'<!DOCTYPE worksheet SYSTEM "file:///etc/passwd"><worksheet/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "c">]><worksheet/>'.encode("utf-16"),
    ],
)
def test_no_document_type_is_read(document: bytes) -> None:
    assert "no plain XML" in refused(repacked(lambda parts: parts.update({"xl/worksheets/sheet1.xml": document})))


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"a,b\n1,2\n", b"\xd0\xcf\x11\xe0" * 200, GOOD[:500], GOOD[: len(GOOD) // 2]],
    ids=["empty", "start", "csv", "xls", "cut", "half"],
)
def test_what_is_no_workbook_says_so(data: bytes) -> None:
    assert "workbook" in refused(data)


def test_parts_that_are_missing_or_broken() -> None:
    assert "workbook" in refused(repacked(lambda parts: parts.update({"xl/workbook.xml": parts.pop("[Content_Types].xml")})))
    for name in ("xl/workbook.xml", "[Content_Types].xml", "xl/worksheets/sheet1.xml"):
        assert "workbook" in refused(repacked(lambda parts, name=name: parts.update({name: b"<a"})))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(at: int, byte: int) -> None:
    changed = GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    with contextlib.suppress(ConfigError):
        assert isinstance(read(changed, "t.xlsx"), dict)


def test_a_sheet_too_wide_or_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{MAX_COLUMNS} columns" in refused(write({"S": [["x"] * (MAX_COLUMNS + 1)]}))
    monkeypatch.setattr(workbook, "MAX_ROWS", 5)
    assert "5 rows" in refused(write({"S": [["x"]] * 7}))


def test_links_to_other_files_are_not_followed() -> None:
    book = Workbook()
    book.active["A1"] = "='[other.xlsx]Sheet1'!A1"  # type: ignore[index]
    made = io.BytesIO()
    book.save(made)
    (sheet,) = read(made.getvalue(), "t.xlsx").values()
    assert sheet[0][1].kind == "formula"
