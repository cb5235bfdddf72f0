"""The files that decide, as one value: what of the policies folder goes live together, is kept, compared and agreed to.

A bundle is bytes under a digest; what the bytes mean is for those who read them. Pure: nothing here opens a file.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

NAMES: Final = ("approvals.yaml", "duties.yaml", "model.conf", "policy.csv", "satellites.yaml", "tests.yaml")
"""Every file that counts, by name; the rest of the folder decides nothing. satellites.yaml is one: whom a satellite vouches for,
which keys prove it to be there and which legal entity it is decide as much as a row."""

SHORT: Final = 12
"""Characters of a digest that people are shown; as many name one bundle in any history."""

_FORMAT = b"erp-gateway policy 1\n"
_HASH = re.compile(r"(scrypt\$|sha256\$|whsec_)[^\s\"',\]}#]+")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Immutable. Bytes by file name; a file that is not there has no name. Raises ``ValueError`` for a name that is none of
    ``NAMES``."""

    files: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if unknown := self.files.keys() - set(NAMES):
            raise ValueError(f"{', '.join(sorted(unknown))}: no such file belongs to a policy")

    @property
    def digest(self) -> str:
        """SHA-256 of ``packed``, 64 hexadecimal digits."""
        return hashlib.sha256(self.packed()).hexdigest()

    def packed(self) -> bytes:
        """All files as bytes: each one's name, length and contents, in the order of the names. No two bundles have the same."""
        parts = [_FORMAT]
        for name in sorted(self.files):
            parts += (b"%s %d\n" % (name.encode(), len(self.files[name])), self.files[name])
        return b"".join(parts)

    @classmethod
    def unpacked(cls, data: bytes) -> Bundle:
        """The bundle that was packed. Raises ``ValueError`` for bytes that ``packed`` never gives."""
        files: dict[str, bytes] = {}
        rest = data.removeprefix(_FORMAT)
        while rest:
            head, _, rest = rest.partition(b"\n")
            name, _, length = head.decode("ascii").partition(" ")
            files[name], rest = rest[: int(length)], rest[int(length) :]
        bundle = cls(files)
        if bundle.packed() != data:
            raise ValueError("these are no files of a policy")
        return bundle

    def changed(self, base: Bundle) -> tuple[str, ...]:
        """The names of the files that differ, in the order of ``NAMES``."""
        return tuple(name for name in NAMES if self.files.get(name) != base.files.get(name))

    def summary(self, base: Bundle) -> str:
        """What changed since ``base``, by lines: ``policy.csv +2 -1, tests.yaml +4``; empty when nothing did."""
        return ", ".join(_counted(name, base.files.get(name), self.files.get(name)) for name in self.changed(base))

    def difference(self, base: Bundle) -> str:
        """The same as a unified diff, in which hashes of secrets are not shown."""
        return "".join(line for name in self.changed(base) for line in _diff(name, base.shown(name), self.shown(name)))

    def shown(self, name: str) -> str | None:
        """A file as people may see it: a hash of a secret, from which a weak one could be guessed, is replaced by the first
        digits of its own SHA-256, which tell two of them apart. ``None`` where there is no such file."""
        data = self.files.get(name)
        return None if data is None else _HASH.sub(_hidden, data.decode("utf-8", "replace"))


def _hidden(match: re.Match[str]) -> str:
    return f"{match[1]}…{hashlib.sha256(match[0].encode()).hexdigest()[:8]}"


def _counted(name: str, before: bytes | None, after: bytes | None) -> str:
    if before is None or after is None:
        return f"{name} {'added' if before is None else 'removed'}"
    old, new = (Counter(data.splitlines()) for data in (before, after))
    plus, minus = (new - old).total(), (old - new).total()
    parts = [f"+{plus}"] * bool(plus) + [f"-{minus}"] * bool(minus)
    return " ".join((name, *parts)) if parts else f"{name} in another order"


def _diff(name: str, before: str | None, after: str | None) -> Iterator[str]:
    old, new = ((text or "").splitlines() for text in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm=""):
        yield line + "\n"
