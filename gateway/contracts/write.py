"""An imported contract into a deployment: pinned files, routes, field tables, the upstream's entry, policy rows that deny.

All texts are made and checked before the first file is written. Nothing that exists is overwritten unless asked; ``gateway.yaml``
and ``policy.csv`` only gain lines, and only where the result still reads as before with the new entries.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.config.gateway import Gateway
from gateway.config.source import Source, parse_source, read_source, validate
from gateway.contracts.imported import Imported, choose, make
from gateway.contracts.pin import LOCK, Bundle
from gateway.contracts.text import one_line, slug
from gateway.errors import ConfigError, Finding
from gateway.policy.file import END, read_policy
from gateway.protocols.soap import Contract

CONTRACTS = "contracts"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,55}")


@dataclass(frozen=True, slots=True)
class Written:
    """What was done. ``files`` are relative to the deployment; ``by_hand`` are texts to be put in by a person, by file."""

    resource: str
    files: tuple[str, ...]
    by_hand: Mapping[str, str]
    notices: tuple[str, ...]


def import_contract(
    folder: Path,
    bundle: Bundle,
    contract: Contract,
    *,
    service: str | None = None,
    port: str | None = None,
    name: str | None = None,
    force: bool = False,
    xlsx: bool = False,
) -> Written:
    """Write a contract into the deployment in ``folder``. Raises ``ConfigError`` and then has written nothing.

    :param name: of the resource, when it is not the service's; two ports of one service need two.
    :param xlsx: write the field tables as a workbook too.
    """
    choice = choose(contract, bundle.source, service, port)
    resource = _resource(name) if name is not None else slug(choice.service, "service")
    place = f"{CONTRACTS}/{resource}"
    imported = make(contract, choice, f"{place}/{bundle.wsdl}", resource)
    source = _settings(folder)
    gateway = validate(source, Gateway) if source else None
    routes, policies, transformers = (
        (gateway.routes, gateway.policies, gateway.transformers) if gateway else ("routes", "policies", "transformers")
    )
    texts = {f"{place}/{page.name}": page.data for page in bundle.pages} | {f"{place}/{LOCK}": bundle.lock()}
    texts[f"{routes}/{resource}.yaml"] = imported.routes.encode()
    tables = {
        f"{resource if number == 1 else f'{resource}-{number}'}.yaml": t for number, t in enumerate(imported.transformers, 1)
    }
    texts |= {f"{transformers}/{file}": text.encode() for file, text in tables.items()}
    if xlsx and tables:
        texts[f"{transformers}/{resource}.xlsx"] = _workbook(tables)
    if not force:
        _check_free(folder, texts, source, resource)
    by_hand = _edits(folder, source, f"{policies}/policy.csv", imported, texts)
    _remove_stale(folder / place, {Path(file).name for file in texts})
    for file, data in texts.items():
        _replace(folder / file, data)
    return Written(resource, tuple(texts), by_hand, imported.notices)


def _resource(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError([Finding("--name", 0, f"is {one_line(name)!r}", "use small letters, digits and '-', a letter first")])
    return name


def _workbook(texts: Mapping[str, str]) -> bytes:
    """The field tables of YAML texts as a spreadsheet. Its library is loaded here: few commands need it."""
    from gateway.contracts.sheets import sheets
    from gateway.contracts.workbook import write as workbook

    sources = {name: parse_source(text.encode(), name=name, folder=Path()) for name, text in texts.items()}
    return workbook(sheets(sources))


def _settings(folder: Path) -> Source | None:
    path = folder / "gateway.yaml"
    return read_source(path, name="gateway.yaml") if path.is_file() else None


def _check_free(folder: Path, texts: Mapping[str, bytes], source: Source | None, resource: str) -> None:
    remedy = "give --force to overwrite it"
    findings = [Finding(name, 0, "exists already", remedy) for name in texts if (folder / name).exists()]
    if source and resource in _upstreams(source.data):
        findings.append(source.finding(("upstreams", resource), f"the upstream '{resource}' exists already", remedy))
    if findings:
        raise ConfigError(findings)


def _edits(folder: Path, source: Source | None, policy: str, imported: Imported, texts: dict[str, bytes]) -> dict[str, str]:
    """Add what gateway.yaml and the policy gain to the texts; what cannot be added is returned."""
    by_hand: dict[str, str] = {}
    if source is None or imported.resource not in _upstreams(source.data):
        settings = _with_upstream(folder, source, imported) if source else None
        if settings is None:
            by_hand["gateway.yaml"] = "upstreams:\n" + _indented(imported.upstream, "  ")
        else:
            texts["gateway.yaml"] = settings
    known = (folder / policy).read_bytes() if (folder / policy).is_file() else None
    rows = policy_rows(imported, read_policy(policy, known).named_operations() if known is not None else set())
    if not rows:
        return by_hand
    if known is None:
        by_hand[policy] = rows
    else:
        texts[policy] = _with_rows(policy, known, rows)
    return by_hand


# --- gateway.yaml ----------------------------------------------------------------------------------------------------


def _upstreams(data: object) -> dict[str, object]:
    found = data.get("upstreams") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _with_upstream(folder: Path, source: Source, imported: Imported) -> bytes | None:
    """gateway.yaml with one more upstream at the end of the block; None where that cannot be done by adding lines."""
    text = (folder / "gateway.yaml").read_text("utf-8")
    lines = text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if re.match(r"upstreams:[ \t]*(#.*)?\r?$", line.rstrip("\n"))), None)
    if start is None:
        return None
    end = last = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " #\t"):
        end += 1
        last = end if lines[end - 1].strip() and lines[end - 1][0] == " " else last
    indent = next((re.match(" +", line) for line in lines[start + 1 : last] if line.strip() and line.lstrip()[0] != "#"), None)
    if indent is None:
        return None
    before = "".join(lines[:last])
    entry = _indented(imported.upstream, indent[0])
    made = (before if before.endswith("\n") else before + "\n") + entry + "".join(lines[last:])
    return made.encode() if _only_adds(folder, source, made.encode(), imported) else None


def _only_adds(folder: Path, source: Source, made: bytes, imported: Imported) -> bool:
    wanted = parse_source(imported.upstream.encode(), name="the entry", folder=folder).data
    try:
        found = parse_source(made, name="gateway.yaml", folder=folder).data
    except ConfigError:
        return False
    if not (isinstance(found, dict) and isinstance(source.data, dict) and isinstance(wanted, dict)):
        return False
    return found == source.data | {"upstreams": _upstreams(source.data) | wanted}


def _indented(text: str, indent: str) -> str:
    return "".join(indent + line for line in text.splitlines(keepends=True))


# --- policy ----------------------------------------------------------------------------------------------------------


def policy_rows(imported: Imported, named: set[str]) -> str:
    """Rows that deny every operation no row names yet to a role nobody has."""
    missing = [operation for operation in imported.operations if operation not in named]
    if not missing:
        return ""
    width = max(map(len, missing)) + 1
    head = f"\n# {imported.resource}, imported: closed to everybody. Name the role and tenant that may call, and write allow.\n"
    return head + "".join(f"p, {imported.resource}, *, {operation + ',':<{width}} deny\n" for operation in missing)


def _with_rows(name: str, data: bytes, rows: str) -> bytes:
    text = data.decode("utf-8")
    head, mark, tail = text.rpartition(END)
    made = (head + rows.replace("\n", "\r\n" if "\r\n" in text else "\n") + mark + tail).encode()
    read_policy(name, made)
    return made


# --- files -----------------------------------------------------------------------------------------------------------


def _remove_stale(folder: Path, names: set[str]) -> None:
    """Remove the files an earlier import pinned here and this one does not have."""
    lock = folder / LOCK
    if not lock.is_file():
        return
    try:
        files = [str(file["name"]) for file in orjson.loads(lock.read_bytes())["files"]]
    except (orjson.JSONDecodeError, LookupError, TypeError) as error:
        raise ConfigError([Finding(str(lock), 0, "is no lock file", "remove the folder, then import again")]) from error
    for name in files:
        if name not in names and Path(name).name == name:
            (folder / name).unlink(missing_ok=True)


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, with the mode it had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    os.chmod(temporary, mode)
    os.replace(temporary, path)
