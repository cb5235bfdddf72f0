"""A secret's file that is made at the first start, and read at every other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def made_once(path: Path, make: Callable[[], str], *, encoding: str = "ascii") -> str:
    """The text of a file, which is made, readable by its owner only, when it is not there. Of several processes that make it at
    once one wins and all read the same. Raises ``OSError``, and ``UnicodeDecodeError`` for a file in another encoding."""
    try:
        return path.read_text(encoding)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding=encoding) as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, fails when another process was first.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
    return path.read_text(encoding)
