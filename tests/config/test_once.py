"""A file that is made at the first start is made once, whoever else starts at that moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config.once import made_once


def test_it_is_made_once_and_read_after(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret"
    assert [made_once(path, lambda text=text: text) for text in ("first", "second")] == ["first", "first"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["secret"]


def test_who_comes_second_reads_what_the_first_made(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def make() -> str:
        path.write_text("another's")
        return "ours"

    assert made_once(path, make) == "another's"
    assert os.listdir(tmp_path) == ["secret"]


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes("schlüssel".encode())
    with pytest.raises(UnicodeDecodeError):
        made_once(path, str)
    assert made_once(path, str, encoding="utf-8") == "schlüssel"
