"""The SOAP stacks the gateway is tried against, and how each gets onto this machine.

Debian packages, npm and PyPI, each below ``build/interop``, away from the gateway's own libraries: spyne and suds want other
versions of what the gateway uses. Every version is named here. Nothing is started by installing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support import ROOT

HERE = Path(__file__).parent
PLACE = ROOT / "build" / "interop"
NPM_SOAP = "1.13.0"
PYTHON = ("spyne==2.14.0", "lxml==6.1.3", "suds==1.2.0")
JARS = (
    "jaxws-rt",
    "jaxws-tools",
    "jaxb-core",
    "jaxb-xjc",
    "jaxb-jxc",
    "javax.activation",
    "txw2",
    "istack-commons-runtime",
    "gson",
)
WSS4J = ("wss4j", "xmlsec", "commons-logging", "slf4j-api", "slf4j-nop")
CLASSES = PLACE / "jaxws"
STUBS = PLACE / "jaxws-stubs"
ENDPOINTS = ("Server$Stock", "Server$Files", "Secured$Vault")
"""The JAX-WS endpoints of wrapped style: their wrapper classes are generated."""


class Missing(Exception):
    """A peer that cannot be had. The text says why."""


def classpath() -> str:
    return ":".join([str(CLASSES), str(STUBS), *(f"/usr/share/java/{jar}.jar" for jar in (*JARS, *WSS4J))])


def node_modules() -> Path:
    return PLACE / f"npm-soap-{NPM_SOAP}" / "node_modules"


def node(script: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a script of this folder with npm soap at hand."""
    return ("env", f"NODE_PATH={node_modules()}", "node", str(HERE / script), *arguments)


def python() -> Path:
    """The interpreter that has spyne and suds."""
    return PLACE / "python" / "bin" / "python"


def _php() -> None:
    _debian("php-cli", "php-soap")


def _npm() -> None:
    _debian("npm")
    if not (node_modules() / "soap" / "package.json").is_file():
        folder = node_modules().parent
        folder.mkdir(parents=True, exist_ok=True)
        _run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", folder, f"soap@{NPM_SOAP}")


def _python() -> None:
    done = PLACE / "python" / "installed"
    if not done.is_file() or done.read_text("utf-8").split() != [*PYTHON]:
        shutil.rmtree(PLACE / "python", ignore_errors=True)
        _run(sys.executable, "-m", "venv", PLACE / "python")
        _run(python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON)
        done.write_text(" ".join(PYTHON), "utf-8")


def _jaxws() -> None:
    _debian("default-jdk-headless", "libjaxws-java", "libgoogle-gson-java", "libwss4j-java")
    servers = [HERE / "jaxws" / name for name in ("Server.java", "Secured.java")]
    compiled = CLASSES / "sources"
    if compiled.is_file() and compiled.read_bytes() == b"".join(source.read_bytes() for source in servers):
        return
    shutil.rmtree(CLASSES, ignore_errors=True)
    sources = PLACE / "jaxws-sources"
    for folder in (CLASSES, sources):
        folder.mkdir(parents=True, exist_ok=True)
    _run("javac", "-nowarn", "-proc:none", "-cp", classpath(), "-d", CLASSES, *servers)
    for endpoint in ENDPOINTS:
        generate = ("java", "-cp", classpath(), "com.sun.tools.ws.WsGen", "-keep", "-s", sources, "-d", CLASSES)
        _run(*generate, "-cp", CLASSES, f"interop.{endpoint}")
    compiled.write_bytes(b"".join(source.read_bytes() for source in servers))


def stubs(wsdls: Mapping[str, str]) -> None:
    """What JAX-WS makes of WSDLs, by resource, and the client that uses it."""
    shutil.rmtree(STUBS, ignore_errors=True)
    STUBS.mkdir(parents=True)
    bindings = HERE / "jaxws" / "bindings.xml"
    for resource, wsdl in wsdls.items():
        generate = (
            "java",
            "-cp",
            classpath(),
            "com.sun.tools.ws.WsImport",
            "-quiet",
            "-extension",
            "-Xnocompile",
            "-b",
            bindings,
        )
        _run(*generate, "-s", STUBS, "-p", f"facade.{resource.replace('-', '_')}", wsdl)
    sources = [*STUBS.rglob("*.java"), HERE / "jaxws" / "Client.java"]
    _run("javac", "-nowarn", "-proc:none", "-cp", classpath(), "-d", STUBS, *sources)


def _zeep() -> None:
    """In the gateway's own libraries."""


INSTALL: dict[str, Callable[[], None]] = {
    "php": _php,
    "npm-soap": _npm,
    "spyne": _python,
    "suds": _python,
    "jax-ws": _jaxws,
    "zeep": _zeep,
}


def install() -> dict[str, str]:
    """Have every peer. Returns the ones that cannot be had, each with the reason."""
    missing = {}
    for name, get in INSTALL.items():
        try:
            get()
        except Missing as why:
            missing[name] = str(why)
    return missing


def _debian(*packages: str) -> None:
    _run("sh", ROOT / "tools" / "services.sh", *packages)


def _run(*command: str | Path) -> None:
    try:
        outcome = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if outcome.returncode:
        raise Missing(
            " ".join((outcome.stderr or outcome.stdout).split())[-500:] or f"{command[0]} ended with {outcome.returncode}"
        )
