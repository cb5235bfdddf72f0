"""What a satellite is told is on disk: strace sees an fsync of the ledger before every 201 and 202 of a recorded route."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.demo.erp.process import ErpProcess
from gateway.demo.tour import payment
from tests.support import GatewayProcess, PostgresServer, copy_deployment

LINE = re.compile(r"(?P<pid>\d+) +(?P<at>\d+\.\d+) (?:<\.\.\. )?(?P<call>\w+)(?P<rest>.*)")
TOOK = re.compile(r"= 0 <(?P<took>[\d.]+)>$")


class Seen(NamedTuple):
    """One thing of interest, at the moment it ended; an answer at the moment it began."""

    at: float
    what: str


@contextmanager
def traced(pid: int, output: Path) -> Iterator[None]:
    """strace on a process with all its threads and children."""
    command = [
        "strace",
        "-f",
        "-y",
        "-ttt",
        "-T",
        "-s",
        "80",
        "-e",
        "trace=fsync,fdatasync,write,writev,sendto,sendmsg,recvfrom,read",
    ]
    tracer = subprocess.Popen([*command, "-o", str(output), "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    attached = tracer.stderr.readline()
    assert "attached" in attached, attached
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        tracer.stderr.close()


def seen(output: Path, ledger: str) -> Iterator[Seen]:
    """Syncs of files whose path holds ``ledger``, requests that came in and answers that went out."""
    syncing: dict[str, bool] = {}
    for line in output.read_text("utf-8", "replace").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        pid, at, call, rest = match["pid"], float(match["at"]), match["call"], match["rest"]
        if call in ("fsync", "fdatasync"):
            ours = syncing.pop(pid, False) if "resumed>" in rest else ledger in rest
            if "<unfinished" in rest:
                syncing[pid] = ours
            elif ours and (took := TOOK.search(rest)):
                yield Seen(at if "resumed>" in rest else at + float(took["took"]), "sync")
        elif '"POST /api/' in rest:
            yield Seen(at, "request")
        elif call in ("write", "writev", "sendto", "sendmsg") and (answer := re.search(r'"HTTP/1\.1 (20[12]) ', rest)):
            yield Seen(at, answer[1])


def post(gateway: GatewayProcess, count: int) -> list[int]:
    """Payments one after another, every other one above the limit."""
    statuses = []
    for number in range(count):
        body = payment(
            f"F-{uuid.uuid4().hex[:12]}", "4711", "600000.00" if number % 2 else "10.00", account=uuid.uuid4().hex[:20]
        )
        statuses.append(gateway.call("oa", "POST", "/api/v1/payments", json=body).status_code)
    return statuses


@pytest.fixture
def strace() -> None:
    if subprocess.run(["sh", "-c", "command -v strace"], capture_output=True).returncode:
        assert "CI" not in os.environ, "strace is not installed"
        pytest.skip("strace is not installed")


def in_order(events: list[Seen], count: int) -> None:
    """Between each request and its answer lies a sync."""
    answers = 0
    synced = False
    for event in sorted(events):
        if event.what == "request":
            synced = False
        elif event.what == "sync":
            synced = True
        else:
            answers += 1
            assert synced, f"answer {answers} ({event.what}) left before anything was on disk"
    assert answers == count


@pytest.mark.usefixtures("strace")
def test_sqlite_is_on_disk_before_the_answer(erp: ErpProcess, tmp_path: Path) -> None:
    gateway = GatewayProcess(copy_deployment(tmp_path), erp.url).start()
    try:
        gateway.token("oa")
        with traced(gateway.process.pid, tmp_path / "trace"):
            assert post(gateway, 12) == [201, 202] * 6
    finally:
        gateway.stop()
    in_order(list(seen(tmp_path / "trace", "ledger.db-wal")), 12)


@pytest.mark.usefixtures("strace")
def test_postgresql_is_on_disk_before_the_answer(
    erp: ErpProcess, tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    path = copy_deployment(tmp_path)
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"  url: sqlite:///.*", f"  url: {postgres_url}", text), "utf-8")
    with traced(postgres_server.pid, tmp_path / "database"):
        gateway = GatewayProcess(path, erp.url).start()
        try:
            gateway.token("oa")
            with traced(gateway.process.pid, tmp_path / "trace"):
                assert post(gateway, 12) == [201, 202] * 6
        finally:
            gateway.stop()
    answers = list(seen(tmp_path / "trace", "no file of ours"))
    in_order(answers + [event for event in seen(tmp_path / "database", "pg_wal") if event.what == "sync"], 12)
