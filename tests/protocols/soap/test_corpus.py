"""The committed accounts of the corpora are true: every WSDL and every sample does what its line says, and nothing is fetched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.protocols.soap import accounting, samples

_ATTEMPTS: list[str] = []
_WATCHING = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _WATCHING and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind", "urllib.Request"):
        _ATTEMPTS.append(f"{event} {arguments}")


sys.addaudithook(_watch)


@contextmanager
def no_socket() -> Iterator[None]:
    """Whatever opens a socket, in Python or in a library's own C, is heard of by the interpreter's audit events."""
    global _WATCHING
    _ATTEMPTS.clear()
    _WATCHING = True
    try:
        yield
    finally:
        _WATCHING = False
    assert _ATTEMPTS == []


def test_every_wsdl_does_what_its_line_says_and_fetches_nothing(corpora: Path) -> None:
    lines = accounting.read()
    assert [line.file for line in lines] == accounting.files(corpora)
    with no_socket():
        for line in lines:
            found = accounting.account(corpora / "soap" / line.file)
            assert (line.file, *found) == (line.file, line.offered, line.not_offered, line.reasons)
            assert line.reasons or line.offered


def test_nearly_every_valid_wsdl_is_offered_whole() -> None:
    shares = accounting.shares(accounting.read())
    percent = shares["valid_percent"]
    assert isinstance(percent, float)
    assert percent >= 97.0


def test_what_is_not_valid_says_why_and_is_not_valid() -> None:
    for line in accounting.read():
        assert (line.valid == "no") == bool(line.invalid_because)


def test_the_judge_still_says_so(corpora: Path) -> None:
    for line in accounting.read()[::12]:
        assert accounting.judge(corpora / "soap" / line.file) == line.invalid_because, line.file


def test_every_sample_does_what_its_line_says(corpora: Path) -> None:
    with no_socket():
        assert list(samples.lines(corpora)) == samples.read()
    assert all(line.reason for line in samples.read() if line.outcome == "no")
