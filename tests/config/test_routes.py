"""Route files: short entries, and every mistake in them told together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.routes import ResourceBase, route_file
from gateway.config.source import parse_source, validate
from gateway.errors import ConfigError
from gateway.stages.limit import Limit

KIND = route_file({"limit": Limit})


def read(text: str) -> ResourceBase:
    return validate(parse_source(text.encode(), name="r.yaml", folder=Path()), KIND)


def operation(text: str) -> Any:
    return read(f"resource: r\noperations:\n  o: {{{text}}}").operations["o"]


def test_a_short_entry_has_sane_defaults() -> None:
    resource = read("resource: payments\nupstream: erp\noperations:\n  create: {post: /payments, call: Create}")
    create = resource.operations["create"]
    assert (create.method, create.path, create.success, create.public, create.recorded) == (
        "POST",
        "/payments",
        201,
        False,
        True,
    )
    assert resource.versions == ["v1"]
    assert create.limit is None


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("post", 201), ("put", 200), ("patch", 200), ("delete", 200)])
def test_methods(method: str, status: int) -> None:
    entry = operation(f"{method}: /a, call: x")
    assert (entry.method, entry.path, entry.success) == (method.upper(), "/a", status)


def test_a_stage_is_configured_by_its_name() -> None:
    limit = operation("get: /a, call: x, limit: {each: 50/s burst 100, all: 5/min}").limit
    assert limit == Limit(all=(5, 60.0, 5), each=(50, 1.0, 100))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("call: x", "'o' has no method; give exactly one of get, post, put, patch, delete, with its path"),
        ("get: /a, post: /b, call: x", "'o' has the methods get and post; "
         "give exactly one of get, post, put, patch, delete, with its path"),
        ("get: a, call: x", "'get' is 'a'; write a path such as /payments/{number}"),
        ("get: /a/, call: x", "'get' is '/a/'; write a path such as /payments/{number}"),
        ("get: /a/../b, call: x", "'get' is '/a/../b'; write a path such as /payments/{number}"),
        ("get: /a/b c, call: x", "'get' is '/a/b c'; write a path such as /payments/{number}"),
        ("get: '/a/{1}', call: x", "'get' is '/a/{1}'; write a path such as /payments/{number}"),
        ("get: '/{a}/{a}', call: x", "'get' names a parameter twice in '/{a}/{a}'; give each parameter its own name"),
        ("get: /a", "the key 'call' is missing; add 'call:'"),
        ("get: /a, call: x, mappping: y", "unknown key 'mappping'; did you mean 'mapping'?"),
        ("get: /a, call: x, mapping: a, request: b, answer: c", "'o' has 'mapping' beside both 'request' and 'answer'; "
         "remove 'mapping'"),
        ("get: /a, call: x, versions: [v0]", "item 1 of 'versions' is 'v0'; write versions as v1, v2, …"),
        ("get: /a, call: x, versions: [1]", "item 1 of 'versions' is 1; write versions as v1, v2, …"),
        ("get: /a, call: x, versions: [v1, v2, v1]", "'versions' names v1 twice; name each version once"),
        ("get: /a, call: x, status: 404", "'status' is 404; input should be less than or equal to 299"),
        ("get: /a, call: x, faults: {Gone: 410}", "'Gone' is 410; use 400, 404, 409 or 422"),
        ("get: /a, call: x, limit: {eech: 1/s}", "unknown key 'eech'; did you mean 'each'?"),
        ("get: /a, call: x, limit: 1/s", "'limit' is '1/s'; write keys and values"),
        ("get: /a, call: x, public: true, sensitive: true",
         "'o' is public and sensitive, and nobody who calls it is known; remove 'public' or 'sensitive'"),
        ("post: /a, call: x, public: true",
         "'o' is public and would be recorded for nobody; remove 'public', or say delivery: direct"),
        ("get: /a, call: x, delivery: queued", "'o' is a get with delivery: queued; remove 'delivery'; reads are not recorded"),
        ("post: /a, call: x, delivery: direct, key: $.number",
         "'o' has 'key' without being recorded; remove 'key', or say delivery: inline"),
        ("get: /a, call: x, idempotency: required",
         "'o' requires an idempotency key without being recorded; say delivery: inline or queued"),
        ("post: /a, call: x, idempotency: required, key: $.number",
         "'o' requires an Idempotency-Key beside a natural key; keep 'key', or 'idempotency: required'"),
        ("post: /a, call: x, key: number", "'key' is 'number'; write a path such as $.externalNumber or $.header.number"),
    ],
)  # fmt: skip
def test_mistakes_in_an_entry(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        operation(text)
    assert [str(f) for f in caught.value.findings] == [f"r.yaml:3: {finding}"]


def test_mistakes_of_a_file_come_together() -> None:
    with pytest.raises(ConfigError) as caught:
        read("resource: R\nversion: [v1]\noperations:\n  Bad: {get: /a, call: x}\n  b: {get: x, call: 5}\n")
    assert [str(f) for f in caught.value.findings] == [
        "r.yaml:1: 'resource' is 'R'; it must match ^[a-z][a-z0-9-]*$",
        "r.yaml:2: unknown key 'version'; did you mean 'versions'?",
        "r.yaml:4: the name 'Bad' cannot be used; it must match ^[a-z][a-z0-9-]*$",
        "r.yaml:5: 'call' is 5, not text; put it in quotes: \"5\"",
        "r.yaml:5: 'get' is 'x'; write a path such as /payments/{number}",
    ]


def test_a_file_without_operations() -> None:
    with pytest.raises(ConfigError, match=r"r\.yaml:2: 'operations' is a table"):
        read("resource: r\noperations: {}")


def test_the_schema_describes_every_key() -> None:
    schema = KIND.model_json_schema()
    keys = schema["$defs"]["Operation"]["properties"]
    assert {"get", "call", "limit", "versions"} <= keys.keys()
    assert all("description" in key for key in keys.values())
