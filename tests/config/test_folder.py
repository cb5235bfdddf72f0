"""A folder of files, and files given in place of those on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.folder import Folder, Given
from gateway.errors import ConfigError, Finding


def test_files_are_read_from_disk_under_the_folder_s_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"one")
    (tmp_path / "b.yaml").write_text("key: value")
    folder = Folder(tmp_path, "policies")
    assert (folder.has("a.csv"), folder.read("a.csv"), folder.shown_name("a.csv")) == (True, b"one", "policies/a.csv")
    assert (folder.source("b.yaml").path, folder.source("b.yaml").data) == ("policies/b.yaml", {"key": "value"})


def test_what_is_given_stands_in_place_of_what_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("key: disk")
    (tmp_path / "secret").write_text("hush\n")
    folder = Folder(tmp_path, "policies", {"a.yaml": Given("HEAD:policies/a.yaml", b"key: ${file:secret}")})
    assert (folder.source("a.yaml").path, folder.source("a.yaml").data) == ("HEAD:policies/a.yaml", {"key": "hush"})


@pytest.mark.parametrize("given", [{}, {"a.csv": Given("HEAD:policies/a.csv", None)}])
def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path, given: dict[str, Given]) -> None:
    if given:
        (tmp_path / "a.csv").write_bytes(b"on disk, and not meant")
    folder = Folder(tmp_path, "policies", given)
    shown = "HEAD:policies/a.csv" if given else "policies/a.csv"
    assert not folder.has("a.csv")
    for read in (folder.read, folder.source):
        with pytest.raises(ConfigError) as caught:
            read("a.csv")
        (finding,) = caught.value.findings
        assert (finding.file, finding.line) == (shown, 0)
        assert "No such file or directory" in finding.what
    assert isinstance(finding, Finding)
