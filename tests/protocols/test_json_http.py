from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.protocols.json_http import dumps, loads


def corpus(name: str) -> Path:
    root = os.environ.get("GATEWAY_CORPORA")
    if not root:
        if os.environ.get("CI"):
            pytest.fail("GATEWAY_CORPORA is not set")
        pytest.skip("GATEWAY_CORPORA is not set")
    return Path(root, name)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 2]))
def test_any_json_value_survives_whatever_its_layout(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent).encode()
    assert loads(text) == value
    assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1e2}', {"a": 100.0}),
        (b"[18446744073709551615, -9223372036854775808]", [2**64 - 1, -(2**63)]),
        (b'{"a\\u003a": 1, "a": 2}', {"a:": 1, "a": 2}),
        (b'["2026-01-31T00:00:00Z", "1234567890123456789012345"]', ["2026-01-31T00:00:00Z", "1234567890123456789012345"]),
        (b"[0.1, 12.50]", [0.1, 12.5]),
        (b"[" * 64 + b"]" * 64, None),
        (b'["' + b"[" * 100 + b'"]', ["[" * 100]),
    ],
)
def test_taken(text: bytes, value: object) -> None:
    found = loads(text)
    assert value is None or found == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        ('{"a": 1}'.encode("utf-16"), "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b"[NaN]", "not valid JSON"),
        (b"[-Infinity]", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b'{"a": 1, "a": 1}', '"a" stands twice'),
        (b'{"a": {"\xc3\xa9": 1, "\\u00e9": 2}}', '"é" stands twice'),
        (b'{"x": [{"k": 1, "k": {"deep": 1}}]}', '"k" stands twice'),
        (b"[18446744073709551616]", "64 bits"),
        (b"[-9223372036854775809]", "64 bits"),
        (b"[" + b"9" * 5000 + b"]", ""),
        (b"[0.12345678901234567890]", "more digits"),
        (b"[1e400]", ""),
        (b"[1e-400]", "more digits"),
        (b"[" * 65 + b"]" * 65, "nested more than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested more than 64"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_refused_with_a_reason(text: bytes, reason: str) -> None:
    with pytest.raises(BadRequest) as caught:
        loads(text)
    assert reason in caught.value.detail
    assert len(caught.value.detail) < 200


def test_depth_is_the_callers_choice() -> None:
    assert loads(b"[[1]]", depth=2) == [[1]]
    with pytest.raises(BadRequest):
        loads(b"[[1]]", depth=1)


def test_duplicate_keys_too_deep_for_the_second_reader_are_refused() -> None:
    hidden = b'{"a":' + b"[" * 1010 + b"]" * 1010 + b',"a":1}'
    with pytest.raises(BadRequest):
        loads(hidden)


def test_the_parsing_suite() -> None:
    files = sorted(corpus("security/JSONTestSuite/test_parsing").iterdir())
    assert len(files) > 300
    for file in files:
        data = file.read_bytes()
        try:
            loads(data)
            taken = True
        except BadRequest:
            taken = False
        wanted = {"y": "duplicated_key" not in file.name, "n": False}.get(file.name[0], taken)
        assert taken == wanted, file.name


def test_naughty_strings_survive() -> None:
    strings = json.loads(next(corpus("security/blns").rglob("blns.json")).read_bytes())
    assert loads(dumps(strings)) == strings
    assert loads(json.dumps(strings).encode()) == strings


@given(st.binary(max_size=40))
def test_no_bytes_lead_to_anything_but_a_value_or_a_problem(data: bytes) -> None:
    try:
        value = loads(data)
    except BadRequest:
        return
    assert orjson.loads(data) == value
