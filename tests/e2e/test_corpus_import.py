"""Contracts nobody here wrote, imported and served without an edit beside their address and a policy row: a large one, one with
header parts, one in RPC/encoded style. Each passes ``check``, has its pages, and answers a call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from playwright.sync_api import Browser as Chromium
from typer.testing import CliRunner

from gateway.cli import app
from gateway.contracts.inspect import contract_of
from gateway.contracts.pin import collect
from gateway.contracts.write import import_contract
from gateway.demo.erp.process import ErpProcess
from gateway.deployment import read_deployment
from gateway.edge.examples import PREFIX, example
from gateway.edge.openapi import document
from gateway.protocols.soap import Contract, compile_operation, request_schema
from gateway.protocols.soap.model import Operation
from gateway.protocols.soap.packages import Packages
from gateway.runtime import check_stores
from gateway.snapshot import build
from tests.contracts.bundles import no_fetch
from tests.edge.test_openapi import bad_examples
from tests.protocols.soap import accounting
from tests.support import ROOT, GatewayProcess, copy_deployment

SCREENSHOTS = ROOT / "build" / "screenshots"
SAMPLES = "soap/node-soap/test/request-response-samples"
CONTRACTS = {
    "large": "soap/node-soap/test/wsdl/strict/CyberSourceTransaction_1.26.wsdl",
    "headers": f"{SAMPLES}/IndienenBericht__should_work_with_deeply_nested_XML_messages/soap.wsdl",
    "encoded": f"{SAMPLES}/multiCall__rpc_stype_request_xsi_attributes/soap.wsdl",
}


class Stub:
    """An ERP with one operation: it reads the request by the contract and answers with an example of it."""

    def __init__(self, contract: Contract, operation: Operation) -> None:
        assert operation.output is not None
        around = replace(operation, input=operation.output, output=operation.input)
        codec, turned = compile_operation(contract, operation), compile_operation(contract, around)
        schema = request_schema(contract, around, ref=PREFIX)
        envelope = turned.encode(example(schema, schema.pop("$defs", {})))
        self.answered = codec.decode(envelope)
        self.reads = lambda value: turned.decode(codec.encode(value))
        packages = Packages(contract, turned, mtom=operation.mtom)
        self.asked: list[Any] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kind, sent = self.headers["content-type"], self.rfile.read(int(self.headers["content-length"]))
                asked.append(turned.decode(packages.unpack(kind, sent)[0] if kind.startswith("multipart/") else sent))
                self.send_response(200)
                self.send_header("content-type", codec.content_type)
                self.send_header("content-length", str(len(envelope)))
                self.end_headers()
                self.wfile.write(envelope)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/stub"


class World:
    """The imported contracts in one deployment, served, each over its stub."""

    def __init__(self, corpora: Path, folder: Path, erp: ErpProcess) -> None:
        self.config = copy_deployment(folder)
        self.stubs: dict[str, Stub] = {}
        self.operations: dict[str, str] = {}
        for name, file in CONTRACTS.items():
            bundle = collect(str(corpora / file), fetch=no_fetch)
            contract = contract_of(bundle)
            operation = next(each for each in contract.operations if each.output is not None)
            written = import_contract(folder, bundle, contract)
            self.stubs[name] = Stub(contract, operation)
            self._address(written.resource, self.stubs[name].url)
            self._allow(folder / "policies/policy.csv", written.resource)
            self.operations[name] = self._operation(folder, written.resource, operation.name)
        self.gateway = GatewayProcess(self.config, erp.url)

    def _address(self, resource: str, url: str) -> None:
        lines = self.config.read_text("utf-8").splitlines()
        at = next(at for at, line in enumerate(lines) if line.strip() == f"{resource}:")
        found = next(index for index in range(at, len(lines)) if lines[index].strip().startswith("url:"))
        lines[found] = f"    url: {url}"
        self.config.write_text("\n".join(lines) + "\n", "utf-8")

    def _allow(self, policy: Path, resource: str) -> None:
        lines = [
            line.replace(f"p, {resource}, *", "p, oa, demo").replace("deny", "allow")
            if line.startswith(f"p, {resource},")
            else line
            for line in policy.read_text("utf-8").splitlines()
        ]
        policy.write_text("\n".join(lines) + "\n", "utf-8")

    def _operation(self, folder: Path, resource: str, call: str) -> str:
        lines = (folder / f"routes/{resource}.yaml").read_text("utf-8").splitlines()
        at = next(at for at, line in enumerate(lines) if line.strip() in (f"call: {call}", f'call: "{call}"'))
        return f"{resource}.{lines[at - 2].strip().rstrip(':')}"

    def stop(self) -> None:
        self.gateway.stop()
        for stub in self.stubs.values():
            stub.server.shutdown()
            stub.server.server_close()


@pytest.fixture(scope="module")
def world(corpora: Path, erp: ErpProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(corpora, tmp_path_factory.mktemp("imported"), erp)
    made.gateway.start()
    yield made
    made.stop()


def test_the_deployment_passes_the_check(world: World) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(world.config)])
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_call_is_translated_and_answered(world: World, name: str) -> None:
    api = world.gateway.call("oa", "GET", "/openapi/v1.json").json()
    paths = {item["operationId"]: (path, item) for path, entry in api["paths"].items() for item in entry.values()}
    path, item = paths[world.operations[name]]
    body = item["requestBody"]["content"]["application/json"]["example"]
    answer = world.gateway.call("oa", "POST", path, json=body)
    assert answer.status_code in (200, 201), answer.text
    assert world.stubs[name].asked == [world.stubs[name].reads(body)]
    shown = item["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    Draft202012Validator({**shown, "components": api["components"]}).validate(answer.json())
    assert answer.json() == world.stubs[name].answered


@pytest.mark.parametrize("name", CONTRACTS)
def test_its_page_is_served(world: World, chromium: Chromium, name: str) -> None:
    for shape, width in (("desktop", 1280), ("phone", 360)):
        page = chromium.new_page(viewport={"width": width, "height": 860})
        complaints: list[str] = []
        page.on("console", lambda message, complaints=complaints: complaints.append(message.text))
        page.goto(f"{world.gateway.url}/docs/v1/{world.operations[name]}")
        page.get_by_role("heading", name="Request").wait_for()
        page.screenshot(path=SCREENSHOTS / f"docs-import-{name}-{shape}.png", full_page=True)
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert complaints == []
        page.close()


def test_every_valid_contract_that_is_offered_imports_passes_the_check_and_is_documented(corpora: Path, tmp_path: Path) -> None:
    files = [line.file for line in accounting.read() if line.offered and line.valid == "yes"]
    assert len(files) > 70
    for number, file in enumerate(files[::12]):
        folder = tmp_path / str(number)
        folder.mkdir()
        config = copy_deployment(folder)
        bundle = collect(str(corpora / "soap" / file), fetch=no_fetch)
        contract = contract_of(bundle)
        for service in dict.fromkeys(operation.service for operation in contract.operations):
            import_contract(folder, bundle, contract, service=service)
        api = document(build(read_deployment(config), check_stores(config)), "v1", "https://api.example.com")
        validate(api, cls=OpenAPIV31SpecValidator)
        assert bad_examples(api) == [], file
