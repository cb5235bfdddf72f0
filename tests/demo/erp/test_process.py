import os
import signal
import subprocess
import sys

import httpx
import pytest

from gateway.demo.erp.process import ErpProcess

COMMAND = [sys.executable, "-m", "gateway.demo.erp"]


def test_it_is_ready_when_start_returns_and_gone_when_stop_does():
    with ErpProcess.start() as erp:
        assert httpx.get(f"{erp.url}/health").status_code == 200
        assert erp.journal() == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{erp.url}/health")
    erp.stop()


def test_a_port_already_taken_is_an_error():
    with ErpProcess.start() as erp, pytest.raises(RuntimeError, match="did not start"):
        ErpProcess.start(port=int(erp.url.rpartition(":")[2]))


def test_duplicates_and_limits_reach_the_child():
    movement = {"ref": "R", "material": "000001", "plant": "W01", "qty": "1", "uom": "PC", "sign": "+"}
    with ErpProcess.start(allow_duplicates=True, journal_limit=3) as erp:
        statuses = [httpx.post(f"{erp.url}/inventory/movements", json=movement).status_code for _ in range(5)]
        assert statuses == [201] * 5
        assert [entry["seq"] for entry in erp.journal()] == [3, 4, 5]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_stdout_held_one_line(number):
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ready = process.stdout.readline()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=20)
    assert ready.startswith('{"url": "http://127.0.0.1:')
    assert rest == ""
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_it_ends_when_its_parent_is_killed():
    """The parent holds the only write end of the child's stdin, and tells us a pipe that the child keeps open."""
    alive, inherited = os.pipe()
    os.set_inheritable(inherited, True)
    command = [*COMMAND, "--exit-with-parent", "--quiet"]
    source = (
        f"import subprocess, sys\nfrom subprocess import PIPE\n"
        f"child = subprocess.Popen({command!r}, stdin=PIPE, stdout=PIPE, pass_fds=({inherited},), text=True)\n"
        f"print(child.stdout.readline(), end='', flush=True)\nsys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(inherited,), text=True
    )
    os.close(inherited)
    assert "url" in parent.stdout.readline()
    parent.kill()
    parent.communicate(timeout=20)
    assert os.read(alive, 1) == b""
    os.close(alive)
