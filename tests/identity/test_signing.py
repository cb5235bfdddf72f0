"""The gateway's own keys: made once, read strictly, published without their private part."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.config.identity import Builtin
from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.identity.jws import Rejected
from gateway.identity.signing import SigningKeys, algorithm, generate_key, load_or_create_key, parse_key, signing_keys

EC = generate_key()
ED = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
PUBLIC = ECKey.generate_key("P-256").as_pem(private=False).decode()


def test_keys_of_both_types_are_read_and_named_by_their_thumbprint() -> None:
    ec, ed = parse_key(EC), parse_key(ED)
    assert (algorithm(ec), algorithm(ed)) == ("ES256", "EdDSA")
    assert ec.kid == ECKey.import_key(EC).thumbprint()
    assert parse_key(EC).kid == ec.kid != ed.kid


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        RSAKey.generate_key(2048).as_pem(private=True).decode(),
        ECKey.generate_key("P-384").as_pem(private=True).decode(),
        OKPKey.generate_key("X25519").as_pem(private=True).decode(),
        ECKey.generate_key("P-256").as_pem(private=True, password="x").decode(),
    ],
    ids=["empty", "text", "broken", "rsa", "p-384", "x25519", "passphrase"],
)
def test_other_keys_are_refused(pem: str) -> None:
    with pytest.raises(ValueError, match="no PEM of a P-256 or Ed25519 key"):
        parse_key(pem)


async def test_earlier_keys_still_verify_and_only_public_parts_are_published() -> None:
    keys = SigningKeys(parse_key(EC), (parse_key(ED), parse_key(PUBLIC)))
    document = keys.document()
    assert '"d"' not in json.dumps(document)
    assert [key["alg"] for key in document["keys"]] == ["ES256", "EdDSA", "ES256"]
    assert all(key["use"] == "sig" and key["kid"] for key in document["keys"])
    assert keys.algorithms() == {"ES256", "EdDSA"}
    assert await keys.find(keys.previous[0].kid, "EdDSA") is keys.previous[0]
    with pytest.raises(Rejected, match="unknown key"):
        await keys.find("other", "ES256")
    with pytest.raises(Rejected, match="unknown key"):
        await keys.find(None, "RS256")


def test_a_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "token-key.pem"
    first = load_or_create_key(path)
    assert parse_key(first).is_private
    assert load_or_create_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_race_get_the_same_key(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from gateway.identity.signing import load_or_create_key;"
        "sys.stdin.read(); print(load_or_create_key(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "key.pem")]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
        racer.stdin = None
    outputs = {racer.communicate(timeout=60)[0] for racer in racers}
    assert len(outputs) == 1
    assert parse_key(outputs.pop()).is_private
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_one_that_lost_the_race_reads_the_winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"

    def meanwhile() -> str:
        path.write_text(EC)
        return ED

    monkeypatch.setattr("gateway.identity.signing.generate_key", meanwhile)
    assert load_or_create_key(path) == EC
    assert list(tmp_path.iterdir()) == [path]


# --- from the configuration ------------------------------------------------------------------------------------------

GATEWAY = b"""identity:
  builtin:
    issuer: https://erp.example.com
    key_file: key.pem
    previous_keys:
      - a
      - b
"""


def keys_of(folder: Path, **given: object) -> SigningKeys:
    config = Builtin.model_validate({"issuer": "https://erp.example.com"} | given)
    return signing_keys(config, parse_source(GATEWAY, name="gateway.yaml", folder=folder), folder)


def test_the_configured_keys(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, key=EC, previous_keys=[ED, EC, PUBLIC, ED])
    assert keys.current.kid == parse_key(EC).kid
    assert [key.kid for key in keys.previous] == [parse_key(ED).kid, parse_key(PUBLIC).kid]
    made = keys_of(tmp_path, key_file="key.pem")
    assert made.current.kid == parse_key((tmp_path / "key.pem").read_text()).kid


def test_every_bad_key_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("nonsense")
    with pytest.raises(ConfigError) as caught:
        keys_of(tmp_path, key_file="key.pem", previous_keys=["x", EC])
    assert [(finding.line, finding.what[:14]) for finding in caught.value.findings] == [
        (4, "'key_file' is "),
        (6, "'previous_keys"),
    ]
    assert "openssl" in caught.value.findings[0].remedy


def test_a_public_key_cannot_sign(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a public key, which cannot sign"):
        keys_of(tmp_path, key=PUBLIC)


def test_a_key_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"gateway\.yaml:4: 'key_file' cannot be read or made"):
        keys_of(tmp_path, key_file="file/key.pem")
    (tmp_path / "binary.pem").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="'key_file'"):
        keys_of(tmp_path, key_file="binary.pem")


def test_a_bad_previous_key_is_an_error_though_the_current_is_good(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.yaml:7: 'previous_keys' is no PEM"):
        keys_of(tmp_path, key=EC, previous_keys=[ED, "x"])


def test_who_only_looks_makes_no_key_file(tmp_path: Path) -> None:
    config = Builtin(issuer="https://gateway.example", key_file="keys/signing.pem")
    source = parse_source(b"identity:\n  builtin:\n    key_file: keys/signing.pem\n", name="gateway.yaml", folder=tmp_path)
    assert signing_keys(config, source, tmp_path, make=False).current.is_private
    assert not (tmp_path / "keys").exists()
