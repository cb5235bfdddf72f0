"""What is expected of a policy, and what is said when it is otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.source import read_source
from gateway.errors import ConfigError
from gateway.policy.expectations import PolicyTests, failures, outcomes, read_tests
from gateway.policy.file import read_policy
from gateway.policy.index import PolicyIndex, compile_policy

ROWS = (
    "p, oa, demo, a.get, allow",
    "p2, oa, demo, a.get, price, hide",
    "p2, oa, demo, a.get, name, lock",
    "p3, oa, demo, a.get, entity, own",
    "p4, oa, demo, a.get, network, 10.0.0.0/8",
    "p4, oa, demo, a.get, time, Mon-Fri 08:00-18:00 UTC",
)
POLICY: PolicyIndex = compile_policy(read_policy("policy.csv", "\n".join([*ROWS, "# end", ""]).encode()))
KNOWN = {"a.get", "a.get@v1", "b.get"}


def written(path: Path, *lines: str) -> PolicyTests:
    file = path / "tests.yaml"
    file.write_text("\n".join(["tenant: demo", "tests:", *(f"  - {line}" for line in lines), ""]), "utf-8")
    return read_tests(read_source(file, name="policies/tests.yaml"))


@pytest.mark.parametrize(
    "line",
    [
        "{who: oa, operation: a.get, expect: allow}",
        "{who: [crm, nobody], operation: [a.get, b.get, a.get@v1], expect: deny}",
        "{who: crm, roles: [oa], operation: a.get, expect: allow}",
        "{who: oa, tenant: other, operation: a.get, expect: deny}",
        "{who: oa, operation: a.get, expect: allow, sees: [name], hidden: [price, price.net], locked: [price, name]}",
        "{who: oa, operation: a.get, expect: allow, records: {entity: [own]}}",
        "{who: oa, operation: a.get, expect: allow, address: 10.1.2.3}",
        "{who: oa, operation: a.get, expect: deny, address: 192.0.2.1}",
        "{who: oa, operation: a.get, expect: allow, at: '2026-11-20T16:00:00+08:00'}",
        "{who: oa, operation: a.get, expect: deny, at: 2026-11-21T10:00:00Z, address: 10.1.2.3}",
    ],
)
def test_passes(tmp_path: Path, line: str) -> None:
    made = written(tmp_path, line)
    assert list(failures(made, POLICY, KNOWN)) == []
    assert not any(found.wrong for found in outcomes(made, POLICY))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{who: oa, operation: a.get, expect: deny}", "oa, a.get: allowed (policy.csv:1), expected deny"),
        ("{who: crm, operation: a.get, expect: allow}", "crm, a.get: denied, since no row allows it, expected allow"),
        ("{who: oa, operation: a.get, address: '::1', expect: allow}", "oa, a.get: denied from there or then"),
        ("{who: oa, operation: a.get, expect: allow, sees: [price]}", "price is hidden, in whole or in part"),
        ("{who: oa, operation: a.get, expect: allow, hidden: [name]}", "name is seen, expected to be hidden"),
        ("{who: oa, operation: a.get, expect: allow, locked: [other]}", "other may be set, expected to be locked"),
        ("{who: oa, operation: a.get, expect: allow, records: {entity: ['1']}}", "records are left by {'entity': ['own']}"),
        ("{who: oa, operation: a.gte, expect: deny}", "no route has the operation 'a.gte'"),
        ("{who: oa, operation: a.get@v2, expect: allow}", "no route has the operation 'a.get@v2'"),
    ],
)
def test_fails_at_its_line(tmp_path: Path, line: str, said: str) -> None:
    (finding,) = failures(written(tmp_path, "{who: oa, operation: a.get, expect: allow}", line), POLICY, KNOWN)
    assert str(finding).startswith("policies/tests.yaml:4: ")
    assert said in finding.what


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{who: oa, operation: a.get}", "expect"),
        ("{who: oa, operation: a.get, expect: Allow}", "expect"),
        ("{who: oa, operation: a.get, expect: deny, hidden: [x]}", "expects deny"),
        ("{who: [], operation: a.get, expect: deny}", "who"),
        ("{who: oa, operation: a.get, expect: allow, at: 2026-11-20}", "at"),
        ("{who: oa, operation: a.get, expect: allow, at: noon}", "at"),
        ("{who: oa, operation: a.get, expect: allow, address: 10.0.0.0/8}", "a network"),
        ("{who: oa, operation: a.get, expect: allow, address: intranet}", "one address"),
        ("{who: oa, operation: a.get, expect: allow, sees: ['x[0]']}", "sees"),
        ("{who: oa, operation: a.get, expect: allow, when: now}", "when"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, line)
    assert any(said in str(finding) and finding.line == 3 for finding in refused.value.findings)


def test_a_tenant_must_be_said_somewhere(tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text("tests:\n  - {who: oa, operation: a.get, expect: deny}\n")
    with pytest.raises(ConfigError, match="names no tenant"):
        read_tests(read_source(file))


def test_no_file_expects_nothing() -> None:
    assert list(failures(PolicyTests(), POLICY, KNOWN)) == []
