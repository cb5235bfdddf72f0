"""The encoded contract of the golden files, its codecs, and answers as servers may write them."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from gateway.protocols.soap import Codec, compile_operation, read_contract

GOLDEN = Path(__file__).parents[2] / "golden/encoded"
ENC = {"1.1": "http://schemas.xmlsoap.org/soap/encoding/", "1.2": "http://www.w3.org/2003/05/soap-encoding"}
ENVELOPE = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
VALUE = json.loads((GOLDEN / "value.json").read_text(encoding="utf-8"))
CONTRACT = read_contract(GOLDEN / "encoded.wsdl")


@lru_cache
def codec(version: str = "1.1") -> Codec:
    return compile_operation(CONTRACT, next(o for o in CONTRACT.operations if o.version == version))


def answer(parts: str, *, version: str = "1.1", beside: str = "", wrapper: str = "echoResponse") -> bytes:
    """An answer with these parts; the others are nil. ``beside`` stands after the wrapper."""
    missing = "".join(f'<{name} xsi:nil="true"/>' for name in VALUE if f"<{name}" not in parts)
    return (
        f'<e:Envelope xmlns:e="{ENVELOPE[version]}" xmlns:t="urn:t" xmlns:enc="{ENC[version]}" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<e:Body><t:{wrapper}>{parts}{missing}</t:{wrapper}>{beside}</e:Body></e:Envelope>"
    ).encode()


def part(name: str, text: str, **options: Any) -> Any:
    value = codec(options.get("version", "1.1")).decode(answer(text, **options))
    assert isinstance(value, dict)
    return value[name]
