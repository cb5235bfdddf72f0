"""The peers' tests run when ``python -m tests.interop`` has installed the peers, and says which are there."""

from __future__ import annotations

import os

collect_ignore_glob = [] if "GATEWAY_INTEROP" in os.environ else ["test_*.py"]
