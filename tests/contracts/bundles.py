"""Contracts for the tests of this folder, made of text."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gateway.contracts.pin import Bundle, collect
from tests.protocols.soap.wsdls import schema, wsdl


def no_fetch(url: str) -> bytes:
    raise AssertionError(f"fetched {url}")


def bundle(text: str) -> Bundle:
    """A WSDL, collected."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "service.wsdl")
        path.write_text(text, "utf-8")
        return collect(str(path), fetch=no_fetch)


def echo(body: str, **options: str) -> Bundle:
    """The contract of ``echo`` over a schema body that declares ``Root``."""
    return bundle(wsdl(schema(body), **options))
