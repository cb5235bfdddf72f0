"""Writes the generated parts of docs/: option tables, problem types, commands, JSON Schemas.

What is generated stands between two marker lines of a page, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; everything else on
a page is written by hand and left alone. The sources are what the program itself runs on, so the reference cannot say anything
else. ``python -m tools.reference`` writes, with ``--check`` it only tells what is out of date.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gateway import errors
from gateway.approvals.file import ApprovalsFile, CalendarEntry, Escalate, Rule
from gateway.cli import app
from gateway.cli.schema import Kind, text
from gateway.config.console import Console, SignIn
from gateway.config.credentials import Basic, Certificate, Credentials, Security, Verify
from gateway.config.gateway import Counters, Decisions, Edge, EdgeLimits, Gateway, Ledger, Policy, Upstream, Writes
from gateway.config.messages import Channel, Messages
from gateway.config.routes import AmountPlace, ProbeSection, RecordsSection, route_file
from gateway.documents import states
from gateway.policy.duties_file import AcceptedEntry, DutiesFile, PairEntry
from gateway.policy.expectations import Expectation, TestsFile
from gateway.stages import CONFIGURABLE

DOCS = Path(__file__).parent.parent / "docs"
REGION = re.compile(r"(<!-- begin ([a-z-]+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)

"""The examples by which a JSON Schema property tells durations and sizes, whose defaults are plain numbers in code."""


RESOURCE = route_file(CONFIGURABLE)
OPERATION: type[BaseModel] = get_args(RESOURCE.model_fields["operations"].annotation)[1]


# --- options ---------------------------------------------------------------------------------------------------------


def options(kind: type[BaseModel]) -> str:
    """The table of a configuration model's keys."""
    rows = []
    for name, field in kind.model_fields.items():
        meaning = _first_line(field.description) or _first_line(getattr(field.annotation, "__doc__", None))
        rows.append((f"`{name}`", meaning, _default(field.get_default(call_default_factory=False))))
    return _table(("key", "meaning", "default"), rows)


def stage(kind: type) -> str:
    """The table of a stage's keys: its fields, and what its docstring says of each."""
    said = dict(re.findall(r":param (\w+): (.*?)(?=\n\s*:param|\Z)", kind.__doc__ or "", re.DOTALL))
    fields = [field for field in dataclasses.fields(kind) if field.name in said]
    rows = [(f"`{f.name}`", _line(said[f.name]), _default(f.default)) for f in fields]
    return _table(("key", "meaning", "default"), rows)


def _default(value: Any) -> str:
    if value is PydanticUndefined or value is dataclasses.MISSING:
        return "required"
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, str | bool | int | list | dict):
        return f"`{value if isinstance(value, str) else orjson.dumps(value).decode()}`"
    return f"`{value}`"


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


# --- problems --------------------------------------------------------------------------------------------------------


def problem_types() -> Iterator[type[errors.Problem]]:
    """Every outcome, in the order of the module that defines them. Bases that are never raised are left out."""
    bases = {errors.Problem, errors.ClientProblem, errors.UpstreamProblem}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.Problem) and kind not in bases:
            yield kind


def problems() -> str:
    rows = [
        (str(kind.status), f"`{kind.slug}`", kind.title, kind.origin, "yes" if kind.retryable else "no")
        for kind in problem_types()
    ]
    return _table(("status", "type `urn:erp-gateway:problem:…`", "title", "origin", "retryable"), rows)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> str:
    root = typer.main.get_command(app)
    return "\n".join(_command(path, command) for path, command in _commands("erp-gateway", root)).rstrip()


def _commands(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{path} {name}", command)
        else:
            yield f"{path} {name}", command


def _command(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *(argument.name.upper() for argument in arguments)])
    rows = [(_names(p), p.help or "", _command_default(p)) for p in command.params if p.name != "help"]
    table = f"\n{_table(('argument or option', 'meaning', 'default'), rows)}" if rows else ""
    return f"### `{usage}`\n\n{_line(command.help or '')}\n{table}"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in parameter.opts)


def _command_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    shown = isinstance(default, str | Path) and str(default)
    return f"`{default}`" if shown else ""


# --- documents -------------------------------------------------------------------------------------------------------


def state_diagram() -> str:
    """The table of ``gateway.documents.states`` as a Mermaid diagram; events that lead the same way share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), step in states.TABLE.items():
        arrows.setdefault((state.value, step.to.value), []).append(event.value)
    lines = [f"    {one} --> {other}: {', '.join(events)}" for (one, other), events in arrows.items()]
    ends = [f"    {state.value} --> [*]" for state in states.State if state in states.FINAL]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> received", *lines, *ends, "```"])


def state_table() -> str:
    said = dict(re.findall(r"^ +(\w+) … (.*)$", states.State.__doc__ or "", re.MULTILINE))
    rows = [
        (f"`{state.value}`", said[state.value], f"`{states.ISO_20022[state]}`", _yes(state in states.FINAL))
        for state in states.State
    ]
    return _table(("state", "meaning", "ISO 20022", "final"), rows)


# --- pages -----------------------------------------------------------------------------------------------------------


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


REGIONS: dict[str, Callable[[], str]] = {
    "gateway": lambda: options(Gateway),
    "edge": lambda: options(Edge),
    "edge-limits": lambda: options(EdgeLimits),
    "console": lambda: options(Console),
    "ledger": lambda: options(Ledger),
    "decisions": lambda: options(Decisions),
    "counters": lambda: options(Counters),
    "policy": lambda: options(Policy),
    "sign-in": lambda: options(SignIn),
    "messages": lambda: options(Messages),
    "channel": lambda: options(Channel),
    "upstream": lambda: options(Upstream),
    "credentials": lambda: options(Credentials),
    "basic": lambda: options(Basic),
    "certificate": lambda: options(Certificate),
    "security": lambda: options(Security),
    "verify": lambda: options(Verify),
    "writes": lambda: options(Writes),
    "resource": lambda: options(RESOURCE),
    "operation": lambda: options(OPERATION),
    "probe": lambda: options(ProbeSection),
    "records": lambda: options(RecordsSection),
    "record-place": lambda: options(AmountPlace),
    "approvals": lambda: options(ApprovalsFile),
    "approvals-rule": lambda: options(Rule),
    "approvals-escalate": lambda: options(Escalate),
    "duties": lambda: options(DutiesFile),
    "duties-pair": lambda: options(PairEntry),
    "duties-accepted": lambda: options(AcceptedEntry),
    "policy-tests": lambda: options(TestsFile),
    "policy-test": lambda: options(Expectation),
    "approvals-calendar": lambda: options(CalendarEntry),
    **{f"stage-{name}": lambda kind=kind: stage(kind) for name, kind in CONFIGURABLE.items()},  # type: ignore[misc]
    "problems": problems,
    "state-diagram": state_diagram,
    "states": state_table,
    "commands": commands,
}


def pages() -> dict[Path, str]:
    """Every generated file, and what it should hold."""
    found = {DOCS / "schema" / f"{kind}.json": text(kind) for kind in Kind}
    for path in sorted(DOCS.rglob("*.md")):
        old = path.read_text("utf-8")
        new = REGION.sub(lambda match: f"{match[1]}{REGIONS[match[2]]().rstrip()}\n{match[3]}", old)
        if REGION.search(old):
            found[path] = new
    return found


def stale() -> list[Path]:
    """The generated files that say something else than the program."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    old = stale()
    for path in old:
        sys.stdout.write(f"{path.relative_to(DOCS.parent)}\n")
    if arguments == ["--check"]:
        return bool(old)
    for path, content in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
