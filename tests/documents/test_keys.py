"""The audit key: given, or made once."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.config.gateway import Ledger
from gateway.config.source import parse_source
from gateway.documents.keys import audit_key
from gateway.errors import ConfigError

SOURCE = parse_source(b"demo: true\nledger:\n  audit_key_file: k\n", name="gateway.yaml", folder=Path())


def test_a_given_key_is_taken_as_it_is(tmp_path: Path) -> None:
    assert audit_key(Ledger(audit_key=SecretStr("x" * 40)), SOURCE, tmp_path) == b"x" * 40
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    key = audit_key(Ledger(), SOURCE, tmp_path)
    path = tmp_path / "var" / "audit.key"
    assert len(key) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert audit_key(Ledger(), SOURCE, tmp_path) == key == path.read_bytes().strip()
    assert list(path.parent.iterdir()) == [path]


def test_of_several_that_make_it_one_wins(tmp_path: Path) -> None:
    barrier, found = threading.Barrier(8), []

    def makes() -> None:
        barrier.wait()
        found.append(audit_key(Ledger(), SOURCE, tmp_path))

    threads = [threading.Thread(target=makes) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.yaml:2: 'audit_key' has fewer than 32 characters"):
        audit_key(Ledger(audit_key=SecretStr("short")), SOURCE, tmp_path)
    (tmp_path / "k").write_text("\n")
    with pytest.raises(ConfigError, match=r"gateway\.yaml:3: 'audit_key_file' has fewer than 32 characters"):
        audit_key(Ledger(audit_key_file="k"), SOURCE, tmp_path)


def test_a_key_that_is_not_to_be_made_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        audit_key(Ledger(), SOURCE, tmp_path, make=False)
    assert not (tmp_path / "var").exists()


def test_two_keys_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="two audit keys"):
        Ledger(audit_key=SecretStr("x" * 40), audit_key_file="k")
