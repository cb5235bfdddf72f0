"""``python -m tests.interop``: real SOAP servers called through the gateway, and real SOAP clients calling its facade.

Installs the peers first. The last line is one flat JSON object; ``missing`` names each peer that cannot be had with the reason.
The exit status is 0 when all peers were there and every test passed. Arguments go to pytest.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.peers import INSTALL, install
from tests.interop.world import World


@dataclass(eq=False)
class Tally:
    """What became of the tests, as pytest tells its plugins."""

    passed: int = 0
    failed: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += report.failed
        self.passed += report.passed and report.when == "call"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.failed += report.failed


def main() -> int:
    started = time.monotonic()
    missing = install()
    for name, why in missing.items():
        sys.stdout.write(f"missing: {name}: {why}\n")
    os.environ["GATEWAY_INTEROP"] = ",".join(name for name in INSTALL if name not in missing)
    tally = Tally()
    status = pytest.main([str(Path(__file__).parent), *sys.argv[1:]], [tally])
    report = {
        "peers": ", ".join(name for name in INSTALL if name not in missing),
        "calls": World.calls,
        "passed": tally.passed,
        "failed": tally.failed,
        "missing": "; ".join(f"{name}: {why}" for name, why in missing.items()),
        "seconds": round(time.monotonic() - started, 1),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if missing or status else 0


if __name__ == "__main__":
    sys.exit(main())
