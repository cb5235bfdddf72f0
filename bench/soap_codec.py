"""Microseconds to turn JSON bytes into a SOAP envelope and an answer envelope into JSON bytes, beside zeep, npm soap and PHP.

``python -m bench.soap_codec``. The purchase order of the demo ERP with 20 lines, SOAP 1.2. Every peer does the same work in the
same run: JSON text parsed, envelope built; envelope parsed, JSON text written. Rounds are interleaved and each peer's best
counts. npm ``soap`` is installed below ``bench/.peers``; PHP and its soap extension come from Debian. Every envelope and every
result is checked before anything is printed. The last line is JSON. Exit 1 when a peer is missing or wrong.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from lxml import etree
from rich.console import Console
from rich.table import Table
from zeep import Client
from zeep.helpers import serialize_object

from bench._machine import PEERS, ROOT, Missing
from gateway.protocols import json_http
from gateway.protocols.soap import Codec, compile_operation, read_contract

WSDL: Final = ROOT / "gateway/demo/erp/contracts/procurement.wsdl"
NPM_SOAP: Final = "1.13.0"
OPERATION: Final = "CreatePurchaseOrder"
TARGET: Final = 16.0
SIZES: Final = (10, 1_000, 10_000, 100_000)
ROUNDS: Final = 3


CHOICE: Final = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t">
  <types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified"><xs:element name="Root"><xs:complexType>
    <xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:string"/>
    </xs:choice></xs:complexType></xs:element></xs:schema></types>
  <message name="M"><part name="p" element="t:Root"/></message>
  <portType name="P"><operation name="echo"><input message="t:M"/><output message="t:M"/></operation></portType>
  <binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="echo"><soap:operation/><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output>
    </operation></binding>
  <service name="S"><port name="Port" binding="t:B"><soap:address location="http://127.0.0.1/"/></port></service>
</definitions>"""


class Wrong(Exception):
    """A peer that did other work than the rest."""


def main() -> int:
    console = Console()
    try:
        with tempfile.TemporaryDirectory(prefix="erp-gateway-bench-") as folder:
            results, sizes, answers, choices = _measure(Path(folder))
    except (Missing, Wrong) as problem:
        console.print(f"The bench cannot run: {problem}", style="red", highlight=False)
        return 1
    _show(console, results, sizes, answers, choices)
    figures = {f"{name}_us": round(us, 1) for name, us in results.items()}
    figures |= {f"ratio_to_{name}": round(us / results["ours"], 2) for name, us in results.items() if name != "ours"}
    figures |= {f"ours_{size}_lines_us": round(us, 1) for size, us in sizes.items()}
    figures |= {f"ours_read_{name}_us": round(us, 1) for name, us in answers.items()}
    figures |= {f"ours_{size}_choices_us": round(us, 1) for size, us in choices.items()}
    sys.stdout.write(orjson.dumps(figures).decode() + "\n")
    return 0


def _measure(folder: Path) -> tuple[dict[str, float], dict[int, float], dict[str, float], dict[int, float]]:
    """Microseconds by peer; by number of lines; of reading one answer, plain, with an empty element, with one for the parser;
    and by number of items of a repeating choice."""
    npm, php = _npm_soap(), _php()
    contract = read_contract(WSDL)
    codec = compile_operation(contract, contract.operation(OPERATION))
    request, answer = _samples(codec, 20)
    files = _Files(folder, request, answer)
    peers: dict[str, Callable[[], float]] = {
        "ours": partial(_timed, partial(_ours, codec, request, answer), 400),
        "zeep": partial(_timed, _zeep(request, answer), 20),
        "npm_soap": partial(_peer, files, ["node", str(ROOT / "bench/peers/soap_codec.mjs"), str(npm)]),
        "php": partial(_peer, files, [php, str(ROOT / "bench/peers/soap_codec.php")]),
    }
    results = dict.fromkeys(peers, float("inf"))
    for _ in range(ROUNDS):
        for name, measure in peers.items():
            results[name] = min(results[name], measure())
    wide = _without_line_limit(folder)
    sizes = {size: _timed(partial(_ours, wide, *_samples(wide, size)), max(1, 4_000 // size)) for size in SIZES}
    text = b"Bolts &amp; nuts, line 3"
    kinds = {"plain": answer, "empty": answer.replace(text, b""), "commented": answer.replace(text, b"<!-- -->")}
    answers = {name: _timed(partial(codec.decode, envelope), 400) for name, envelope in kinds.items()}
    return results, sizes, answers, _choices(folder)


def _choices(folder: Path) -> dict[int, float]:
    """Microseconds to write and read a repeating choice, by its number of items."""
    path = folder / "choice.wsdl"
    path.write_text(CHOICE, encoding="utf-8")
    contract = read_contract(path)
    codec = compile_operation(contract, contract.operations[0])
    values = {size: {"$items": [{"a": n} if n % 2 else {"b": "x"} for n in range(size)]} for size in SIZES}
    return {
        size: _timed(lambda value=value: codec.decode(codec.encode(value)), max(1, 4_000 // size))
        for size, value in values.items()
    }


def _without_line_limit(folder: Path) -> Codec:
    """The same codec from a copy of the contract that allows more than 999 lines."""
    copy = shutil.copytree(WSDL.parent, folder / "contracts")
    types = copy / "procurement-types.xsd"
    types.write_text(types.read_text(encoding="utf-8").replace('maxOccurs="999"', 'maxOccurs="unbounded"'), encoding="utf-8")
    contract = read_contract(copy / WSDL.name)
    return compile_operation(contract, contract.operation(OPERATION))


# --- the work --------------------------------------------------------------------------------------------------------


def _order(lines: int) -> dict[str, Any]:
    positions = [
        {
            "EBELP": (n - 1) % 99_999 + 1,
            "MATNR": f"{n % 1000:06d}",
            "MENGE": f"{n % 1000}.500",
            "MEINS": "ST",
            "NETPR": "12.50",
            "EINDT": "15/02/2026",
        }
        for n in range(1, lines + 1)
    ]
    head = {
        "BSTNK": "PO-2026-000017",
        "LIFNR": "00001234",
        "BEDAT": "31/01/2026",
        "WAERS": "CNY",
        "KTEXT": "Bolts & nuts, line 3",
    }
    return {**head, "Positions": {"Position": positions}, "@BSART": "NB"}


def _samples(codec: Codec, lines: int) -> tuple[bytes, bytes]:
    """A request as JSON bytes and an answer envelope."""
    order = _order(lines)
    envelope = codec.encode({"Order": order})
    answer = envelope.replace(b":CreatePurchaseOrder>", b":CreatePurchaseOrderResponse>")
    return orjson.dumps({"Order": order}), answer


def _ours(codec: Codec, request: bytes, answer: bytes) -> bytes:
    codec.encode(json_http.loads(request))
    return json_http.dumps(codec.decode(answer))


def _zeep(request: bytes, answer: bytes) -> Callable[[], object]:
    client: Any = Client(str(WSDL))  # type: ignore[no-untyped-call]
    (service,) = client.wsdl.services.values()
    port = next(port for port in service.ports.values() if type(port.binding).__name__ == "Soap12Binding")
    operation = port.binding.get(OPERATION)
    proxy = client.bind(service.name, port.name)
    request = request.replace(b'"@BSART"', b'"BSART"')

    def call() -> str:
        etree.tostring(client.create_message(proxy, OPERATION, **json.loads(request)))
        result = operation.process_reply(etree.fromstring(answer))
        return json.dumps(serialize_object(result), default=str)  # type: ignore[no-untyped-call]

    if len(json.loads(call())["Positions"]["Position"]) != 20:
        raise Wrong("zeep read another number of lines")
    return call


def _timed(call: Callable[[], object], calls: int) -> float:
    """Microseconds per call, the best of seven rounds. Older objects are kept out of garbage collection, as in a server."""
    best = float("inf")
    gc.collect()
    gc.freeze()
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, time.perf_counter() - start)
    return best / calls * 1e6


# --- peers in their own processes ------------------------------------------------------------------------------------


class _Files:
    """What the peers read: the answer, and the request with attributes spelt the way each of them wants."""

    def __init__(self, folder: Path, request: bytes, answer: bytes) -> None:
        order = orjson.loads(request)["Order"]
        kind = order.pop("@BSART")
        self.answer = folder / "answer.xml"
        self.answer.write_bytes(answer)
        self.expected = _lines(answer)
        self.requests = {"node": folder / "npm.json", "php": folder / "php.json"}
        self.requests["node"].write_bytes(orjson.dumps({"Order": {"attributes": {"BSART": kind}, **order}}))
        self.requests["php"].write_bytes(orjson.dumps({"Order": {**order, "BSART": kind}}))


def _lines(envelope: bytes) -> list[list[str]]:
    """The texts of every order line of an envelope."""
    root = etree.fromstring(envelope)
    return [[str(field.text) for field in line] for line in root.iter("{urn:demo-erp:procurement:types}Position")]


def _peer(files: _Files, command: list[str]) -> float:
    program = Path(command[0]).name.rstrip("0123456789.")
    arguments = [*command, str(WSDL), str(files.requests[program]), str(files.answer), "200"]
    outcome = subprocess.run(arguments, capture_output=True, check=False, timeout=300)
    if outcome.returncode != 0:
        raise Missing(f"{program}: {outcome.stderr.decode(errors='replace').strip()[-500:]}")
    report = orjson.loads(outcome.stdout.splitlines()[-1])
    if _lines(report["sent"].encode()) != files.expected or len(report["result"]["Order"]["Positions"]["Position"]) != 20:
        raise Wrong(f"{program} sent or read another order")
    return float(report["us"])


def _npm_soap() -> Path:
    """The file npm soap is resolved from, installed when it is not there yet. Raises ``Missing``."""
    folder = PEERS / f"npm-soap-{NPM_SOAP}"
    if shutil.which("node") is None or shutil.which("npm") is None:
        _apt_install("nodejs", "npm")
    if not (folder / "node_modules/soap/package.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), f"soap@{NPM_SOAP}"]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode != 0:
            raise Missing(f"npm soap {NPM_SOAP}: {outcome.stderr.strip()[-500:]}")
    return folder / "package.json"


def _php() -> str:
    """PHP with its soap extension. Raises ``Missing``."""
    if not _php_has_soap():
        _apt_install("php-cli", "php-soap")
    if not _php_has_soap():
        raise Missing("php with its soap extension: apt-get install php-cli php-soap")
    return "php"


def _php_has_soap() -> bool:
    php = shutil.which("php")
    return php is not None and "soap" in subprocess.run([php, "-m"], capture_output=True, text=True, check=False).stdout.split()


def _apt_install(*packages: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing(f"{' '.join(packages)}: apt-get install {' '.join(packages)}")
    outcome = subprocess.run(["apt-get", "install", "-y", "-qq", *packages], capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise Missing(f"{' '.join(packages)}: {outcome.stderr.strip()[-500:]}")


# --- what is shown ---------------------------------------------------------------------------------------------------


def _show(
    console: Console, results: dict[str, float], sizes: dict[int, float], answers: dict[str, float], choices: dict[int, float]
) -> None:
    names = {"ours": "gateway", "zeep": "zeep", "npm_soap": f"npm soap {NPM_SOAP}", "php": "PHP SoapClient (C)"}
    table = Table(title="20-line order, JSON to envelope and back")
    for column in ("", "µs per call", "time against ours", "target"):
        table.add_column(column, justify="right" if column else "left")
    for name, us in results.items():
        table.add_row(names[name], f"{us:,.0f}", f"{us / results['ours']:.1f} ×", f"{TARGET:.0f} ×" if name == "zeep" else "")
    console.print(table)
    growth = Table(title="the gateway's codec by size")
    for column in ("items", "order lines, µs", "each", "repeating choice, µs", "each"):
        growth.add_column(column, justify="right")
    for size, us in sizes.items():
        choice = choices[size]
        growth.add_row(f"{size:,}", f"{us:,.0f}", f"{us / size:.2f}", f"{choice:,.0f}", f"{choice / size:.2f}")
    console.print(growth)
    reading = Table(title="reading the answer of 20 lines")
    for column in ("", "µs"):
        reading.add_column(column, justify="right" if column else "left")
    for name, us in answers.items():
        reading.add_row(f"{name} text" if name != "plain" else name, f"{us:,.0f}")
    console.print(reading)


if __name__ == "__main__":
    sys.exit(main())
