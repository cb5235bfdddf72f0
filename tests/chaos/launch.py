"""Start the gateway with a trap: ``python -m tests.chaos.launch STEP COUNT -- serve …``. The step ``-`` sets none.

It also shortens the two times that production has no reason to configure, so that a crash is noticed within seconds.
"""

from __future__ import annotations

import sys

import gateway.sending
import gateway.snapshot
import gateway.worker.dispatcher
from gateway.cli import main
from tests.chaos.steps import Trap, arm

MARGIN = 1.0
CLAIM = 6.0


def launch(arguments: list[str]) -> None:
    step, count, _, *rest = arguments
    gateway.sending.MARGIN = gateway.snapshot.MARGIN = MARGIN  # type: ignore[attr-defined]
    gateway.worker.dispatcher.LEASE = CLAIM
    if step != "-":
        arm(Trap(step, int(count)))
    sys.argv[1:] = rest
    main()


if __name__ == "__main__":
    launch(sys.argv[1:])
