"""The README's first steps, typed in as they stand: every command works, and does what the text says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.demo.people import Browser
from tests.docs.test_docs import blocks
from tests.support import ROOT, free_port

BIN = Path(sys.executable).parent

# `erp-gateway check` in a step also waits until the running gateway serves what the files say, or has refused it.
WATCHED = """
set -u
ready() { curl -s "http://127.0.0.1:$ERP_GATEWAY_PORT/health/ready"; }
erp-gateway() {
    if [ "$1" != check ]; then command erp-gateway "$@"; return; fi
    said=$(command erp-gateway "$@" 2>&1)
    code=$?
    echo "$said"
    if [ $code = 0 ]; then sign=${said##* }; else sign=refused; fi
    until ready | grep -q "$sign"; do sleep 0.05; done
    return $code
}
"""


@dataclass
class Demo:
    """`erp-gateway demo` over a deployment of its own."""

    folder: Path
    port: int
    console: int

    def run(self, script: str, *, fails: bool = False) -> str:
        """Type in a block; what it printed. Ports are this demo's."""
        script = script.replace(":8080", f":{self.port}").replace(":8081", f":{self.console}")
        result = subprocess.run(
            ["bash", "-c", WATCHED + script], cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=60
        )
        assert fails or result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ERP_GATEWAY_PORT": str(self.port),
            "ERP_GATEWAY_CONSOLE_PORT": str(self.console),
        }


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    parent = tmp_path_factory.mktemp("readme")
    demo = Demo(parent / "mycompany", free_port(), free_port())
    subprocess.run([BIN / "erp-gateway", "init", "mycompany"], cwd=parent, check=True, capture_output=True)
    command = [BIN / "erp-gateway", "demo"]
    with subprocess.Popen(command, cwd=demo.folder, env=demo.environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ctrl-C ends it" in line for line in iter(process.stdout.readline, ""))
            yield demo
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def steps() -> list[str]:
    return [content for info, content in blocks(ROOT / "README.md") if info == "sh"]


def step(*words: str) -> str:
    """The block that holds all these words."""
    found = [content for content in steps() if all(word in content for word in words)]
    assert len(found) == 1, words
    return found[0]


def test_satellite_developer(demo: Demo) -> None:
    token = step("TOKEN=$(curl")
    booked = demo.run(token + step("OA-2026-1"))
    assert '"number":"45' in booked
    assert '"total":"25.03"' in booked
    assert '"number":"4500000001"' in demo.run(token + step("Bearer $TOKEN", "/purchase-orders/4500000001"))
    wrong = demo.run(token + step("OA-2026-2"))
    assert '"status":422' in wrong
    for pointer in ("/orderDate", "/lines/0/quantity", "/lines/0/unit"):
        assert f'"pointer":"{pointer}"' in wrong
    page = httpx.get(f"http://127.0.0.1:{demo.port}/docs")
    assert (page.status_code, "purchase-orders" in page.text) == (200, True)


def test_integration_engineer(demo: Demo) -> None:
    assert "ok 8 routes" in demo.run(step("rest: reference"))
    found = demo.run(step("payment-by-external-number"))
    assert "ok 9 routes" in found
    assert "payments.find@v1  GET /api/v1/payments" in found
    assert '"reference":"Invoice 2026-118"' in found
    assert '"EBELN":"4500000001"' in demo.run(step("resource: erp-orders"))


def test_finance_approver(demo: Demo) -> None:
    told = demo.run(step("TOKEN=$(curl") + step("Idempotency-Key: OA-9001"))
    assert "HTTP/1.1 202" in told
    assert '"state":"held"' in told
    where = f"/documents/{re.findall(r'document-id: ([0-9a-f]{32})', told)[0]}"
    said = []
    for person in ("approver-a", "approver-b"):
        browser = Browser(f"http://127.0.0.1:{demo.console}", person)
        assert browser.sign_in().path == "/inbox"
        said += browser.press(browser.open(where), "/approve").text("//*[@class='notice']")
    assert "nothing has been sent" in said[0]
    assert "released" in said[1]


def test_security_admin(demo: Demo) -> None:
    given = demo.run(step("SHOP=$(erp-gateway", "stock.get, allow"))
    gained = re.search(r"gained \(1\)\n  \+ shop  demo  stock.get@v1  call", given)
    why = given.index("shop of tenant demo may call stock.get@v1.")
    assert gained is not None
    assert given.index("forbidden") < gained.start() < why < given.index('"onHand"')
    broken = demo.run("SHOP=$(erp-gateway token get shop --secret demo-shop)\n" + step("stock.get, Allow"))
    assert re.search(r"policies/policy.csv:\d+: effect: 'Allow' is no effect; write 'allow' in lower case", broken)
    assert '"status":"refused"' in broken
    assert '"onHand"' in broken
    made = demo.run(step("erp-gateway token api-key hr"))
    key, digest = re.findall(r"(egk_hr_\S+)", made)[0], re.findall(r"api_keys: \[(\S+)\]", made)[0]
    entry = next(content for info, content in blocks(ROOT / "README.md") if info == "yaml")
    with (demo.folder / "policies" / "satellites.yaml").open("a") as file:
        file.write(textwrap.indent(re.sub(r"sha256\$\w+", lambda _: digest, textwrap.dedent(entry)), "  "))
    policy = demo.folder / "policies" / "policy.csv"
    policy.write_text(policy.read_text().replace("# end\n", "p, hr, demo, stock.get, allow\n# end\n"))
    assert '"onHand"' in demo.run(step("egk_hr_YOUR-KEY").replace("egk_hr_YOUR-KEY", key))
