"""``python -m tests.chaos``: kill the gateway again and again, and see whether anything was lost or done twice.

The last line is one flat JSON object. The exit status is 0 when every promise held, there were enough kills, and
each step was among them.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from pathlib import Path

from tests.chaos.report import say
from tests.chaos.run import run

STORES = ("sqlite", "postgres")
PROMISES = ("lost", "double_booked", "illegal_states", "blind_resends")


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    say(f"seed {options.seed}")
    report: dict[str, int | float] = dict.fromkeys(
        (*(f"{store}_kills" for store in STORES), *PROMISES, "unknown", "reconciled"), 0
    )
    enough = True
    for store in options.stores:
        findings, fleet = run(store, options.seed, options.kills, options.keep)
        report[f"{store}_kills"] = fleet.kills
        enough = enough and fleet.kills >= options.kills and not fleet.uncovered(1)
        for name in PROMISES:
            report[name] += len(getattr(findings, name))
        report["unknown"] += findings.unknown
        report["reconciled"] += findings.reconciled
    report |= {"seed": options.seed, "seconds": round(time.monotonic() - started, 1)}
    say(json.dumps(report))
    kept = not any(report[name] for name in PROMISES) and report["unknown"] == report["reconciled"]
    return 0 if kept and enough else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill the gateway at every step and at random moments."
    )
    parser.add_argument("--kills", type=int, default=100, help="how many for each store")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="for the choice of steps and times"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep ledger and journal there; must not exist")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
