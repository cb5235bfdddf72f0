"""One ERP for the tests that only read or book under numbers of their own."""

import itertools
from collections.abc import Callable, Iterator

import httpx
import pytest

from gateway.demo.erp.process import ErpProcess


@pytest.fixture(scope="session")
def erp() -> Iterator[ErpProcess]:
    with ErpProcess.start() as process:
        yield process


@pytest.fixture(scope="session")
def http(erp: ErpProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=erp.url) as client:
        yield client


@pytest.fixture(scope="session")
def unique() -> Callable[[], str]:
    """A sender's number nobody has used in this session."""
    count = itertools.count(1)
    return lambda: f"T-{next(count)}"
