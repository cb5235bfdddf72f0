"""A peer's server, its live contract imported into the example deployment, and the gateway over both, as real processes."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
import orjson
import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.config.source import read_source
from tests.support import GatewayProcess, copy_deployment, edit, free_port

NOBODY = "http://127.0.0.1:9"
"""Where the example deployment's own ERP would be."""
PATIENCE = 60.0


@dataclass
class Server:
    """A peer as a child process: ``{port}`` in the command is where it shall listen, and ``ready`` what it then says."""

    command: Sequence[str]
    ready: str = "ready"
    port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)

    def start(self) -> Server:
        command = [word.replace("{port}", str(self.port)) for word in self.command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        impatient = threading.Timer(PATIENCE, self.process.kill)
        impatient.start()
        up = any(self.ready in line for line in self._lines())
        impatient.cancel()
        self._reader = threading.Thread(target=lambda: list(self._lines()), daemon=True)
        self._reader.start()
        assert up, f"{command[0]} did not come up: {''.join(self.said[-20:])}"
        return self

    def _lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            yield line

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class World:
    """Peers' servers, a deployment their contracts are imported into, and the gateway over it. A context manager: leaving it
    stops them all.

    :param erp: where the example deployment's own ERP is.
    """

    calls: ClassVar[int] = 0
    """How many calls the gateways of all worlds have finished."""

    def __init__(self, folder: Path, erp: str = NOBODY) -> None:
        self.folder = folder
        self.gateway = GatewayProcess(copy_deployment(folder), erp)
        self.servers: list[Server] = []
        self._running = ExitStack()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def runs(self, server: Server) -> Server:
        server.start()
        self._running.callback(server.stop)
        self.servers.append(server)
        return server

    def imports(self, wsdl: str, *options: str) -> str:
        """Import a live contract, prove that ``check`` has nothing against what was written, then let ``oa`` call everything.

        Beside the imported routes under ``/NAME/…`` the same operations come without field tables and documents, under
        ``/exact/NAME/…``. Returns NAME.
        """
        before = {path.name for path in (self.folder / "routes").iterdir()}
        told = cli("wsdl", "import", wsdl, "--into", str(self.folder), *options)
        assert told.exit_code == 0, told.output
        (written,) = {path.name for path in (self.folder / "routes").iterdir()} - before
        checked = orjson.loads(cli("check", "-c", str(self.folder / "gateway.yaml"), "--json").stdout)
        assert checked == {"ok": True, "errors": [], "warnings": []}, checked
        name = written.removesuffix(".yaml")
        self._exact(name)
        policy = self.folder / "policies/policy.csv"
        rows = [line for line in policy.read_text("utf-8").splitlines() if line.startswith(f"p, {name},")]
        for row in rows:
            allowed = row.replace(f"p, {name}, *", "p, oa, demo").replace("deny", "allow")
            edit(policy, row, allowed + "\n" + allowed.replace(f" {name}.", f" exact-{name}."))
        return name

    def _exact(self, name: str) -> None:
        routes: Any = read_source(self.folder / f"routes/{name}.yaml").data
        operations = {
            operation: {key: value for key, value in route.items() if key not in ("request", "answer")}
            | {"post": f"/exact{route['post']}", "delivery": "direct", "status": 200}
            for operation, route in routes["operations"].items()
        }
        exact = dict(routes) | {"resource": f"exact-{name}", "operations": operations}
        (self.folder / f"routes/exact-{name}.yaml").write_bytes(orjson.dumps(exact, option=orjson.OPT_INDENT_2))

    def serve(self) -> World:
        self.gateway.start()
        self._running.callback(self.gateway.stop)
        self._running.callback(self._count)
        return self

    def _count(self) -> None:
        metrics = httpx.get(f"{self.gateway.console}/metrics").text
        World.calls += sum(int(float(count)) for count in re.findall(r"^gateway_calls_total{.*} (\S+)$", metrics, re.MULTILINE))

    def service(self, name: str, *, exact: bool = True) -> Callable[..., httpx.Response]:
        """Calls operations of an imported contract as ``oa``: ``call("GetOrder", {"Number": 1})``."""
        base = f"/api/v1/{'exact/' if exact else ''}{name}"

        def call(operation: str, value: object, **request: Any) -> httpx.Response:
            return self.gateway.call("oa", "POST", f"{base}/{operation}", json=value, **request)

        return call


def needs(peer: str) -> pytest.MarkDecorator:
    """For tests of a peer that could not be had: whoever installs the peers tells about it and fails."""
    return pytest.mark.skipif(peer not in os.environ["GATEWAY_INTEROP"].split(","), reason=f"{peer} cannot be had")


def cli(*words: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "300"})


def said(text: str) -> dict[str, str]:
    """What a peer's ``describe`` says it was given, ``name=value`` a line."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
