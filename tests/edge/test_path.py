"""One canonical path: every reader understands what is accepted in the same way, and everything else is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.edge.path import canonical, checked_query
from gateway.errors import BadRequest

SEGMENTS = st.text(st.sampled_from(list("ab.%/\\;?#~-_2eE5fFcC0+:@ é\x00")), max_size=12)
PATHS = st.binary(max_size=20) | st.builds(lambda text: b"/" + text.encode(), SEGMENTS)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/api/v1/payments/4711", "/api/v1/payments/4711"),
        (b"/%61pi/%7Ea", "/api/~a"),
        (b"/a%c3%a9", "/a%C3%A9"),
        (b"/a%20b", "/a%20b"),
        (b"/...", "/..."),
        (b"/.a/..b/c..", "/.a/..b/c.."),
        (b"/a:b@c,d=1!$&'()*+", "/a:b@c,d=1!$&'()*+"),
    ],
)
def test_paths_with_one_meaning(raw: bytes, path: str) -> None:
    assert canonical(raw) == path


@pytest.mark.parametrize(
    "raw",
    [b"", b"*", b"a", b"//", b"//a", b"/a//b", b"/a/", b"/.", b"/..", b"/a/../b", b"/a/.", b"/%2e/a", b"/%2E%2e", b"/.%2e/x",
     b"/a%2fb", b"/a%2Fb", b"/a%5Cb", b"/a\\b", b"/a%00", b"/a%0a", b"/a%7f", b"/a%25", b"/a%252e", b"/a%3Bb", b"/a;b", b"/a%3f",
     b"/a%23", b"/a#b", b"/a?b", b"/a%", b"/a%2", b"/a%zz", b"/%ff", b"/%c0%af", b"/%ed%a0%80", b"/a b", b"/a\x00", b"/a\n",
     b"/\xc3\xa9", b'/a"b', b"/a<b", b"/a|b", b"/a{b}", b"/a^", b"/a`"],
)  # fmt: skip
def test_paths_that_two_readers_could_understand_differently(raw: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^The path "):
        canonical(raw)


def accepted(raw: bytes) -> str | None:
    try:
        return canonical(raw)
    except BadRequest:
        return None


def decode_once_by_hand(path: str) -> str:
    out, at, raw = bytearray(), 0, path.encode()
    while at < len(raw):
        if raw[at] == 0x25:
            out.append(int(raw[at + 1 : at + 3], 16))
            at += 3
        else:
            out.append(raw[at])
            at += 1
    return out.decode()


@given(PATHS)
@example(b"/%2e%2e/")
@example(b"/%25%32%66")
def test_what_is_accepted_is_canonical_for_everybody(raw: bytes) -> None:
    path = accepted(raw)
    if path is None:
        return
    assert canonical(path.encode()) == path
    assert not {"", ".", ".."} & set(path.split("/")[1:]) or path == "/"
    decoded = unquote(path, errors="strict")
    assert decoded == decode_once_by_hand(path) == unquote_to_bytes(raw).decode()
    assert decoded.count("/") == path.count("/") == raw.count(b"/")
    assert not set(decoded) & set("\\%;?#\x00\x7f")
    assert not {"", ".", ".."} & set(decoded.split("/")[1:]) or path == "/"


def corpus() -> dict[str, list[list[str]]]:
    folder = os.environ.get("GATEWAY_CORPORA")
    if not folder:
        assert not os.environ.get("CI"), "GATEWAY_CORPORA must be set in CI"
        pytest.skip("GATEWAY_CORPORA is not set")
    cases: dict[str, list[list[str]]] = json.loads((Path(folder) / "security/paths/path_cases.json").read_text("utf-8"))
    return cases


def test_what_other_gateways_reject_or_repair_is_refused() -> None:
    cases = corpus()
    repaired = [pair for key in ("envoy_normalize", "envoy_merge_slashes", "kong_normalize") for pair in cases[key]]
    attacks = [*cases["envoy_reject"], *cases["apisix_cve_2021_43557"]]
    changed = [raw for raw, normal in repaired if unquote(raw) != normal]
    for raw in [*attacks, *changed]:
        assert accepted(str(raw).encode()) is None, raw
    for encoded in cases["traefik_cve_2025_66490_set"]:
        assert accepted(f"/admin{encoded}x".encode()) is None, encoded


def test_what_is_only_spelled_differently_is_normalised() -> None:
    for raw, normal in corpus()["kong_normalize"]:
        path = accepted(raw.encode())
        assert path is None or unquote(path) == normal


def test_a_query_is_passed_as_it_came() -> None:
    assert checked_query(b"a=1&b=%2F[]|?/;") == "a=1&b=%2F[]|?/;"
    assert checked_query(b"") == ""


@pytest.mark.parametrize("raw", [b"a=\xff", b"a=\t", b"a b", b"a=\x7f", b"a\n"])
def test_a_query_with_hidden_characters_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="percent-encoded"):
        checked_query(raw)
