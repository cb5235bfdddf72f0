"""The ERP as a child process: start it, wait until it is ready, read its journal, stop it.

The child exits when its stdin closes, so it never outlives a parent that was killed.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request, build_opener

START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


class ErpProcess:
    """A running ERP. ``url`` is its base address, ``http://127.0.0.1:PORT``. A context manager: leaving it stops the ERP."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        journal: Path | None = None,
        journal_limit: int | None = None,
        allow_duplicates: bool = False,
        quiet: bool = True,
    ) -> ErpProcess:
        """Launch the ERP and wait for its ready line. Raises ``RuntimeError`` when it does not come up."""
        command = [sys.executable, "-m", "gateway.demo.erp", "--exit-with-parent", "--port", str(port)]
        command += ["--journal", str(journal)] if journal else []
        command += ["--journal-limit", str(journal_limit)] if journal_limit is not None else []
        command += ["--allow-duplicates"] if allow_duplicates else []
        command += ["--quiet"] if quiet else []
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        try:
            return cls(process, _ready(process)["url"])
        except BaseException:
            _stop(process)
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def journal(self, since: int = 0) -> list[dict[str, Any]]:
        """The journal's entries with a higher ``seq``, oldest first."""
        entries: list[dict[str, Any]] = self._call(f"/journal?since={since}")
        return entries

    def control(self, service: str, mode: str, **settings: float) -> None:
        """Arm one way to misbehave, as ``POST /control`` does: ``times``, ``seconds`` and ``bytes`` are its settings."""
        self._call("/control", {"service": service, "mode": mode, **settings})

    def stop(self) -> None:
        """End the process and wait for it. Safe to call twice."""
        _stop(self._process)

    def __enter__(self) -> ErpProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _call(self, path: str, value: object = None) -> Any:
        body = None if value is None else json.dumps(value).encode()
        request = Request(self.url + path, data=body, headers={"content-type": "application/json"})  # noqa: S310  our own child
        with build_opener().open(request, timeout=30) as answer:
            return json.load(answer)


def _ready(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
    line = process.stdout.readline() if readable else ""
    if not line:
        raise RuntimeError(f"the demo ERP did not start within {START_TIMEOUT:.0f} s; its own words are on stderr")
    ready: dict[str, str] = json.loads(line)
    return ready


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
