"""What many tests share: the example deployment in a folder of its own, and the gateway as a real process over a real ERP."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
PARTS = ("gateway.yaml", "routes", "policies", "transformers")


def copy_deployment(folder: Path) -> Path:
    """The repository's example deployment, to be changed by a test. Returns its gateway.yaml."""
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    shutil.copytree(ROOT / "gateway/demo/erp/contracts", folder / "gateway/demo/erp/contracts")
    return folder / "gateway.yaml"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class GatewayProcess:
    """``erp-gateway serve`` as a child. ``events`` are its structured log so far; ``wait_for`` waits for one by name."""

    path: Path
    erp: str
    environment: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def start(self) -> GatewayProcess:
        self.port, self.console_port = free_port(), free_port()
        environment = os.environ | {
            "DEMO_ERP_URL": self.erp,
            "ERP_GATEWAY_PORT": str(self.port),
            "ERP_GATEWAY_CONSOLE_PORT": str(self.console_port),
            **self.environment,
        }
        self._arrived = threading.Condition()
        self._open = 2
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--config", str(self.path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()
        self.wait_for("gateway.listening")
        return self

    def _read(self, stream: Any) -> None:
        for line in stream:
            with self._arrived:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.noise.append(line)
                self._arrived.notify_all()
        with self._arrived:
            self._open -= 1
            self._arrived.notify_all()

    def wait_for(self, event: str, *, after: int = 0, timeout: float = 90.0, **facts: object) -> dict[str, Any]:
        """The first event of that name, and with these facts, beyond the first ``after`` events."""
        wanted = {"event": event, **facts}

        def found() -> dict[str, Any] | None:
            return next((entry for entry in self.events[after:] if wanted.items() <= entry.items()), None)

        with self._arrived:
            self._arrived.wait_for(lambda: found() or not self._open, timeout)
            entry = found()
        if entry is None:
            raise AssertionError(f"no {event}: {self.events[-5:]} {''.join(self.noise[-20:])}")
        return entry

    def wait_for_count(self, event: str, count: int, *, timeout: float = 90.0) -> None:
        """Until so many events of that name have come."""

        def seen() -> int:
            return sum(entry.get("event") == event for entry in self.events)

        with self._arrived:
            self._arrived.wait_for(lambda: seen() >= count or not self._open, timeout)
        assert seen() >= count, (event, seen(), self.noise[-20:])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def console(self) -> str:
        return f"http://127.0.0.1:{self.console_port}"

    def token(self, client: str) -> str:
        if client not in self.tokens:
            answer = httpx.post(
                f"{self.url}/oauth/token", auth=(client, f"demo-{client}"), data={"grant_type": "client_credentials"}
            )
            assert answer.status_code == 200, answer.text
            self.tokens[client] = answer.json()["access_token"]
        return self.tokens[client]

    def call(self, client: str | None, method: str, path: str, **request: Any) -> httpx.Response:
        """One call as a satellite, over a connection of its own. A post has an idempotency key of its own unless one is given."""
        headers = dict(request.pop("headers", {}))
        if method == "POST":
            headers.setdefault("idempotency-key", uuid.uuid4().hex)
        if client:
            headers["authorization"] = f"Bearer {self.token(client)}"
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **request)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return code


@dataclass
class RedisServer:
    """One redis-server process on a free loopback port, nothing on disk."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"Ready to accept connections" in line:
                return
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def command(self, *words: str) -> bytes:
        """One command over a socket of its own; the first line of the answer."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection, connection.makefile("rb") as answer:
            connection.sendall(b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)]))
            return answer.readline()


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, those of the newest version; Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    program = packaged[-1] if packaged else Path(found).resolve() if found else None
    return program and program.parent


@dataclass
class PostgresServer:
    """One PostgreSQL server on a free loopback port, with fsync on, in a folder of its own. Under root, whom it refuses, it runs
    as another user."""

    programs: Path
    port: int = field(default_factory=free_port)

    def start(self) -> PostgresServer:
        self.folder = Path(tempfile.mkdtemp(prefix="erp-gateway-postgres-"))
        self.account: dict[str, Any] = {}
        if os.getuid() == 0:
            entry = next((entry for entry in pwd.getpwall() if entry.pw_name == "postgres"), pwd.getpwnam("nobody"))
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
        self.resume()
        return self

    def resume(self) -> None:
        """Start it, again after ``kill`` on the same port and data; return when it answers."""
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.folder}", "fsync=on")
        options = " ".join(f"-c {setting}" for setting in settings)
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder}/log", f"--options={options}")

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """Stop at once, as a power cut would."""
        self._run("pg_ctl", "stop", "--mode=immediate")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--mode=fast")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self.programs / program, *arguments, f"--pgdata={self.folder}/data"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self.account)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """One statement as the superuser, outside a transaction. Returns its rows, a tab between columns."""
        command = [self.programs / "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def edit(path: Path, old: str, new: str) -> None:
    """Replace text of a file; the text must be there."""
    text = path.read_text("utf-8")
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new), "utf-8")


def git(folder: Path, *arguments: str) -> None:
    # Nothing of the environment: a hook that runs the tests has variables that name its own repository.
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    subprocess.run(["git", "-C", str(folder), *arguments], env=environment, check=True, capture_output=True)
