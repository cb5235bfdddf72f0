"""The small value forms configuration files share: durations, sizes, addresses. Text in, plain numbers out."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A part of a configuration file: immutable, unknown keys are errors, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True, validate_default=True)


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """An error in a value that says what would be right."""
    return PydanticCustomError("wrong_value", "{what}", {"what": what, "remedy": remedy})


def written(text: str) -> Any:
    """A default as people write it: validated like what they write, and shown so in the reference and in editors."""
    return text


_DURATION = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_SIZE = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _measure(units: dict[str, float], example: str) -> BeforeValidator:
    pattern = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?) ?({'|'.join(units)})")

    def parse(text: Any) -> float:
        match = pattern.fullmatch(text) if isinstance(text, str) else None
        if not match:
            raise wrong(f"is {text!r}", f"write a number with a unit ({', '.join(units)}), such as {example}")
        return float(match[1]) * units[match[2]]

    return BeforeValidator(parse)


Seconds = Annotated[float, _measure(_DURATION, "30s"), WithJsonSchema({"type": "string", "examples": ["30s", "5m"]})]
"""A duration such as ``30s``, ``15m``, ``24h``; in code, seconds."""

_to_bytes = BeforeValidator(lambda value: int(value) if isinstance(value, float) else value)

Bytes = Annotated[int, _to_bytes, _measure(_SIZE, "1MiB"), WithJsonSchema({"type": "string", "examples": ["64KiB", "1MiB"]})]
"""A size such as ``1MiB``; in code, bytes."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener stands. Port 0 takes a free port."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it. A name other than localhost may resolve to anything."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(text: Any) -> Address:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^\s:\[\]]+)):([0-9]{1,5})", text) if isinstance(text, str) else None
    if not match or int(match[3]) > 65535:
        raise wrong(f"is {text!r}", "write host:port, such as 127.0.0.1:8080")
    return Address(match[1] or match[2], int(match[3]))


Listen = Annotated[Address, BeforeValidator(_address), WithJsonSchema({"type": "string", "examples": ["127.0.0.1:8080"]})]
