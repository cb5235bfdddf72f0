"""``policy history`` and ``policy rollback``: what they print, what they write, and what they exit with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.bundle import Bundle
from gateway.cli import app
from gateway.cli.policy_history import replace_files
from gateway.config.gateway import Gateway, Upstream
from gateway.config.gateway import Ledger as LedgerConfig
from gateway.deployment import bundle_of, own_policies
from gateway.documents.ledger import open_ledger
from gateway.documents.policies import activate
from gateway.documents.stores import located
from tests.documents.support import KEY, HandClock
from tests.support import copy_deployment, edit

LAST = "g, crm,              sales,             demo\n"


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A deployment whose history knows its files, and then the same with a row more, which lie on disk."""
    path = copy_deployment(tmp_path)
    (tmp_path / "var").mkdir()
    own = own_policies(tmp_path, Gateway(upstreams={"erp": Upstream(url="http://127.0.0.1:1")}))
    async with open_ledger(located(LedgerConfig().url, tmp_path), KEY, HandClock()) as ledger:
        first = bundle_of(own)
        await ledger.write(lambda tx: activate(tx, first, how="start", mode="files", actor="gateway"))
        edit(tmp_path / "policies" / "policy.csv", LAST, LAST + "p, tour, demo, sales-orders.list, allow\n")
        people = {"proposed_by": "[red]", "approved_by": ["b"], "summary": "policy.csv +1"}
        await ledger.write(lambda tx: activate(tx, bundle_of(own), how="document", mode="dual", actor="gateway", **people))  # type: ignore[arg-type]
    return path


def run(config: Path, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments, "--config", str(config)], input=given)


def test_what_was_live_newest_first(config: Path) -> None:
    newest, first = json.loads(run(config, "history", "--json").stdout)["history"]
    assert (newest["how"], newest["mode"], newest["proposed_by"], newest["approved_by"]) == ("document", "dual", "[red]", ["b"])
    assert (first["how"], first["at"]) == ("start", "2026-11-22T12:00:00.000000Z")
    shown = run(config, "history").stdout
    assert newest["digest"][:12] in shown
    assert "policy.csv +1" in shown
    assert "[red]" in shown


def test_the_files_of_one(config: Path, tmp_path: Path) -> None:
    newest, first = json.loads(run(config, "history", "--json").stdout)["history"]
    files = json.loads(run(config, "history", first["digest"][:10], "--json").stdout)["files"]
    assert "sales-orders.list, allow" not in files["policy.csv"].partition(LAST)[2]
    assert run(config, "history", newest["digest"], "--to", str(tmp_path / "there")).exit_code == 0
    assert (tmp_path / "there" / "policy.csv").read_bytes() == (tmp_path / "policies" / "policy.csv").read_bytes()
    for unknown in ("0" * 64, "", "%"):
        assert run(config, "history", unknown).exit_code == 2


def test_a_digest_is_a_policy_for_every_command(config: Path) -> None:
    newest, first = (one["digest"][:12] for one in json.loads(run(config, "history", "--json").stdout)["history"])
    assert run(config, "can", "tour", "sales-orders.list", "--policy", newest).exit_code == 0
    answer = run(config, "can", "tour", "sales-orders.list", "--policy", first)
    assert answer.exit_code == 1
    told = json.loads(run(config, "diff", first, newest, "--json").stdout)
    assert [one["who"] for one in told["gained"]] == ["tour"]
    assert run(config, "diff", "0" * 12, newest).exit_code == 2


def test_back_to_the_one_before(config: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policies" / "policy.csv"
    policy.chmod(0o640)
    before = policy.read_bytes()
    assert run(config, "rollback", "previous", given="n\n").exit_code == 1
    assert policy.read_bytes() == before
    told = run(config, "rollback", "previous", "--yes")
    assert told.exit_code == 0
    assert "-p, tour, demo, sales-orders.list, allow" in told.stdout
    assert b"tour, demo, sales-orders.list" not in policy.read_bytes()
    assert policy.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in policy.parent.iterdir() if path.name.startswith(".")) == []
    assert json.loads(run(config, "rollback", "previous", "--json", "--yes").stdout)["changed"] == []
    assert run(config, "rollback", "nothing", "--yes").exit_code == 2


def test_a_rollback_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"policy.csv": b"old", "tests.yaml": b"old", "approvals.yaml": b"old"}
    for name, data in old.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("mine")
    new = Bundle({"policy.csv": b"new", "approvals.yaml": b"new", "duties.yaml": b"new"})
    replace, calls = Path.replace, 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", failing)
        with pytest.raises(OSError, match="No space"):
            replace_files(tmp_path, new)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {**old, "notes.txt": b"mine"}
    replace_files(tmp_path, new)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {**new.files, "notes.txt": b"mine"}


def test_without_a_ledger(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    for arguments in (("history",), ("history", "--json"), ("rollback", "previous", "--yes")):
        assert run(path, *arguments).exit_code == 2
