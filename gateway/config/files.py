"""Read a file that somebody else may write: whole, or not at all.

A pipe that nobody fills, a device without an end or a file of a terabyte would keep every reload waiting, or end the process; a
process that is started again takes settings as they are by then.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 64 * 1024 * 1024
"""Some ten times a policy of 100,000 rows, or the largest contract known."""


def read_file(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file. Raises ``OSError``, for one that is larger than ``most`` or no regular file too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            reason = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
            raise OSError(reason, os.strerror(reason) if stat.S_ISDIR(mode) else "it is no regular file", str(path))
        if os.fstat(descriptor).st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most + 1)[:most]
    finally:
        os.close(descriptor)
