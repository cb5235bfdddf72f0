"""A folder of configuration files as it lies on disk, or with others in their place: one somebody proposes, an old revision.

Whoever reads the files does not see the difference, but for the names that findings call them by.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.files import read_file
from gateway.config.source import Source, read_source, remembered
from gateway.errors import ConfigError, Finding


@dataclass(frozen=True, slots=True)
class Given:
    """A file that is not read from disk. ``shown`` is how findings call it; ``data`` is ``None`` where there is no such file."""

    shown: str
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Folder:
    """Immutable. Its files by name, ``policy.csv``.

    :param path: where it lies; ``${file:…}`` in a file is relative to it.
    :param shown: how findings call it.
    :param given: what stands in place of files on disk, by name.
    """

    path: Path
    shown: str
    given: Mapping[str, Given] = field(default_factory=dict)

    def shown_name(self, name: str) -> str:
        return self.given[name].shown if name in self.given else f"{self.shown}/{name}"

    def has(self, name: str) -> bool:
        return self.given[name].data is not None if name in self.given else os.path.lexists(self.path / name)

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises ``ConfigError``."""
        reason: str | None = "No such file or directory"
        try:
            data = self.given[name].data if name in self.given else read_file(self.path / name)
        except OSError as error:
            data, reason = None, error.strerror
        if data is None:
            raise ConfigError([Finding(self.shown_name(name), 0, f"cannot be read ({reason})", "put the file there")])
        return data

    def source(self, name: str) -> Source:
        """A YAML file. Raises ``ConfigError``."""
        if name in self.given:
            return remembered(self.read(name), self.path / name, name=self.shown_name(name))
        return read_source(self.path / name, name=self.shown_name(name))
