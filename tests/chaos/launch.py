"""One gateway process with a trap in it: ``erp-gateway serve`` in a process forked from one that has everything imported, which
saves a second of CPU a kill and changes nothing about the process.

It also changes what production has no reason to configure: a crash is noticed within seconds, and does not count against the
document that was in hand.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import alembic.command  # noqa: F401 - imported when it is needed; the parent has it for all

import gateway.sending
import gateway.snapshot
import gateway.worker.deliveries
import gateway.worker.dispatcher
from gateway.cli import main
from tests.chaos.steps import Trap, arm

MARGIN = 1.0
CLAIM = 6.0
MOST_CLAIMS = 1000
"""Workers die here far more often than a document that breaks them could explain."""


def launch(arguments: Sequence[str], environment: Mapping[str, str], output: Connection, step: str | None, count: int) -> None:
    """Run the command with its output going to a pipe. Dies the ``count``-th time it comes to ``step``, and with its parent."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    os.environ |= environment
    gateway.sending.MARGIN = gateway.snapshot.MARGIN = MARGIN  # type: ignore[attr-defined]
    gateway.worker.dispatcher.LEASE = CLAIM
    gateway.worker.deliveries.MOST_CLAIMS = MOST_CLAIMS
    if step is not None:
        arm(Trap(step, count))
    sys.argv = ["erp-gateway", *arguments]
    main()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)
