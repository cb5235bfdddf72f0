"""SOAP clients as child processes: each script reads calls, one JSON object a line, and writes what it was told, one a line.

A call names ``wsdl``, ``service``, ``stub`` (the class generated for it), ``soap`` (the version), ``auth`` (``basic``, ``token``,
``digest``), ``user``, ``secret``, ``key``, ``operation`` and ``arguments``. What comes back is ``answer``, or ``fault`` with
``code``, ``text`` and ``problem``. Each script shows how such a call is written with that library.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from tests.interop.peers import HERE, classpath, node, python

PATIENCE = 60.0
COMMANDS = {
    "php": ("php", str(HERE / "php" / "client.php")),
    "npm-soap": node("npm/client.js"),
    "zeep": (sys.executable, str(HERE / "zeep" / "client.py")),
    "jax-ws": ("java", "-Dfile.encoding=UTF-8", "-cp", classpath(), "interop.Client"),
    "suds": (str(python()), str(HERE / "suds" / "client.py")),
}


@dataclass
class SoapClient:
    """One library, one version of SOAP, one way to say who calls. ``gateway`` is the address of the gateway."""

    peer: str
    soap: str
    auth: str
    gateway: str

    def start(self) -> SoapClient:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(COMMANDS[self.peer], stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
        self._errors: list[str] = []
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._errors.extend, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        return self

    def call(self, user: str, resource: str, operation: str, arguments: object, *, key: str = "", secret: str = "") -> Any:
        """What the library made of the answer: ``{"answer": …}`` or ``{"fault": …}``."""
        asked = {
            "wsdl": f"{self.gateway}/soap/{resource}?wsdl",
            "service": resource,
            "stub": resource.title().replace("-", ""),
            "soap": self.soap,
            "auth": self.auth,
            "user": user,
            "secret": secret or f"demo-{user}",
            "key": key or uuid.uuid4().hex,
            "operation": operation,
            "arguments": arguments,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        impatient = threading.Timer(PATIENCE, self.process.kill)
        impatient.start()
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        impatient.cancel()
        assert line, f"{self.peer} said nothing: {self._broken()}"
        return json.loads(line)

    def _broken(self) -> str:
        self.process.wait(PATIENCE)
        self._reader.join(10)
        return "".join(self._errors)[-2000:]

    def stop(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
        self.process.wait(30)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
