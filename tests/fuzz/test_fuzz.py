"""The fuzz itself, for a moment: it runs, what it makes is valid, and nothing fails; a broken codec is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.__main__ import Run, batch


def test_a_batch_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path, documents=5)
    batch(run, 20261122, 25)
    assert capsys.readouterr().out == ""
    assert run.failures == 0
    assert run.schemas > 20
    assert run.instances > 80
    assert run.invalid < 5


def test_a_wrong_value_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.check.differs", lambda one, other: "a difference" if len(one) else "")
    run = Run(tmp_path, documents=5)
    batch(run, 1, 10)
    assert run.failures == 1
    assert "a difference" in capsys.readouterr().out
