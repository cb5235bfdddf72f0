"""Holding over the same real ledgers as the desk."""

from tests.desk.conftest import each_world, world

__all__ = ["each_world", "world"]
