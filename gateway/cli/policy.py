"""``policy``: ask a policy questions, and see what a change would do before it is live.

Every command takes the deployment's own files or a candidate in their place, answers from files alone and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from gateway.cli import answers
from gateway.cli.candidate import JsonOption, asking, candidate, plain
from gateway.cli.output import DEFAULT, ConfigPath, err, errors, out, warnings
from gateway.cli.world import World, caller, calls, everybody, ip, known_tenant, moment, world
from gateway.errors import ConfigError, Finding
from gateway.exchange import Principal
from gateway.policy.expectations import outcomes
from gateway.policy.explain import Explanation
from gateway.policy.index import PolicyIndex
from gateway.policy.questions import Call, Holder, explained, what_can, who_can, within
from gateway.policy.words import answer, document

app = typer.Typer(
    no_args_is_help=True,
    help="Ask a policy questions, and see what a change does before it is live. Exit codes: 0 yes, 1 no, 2 it cannot be asked.",
)

Who = Annotated[str, typer.Argument(help="A subject: a satellite's client id, a person, or a role, which is held by name too.")]
Operation = Annotated[str, typer.Argument(help="An operation, such as payments.create, or one version, payments.create@v1.")]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", help="A policy.csv, a policies folder or a git revision; default: the deployment's.")
]
TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant", help="The caller's legal entity; default: the satellite's, or the only one there is. '*' is any not named."
    ),
]
RoleOption = Annotated[list[str] | None, typer.Option(help="A role the caller's token carries. May be given several times.")]
AtOption = Annotated[str | None, typer.Option(help="When (RFC 3339); left out, conditions on time are not asked about.")]
AddressOption = Annotated[str | None, typer.Option(help="Where from; left out, conditions on networks are not asked about.")]


@app.command()
def check(
    policy: Annotated[
        str | None, typer.Argument(help="A policy.csv, a policies folder or a git revision; default: the deployment's.")
    ] = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Check a policy as a gateway does before it goes live: read, held against the routes, compared with Casbin, its tests asked.

    Exit 0: it would go live. 1: it would not, with every finding. 2: there is no such policy."""
    wrong: tuple[Finding, ...] = ()
    doubts: tuple[Finding, ...] = ()
    index: PolicyIndex | None = None
    tests = 0
    with asking(json):
        try:
            asked = candidate(config, policy)
            index, tests = asked.policy, len(asked.deployment.tests.file.tests)
            doubts = asked.build().warnings
        except ConfigError as error:
            wrong = error.findings
    if json:
        sha256 = index.sha256 if index is not None else None
        _print({"ok": not wrong, "sha256": sha256, "errors": plain(wrong), "warnings": plain(doubts)})
    else:
        warnings(doubts)
        errors(wrong)
        if index is not None and not wrong:
            out.print(f"[green]ok[/] {escape(index.file.path)}: {_rows(index)} rows, {tests} tests, policy {index.sha256[:12]}")
    if wrong:
        raise typer.Exit(1)


def _rows(index: PolicyIndex) -> int:
    file = index.file
    return len(file.grants) + len(file.restrictions) + len(file.memberships) + len(file.groupings)


@app.command()
def can(
    who: Who,
    operation: Operation,
    tenant: TenantOption = None,
    role: RoleOption = None,
    at: AtOption = None,
    address: AddressOption = None,
    policy: PolicyOption = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """May WHO call OPERATION? Yes or no, with the rows that decide.

    Exit 0: yes, in every version asked about. 1: no. 2: it cannot be asked."""
    with _asked(config, policy, json) as asked:
        principal, found = _put(asked, who, operation, tenant, role, at, address)
    if json:
        _print(_document(asked, principal, found, [answer(each) for each in found]))
    else:
        answers.verdicts(asked, found)
    _exit(all(each.allowed for each in found))


@app.command()
def explain(
    who: Who,
    operation: Operation,
    tenant: TenantOption = None,
    role: RoleOption = None,
    at: AtOption = None,
    address: AddressOption = None,
    policy: PolicyOption = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Why may WHO call OPERATION, or why not: every row that matched, with the way through roles and groups that leads to it; or
    the rows that came nearest.

    Exit 0: yes, in every version asked about. 1: no. 2: it cannot be asked."""
    with _asked(config, policy, json) as asked:
        principal, found = _put(asked, who, operation, tenant, role, at, address)
    if json:
        _print(_document(asked, principal, found, [document(asked.policy.file, each) for each in found]))
    else:
        answers.explanations(asked, found)
    _exit(all(each.allowed for each in found))


@app.command("who-can")
def who_may(
    operation: Operation,
    tenant: Annotated[
        str | None, typer.Option(help="Only in this legal entity; left out, in each. '*': any no row names.")
    ] = None,
    policy: PolicyOption = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Who may call OPERATION: satellites, people and roles, by which row, through which role, and what restricts them.

    Exit 0: somebody. 1: nobody. 2: it cannot be asked."""
    with _asked(config, policy, json) as asked:
        about = calls(asked, operation)
        only = None if tenant is None else known_tenant(asked, tenant)
    found = {call: list(_held(asked, call, only)) for call in about}
    if json:
        _print({"policy": asked.policy.sha256, "answers": answers.holders_document(asked, found)})
    else:
        answers.holders(asked, found)
    _exit(any(found.values()) or any(asked.served[call].public for call in found))


def _held(asked: World, call: Call, tenant: str | None) -> Iterator[Holder]:
    held = who_can(asked.policy, call)
    return held if tenant is None else within(held, tenant)


@app.command("what-can")
def what_may(
    who: Who,
    tenant: TenantOption = None,
    role: RoleOption = None,
    policy: PolicyOption = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """What WHO may call: every operation with its method and path, by which row, and what restricts it.

    Exit 0: something. 1: nothing. 2: it cannot be asked."""
    with _asked(config, policy, json) as asked:
        principal = caller(asked, who, tenant, role or ())
        allowed = {call for call, _ in what_can(asked.policy, principal, asked.served)}
        chosen = [call for call, served in asked.served.items() if call in allowed or served.public]
        found = _answers(asked, principal, chosen)
    if json:
        _print(_document(asked, principal, found, [answer(each) | answers.place(asked, each) for each in found]))
    else:
        answers.rights(asked, principal, found)
    _exit(bool(found))


@app.command("test")
def ask_tests(policy: PolicyOption = None, config: ConfigPath = DEFAULT, json: JsonOption = False) -> None:
    """Ask a policy every question of tests.yaml.

    Exit 0: every answer is as expected. 1: one is not. 2: it cannot be asked."""
    with asking(json):
        asked = world(candidate(config, policy))
    tests = asked.deployment.tests
    found = list(outcomes(tests, asked.policy, asked.known()))
    failed = sum(bool(outcome.wrong) for outcome in found)
    if json:
        told = [answers.tested(tests, outcome) for outcome in found]
        _print({"ok": not failed, "policy": asked.policy.sha256, "asked": len(found), "failed": failed, "answers": told})
    else:
        answers.tests(tests, found, failed)
    _exit(not failed)


@contextmanager
def _asked(config: Path, policy: str | None, json: bool) -> Iterator[World]:
    """What is asked about. A policy that would not go live answers all the same, and it is said."""
    with asking(json):
        asked = world(candidate(config, policy))
        doubts = asked.doubts()
        if doubts:
            what = f"{asked.policy.file.path} would not go live as it is: {len(doubts)} findings, see 'policy check'."
            err.print(what, style="yellow", markup=False, highlight=False, soft_wrap=True)
        yield asked


def _put(
    asked: World, who: str, operation: str, tenant: str | None, role: list[str] | None, at: str | None, address: str | None
) -> tuple[Principal, list[Explanation]]:
    """One question, for each version asked about: who asks, and the answers."""
    principal = caller(asked, who, tenant, role or ())
    return principal, _answers(asked, principal, calls(asked, operation), at, address)


def _answers(
    asked: World, principal: Principal, about: Iterable[Call], at: str | None = None, address: str | None = None
) -> list[Explanation]:
    when, where = moment(at), ip(address)
    return [
        everybody(principal, call) if asked.served[call].public else explained(asked.policy, principal, call, when, where)
        for call in about
    ]


def _document(asked: World, principal: Principal, found: Sequence[Explanation], told: list[dict[str, Any]]) -> dict[str, Any]:
    who = {"subject": principal.subject, "tenant": principal.tenant, "roles": list(principal.roles)}
    return {**who, "allowed": all(each.allowed for each in found), "policy": asked.policy.sha256, "answers": told}


def _print(document: dict[str, Any]) -> None:
    print(orjson.dumps(document).decode())


def _exit(yes: bool) -> None:
    raise typer.Exit(0 if yes else 1)
