"""Metro's JAX-WS where it insists on WS-Addressing, and where values are attachments (swaRef), through the gateway."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.peers import HERE, classpath
from tests.interop.world import Server, World, needs

pytestmark = needs("jax-ws")

DATA = bytes(range(256)) * 40 + b"\r\n--"


def compiled(folder: Path) -> str:
    """The server's classes and the wrappers generated for them. Returns the class path."""
    path = f"{folder}:{classpath()}"
    commands = [["javac", "-nowarn", "-proc:none", "-cp", path, "-d", folder, HERE / "jaxws" / "Scans.java"]]
    for endpoint in ("Addressed", "Attached"):
        generate = ["java", "-cp", path, "com.sun.tools.ws.WsGen", "-cp", path, "-s", folder, "-d", folder]
        commands.append([*generate, f"interop.Scans${endpoint}"])
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = compiled(tmp_path_factory.mktemp("classes"))
    with World(tmp_path_factory.mktemp("scans")) as made:
        server = made.runs(Server(["java", "-cp", path, "interop.Scans", "{port}"]))
        names = [made.imports(f"{server.url}/{path}?wsdl") for path in ("addressed", "attached")]
        assert names == ["addressed-service", "attached-service"]
        yield made.serve()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("exact", [True, False])
def test_a_server_that_insists_on_addressing(world: World, exact: bool) -> None:
    """JAX-WS answers a fault to a message without Action, To or MessageID."""
    call = world.service("addressed-service", exact=exact)
    reversed_ = call("reverse", {"data": text(DATA)})
    assert reversed_.status_code in (200, 201), reversed_.text
    assert reversed_.json() == {"return": text(DATA[::-1])}
    assert call("travelled", {"data": text(DATA)}).json() == {"return": "multipart/related"}


@pytest.mark.parametrize("data", [DATA, b"", b"x"])
def test_values_that_are_attachments(world: World, data: bytes) -> None:
    turned = world.service("attached-service")("turn", {"scan": {"name": "Ü", "content": text(data)}})
    assert turned.status_code == 200, turned.text
    assert turned.json() == {"return": {"name": f"Ü, {len(data)} bytes", "content": text(data[::-1])}}
