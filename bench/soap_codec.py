"""Microseconds to turn JSON bytes into a SOAP envelope and an answer envelope into JSON bytes, beside zeep, npm soap and PHP.

``python -m bench.soap_codec``. The purchase order of the demo ERP with 20 lines and with 10,000, SOAP 1.2. Every peer does the
same work in the same run: JSON text parsed, envelope built; envelope parsed, JSON text written. Rounds are interleaved and each
peer's best counts. npm ``soap`` is installed below ``bench/.peers``; PHP and its soap extension come from Debian. Every envelope
and every result is checked before anything is printed. Growth is in processor time, with the garbage collector set as the
gateway sets it for itself. The last line is JSON. Exit 1 when a peer is missing or wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from gateway.server import settle_memory

WSDL: Final = ROOT / "gateway/demo/erp/contracts/procurement.wsdl"
NPM_SOAP: Final = "1.13.0"
OPERATION: Final = "CreatePurchaseOrder"
TARGET: Final = 16.0
LARGE: Final = 10_000
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
            measured = _measure(Path(folder))
    except (Missing, Wrong) as problem:
        console.print(f"The bench cannot run: {problem}", style="red", highlight=False)
        return 1
    _show(console, measured)
    sys.stdout.write(orjson.dumps(_figures(measured)).decode() + "\n")
    return 0


@dataclass(frozen=True, slots=True)
class _Measured:
    """Microseconds.

    :param orders: by peer, an order of 20 lines; ``large`` one of ``LARGE`` lines.
    :param answers: reading one answer, plain, with an empty element, with one for the parser.
    :param growth: processor time by what is done and number of items.
    """

    orders: dict[str, float]
    large: dict[str, float]
    answers: dict[str, float]
    growth: dict[str, dict[int, float]]


def _figures(measured: _Measured) -> dict[str, float]:
    figures: dict[str, float] = {}
    for suffix, results in (("", measured.orders), (f"_{LARGE}_lines", measured.large)):
        figures |= {f"{name}{suffix}_us": round(us, 1) for name, us in results.items()}
        figures |= {f"ratio_to_{name}{suffix}": round(us / results["ours"], 2) for name, us in results.items() if name != "ours"}
    figures |= {f"ours_read_{name}_us": round(us, 1) for name, us in measured.answers.items()}
    for what, sizes in measured.growth.items():
        figures |= {f"{what}_{size}_us_each": round(us / size, 3) for size, us in sizes.items()}
    return figures


def _measure(folder: Path) -> _Measured:
    npm, php = _npm_soap(), _php()
    codec = _codec(WSDL)
    answer = _samples(codec, 20)[1]
    orders = _compare(folder, npm, php, WSDL, 20)
    wide = _without_line_limit(folder)
    large = _compare(folder, npm, php, wide, LARGE)
    text = b"Bolts &amp; nuts, line 3"
    kinds = {"plain": answer, "empty": answer.replace(text, b""), "commented": answer.replace(text, b"<!-- -->")}
    answers = {name: _timed(partial(codec.decode, envelope), 400) for name, envelope in kinds.items()}
    return _Measured(orders, large, answers, _growth(_codec(wide), folder))


def _compare(folder: Path, npm: Path, php: str, wsdl: Path, lines: int) -> dict[str, float]:
    """Every peer's best, of an order of that many lines."""
    codec = _codec(wsdl)
    request, answer = _samples(codec, lines)
    files = _Files(folder, wsdl, request, answer)
    calls = max(1, 8_000 // lines)
    peers: dict[str, Callable[[], float]] = {
        "ours": partial(_timed, partial(_ours, codec, request, answer), calls),
        "zeep": partial(_timed, _zeep(wsdl, request, answer), max(1, calls // 20), 7 if lines < LARGE else 1),
        "npm_soap": partial(_peer, files, ["node", str(ROOT / "bench/peers/soap_codec.mjs"), str(npm)], max(1, calls // 2)),
        "php": partial(_peer, files, [php, str(ROOT / "bench/peers/soap_codec.php")], max(1, calls // 2)),
    }
    results = dict.fromkeys(peers, float("inf"))
    for _ in range(ROUNDS):
        for name, measure in peers.items():
            results[name] = min(results[name], measure())
    return results


def _growth(codec: Codec, folder: Path) -> dict[str, dict[int, float]]:
    """Writing and reading order lines, and a repeating choice, by the number of items."""
    (folder / "choice.wsdl").write_text(CHOICE, encoding="utf-8")
    choice = _codec(folder / "choice.wsdl")
    found: dict[str, dict[int, float]] = {}
    for size in SIZES:
        items = {"$items": [{"a": n} if n % 2 else {"b": "x"} for n in range(size)]}
        works: dict[str, tuple[Codec, Any]] = {"lines": (codec, {"Order": _order(size)}), "choices": (choice, items)}
        for what, (own, value) in works.items():
            envelope = own.encode(value)
            answer = envelope.replace(b":CreatePurchaseOrder>", b":CreatePurchaseOrderResponse>")
            calls, clock = max(1, 4_000 // size), time.process_time
            found.setdefault(f"encode_{what}", {})[size] = _timed(partial(own.encode, value), calls, clock=clock)
            found.setdefault(f"decode_{what}", {})[size] = _timed(partial(own.decode, answer), calls, clock=clock)
    return found


def _codec(wsdl: Path) -> Codec:
    """The codec of the order, or of the only operation there is."""
    contract = read_contract(wsdl)
    only = contract.operations[0]
    return compile_operation(contract, only if len(contract.operations) == 1 else contract.operation(OPERATION))


def _without_line_limit(folder: Path) -> Path:
    """A copy of the contract that allows more than 999 lines."""
    copy = shutil.copytree(WSDL.parent, folder / "contracts")
    types = copy / "procurement-types.xsd"
    types.write_text(types.read_text(encoding="utf-8").replace('maxOccurs="999"', 'maxOccurs="unbounded"'), encoding="utf-8")
    return copy / WSDL.name


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


def _zeep(wsdl: Path, request: bytes, answer: bytes) -> Callable[[], object]:
    client: Any = Client(str(wsdl))  # type: ignore[no-untyped-call]
    (service,) = client.wsdl.services.values()
    port = next(port for port in service.ports.values() if type(port.binding).__name__ == "Soap12Binding")
    operation = port.binding.get(OPERATION)
    proxy = client.bind(service.name, port.name)
    request = request.replace(b'"@BSART"', b'"BSART"')

    def call() -> str:
        etree.tostring(client.create_message(proxy, OPERATION, **json.loads(request)))
        result = operation.process_reply(etree.fromstring(answer))
        return json.dumps(serialize_object(result), default=str)  # type: ignore[no-untyped-call]

    if len(json.loads(call())["Positions"]["Position"]) != len(_lines(answer)):
        raise Wrong("zeep read another number of lines")
    return call


def _timed(call: Callable[[], object], calls: int, rounds: int = 7, *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Microseconds per call, the best of some rounds. Garbage is collected as in the gateway."""
    best = float("inf")
    settle_memory()
    for _ in range(rounds):
        start = clock()
        for _ in range(calls):
            call()
        best = min(best, clock() - start)
    return best / calls * 1e6


# --- peers in their own processes ------------------------------------------------------------------------------------


class _Files:
    """What the peers read: the answer, and the request with attributes spelt the way each of them wants."""

    def __init__(self, folder: Path, wsdl: Path, request: bytes, answer: bytes) -> None:
        self.wsdl = wsdl
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


def _peer(files: _Files, command: list[str], calls: int) -> float:
    program = Path(command[0]).name.rstrip("0123456789.")
    arguments = [*command, str(files.wsdl), str(files.requests[program]), str(files.answer), str(calls)]
    outcome = subprocess.run(arguments, capture_output=True, check=False, timeout=900)
    if outcome.returncode != 0:
        raise Missing(f"{program}: {outcome.stderr.decode(errors='replace').strip()[-500:]}")
    report = orjson.loads(outcome.stdout.splitlines()[-1])
    read = len(report["result"]["Order"]["Positions"]["Position"])
    if _lines(report["sent"].encode()) != files.expected or read != len(files.expected):
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


def _show(console: Console, measured: _Measured) -> None:
    names = {"ours": "gateway", "zeep": "zeep", "npm_soap": f"npm soap {NPM_SOAP}", "php": "PHP SoapClient (C)"}
    for lines, results in ((20, measured.orders), (LARGE, measured.large)):
        table = Table(title=f"{lines:,}-line order, JSON to envelope and back")
        for column in ("", "µs per call", "time against ours", "target"):
            table.add_column(column, justify="right" if column else "left")
        for name, us in results.items():
            target = f"{TARGET:.0f} ×" if name == "zeep" and lines == 20 else ""
            table.add_row(names[name], f"{us:,.0f}", f"{us / results['ours']:.1f} ×", target)
        console.print(table)
    growth = Table(title="growth: µs of processor time for each item")
    for column in ("items", *(what.replace("_", " ") for what in measured.growth)):
        growth.add_column(column, justify="right")
    for size in SIZES:
        growth.add_row(f"{size:,}", *(f"{sizes[size] / size:.2f}" for sizes in measured.growth.values()))
    console.print(growth)
    reading = Table(title="reading the answer of 20 lines")
    for column in ("", "µs"):
        reading.add_column(column, justify="right" if column else "left")
    for name, us in measured.answers.items():
        reading.add_row(f"{name} text" if name != "plain" else name, f"{us:,.0f}")
    console.print(reading)


if __name__ == "__main__":
    sys.exit(main())
