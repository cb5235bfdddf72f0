"""The documentation says what is so: links lead somewhere, commands exist, examples are valid, nothing is missing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.schema import Kind, document, model
from gateway.config.gateway import Gateway
from gateway.config.source import parse_source, read_source, validate
from gateway.deployment import ORDER
from gateway.identity.satellites import SatelliteEntry
from gateway.mapping.table import Calls, Example, FieldTable, Row
from gateway.policy import read_policy
from gateway.stages import CONFIGURABLE
from tests.support import ROOT
from tools import reference

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
DEPLOYMENT = {
    Kind.gateway: ["gateway.yaml"],
    Kind.routes: ["routes/*.yaml"],
    Kind.transformers: ["transformers/*.yaml"],
    Kind.satellites: ["policies/satellites.yaml"],
    Kind.approvals: ["policies/approvals.yaml"],
    Kind.soap: ["routes/*.soap.yaml"],
    Kind.tests: ["policies/tests.yaml"],
    Kind.duties: ["policies/duties.yaml"],
}


def deployed(kind: Kind) -> list[Path]:
    """The example deployment's files of a kind."""
    found = [path for pattern in DEPLOYMENT[kind] for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if path.name.endswith(ORDER) == (kind is Kind.soap)]


def text(path: Path) -> str:
    return path.read_text("utf-8")


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: what the fence says, and the content without the fence's indentation."""
    for indent, info, content in FENCE.findall(text(path)):
        yield info, re.sub(rf"^{indent}", "", content, flags=re.MULTILINE)


def prose(path: Path) -> str:
    return FENCE.sub("", text(path))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, pending = set(), [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        if page not in reached:
            reached.add(page)
            targets = [t for t in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(page)) if t.endswith(".md") and "://" not in t]
            pending += [(page.parent / target).resolve() for target in targets]
    assert [name(page) for page in PAGES if page not in reached] == []


# --- commands --------------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[str, str]]:
    """Every ``erp-gateway …`` of the pages: in shell blocks, and between backticks."""
    for page in PAGES:
        found = [line for info, content in blocks(page) if info == "sh" for line in content.splitlines()]
        found += re.findall(r"`([^`\n]+)`", prose(page))
        for line in found:
            for command in re.findall(r"(?:^|\$\(|[\w-] )\s*(erp-gateway [^)`|#\n]+)", line):
                yield name(page), command.strip()


def test_every_command_line_is_one_the_program_takes() -> None:
    seen = set()
    for page, command in command_lines():
        words = [word for word in shlex.split(command)[1:] if word not in ("…", "...")]
        if words in ([], ["--version"]):
            continue
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        path = words[:2] if words[0] in ("audit", "policy", "token", "wsdl") else words[:1]
        result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0, (page, command)
        for option in options:
            assert option in result.output, (page, command)
        seen.add(tuple(path))
    assert len(seen) >= 9


def test_make_targets_exist() -> None:
    makefile = text(ROOT / "Makefile")
    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z]+)", text(page), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (page, target)


# --- examples --------------------------------------------------------------------------------------------------------


def examples() -> list[Any]:
    """YAML blocks whose fence names their kind: ```` ```yaml routes ````."""
    found = []
    for page in PAGES:
        for number, (info, content) in enumerate(blocks(page)):
            language, _, kind = info.partition(" ")
            if language == "yaml" and kind:
                found.append(pytest.param(Kind(kind), content, id=f"{name(page)}-{number}"))
    return found


FORMS = {
    "WECOM": "wecombot://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
    "MAIL": "mailtos://u:p@smtp.example.com?to=a@example.com",
    "DINGTALK": "dingtalk://abcdefghijklmnop",
    "CALLBACK_SECRET": "whsec_" + "QUJD" * 8,
}
"""Secrets that have a form, by how the names of their variables end."""


@pytest.mark.parametrize(("kind", "content"), examples())
def test_yaml_examples_are_valid(kind: Kind, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in re.findall(r"\$\{env:(\w+)\}", content):
        monkeypatch.setenv(variable, FORMS.get(variable.partition("_")[2], "secret"))
    source = parse_source(content.encode(), name="example", folder=ROOT)
    assert validate(source, model(kind)) is not None


def test_there_is_an_example_of_every_kind() -> None:
    assert {parameter.values[0] for parameter in examples()} >= {Kind.gateway, Kind.routes, Kind.satellites, Kind.approvals}


def test_policy_examples_are_valid() -> None:
    found = [content for page in PAGES for info, content in blocks(page) if info == "text policy"]
    assert found
    for content in found:
        assert read_policy("example", content.encode()).grants


# --- what is generated -----------------------------------------------------------------------------------------------


def test_generated_parts_are_up_to_date() -> None:
    assert [name(path) for path in reference.stale()] == [], "run python -m tools.reference"


def test_every_generated_region_is_on_a_page() -> None:
    regions = [match[1] for page in PAGES for match in reference.REGION.findall(text(page))]
    assert sorted(regions) == sorted(reference.REGIONS)


def test_stale_pages_are_told_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path / "docs")
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- begin console -->\nold\n<!-- end console -->\nafter\n")
    assert reference.main(["--check"]) == 1
    assert "docs/page.md" in capsys.readouterr().out
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert page.read_text().startswith("before\n<!-- begin console -->\n| key |")
    assert page.read_text().endswith("|\n<!-- end console -->\nafter\n")


# --- completeness ----------------------------------------------------------------------------------------------------


def keys(kind: type[BaseModel]) -> Iterator[str]:
    """The keys of a model and of every model inside it."""
    for key, field in kind.model_fields.items():
        yield key
        for inner in models_in(field.annotation):
            yield from keys(inner)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


COVERED: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "gateway.yaml": (Gateway, ("gateway-yaml.md", "identity.md")),
    "routes": (model(Kind.routes), ("routes.md",)),
    "satellites": (SatelliteEntry, ("identity.md",)),
    "approvals": (model(Kind.approvals), ("approvals.md",)),
    "tests": (model(Kind.tests), ("../guide/policy.md",)),
    "duties": (model(Kind.duties), ("../guide/policy.md",)),
    "field table": (FieldTable, ("field-tables.md",)),
    "row": (Row, ("field-tables.md",)),
    "example": (Example, ("field-tables.md",)),
    "calls": (Calls, ("field-tables.md",)),
}


@pytest.mark.parametrize("kind", COVERED)
def test_every_option_is_in_the_reference(kind: str) -> None:
    described, pages = COVERED[kind]
    said = "".join(text(ROOT / "docs" / "reference" / page) for page in pages)
    missing = [key for key in keys(described) if not re.search(rf"`{key}\b|[{{ ]{key}: ", said)]
    assert missing == []


def test_every_stage_has_a_region() -> None:
    for stage in CONFIGURABLE:
        assert f"<!-- begin stage-{stage} -->" in text(ROOT / "docs" / "reference" / "routes.md")


def test_every_problem_has_its_section() -> None:
    page = ROOT / "docs" / "reference" / "errors.md"
    slugs = {kind.slug for kind in reference.problem_types()}
    assert slugs <= anchors(page)
    assert {"unprocessable", "refused", "internal", "upstream-timeout"} <= slugs


def test_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "adr"
    decisions = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", text(folder / "README.md"))
    assert decisions == listed
    for decision in decisions:
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text(folder / decision), decision


def test_the_changelog_has_the_current_version() -> None:
    from gateway import __version__

    assert f"## [{__version__}]" in text(ROOT / "CHANGELOG.md")


# --- JSON Schemas ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_schemas_are_valid_and_accept_the_example_deployment(kind: Kind) -> None:
    schema = document(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    files = deployed(kind)
    assert files
    for path in files:
        jsonschema.Draft202012Validator(schema).validate(read_source(path).data)


@pytest.mark.parametrize("kind", Kind)
def test_schemas_refuse_unknown_keys(kind: Kind) -> None:
    data: Any = read_source(deployed(kind)[0]).data
    assert not jsonschema.Draft202012Validator(document(kind)).is_valid(data | {"unknown": 1})


@pytest.mark.parametrize("kind", Kind)
def test_example_files_name_their_schema(kind: Kind) -> None:
    for path in deployed(kind):
        first = text(path).splitlines()[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert named, path
        assert (path.parent / named[1]).resolve() == ROOT / "docs" / "schema" / f"{kind}.json", path


# --- two languages ---------------------------------------------------------------------------------------------------


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert list(blocks(english)) == list(blocks(chinese))
    levels = [re.findall(r"^(#+) ", prose(page), re.MULTILINE) for page in (english, chinese)]
    assert levels[0] == levels[1]
    steps = [re.findall(r"^(\d+)\. ", prose(page), re.MULTILINE) for page in (english, chinese)]
    assert steps[0] == steps[1]
    assert len(re.findall(r"^- ", prose(english), re.MULTILINE)) == len(re.findall(r"^- ", prose(chinese), re.MULTILINE))
    assert re.findall(r"\]\((docs/[^)]+)\)", prose(english)) == re.findall(r"\]\((docs/[^)]+)\)", prose(chinese))


def test_the_glossary_gives_every_term_in_chinese() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text(ROOT / "docs" / "glossary.md"), re.MULTILINE)[2:]
    assert len(rows) > 30
    for term, chinese, meaning in rows:
        assert re.search(r"[\u4e00-\u9fff]", chinese), term
        assert meaning.strip()
