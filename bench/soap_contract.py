"""Seconds until a large WSDL is there: 2 MB, 1,000 types, a route for each of its 251 operations; zeep reads the same file.

``python -m bench.soap_contract``. Every figure is taken in a process of its own, after its imports and before anything else, in
interleaved rounds of which the best counts. "cold" has an empty cache, and fills it; "cached" has the contract a cold start kept.
"the contract" is reading it; "its routes" is all that ``check`` and a start do for such a deployment beside listening: reading
every file, the contract, building every route, the policy and its comparison with Casbin. "its field tables" is the same for what
``wsdl import`` writes, some 14,000 rows, most of it YAML. A call compiles what its operation needs: that is shown for a plain
operation, for the one that takes any document, and for all. The last line is JSON; ``_cpu_s`` is processor time.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from bench._contract import wsdl
from bench._machine import ROOT

ROUNDS: Final = 3
COLD, CACHED = 5.0, 0.5
NAMES: Final = {
    "read_cold": "the contract, cold",
    "read_cached": "the contract, cached",
    "routes_cold": "its routes, cold",
    "routes_cached": "its routes, cached",
    "tables_cached": "its routes and field tables, cached",
    "one_operation": "compiling one operation, all of it",
    "any_document": "compiling the one over any document",
    "every_operation": "compiling every operation",
    "zeep": "zeep, reading the contract",
}
Seconds = tuple[float, float]
"""By the clock, and of processor time."""

TARGETS: Final = {"routes_cold": COLD, "routes_cached": CACHED}

GATEWAY: Final = "demo: true\nidentity: {api_keys: true}\nupstreams:\n"
UPSTREAM: Final = "  erp:\n    wsdl: contracts/erp.wsdl\n"
OTHER: Final = "  other:\n    url: http://127.0.0.1:9\n"


def main() -> int:
    if len(sys.argv) == 3:
        sys.stdout.write(orjson.dumps(_part(sys.argv[1], Path(sys.argv[2]))).decode() + "\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="erp-gateway-bench-") as name:
        folder = Path(name)
        text = wsdl()
        _write_deployment(folder, text)
        _write_imported(folder)
        seconds = _measure(folder)
    _show(Console(), len(text), seconds)
    figures: dict[str, float] = {f"{name}_s": round(wall, 4) for name, (wall, _) in seconds.items()}
    figures |= {f"{name}_cpu_s": round(cpu, 4) for name, (_, cpu) in seconds.items()}
    figures |= {"wsdl_bytes": len(text), "zeep_to_cached": round(seconds["zeep"][1] / seconds["read_cached"][1], 1)}
    sys.stdout.write(orjson.dumps(figures).decode() + "\n")
    return 0


# --- the deployment --------------------------------------------------------------------------------------------------


def _write_deployment(folder: Path, text: str) -> None:
    """A deployment with a route for each operation of the contract."""
    for name in ("contracts", "routes", "policies"):
        (folder / name).mkdir()
    (folder / "contracts/erp.wsdl").write_text(text, encoding="utf-8")
    (folder / "gateway.yaml").write_text(GATEWAY + UPSTREAM, encoding="utf-8")
    operations = sorted(set(_operations(text)))
    routes = "".join(f"  o{n}:\n    post: /erp/{name}\n    call: {name}\n" for n, name in enumerate(operations))
    (folder / "routes/erp.yaml").write_text(f"resource: erp\nupstream: erp\noperations:\n{routes}", encoding="utf-8")
    rows = "".join(f"g2, erp.o{n}, erp.all\n" for n in range(len(operations)))
    (folder / "policies/policy.csv").write_text(f"{rows}p, oa, demo, erp.all, allow\n# end\n", encoding="utf-8")
    (folder / "policies/approvals.yaml").write_text("approvals: {}\n", encoding="utf-8")
    for name in ("model.conf", "satellites.yaml"):
        shutil.copy(ROOT / "policies" / name, folder / "policies" / name)


def _write_imported(folder: Path) -> None:
    """Beside it, in ``imported``, what ``wsdl import`` makes of the contract."""
    from gateway.contracts.inspect import contract_of
    from gateway.contracts.pin import collect
    from gateway.contracts.write import import_contract
    from gateway.upstreams.httpx_client import fetch_document

    imported = folder / "imported"
    shutil.copytree(folder / "policies", imported / "policies")
    (imported / "policies/policy.csv").write_text("# end\n", encoding="utf-8")
    (imported / "gateway.yaml").write_text(GATEWAY + OTHER, encoding="utf-8")
    bundle = collect(str(folder / "contracts/erp.wsdl"), fetch=fetch_document)
    import_contract(imported, bundle, contract_of(bundle))


def _operations(text: str) -> list[str]:
    _, _, port = text.partition("<portType")
    return [part.partition('"')[0] for part in port.split('<operation name="')[1:]]


# --- what is measured, each part in a process of its own -------------------------------------------------------------


def _measure(folder: Path) -> dict[str, Seconds]:
    best: dict[str, Seconds] = {}
    _run("tables_cached", folder)
    for _ in range(ROUNDS):
        for name in NAMES:
            if name.endswith("_cold"):
                shutil.rmtree(folder / "var", ignore_errors=True)
            wall, cpu = _run(name, folder)
            before = best.get(name, (wall, cpu))
            best[name] = (min(wall, before[0]), min(cpu, before[1]))
    return best


def _run(name: str, folder: Path) -> Seconds:
    command = [sys.executable, "-m", "bench.soap_contract", name, str(folder)]
    wall, cpu = orjson.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
    return wall, cpu


def _part(name: str, folder: Path) -> Seconds:
    """What one part takes, its imports not counted."""
    if name == "zeep":
        from zeep import Client

        return _timed(lambda: Client(str(folder / "contracts/erp.wsdl")))  # type: ignore[no-untyped-call]
    if name.startswith(("routes_", "tables_")):
        return _routes(folder / "imported" if name.startswith("tables_") else folder)
    from gateway.protocols.soap import compile_operation
    from gateway.upstreams.stores import Contracts

    def read() -> Any:
        return Contracts().contract("contracts/erp.wsdl", folder, folder / "var/cache/contracts")

    if name.startswith("read_"):
        return _timed(read)
    contract = read()
    every = {"one_operation": contract.operations[:1], "any_document": contract.operations[-1:]}
    operations = every.get(name, contract.operations)
    return _timed(lambda: [compile_operation(contract, operation).compile() for operation in operations])


def _routes(folder: Path) -> Seconds:
    from dataclasses import replace

    from gateway.deployment import read_deployment
    from gateway.runtime import check_stores
    from gateway.snapshot import build
    from gateway.upstreams.stores import Contracts

    path = folder / "gateway.yaml"
    stores = replace(check_stores(path), contracts=Contracts())
    found: list[Any] = []
    seconds = _timed(lambda: found.append(build(read_deployment(path), stores)))
    if len(found[0].routes) != 251:
        raise SystemExit(f"{len(found[0].routes)} routes instead of 251")
    return seconds


def _timed(call: Callable[[], object]) -> Seconds:
    gc.freeze()  # As the commands do: what is imported is not gone through again.
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def _show(console: Console, size: int, seconds: dict[str, Seconds]) -> None:
    table = Table(title=f"a WSDL of {size / 1e6:.1f} MB with 1,000 types and 251 operations")
    for column in ("", "seconds", "of processor time", "target"):
        table.add_column(column, justify="right" if column else "left")
    for name, (wall, cpu) in seconds.items():
        table.add_row(NAMES[name], f"{wall:.3f}", f"{cpu:.3f}", f"≤ {TARGETS[name]:.1f} s" if name in TARGETS else "")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
