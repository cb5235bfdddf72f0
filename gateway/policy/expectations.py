"""``policies/tests.yaml``: what the people who write the policy expect of it, asked of every policy before it goes live.

One test is a question with its answer: who, which operation, when and from where; allow or deny, and which fields are seen. It is
put to the compiled index that would decide, so that a test that passes here holds there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.config.source import Source, validate
from gateway.config.values import Section, wrong
from gateway.errors import ConfigError, Finding
from gateway.exchange import Principal
from gateway.policy.index import PolicyIndex
from gateway.policy.questions import unmet
from gateway.scope import EVERYTHING, Scope, parse_field
from gateway.scope.conditions import parse_network

MOST_TESTS = 10_000


def _moment(text: Any) -> Any:
    """Unix time of an RFC 3339 timestamp."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError as error:
        raise wrong(f"is {text!r}", "write date, time and offset, such as 2026-11-20T10:00:00+08:00") from error
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise wrong(f"is {text!r}", "write date, time and offset, such as 2026-11-20T10:00:00+08:00")
    return moment.timestamp()


def _address(text: str) -> str:
    try:
        network = parse_network(text)
    except ValueError as error:
        raise wrong(f"is {text!r}", "write one address, such as 10.20.0.5") from error
    if network.num_addresses != 1:
        raise wrong(f"is {text!r}, a network", "write one address, such as 10.20.0.5")
    return text


def _field(text: str) -> str:
    try:
        parse_field(text)
    except ValueError as error:
        raise wrong(f"is {text!r}", error.args[1]) from error
    return text


Moment = Annotated[float, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Address = Annotated[str, AfterValidator(_address)]
FieldName = Annotated[str, AfterValidator(_field)]
Names = str | Annotated[list[str], Field(min_length=1)]


class Expectation(Section):
    """One test: each of `who` with each `operation`."""

    who: Names = Field(description="A subject, or a list of them: a satellite's client id, or a person.")
    tenant: str | None = Field(None, description="Their legal entity; default: the file's.")
    roles: list[str] = Field([], description="Roles their credential carries beside those the policy gives.")
    operation: Names = Field(description="An operation id, with or without version, or a list of them.")
    at: Moment | None = Field(None, description="When they call (RFC 3339); left out, conditions on time are not asked about.")
    address: Address | None = Field(
        None, description="Where they call from; left out, conditions on networks are not asked about."
    )
    expect: Literal["allow", "deny"] = Field(description="Whether they may.")
    sees: list[FieldName] = Field([], description="Fields they see, with all that is in them.")
    hidden: list[FieldName] = Field([], description="Fields they do not see.")
    locked: list[FieldName] = Field([], description="Fields they may not set.")
    records: dict[str, list[str]] = Field(
        {}, description="The values that the predicates leave them, all of each: `{entity: [own]}`."
    )

    @model_validator(mode="after")
    def _fields_of_the_allowed(self) -> Expectation:
        if self.expect == "deny" and (self.sees or self.hidden or self.locked or self.records):
            raise wrong("expects deny, and something of what is seen", "remove 'sees', 'hidden', 'locked' and 'records'")
        return self


class TestsFile(Section):
    """What is expected of the policy."""

    tenant: str | None = Field(None, description="The legal entity of all callers below that name none.")
    tests: list[Expectation] = Field(max_length=MOST_TESTS, description="The tests.")


@dataclass(frozen=True, slots=True)
class PolicyTests:
    """Immutable. The tests of one file; ``source`` is ``None`` where there is no file."""

    source: Source | None = None
    file: TestsFile = field(default_factory=lambda: TestsFile(tests=[]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question put to a policy. ``wrong`` says what is otherwise than expected, and is empty where nothing is; ``known`` is
    false for an operation that no route has, about which any policy would answer the same."""

    line: int
    principal: Principal
    operation: str
    version: str
    expect: Literal["allow", "deny"]
    wrong: str
    known: bool = True

    @property
    def name(self) -> str:
        return f"{self.operation}@{self.version}" if self.version else self.operation


def read_tests(source: Source) -> PolicyTests:
    """Raises ``ConfigError``."""
    file = validate(source, TestsFile)
    lacking = [number for number, test in enumerate(file.tests) if (test.tenant or file.tenant) is None]
    if lacking:
        remedy = "add 'tenant:' to the test, or at the top of the file"
        raise ConfigError([source.finding(("tests", number), "names no tenant", remedy) for number in lacking])
    return PolicyTests(source, file)


def outcomes(tests: PolicyTests, policy: PolicyIndex, known: Collection[str] | None = None) -> Iterator[Outcome]:
    """Every question of the file, asked. An operation is to be among ``known`` (``payments.get``, ``payments.get@v1``) where they
    are given."""
    for number, test in enumerate(tests.file.tests):
        line = tests.source.line(("tests", number)) if tests.source is not None else 0
        for who in _listed(test.who):
            principal = Principal(who, test.tenant or tests.file.tenant or "", tuple(test.roles))
            for named in _listed(test.operation):
                operation, _, version = named.partition("@")
                if known is not None and named not in known:
                    yield Outcome(
                        line, principal, operation, version, test.expect, f"no route has the operation '{named}'", known=False
                    )
                    continue
                wrong = "; ".join(_wrong(test, policy, principal, operation, version))
                yield Outcome(line, principal, operation, version, test.expect, wrong)


def failures(tests: PolicyTests, policy: PolicyIndex, known: Collection[str]) -> Iterator[Finding]:
    """What keeps the policy from going live: tests that fail, and tests of an operation not among ``known``."""
    if tests.source is None:
        return
    for found in outcomes(tests, policy, known):
        if not found.known:
            yield Finding(tests.source.path, found.line, found.wrong, "name one that a route has")
        elif found.wrong:
            remedy = "mend policy.csv, or the test if this is meant"
            yield Finding(tests.source.path, found.line, f"{found.principal.subject}, {found.name}: {found.wrong}", remedy)


def _listed(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else names


def _wrong(test: Expectation, policy: PolicyIndex, principal: Principal, operation: str, version: str) -> Iterator[str]:
    allowed, rows, scope = policy.decide(principal, operation, version)
    scope = scope or EVERYTHING
    missed = unmet(scope, test.at, test.address) if allowed else ()
    if (allowed and not missed) != (test.expect == "allow"):
        because = f" ({', '.join(rows)})" if rows else ", since no row allows it"
        if missed:
            because = f" from there or then ({', '.join(scope.rows)})"
        yield f"{'allowed' if allowed and not missed else 'denied'}{because}, expected {test.expect}"
    elif test.expect == "allow":
        yield from _wrongly_scoped(test, scope)


def _wrongly_scoped(test: Expectation, scope: Scope) -> Iterator[str]:
    fields = scope.fields
    for name in test.sees:
        if not fields.sees(parse_field(name)):
            yield f"{name} is hidden, in whole or in part, expected to be seen"
    for name in test.hidden:
        if not fields.hides(parse_field(name)):
            yield f"{name} is seen, expected to be hidden"
    for name in test.locked:
        if not fields.locks(parse_field(name)):
            yield f"{name} may be set, expected to be locked"
    left = {name: sorted(values) for name, values in scope.predicates.items()}
    if test.records and left != {name: sorted(values) for name, values in test.records.items()}:
        yield f"records are left by {left or 'nothing'}, expected {test.records}"
