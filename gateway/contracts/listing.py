"""The YAML text of field tables, a row on a line, as people edit it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from gateway.config.source import parse_source
from gateway.contracts.text import flow, quoted
from gateway.errors import ConfigError, Finding

HEAD = "# yaml-language-server: $schema=../docs/schema/transformers.json\ntables:\n"


def listing(name: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of a file with these tables; read again, it holds exactly them. Raises ``ConfigError`` where YAML cannot hold a
    value. ``name`` is how findings call the file."""
    text = HEAD + "\n".join("".join(_table(key, config)) for key, config in tables.items())
    read = parse_source(text.encode(), name=name, folder=Path())
    if read.data != {"tables": tables}:
        what = "would not hold exactly what the tables say"
        raise ConfigError([Finding(name, 0, what, "remove control characters and '${' from the tables")])
    return text


def _table(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {name}:\n"
    for key in ("doc", "rest", "erp"):
        if key in config:
            yield f"    {key}: {_scalar(config[key])}\n"
    yield "    rows:\n"
    for row in config["rows"]:
        yield f"      - {flow(row)}\n"
    if "examples" in config:
        yield "    examples:\n"
        for example in config["examples"]:
            sides = ", ".join(
                f"{side}: {_scalar(example[side]) if side == 'serves' else _json(example[side])}" for side in example
            )
            yield f"      - {{{sides}}}\n"


def _scalar(value: Any) -> str:
    return "null" if value is None else quoted(value)


def _json(value: Any) -> str:
    """JSON is YAML, with a blank after each colon."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{orjson.dumps(key).decode()}: {_json(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return orjson.dumps(value).decode()
