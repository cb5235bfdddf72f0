"""Hashes of secrets and API keys: round trips, strength, forms that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity import hashes
from gateway.identity.hashes import (
    api_key_client,
    hash_api_key,
    hash_secret,
    new_api_key,
    new_secret,
    parse_api_key_hash,
    parse_scrypt,
)


def test_a_secret_matches_its_hash_and_no_other() -> None:
    known = hash_secret("s3cret", ln=14, p=5)
    read = parse_scrypt(str(known))
    assert read == known
    assert read.matches("s3cret")
    assert not read.matches("s3cret ")
    assert not read.matches("\ud800")


def test_the_default_is_strong_enough_and_salted() -> None:
    first, second = hash_secret("x"), hash_secret("x")
    assert str(parse_scrypt(str(first))).startswith("scrypt$15$8$3$")
    assert first.salt != second.salt
    assert first.work == (1 << 15) * 8 * 3


def test_a_hash_does_not_show_itself_in_logs() -> None:
    assert repr(hash_secret("x", ln=14, p=5)) == "<ScryptHash ln=14,r=8,p=5>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("secret", "no scrypt hash"),
        ("scrypt$10$8$1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too little or too much"),
        ("scrypt$14$8$1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too little or too much"),
        ("scrypt$20$8$1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too little or too much"),
        ("scrypt$17$8$99$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too little or too much"),
        ("scrypt$15$1$3$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too little or too much"),
        ("scrypt$15$8$3$AAAA$" + "A" * 43, "wrong length"),
        ("scrypt$15$8$3$AAAAAAAAAAAAAAAAAAAAAA$AAAA", "wrong length"),
        ("scrypt$15$8$3$A$" + "A" * 43, "not base64url"),
    ],
)
def test_other_hashes_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_scrypt(text)


def test_comparisons_take_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = hashes.hmac.compare_digest
    monkeypatch.setattr(hashes.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    known = hash_secret("x", ln=14, p=5)
    assert known.matches("x")
    assert not known.matches("y")
    assert len(compared) == 2


def test_new_secrets_need_no_escaping_and_differ() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(len(secret) == 43 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)


@settings(deadline=None)
@given(st.from_regex(hashes.CLIENT, fullmatch=True))
def test_an_api_key_names_its_client(client: str) -> None:
    key = new_api_key(client)
    assert api_key_client(key) == client
    assert len(parse_api_key_hash(hash_api_key(key))) == 32


@pytest.mark.parametrize("client", ["", "a b", "_a", "a:", "a" * 65, "ä", "a\n"])
def test_an_api_key_is_made_for_client_ids_only(client: str) -> None:
    with pytest.raises(ValueError, match="no client id"):
        new_api_key(client)


@pytest.mark.parametrize("key", ["", "egk_oa", "egk__" + "0" * 64, "egk_o a_" + "0" * 64, "egk_oa_" + "0" * 63, "oa_" + "0" * 64])
def test_other_texts_are_no_api_keys(key: str) -> None:
    assert api_key_client(key) is None


@pytest.mark.parametrize("text", ["", "sha256$", "sha256$" + "A" * 64, "md5$" + "0" * 64, "sha256$" + "0" * 64 + "\n"])
def test_other_texts_are_no_api_key_hashes(text: str) -> None:
    with pytest.raises(ValueError, match="no API key hash"):
        parse_api_key_hash(text)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_hash_or_is_refused(text: str) -> None:
    for parse in (parse_scrypt, parse_api_key_hash):
        with pytest.raises(ValueError):
            parse(text)
