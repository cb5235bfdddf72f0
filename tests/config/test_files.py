"""A file is read whole or not at all, whatever somebody put in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config.files import read_file


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "policy.csv"
    path.write_bytes(b"# end\n")
    assert read_file(path) == read_file(path, 6) == b"# end\n"
    with pytest.raises(OSError, match="too large"):
        read_file(path, 5)
    os.truncate(path, 1 << 40)
    with pytest.raises(OSError, match="too large"):
        read_file(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    for name, why in (
        ("pipe", "no regular file"),
        ("endless", "no regular file"),
        ("circle", "symbolic links"),
        ("", "directory"),
    ):
        with pytest.raises(OSError, match=why):
            read_file(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")
