"""The demo as a newcomer runs it: one process, real sockets, exit 0 only when every step went as expected."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support import ROOT, free_port

COMMAND = [sys.executable, "-m", "gateway.cli", "demo"]


def environment() -> dict[str, str]:
    return os.environ | {"ERP_GATEWAY_PORT": str(free_port()), "ERP_GATEWAY_CONSOLE_PORT": str(free_port())}


def entries(journal: str) -> int:
    with urllib.request.urlopen(journal) as answer:
        return len(json.load(answer))


def test_the_tour_goes_as_expected() -> None:
    done = subprocess.run([*COMMAND, "--once"], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in (
        "WRBTR>12500.00</",
        '"amount": "12500.00"',
        "UNKNOWN_PAYEE",
        "Retry-After",
        "forbidden",
        "/amuont",
    ):
        assert shown in done.stdout
    assert "expected 2" not in done.stdout


def test_without_a_deployment_it_brings_its_own(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--once"], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_tour_that_goes_wrong_fails(tmp_path: Path) -> None:
    policy = (ROOT / "policies" / "policy.csv").read_text()
    done = subprocess.run([sys.executable, "-m", "gateway.cli", "init", str(tmp_path / "d")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "d" / "policies" / "policy.csv").write_text(
        policy.replace("p, mes,   demo, purchase-orders.write,   allow", "p, mes,   demo, purchase-orders.write,   deny")
    )
    (tmp_path / "d" / "policies" / "tests.yaml").unlink()
    command = [*COMMAND, "--once", "--config", str(tmp_path / "d" / "gateway.yaml")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "The tour did not go as expected" in done.stderr


def test_it_stays_up_and_its_curl_lines_work() -> None:
    with subprocess.Popen(COMMAND, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line.rstrip())
            if "Ctrl-C" in line:
                break
        try:
            journal = next(line for line in lines if line.startswith("http://127.0.0.1:") and line.endswith("/journal"))
            before = entries(journal)
            curls = [line for line in lines if line.startswith(("TOKEN=", "curl "))]
            assert len(curls) == 3
            done = subprocess.run(["bash", "-c", "\n".join(curls)], capture_output=True, text=True, timeout=60)
            assert '"number":"19' in done.stdout
            assert '"status":403' in done.stdout
            assert entries(journal) == before + 1
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
