"""``policy diff``: three prepared changes, through files and through real git revisions; and what else is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.deployment import read_deployment
from gateway.runtime import check_stores
from gateway.scoping import asked
from gateway.snapshot import build
from tests.support import copy_deployment, git

runner = CliRunner()
ROLE = "g, tour, sales, demo\n"
GROUP = "g2, payments.create, payments.read\n"
DENY = "p, finance-approver, *, payments.get, deny\n"
END = "# end\n"


def diff(config: Path, *arguments: str) -> Result:
    return runner.invoke(app, ["policy", "diff", *arguments, "--config", str(config)])


def add(config: Path, *rows: str) -> tuple[int, ...]:
    """Add rows at the end of the policy; their lines."""
    path = config.parent / "policies" / "policy.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace(END, "".join(rows) + END), "utf-8")
    return tuple(text[: text.index(END)].count("\n") + number for number in range(1, len(rows) + 1))


def line(config: Path, row: str) -> int:
    text = (config.parent / "policies" / "policy.csv").read_text("utf-8").split("\n")
    return 1 + next(number for number, one in enumerate(text) if " ".join(one.split()) == row)


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """The example in a repository, with a group that has one operation and one holder."""
    config = copy_deployment(tmp_path)
    add(config, "g2, payments.get, payments.read\n", "p, reader, demo, payments.read, allow\n", "g, clerk-1, reader, demo\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "before")
    return config


def told(said: Result) -> list[str]:
    return [" ".join(one.split()) for one in said.stdout.splitlines()]


def test_a_role_given_a_group_widened_and_a_deny_added_tell_exactly_who_gains_and_loses(deployment: Path) -> None:
    policies = "policies/policy.csv"
    listed = line(deployment, "p, sales, demo, sales-orders.list, allow")
    reading = line(deployment, "p, reader, demo, payments.read, allow")
    old = deployment.parent / "old.csv"
    old.write_bytes((deployment.parent / policies).read_bytes())

    (given,) = add(deployment, ROLE)
    one = ["gained (1)", f"+ tour demo sales-orders.list@v1 call ({policies}:{listed}, +{policies}:{given})"]
    assert told(diff(deployment)) == one
    git(deployment.parent, "commit", "-q", "-a", "-m", "a role given")

    (widened,) = add(deployment, GROUP)
    two = [
        "gained (2)",
        f"+ clerk-1 demo payments.create@v1 call ({policies}:{reading}, +{policies}:{widened})",
        f"+ reader demo payments.create@v1 call ({policies}:{reading}, +{policies}:{widened})",
    ]
    assert told(diff(deployment)) == two
    git(deployment.parent, "commit", "-q", "-a", "-m", "a group widened")

    (denied,) = add(deployment, DENY)
    who = ("approver-a", "approver-b", "cfo", "finance-approver")
    three = ["lost (4)", *(f"- {one} demo payments.get@v1 call (+{policies}:{denied})" for one in who)]
    assert told(diff(deployment)) == three
    git(deployment.parent, "commit", "-q", "-a", "-m", "a deny added")

    assert told(diff(deployment)) == ["Nobody gains or loses anything."]
    for before, after, expected in (("main~3", "main~2", one), ("main~2", "main~1", two), ("main~1", "main", three)):
        said = diff(deployment, before, after)
        assert said.exit_code == 1
        assert told(said) == [text.replace(policies, f"{after}:{policies}") for text in expected]
    whole = told(diff(deployment, str(old)))
    assert set(whole) == {"gained (3)", *one[1:], *two[1:], *three}
    assert len(whole) == 9


def test_the_answer_as_json_has_the_rows_and_what_they_say(deployment: Path) -> None:
    (given, idle) = add(deployment, ROLE, "p, nobody, demo, payments.get, deny\n")
    result = diff(deployment, "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (said["old"], said["new"], said["complete"], said["lost"]) == ("HEAD", "policies", True, [])
    (change,) = said["gained"]
    assert [change[key] for key in ("who", "tenant", "operation", "version", "what", "limits")] == [
        "tour",
        "demo",
        "sales-orders.list",
        "v1",
        "call",
        [],
    ]
    assert change["because"][1] == {
        "side": "new",
        "place": f"policies/policy.csv:{given}",
        "text": "g, tour, sales, demo",
        "changed": True,
    }
    assert [cause["place"] for cause in said["without_effect"]] == [f"policies/policy.csv:{idle}"]


def test_rows_without_effect_are_no_difference_and_are_told(deployment: Path) -> None:
    (idle,) = add(deployment, "p, cfo, demo, payments.read, allow\n")
    said = diff(deployment)
    assert said.exit_code == 0
    assert told(said) == [
        "without effect today",
        f"+ policies/policy.csv:{idle} p, cfo, demo, payments.read, allow",
        "Nobody gains or loses anything.",
    ]


def test_approvals_and_satellites_are_told_in_words(deployment: Path) -> None:
    for name, old, new in (
        ("approvals.yaml", "CNY: 500000", "CNY: 800000"),
        ("approvals.yaml", "approvers: finance-approver", "approvers: reader"),
        ("duties.yaml", "enforce: false", "enforce: true "),
        ("satellites.yaml", "    vouches_for_initiator: true", "    vouches_for_initiator: false"),
    ):
        path = deployment.parent / "policies" / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
    said = diff(deployment)
    assert said.exit_code == 1
    assert [text.partition(" (")[0] for text in told(said)] == [
        "gained",
        "+ cfo demo payments.create approve once escalated",
        "+ clerk-1 demo payments.create approve",
        "+ reader * payments.create approve",
        "+ reader demo payments.create approve",
        "lost",
        "- approver-a demo payments.create approve",
        "- approver-b demo payments.create approve",
        "- cfo demo payments.create approve",
        "- finance-approver * payments.create approve",
        "- finance-approver demo payments.create approve",
        "approvals",
        "payments.create is decided by reader instead of finance-approver",
        "payments.create has its threshold raised from 500000 to 800000 CNY: less waits",
        "satellites",
        "oa no longer vouches for initiators: whom it names as the one who asks is not kept from approving",
        "duties",
        "conflicts are enforced now",
    ]


@pytest.mark.parametrize("arguments", [["nothing-so-called"], ["HEAD", "--", "-x"], ["HEAD~9", "HEAD"]])
def test_what_cannot_be_asked_is_exit_2(deployment: Path, arguments: list[str]) -> None:
    said = runner.invoke(app, ["policy", "diff", "--config", str(deployment), *arguments])
    assert said.exit_code == 2


def test_a_policy_that_does_not_read_is_exit_2_with_its_line(deployment: Path) -> None:
    (line,) = add(deployment, "p, li; demo\n")
    said = diff(deployment, "--json")
    assert said.exit_code == 2
    (finding,) = json.loads(said.stdout)["findings"]
    assert (finding["file"], finding["line"]) == ("policies/policy.csv", line)


def test_more_than_can_be_told_is_said(deployment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(deployment, ROLE, GROUP, DENY)
    monkeypatch.setattr("gateway.policy.differences.MOST", 2)
    assert "more than can be told" in diff(deployment).stderr
    monkeypatch.setattr("gateway.policy.differences.MOST_ASKED", -1)
    assert diff(deployment, "HEAD", "HEAD").exit_code == 0


def test_compiled_routes_are_asked_about_as_their_files_are(deployment: Path) -> None:
    snapshot = build(read_deployment(deployment), check_stores(deployment))
    routes = {f"{one.operation}@{one.versions[0]}": one.shape.writes for one in asked(snapshot.routes)}
    assert routes["payments.create@v1"]
    assert not routes["payments.get@v1"]
    assert "documents.audit@" in routes
    order = next(one for one in asked(snapshot.routes) if one.operation == "purchase-orders.get")
    schema = order.shape.answer()
    assert schema is not None
    assert "properties" in schema
