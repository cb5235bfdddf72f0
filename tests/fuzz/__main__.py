"""Random schemas and documents for as long as asked: ``python -m tests.fuzz --minutes 20 --schemas 5000``.

Stops when the minutes are over or so many schemas were tried, whichever is first. Prints its seed first and every failure with
the schema and the document that show it, shrunk; the last line is JSON. Exit 1 when anything failed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from tests.fuzz.check import Invalid, Suite
from tests.fuzz.instances import Instances
from tests.fuzz.schemas import Schema, schemas

BATCH = 50


@dataclass(slots=True)
class Run:
    """What a run has done so far."""

    folder: Path
    documents: int
    schemas: int = 0
    instances: int = 0
    failures: int = 0
    invalid: int = 0

    def schema(self, schema: Schema, number: int) -> None:
        try:
            suite = Suite(schema, self.folder)
        except Invalid:
            self.invalid += 1
            return
        self.schemas += 1
        instances = Instances(schema, number)
        for _ in range(self.documents):
            text = instances.document()
            try:
                suite.document(text)
            except Invalid:
                self.invalid += 1
                continue
            except Exception:
                note(f"main.xsd:\n{schema.main()}\nother.xsd:\n{schema.other()}\ndocument:\n{text}")
                raise
            self.instances += 1


def batch(run: Run, number: int, size: int) -> None:
    """One batch of schemas; a failure in it is shrunk and printed, and ends the batch."""

    @seed(number)
    @settings(
        max_examples=size,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(schemas(), st.integers(0, 2**32 - 1))
    def search(schema: Schema, start: int) -> None:
        run.schema(schema, start)

    try:
        search()
    except Exception as error:  # noqa: BLE001 - whatever the codec raises is what is looked for
        run.failures += 1
        sys.stdout.write("".join(traceback.format_exception_only(error)))
        sys.stdout.write("\n".join(getattr(error, "__notes__", [])) + f"\nbatch seed {number}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--schemas", type=int, default=5000)
    parser.add_argument("--documents", type=int, default=50, help="documents of each schema")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="erp-gateway-fuzz-") as folder:
        run = Run(Path(folder), options.documents)
        number = options.seed
        while run.schemas < options.schemas and time.monotonic() - start < options.minutes * 60:
            batch(run, number, min(BATCH, options.schemas - run.schemas))
            number += 1
    figures = {"schemas": run.schemas, "instances": run.instances, "failures": run.failures, "invalid": run.invalid}
    figures |= {"seed": options.seed, "seconds": round(time.monotonic() - start)}
    sys.stdout.write(json.dumps(figures) + "\n")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
