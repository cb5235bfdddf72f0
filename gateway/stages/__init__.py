"""One file per stage."""

from collections.abc import Mapping

from gateway.stages.limit import Limit

CONFIGURABLE: Mapping[str, type] = {"limit": Limit}
"""Stages a route file may configure, by the key it uses."""
