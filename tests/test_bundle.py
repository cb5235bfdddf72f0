"""A policy's files under one digest: no two sets share it, and what is packed comes out again."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle import NAMES, Bundle

FILES = st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=60))
LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map(lambda lines: "\n".join(lines).encode())


@given(FILES)
def test_what_is_packed_comes_out_again(files: dict[str, bytes]) -> None:
    bundle = Bundle(files)
    assert Bundle.unpacked(bundle.packed()) == bundle
    assert bundle.digest == hashlib.sha256(bundle.packed()).hexdigest()
    assert Bundle(dict(reversed(files.items()))).digest == bundle.digest


@given(FILES, FILES)
def test_no_two_share_a_digest(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (Bundle(one).digest == Bundle(other).digest) == (one == other)
    assert (Bundle(one).changed(Bundle(other)) == ()) == (one == other)
    assert (Bundle(one).summary(Bundle(other)) == "") == (one == other)


@given(st.binary(max_size=80) | FILES.map(lambda files: Bundle(files).packed()[:-1]))
def test_bytes_that_were_never_packed(data: bytes) -> None:
    with pytest.raises(ValueError):
        Bundle.unpacked(data)


@given(LINES, LINES)
def test_the_difference_has_the_lines_that_the_summary_counts(before: bytes, after: bytes) -> None:
    old, new = Bundle({"policy.csv": before}), Bundle({"policy.csv": after})
    difference = new.difference(old)
    assert (difference == "") == (before.splitlines() == after.splitlines())
    if old.changed(new) and "another order" not in new.summary(old):
        plus = sum(line.startswith("+") and not line.startswith("+++ ") for line in difference.splitlines())
        minus = sum(line.startswith("-") and not line.startswith("--- ") for line in difference.splitlines())
        told = [part for part in (f"+{plus}" * bool(plus), f"-{minus}" * bool(minus)) if part]
        assert plus - minus == len(after.splitlines()) - len(before.splitlines())
        assert told


def test_a_file_that_belongs_to_no_policy() -> None:
    with pytest.raises(ValueError, match=r"notes\.txt"):
        Bundle({"notes.txt": b""})


def test_what_changed_in_short() -> None:
    old = Bundle({"policy.csv": b"a\nb\n", "tests.yaml": b"x\n", "model.conf": b"m\nn\n"})
    new = Bundle({"policy.csv": b"a\nc\nd\n", "duties.yaml": b"x\n", "model.conf": b"n\nm\n"})
    assert new.summary(old) == "duties.yaml added, model.conf in another order, policy.csv +2 -1, tests.yaml removed"


def test_hashes_of_secrets_are_not_shown_and_still_differ() -> None:
    keys = (f"sha256${digit * 64}" for digit in "01")
    text = 'a: scrypt$15$8$3$c2FsdA==$aGFzaA==\nb: ["{}", {}]\nc: whsec_MfKQ9r8GKYqrTwjUPD8I\n'.format(*keys)
    shown = Bundle({"satellites.yaml": text.encode()}).shown("satellites.yaml") or ""
    assert not any(secret in shown for secret in ("c2FsdA", "aGFzaA", "0" * 64, "1" * 64, "MfKQ9r8G"))
    assert (shown.count("scrypt$…"), shown.count("sha256$…"), shown.count("whsec_…")) == (1, 2, 1)
    assert len(set(shown.split("sha256$…")[1:])) == 2
    assert Bundle({}).shown("satellites.yaml") is None
