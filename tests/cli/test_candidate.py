"""What a command may take for a policy: a file, a folder, a git revision; and what it says of anything else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app, candidate
from gateway.cli.candidate import CannotAsk
from gateway.errors import ConfigError
from tests.support import copy_deployment, git

MORE = "p, oa, demo, sales-orders.list, allow\n"


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """A deployment in a folder of a repository: first as in the example, then with one row more."""
    (tmp_path / "company").mkdir()
    config = copy_deployment(tmp_path / "company")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    add_row(config.parent / "policies", MORE)
    git(tmp_path, "commit", "-q", "-a", "-m", "second")
    return config


def add_row(policies: Path, row: str) -> None:
    path = policies / "policy.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace("# end\n", f"{row}# end\n"), "utf-8")


def rows(found: candidate.Candidate) -> set[tuple[str, str]]:
    return {(row.role, row.operation) for row in found.policy.file.grants}


def test_nothing_is_the_deployment_s_own_files(deployment: Path) -> None:
    own = candidate.candidate(deployment, None)
    assert (own.name, own.policy.file.path) == ("policies", "policies/policy.csv")
    assert ("oa", "sales-orders.list") in rows(own)
    assert own.build().policy.sha256 == own.policy.sha256


def test_a_revision_is_all_files_as_they_were(deployment: Path) -> None:
    satellites = deployment.parent / "policies" / "satellites.yaml"
    satellites.write_text(satellites.read_text("utf-8").replace("Office automation", "Renamed since"), "utf-8")
    old = candidate.candidate(deployment, "HEAD~1")
    assert ("oa", "sales-orders.list") not in rows(old)
    assert old.policy.file.path == "HEAD~1:policies/policy.csv"
    assert old.policy.file.data == (deployment.parent / "policies/policy.csv").read_bytes().replace(MORE.encode(), b"")
    oa = old.deployment.satellites.get("oa")
    assert oa is not None
    assert oa.name == "Office automation"
    assert old.build().deployment.tests.source.path == "HEAD~1:policies/tests.yaml"  # type: ignore[union-attr]
    assert rows(candidate.candidate(deployment, "main")) == rows(candidate.candidate(deployment, None))


def test_findings_in_a_revision_say_which(deployment: Path) -> None:
    add_row(deployment.parent / "policies", "p; broken\n")
    git(deployment.parent, "commit", "-q", "-a", "-m", "third")
    with pytest.raises(ConfigError) as caught:
        candidate.candidate(deployment, "HEAD")
    (finding,) = caught.value.findings
    line = (deployment.parent / "policies/policy.csv").read_text("utf-8").splitlines().index("p; broken") + 1
    assert (finding.file, finding.line) == ("HEAD:policies/policy.csv", line)


def test_a_file_a_revision_did_not_have_is_not_taken_from_disk(deployment: Path) -> None:
    git(deployment.parent, "rm", "-q", "policies/tests.yaml", "policies/approvals.yaml")
    git(deployment.parent, "commit", "-q", "-m", "less")
    git(deployment.parent, "checkout", "-q", "HEAD~1", "--", "policies")
    with pytest.raises(ConfigError) as caught:
        candidate.candidate(deployment, "HEAD")
    assert [(f.file, f.what) for f in caught.value.findings] == [("HEAD:policies/approvals.yaml", "is not there")]


def test_a_link_in_a_revision_is_not_followed(deployment: Path) -> None:
    path = deployment.parent / "policies" / "policy.csv"
    path.rename(deployment.parent / "elsewhere.csv")
    path.symlink_to("../elsewhere.csv")
    git(deployment.parent, "add", ".")
    git(deployment.parent, "commit", "-q", "-m", "linked")
    with pytest.raises(CannotAsk, match=r"HEAD:policies/policy\.csv is no plain file"):
        candidate.candidate(deployment, "HEAD")


def test_a_revision_before_the_deployment_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "nothing yet")
    (tmp_path / "company").mkdir()
    config = copy_deployment(tmp_path / "company")
    with pytest.raises(CannotAsk, match="The revision 'main' has no folder policies"):
        candidate.candidate(config, "main")


def test_a_policies_folder_stands_for_the_whole_folder(deployment: Path, tmp_path: Path) -> None:
    other = tmp_path / "proposed"
    shutil.copytree(deployment.parent / "policies", other)
    add_row(other, "p, oa, demo, stock.get, allow\n")
    (other / "tests.yaml").unlink()
    found = candidate.candidate(deployment, str(other))
    assert ("oa", "stock.get") in rows(found)
    assert found.policy.file.path == f"{other}/policy.csv"
    assert found.deployment.tests.source is None


def test_a_policy_csv_stands_beside_the_deployment_s_other_files(deployment: Path, tmp_path: Path) -> None:
    proposed = tmp_path / "proposed.csv"
    proposed.write_bytes((deployment.parent / "policies/policy.csv").read_bytes().replace(MORE.encode(), b""))
    found = candidate.candidate(deployment, str(proposed))
    assert ("oa", "sales-orders.list") not in rows(found)
    assert found.policy.file.path == str(proposed)
    assert found.deployment.tests.source is not None


@pytest.mark.parametrize("name", ["HEAD\n", "a\0b", "\x1b[2J", "\udcff.csv"])
def test_a_name_that_cannot_be_shown_is_refused(deployment: Path, name: str) -> None:
    with pytest.raises(CannotAsk, match="has characters that cannot be shown") as caught:
        candidate.candidate(deployment, name)
    assert str(caught.value).isascii()


@pytest.mark.parametrize("name", ["-x", "--output=/tmp/x", "-"])
def test_no_name_reaches_git_as_an_option(deployment: Path, name: str) -> None:
    with pytest.raises(CannotAsk, match="no git revision"):
        candidate.candidate(deployment, name)


@pytest.mark.parametrize("name", ["nothing", "HEAD~99", "HEAD:company", "", "HEAD^{tree}", "; touch x", "main..main"])
def test_an_unknown_revision_is_said_so(deployment: Path, name: str) -> None:
    with pytest.raises(CannotAsk, match="no file, folder or git revision"):
        candidate.candidate(deployment, name)


def test_no_repository_and_no_git_are_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = copy_deployment(tmp_path)
    with pytest.raises(CannotAsk, match="in no git repository"):
        candidate.candidate(config, "HEAD")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotAsk, match="no git"):
        candidate.candidate(config, "HEAD")


def test_the_variables_of_a_hook_do_not_name_the_repository(deployment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert candidate.candidate(deployment, "HEAD").policy.file.path == "HEAD:policies/policy.csv"


def test_what_cannot_be_asked_exits_2_in_words_and_in_json(deployment: Path) -> None:
    said = CliRunner().invoke(app, ["policy", "check", "nothing", "--config", str(deployment)])
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no file, folder or git revision 'nothing'" in said.stderr
    told = CliRunner().invoke(app, ["policy", "check", "nothing", "--json", "--config", str(deployment)])
    assert told.exit_code == 2
    assert json.loads(told.stdout)["error"].startswith("There is no file, folder or git revision 'nothing'")


def test_a_policy_may_come_through_a_pipe_and_is_never_read_without_end(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"p, oa, demo, stock.get, allow\n# end\n")
    os.close(writing)
    assert rows(candidate.candidate(deployment, f"/dev/fd/{reading}")) == {("oa", "stock.get")}
    os.close(reading)
    monkeypatch.setattr(candidate, "MAX_BYTES", 10)
    monkeypatch.setattr("gateway.policy.text.MAX_BYTES", 10)
    with pytest.raises(ConfigError, match="/dev/zero: the file is larger than 10 bytes"):
        candidate.candidate(deployment, "/dev/zero")


def test_a_file_that_may_not_be_read_is_said_so(deployment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    proposed = tmp_path / "proposed.csv"
    proposed.touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CannotAsk, match=r"proposed\.csv' cannot be read \(Permission denied\)"):
        candidate._on_disk(candidate.Folder(tmp_path, "policies"), str(proposed))
