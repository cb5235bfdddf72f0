"""``model.conf``: the one Casbin model this gateway understands.

The file is there so that stock Casbin and a reader of the policy see the same rules. Another shape would be decided by an index
that was not built for it, so it is refused: sections and keys are compared after parsing, layout and comments do not count.
"""

from __future__ import annotations

import re

from gateway.errors import ConfigError, Finding
from gateway.policy.text import read_lines

SHAPE: dict[tuple[str, str], str] = {
    ("request_definition", "r"): "subject, tenant, operation, versioned",
    ("policy_definition", "p"): "role, tenant, operation, eft",
    ("policy_definition", "p2"): "role, tenant, operation, field, access",
    ("policy_definition", "p3"): "role, tenant, operation, predicate, value",
    ("policy_definition", "p4"): "role, tenant, operation, condition, value",
    ("role_definition", "g"): "_, _, _",
    ("role_definition", "g2"): "_, _",
    ("policy_effect", "e"): "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
    ("matchers", "m"): (
        'g(r.subject, p.role, r.tenant) && (p.tenant == r.tenant || p.tenant == "*")'
        " && (g2(r.operation, p.operation) || g2(r.versioned, p.operation))"
    ),
}
AROUND_SIGNS = re.compile(r'\s*([^\w\s"*])\s*')


def read_model(path: str, data: bytes) -> str:
    """The text of a model of the known shape. Raises ``ConfigError`` with every difference."""
    lines = read_lines(path, data)
    findings: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    section = ""
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1]
            if all(section != known for known, _ in SHAPE):
                findings.append(Finding(path, number, f"unknown section [{section}]", "use the model.conf that `init` writes"))
            continue
        findings.extend(_check(path, number, section, line, seen))
    findings.extend(
        Finding(path, 0, f"'{key}' is missing in [{section}]", f"add: {key} = {SHAPE[section, key]}")
        for section, key in SHAPE.keys() - seen
    )
    if findings:
        raise ConfigError(findings)
    return "\n".join(lines)


def _check(path: str, number: int, section: str, line: str, seen: set[tuple[str, str]]) -> list[Finding]:
    key, equals, value = (part.strip() for part in line.partition("="))
    place = (section, key)
    if not equals or place not in SHAPE:
        return [
            Finding(path, number, f"'{line[:60]}' does not belong in [{section}]", "remove it: the model has one fixed shape")
        ]
    if place in seen:
        return [Finding(path, number, f"'{key}' twice in [{section}]", "keep one of the two")]
    seen.add(place)
    if _plain(value, place) != _plain(SHAPE[place], place):
        return [Finding(path, number, f"'{key}' is of another shape", f"write: {key} = {SHAPE[place]}")]
    return []


def _plain(value: str, place: tuple[str, str]) -> str:
    """Without the white space that Casbin ignores. It compares the effect as text, so there every space counts."""
    return value if place == ("policy_effect", "e") else AROUND_SIGNS.sub(r"\1", value)
