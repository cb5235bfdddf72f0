"""Importing into a deployment: what is written is complete, passes ``check``, and takes nothing away."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config.source import read_source
from gateway.contracts.inspect import contract_of
from gateway.contracts.pin import Bundle, collect
from gateway.contracts.write import Written, import_contract
from gateway.errors import ConfigError
from tests.contracts.bundles import bundle, echo, no_fetch
from tests.protocols.soap.wsdls import root, schema, wsdl
from tests.support import ROOT, copy_deployment

GOLDEN = ROOT / "tests" / "golden" / "wsdl-import"
FIELD = root('<xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence>')
CORPUS = (
    "node-soap/test/wsdl/list_parameter.wsdl",
    "python-zeep/tests/integration/hello_world_recursive.wsdl",
    "spring-ws/spring-ws-core/src/test/resources/org/springframework/ws/wsdl/wsdl11/soap-11-12.wsdl",
)


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    copy_deployment(tmp_path)
    return tmp_path


def into(folder: Path, of: Bundle, **options: Any) -> Written:
    return import_contract(folder, of, contract_of(of), **options)


def checked(folder: Path) -> dict[str, object]:
    result = CliRunner().invoke(app, ["check", "-c", str(folder / "gateway.yaml"), "--json"])
    found: dict[str, object] = json.loads(result.output)
    return found


def test_the_golden_files(deployment: Path) -> None:
    finance = collect(str(ROOT / "gateway/demo/erp/contracts/finance.wsdl"), fetch=no_fetch)
    before = {name: (deployment / name).read_text("utf-8") for name in ("gateway.yaml", "policies/policy.csv")}
    written = into(deployment, finance)
    for name in ("routes/finance-service.yaml", "transformers/finance-service.yaml", "contracts/finance-service/contract.lock"):
        assert (deployment / name).read_text("utf-8") == (GOLDEN / name).read_text("utf-8"), name
    for name, text in before.items():
        added = (deployment / name).read_text("utf-8").replace((GOLDEN / name).read_text("utf-8"), "")
        assert added == text, name
    assert written.by_hand == {}
    assert set(written.files) > {"gateway.yaml", "policies/policy.csv", "contracts/finance-service/common.xsd"}
    assert checked(deployment) == {"ok": True, "errors": [], "warnings": []}


@pytest.mark.parametrize("name", CORPUS)
def test_contracts_of_the_world_pass_check_unedited(name: str, deployment: Path) -> None:
    corpora = os.environ.get("GATEWAY_CORPORA")
    if not corpora:
        assert not os.environ.get("CI"), "GATEWAY_CORPORA must be set in CI"
        pytest.skip("GATEWAY_CORPORA is not set")
    into(deployment, collect(str(Path(corpora) / "soap" / name), fetch=no_fetch))
    assert checked(deployment)["errors"] == []


HOSTILE = [
    "x\nroot: true",
    "# end\np, oa, demo, reports.finance, allow",
    '"}\n- {rest: a}',
    "${env:HOME}${file:/etc/passwd}",
    "*/ --> ]]> {{7*7}} %s",
    "\u202eevil\u2028line\u0085next\ufeff",
    "null",
    "a: b # c",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_texts_stay_texts(text: str, deployment: Path) -> None:
    policy = (deployment / "policies/policy.csv").read_text("utf-8")
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\n", "&#10;").replace(">", "&gt;")
    doc = f"<xs:annotation><xs:documentation>{shown}</xs:documentation></xs:annotation>"
    listed = f'<xs:restriction base="xs:string"><xs:enumeration value="{shown}"/></xs:restriction>'
    code = f"<xs:simpleType>{doc}{listed}</xs:simpleType>"
    body = root(f'<xs:sequence><xs:element name="a">{code}</xs:element></xs:sequence>')
    made = wsdl(schema(body)).replace("Says it again.", shown).replace('name="S"', f'name="S{shown}"')
    made = made.replace('name="Port"', f'name="{shown}"').replace("http://127.0.0.1/s", shown)
    of = bundle(made)
    if not contract_of(of).operations:
        pytest.skip("the contract itself is refused")
    written = into(deployment, of)
    assert checked(deployment)["errors"] == []
    assert (deployment / "policies/policy.csv").read_text("utf-8").count(", allow\n") == policy.count(", allow\n")
    route = read_source(deployment / "routes" / f"{written.resource}.yaml").data
    assert isinstance(route, dict)
    assert list(route) == ["resource", "upstream", "operations"]
    assert list(route["operations"]) == ["echo"]


def test_nothing_is_overwritten_unless_asked(deployment: Path) -> None:
    into(deployment, echo(FIELD))
    (deployment / "routes/s.yaml").write_text("mine", "utf-8")
    with pytest.raises(ConfigError) as caught:
        into(deployment, echo(FIELD))
    assert {finding.file for finding in caught.value.findings} == {
        "contracts/s/service.wsdl",
        "contracts/s/contract.lock",
        "routes/s.yaml",
        "transformers/s.yaml",
        "gateway.yaml",
    }
    assert (deployment / "routes/s.yaml").read_text("utf-8") == "mine"
    settings = (deployment / "gateway.yaml").read_text("utf-8")
    into(deployment, echo(FIELD), force=True)
    assert (deployment / "gateway.yaml").read_text("utf-8") == settings
    assert (deployment / "policies/policy.csv").read_text("utf-8").count("s.echo") == 1
    assert checked(deployment)["errors"] == []


def test_files_an_earlier_import_pinned_are_removed(deployment: Path, tmp_path: Path) -> None:
    source = tmp_path / "in" / "service.wsdl"
    source.parent.mkdir()
    (source.parent / "t.xsd").write_text(schema(FIELD), "utf-8")
    source.write_text(wsdl(schema('<xs:include schemaLocation="t.xsd"/>')), "utf-8")
    into(deployment, collect(str(source), fetch=no_fetch))
    assert (deployment / "contracts/s/t.xsd").exists()
    into(deployment, echo(FIELD), force=True)
    assert not (deployment / "contracts/s/t.xsd").exists()


def test_a_changed_pinned_file_is_a_warning(deployment: Path) -> None:
    into(deployment, echo(FIELD))
    with (deployment / "contracts/s/service.wsdl").open("a") as file:
        file.write("\n")
    found = checked(deployment)
    assert found["errors"] == []
    assert [(w["file"], w["what"]) for w in found["warnings"]] == [  # type: ignore[attr-defined]
        ("contracts/s/service.wsdl", "is not what was imported: its hash has changed")
    ]


FLOW = "{erp: {url: http://127.0.0.1:1}}"


@pytest.mark.parametrize("settings", [f"upstreams: {FLOW}\n", f"upstreams:\n    # none\n    {FLOW}\n"])
def test_what_cannot_be_added_is_said(settings: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(settings, "utf-8")
    written = into(tmp_path, echo(FIELD))
    assert (tmp_path / "gateway.yaml").read_text("utf-8") == settings
    assert written.by_hand["gateway.yaml"].startswith("upstreams:\n  s:\n    wsdl: ")
    assert "p, s, *, s.echo, deny\n" in written.by_hand["policies/policy.csv"]


def test_an_empty_folder_gets_the_files_too(tmp_path: Path) -> None:
    written = into(tmp_path, echo(FIELD))
    assert sorted(written.by_hand) == ["gateway.yaml", "policies/policy.csv"]
    assert (tmp_path / "routes/s.yaml").exists()


@pytest.mark.parametrize("tail", ["", "\n# the end of the block\n\nroutes: routes\n", "\nroutes: routes"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_upstream_goes_to_the_end_of_its_block(tail: str, end: str, tmp_path: Path) -> None:
    settings = "upstreams:  # all\n   erp:\n      url: http://127.0.0.1:1" + tail
    (tmp_path / "gateway.yaml").write_bytes(settings.replace("\n", end).encode())
    written = into(tmp_path, echo(FIELD))
    assert list(written.by_hand) == ["policies/policy.csv"]
    data = read_source(tmp_path / "gateway.yaml").data
    assert isinstance(data, dict)
    assert list(data["upstreams"]) == ["erp", "s"]
    assert data["upstreams"]["s"]["url"] == "http://127.0.0.1/s"


def test_the_mode_of_a_file_is_kept(deployment: Path) -> None:
    (deployment / "gateway.yaml").chmod(0o600)
    into(deployment, echo(FIELD))
    assert (deployment / "gateway.yaml").stat().st_mode & 0o777 == 0o600


def test_two_ports_of_one_service_are_two_resources(deployment: Path) -> None:
    text = wsdl(schema(FIELD))
    port = text[text.index("<port ") : text.index("</port>") + 7]
    two = bundle(text.replace(port, port + port.replace('name="Port"', 'name="Other"').replace("/s", "/other")))
    assert into(deployment, two, port="Port").resource == "s"
    with pytest.raises(ConfigError, match="exists already"):
        into(deployment, two, port="Other")
    assert into(deployment, two, port="Other", name="s-other").resource == "s-other"
    assert checked(deployment)["ok"] is True
    with pytest.raises(ConfigError, match="small letters"):
        into(deployment, two, name="../other")
