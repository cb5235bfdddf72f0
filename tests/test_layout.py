"""The shape of the code: tests mirror sources, files stay small, and what must be in few places is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

from tests.support import ROOT

SOURCES = sorted((ROOT / "gateway").rglob("*.py"))
CODE = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").glob("*.py"), *(ROOT / "bench").glob("*.py")])

MOST_LINES = 450
LONGER: dict[str, str] = {}
"""Files allowed to be longer, and why."""

ELSEWHERE = {
    "cli/__main__.py": "cli/test_commands.py",
    "cli/answers.py": "cli/test_policy.py",
    "cli/init.py": "cli/test_commands.py",
    "cli/ledger.py": "cli/test_policy_log.py",
    "cli/look.py": "cli/test_commands.py",
    "cli/output.py": "cli/test_check.py",
    "cli/schema.py": "docs/test_docs.py",
    "cli/serve.py": "e2e/test_processes.py",
    "cli/token.py": "cli/test_commands.py",
    "cli/world.py": "cli/test_policy.py",
    "contracts/fields.py": "contracts/test_tables.py",
    "demo/erp/__main__.py": "demo/erp/test_process.py",
    "demo/people.py": "e2e/test_approval.py",
    "demo/tour.py": "cli/test_demo.py",
    "deployment.py": "cli/test_check.py",
    "documents/migrations/env.py": "documents/test_schema.py",
    "documents/migrations/versions/0001_first_ledger.py": "documents/test_schema.py",
    "documents/migrations/versions/0003_decisions.py": "documents/test_schema.py",
    "documents/migrations/versions/0002_seals.py": "documents/test_schema.py",
    "documents/migrations/versions/0004_policies.py": "documents/test_schema.py",
    "documents/tables.py": "documents/test_schema.py",
    "desk/views.py": "desk/test_detail.py",
    "edge/cycle.py": "edge/test_app.py",
    "exchange.py": "stages/test_observe.py",
    "live.py": "e2e/test_reload.py",
    "mapping/dates.py": "mapping/test_golden.py",
    "mapping/engine.py": "mapping/test_golden.py",
    "mapping/forms.py": "mapping/test_golden.py",
    "mapping/numbers.py": "mapping/test_golden.py",
    "mapping/table.py": "mapping/test_layout.py",
    "mapping/texts.py": "mapping/test_golden.py",
    "mapping/wrong.py": "mapping/test_functions.py",
    "people.py": "desk/test_sight.py",
    "ports.py": "upstreams/test_client_contract.py",
    "protocols/soap/binaries.py": "protocols/soap/test_packages.py",
    "protocols/soap/checker.py": "protocols/soap/test_codec.py",
    "protocols/soap/components.py": "protocols/soap/test_wsdl.py",
    "protocols/soap/documents.py": "protocols/soap/test_wsdl.py",
    "protocols/soap/form.py": "protocols/soap/test_jsonschema.py",
    "protocols/soap/leaves.py": "protocols/soap/test_random_values.py",
    "protocols/soap/model.py": "protocols/soap/test_wsdl.py",
    "protocols/soap/program.py": "protocols/soap/test_codec.py",
    "protocols/soap/reader.py": "protocols/soap/test_codec.py",
    "protocols/soap/schema.py": "protocols/soap/test_wsdl.py",
    "protocols/soap/wildcards.py": "protocols/soap/test_codec.py",
    "protocols/soap/writer.py": "protocols/soap/test_codec.py",
    "reload.py": "e2e/test_reload.py",
    "runtime.py": "e2e/test_processes.py",
    "server.py": "e2e/test_processes.py",
    "supervisor.py": "e2e/test_processes.py",
}
"""Sources without a test file of their own name: protocols and values without behaviour, parts of a codec or converter that only
mean something together, and what only shows in a running process. Each with the file that tests it."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """The packages a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def comments(path: Path) -> str:
    tokens = tokenize.tokenize(io.BytesIO(path.read_bytes()).readline)
    return "\n".join(token.string for token in tokens if token.type in (tokenize.COMMENT, tokenize.STRING))


def test_tests_mirror_sources() -> None:
    lacking = []
    for source in SOURCES:
        inner = source.relative_to(ROOT / "gateway")
        own = ROOT / "tests" / inner.parent / f"test_{inner.name}"
        if source.name != "__init__.py" and not own.exists() and str(inner) not in ELSEWHERE:
            lacking.append(f"gateway/{inner} needs {name(own)}")
    assert lacking == []


def test_the_exceptions_exist() -> None:
    for source, test in ELSEWHERE.items():
        assert (ROOT / "gateway" / source).exists(), source
        assert (ROOT / "tests" / test).exists(), test


def test_files_stay_small() -> None:
    lines = {str(path.relative_to(ROOT / "gateway")): path.read_bytes().count(b"\n") for path in SOURCES}
    assert {path for path, count in lines.items() if count > MOST_LINES} == set(LONGER)


def test_httpx_is_imported_in_two_files_only() -> None:
    assert [name(path) for path in SOURCES if "httpx" in imports(path)] == [
        "gateway/identity/fetch.py",
        "gateway/upstreams/httpx_client.py",
    ]


def test_the_deployment_folders_are_no_packages() -> None:
    for folder in ("routes", "policies", "transformers"):
        assert list((ROOT / folder).rglob("__init__.py")) == []


def test_every_module_says_what_it_is_for() -> None:
    assert [name(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_bytes()))] == []


def test_only_commands_print() -> None:
    for path in SOURCES:
        calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
        prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        assert not prints or name(path).startswith(("gateway/cli/", "gateway/demo/")), (path, prints)


def test_nothing_is_left_to_be_done() -> None:
    mark = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
    assert [name(path) for path in CODE if mark.search(comments(path))] == []
