"""``satellites.yaml``: what it gives, and every way it can be wrong, with its line."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.identity import Builtin, Identity, Issuer
from gateway.config.source import parse_source, read_source
from gateway.errors import ConfigError
from gateway.identity import satellites as module
from gateway.identity.hashes import ScryptHash, hash_api_key, hash_secret, new_api_key
from gateway.identity.satellites import (
    Callback,
    CallbackEntry,
    Satellite,
    SatelliteEntry,
    Satellites,
    SatellitesFile,
    read_satellites,
)
from gateway.ports import Limit

IDENTITY = Identity.model_validate({"builtin": {"issuer": "https://erp.example.com", "key_file": "k.pem"}, "api_keys": True})
HASH = hash_secret("s3cret", ln=14, p=5)
KEY = new_api_key("oa")


def read(folder: Path, text: str, *, identity: Identity = IDENTITY, demo: bool = True, loopback: bool = True) -> Satellites:
    path = folder / "satellites.yaml"
    path.write_text(text)
    return read_satellites(read_source(path, name="satellites.yaml"), identity, demo=demo, loopback=loopback)


def errors(folder: Path, text: str, **given: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **given)
    return [str(finding) for finding in caught.value.findings]


def test_a_file_is_read(tmp_path: Path) -> None:
    text = f"""
satellites:
  oa:
    name: Office automation
    tenant: demo
    secret: {HASH}
    api_keys: [{hash_api_key(KEY)}]
    limit: 200/s
    burst: 400
    quota: 100000/d
  crm: {{name: CRM, tenant: cn01, limit: 3/min}}
"""
    satellites = read(tmp_path, text)
    assert [satellite.client for satellite in satellites] == ["oa", "crm"]
    assert len(satellites) == 2
    oa = satellites.get("oa")
    assert oa is not None
    assert (oa.name, oa.tenant, oa.secret) == ("Office automation", "demo", HASH)
    assert oa.limits == (Limit("satellite", 200, 1.0, 400), Limit("satellite-quota", 100000, 86400.0, 100000))
    crm = satellites.get("crm")
    assert crm is not None
    assert crm.limits == (Limit("satellite", 3, 60.0, 3),)
    assert satellites.get("nobody") is None
    assert satellites.by_secret("oa", "s3cret") is oa
    assert satellites.by_secret("crm", "s3cret") is None
    assert satellites.by_api_key(KEY) is oa


def test_the_demo_of_this_repository_is_good() -> None:
    path = Path(__file__).parents[2] / "policies" / "satellites.yaml"
    satellites = read_satellites(read_source(path), IDENTITY, demo=True, loopback=True)
    assert [satellite.client for satellite in satellites] == ["oa", "crm", "wms", "mes", "shop", "tour"]
    for satellite in satellites:
        assert satellite.tenant == "demo"
        (limit,) = satellite.limits
        assert (limit.count >= 100 and limit.period == 1) or satellite.client == "tour"
    assert list(satellites)[-1].limits == (Limit("satellite", 3, 60.0, 3),)
    with pytest.raises(ConfigError) as caught:
        read_satellites(read_source(path), IDENTITY, demo=False, loopback=True)
    assert len(caught.value.findings) == 6


def test_the_schema_fits_the_demo() -> None:
    source = read_source(Path(__file__).parents[2] / "policies" / "satellites.yaml")
    jsonschema.validate(source.data, SatellitesFile.model_json_schema())


def test_the_reference_page_has_every_setting_and_its_examples_are_good(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "identity.md").read_text()
    for model in (Identity, Issuer, Builtin, SatelliteEntry, CallbackEntry):
        for name, field in model.model_fields.items():
            assert f"| `{name}` | {field.description} | " in page
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        if example.startswith("satellites:"):
            assert read(tmp_path, example).get("oa") is not None
        else:
            source = parse_source(example.encode(), name="gateway.yaml", folder=tmp_path)
            assert isinstance(source.data, dict)
            Identity.model_validate(source.data["identity"])


BAD = """
satellites:
  oa:
    name: Office
    tenant: demo
    secret: s3cret
    api_keys: [egk_oa_123]
    limit: fast
    colour: red
  "b d": {name: B, tenant: demo}
  crm: {name: C, tenant: "a b", burst: 5}
  wms: {tenant: demo, limit: 5, quota: 0/d}
"""


def test_all_errors_come_together_each_with_its_line(tmp_path: Path) -> None:
    found = errors(tmp_path, BAD)
    assert [line.split(":")[1] for line in found] == ["6", "7", "8", "9", "10", "11", "12", "12", "12"]
    assert found[0].endswith("make one with 'erp-gateway token secret'")
    assert found[1].endswith("make one with 'erp-gateway token api-key CLIENT'")
    assert "'fast' is no rate" in found[2]
    assert "unknown key 'colour'" in found[3]
    assert "the name 'b d' cannot be used" in found[4]
    assert not any("s3cret" in line for line in found)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (f"secret: {HASH}, demo_secret: true", "has both secret and demo_secret"),
        ("burst: 5", "has a burst and no limit"),
        ("limit: 5/s, burst: 0", "greater than or equal to 1"),
    ],
)
def test_entries_that_contradict_themselves(tmp_path: Path, entry: str, what: str) -> None:
    (found,) = errors(tmp_path, f"satellites:\n  oa: {{name: O, tenant: t, {entry}}}\n")
    assert found.startswith("satellites.yaml:2: ")
    assert what in found


def test_a_demo_secret_is_for_demos_on_loopback_only(tmp_path: Path) -> None:
    text = "satellites:\n  oa:\n    name: O\n    tenant: t\n    demo_secret: true\n"
    assert read(tmp_path, text).by_secret("oa", "demo-oa") is not None
    (found,) = errors(tmp_path, text, demo=False)
    assert found.startswith("satellites.yaml:5: ")
    assert "does not say demo: true" in found
    (found,) = errors(tmp_path, text, loopback=False)
    assert "on a listener that others can reach" in found


def test_credentials_nobody_could_use_are_errors(tmp_path: Path) -> None:
    text = f"satellites:\n  oa:\n    name: O\n    tenant: t\n    secret: {HASH}\n    api_keys: [{hash_api_key(KEY)}]\n"
    first, second = errors(tmp_path, text, identity=Identity())
    assert first.startswith("satellites.yaml:5: ")
    assert "no token endpoint" in first
    assert second.startswith("satellites.yaml:6: ")
    assert "does not accept any" in second


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(b"satellites:\n" + data)
    with pytest.raises(ConfigError):
        read_satellites(read_source(path), IDENTITY, demo=True, loopback=True)


def test_every_truncation_is_refused_or_a_smaller_file(tmp_path: Path) -> None:
    text = f"satellites:\n  oa: {{name: O, tenant: t, secret: {HASH}}}\n  crm: {{name: C, tenant: t}}\n"
    whole = {satellite.client: satellite for satellite in read(tmp_path, text)}
    for end in range(len(text)):
        try:
            part = read(tmp_path, text[:end])
        except ConfigError:
            continue
        assert {satellite.client: satellite for satellite in part}.items() <= whole.items()


# --- checking secrets and keys ---------------------------------------------------------------------------------------


def test_an_unknown_client_costs_as_much_as_the_dearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[int] = []

    def matches(self: ScryptHash, secret: str) -> bool:
        worked.append(self.work)
        return self.digest == secret.encode()

    monkeypatch.setattr(ScryptHash, "matches", matches)
    cheap, dear = ScryptHash(14, 8, 5, b"", b"cheap"), ScryptHash(16, 8, 2, b"", b"dear")
    satellites = Satellites(
        [
            Satellite("cheap", "", "t", cheap),
            Satellite("dear", "", "t", dear),
            Satellite("demo", "", "t", demo_secret=True),
            Satellite("none", "", "t"),
        ]
    )
    for client, secret, good in [
        ("dear", "dear", True),
        ("unknown", "dear", False),
        ("demo", "demo-demo", True),
        ("demo", "dear", False),
        ("none", "demo-none", False),
        ("", "", False),
    ]:
        satellite = satellites.by_secret(client, secret)
        assert (satellite is not None) is good, client
    assert worked == [dear.work] * 6


def test_an_api_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = module.hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    other = new_api_key("oa")
    older, newer = (bytes.fromhex(hash_api_key(key)[7:]) for key in (KEY, other))
    satellites = Satellites([Satellite("oa", "", "t", api_keys=(older, newer)), Satellite("crm", "", "t")])
    assert satellites.by_api_key(KEY) is satellites.by_api_key(other) is satellites.get("oa")
    assert len(compared) == 4
    for key in (new_api_key("oa"), new_api_key("crm"), new_api_key("nobody"), "", "egk_oa_", KEY.replace("oa", "crm")):
        assert satellites.by_api_key(key) is None
    assert len(compared) == 4 + 2 + 5


@settings(deadline=None)
@given(st.text())
def test_no_text_is_an_api_key(text: str) -> None:
    assert Satellites([Satellite("oa", "", "t", api_keys=(b"x" * 32,))]).by_api_key(text) is None


# --- callbacks -------------------------------------------------------------------------------------------------------

WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def told_at(*lines: str) -> str:
    """A file whose callback begins in its sixth line."""
    return "\n      ".join(["satellites:\n  oa:\n    name: OA\n    tenant: demo\n    callback:", *lines])


def test_where_a_satellite_is_told_and_whether_it_vouches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OA_HOOK", WHSEC)
    text = """
satellites:
  oa:
    name: Office automation
    tenant: demo
    vouches_for_initiator: true
    callback: {url: "https://oa.example.com/erp?x=1", secret: "${env:OA_HOOK}"}
  crm: {name: CRM, tenant: demo}
"""
    satellites = read(tmp_path, text)
    oa, crm = satellites.get("oa"), satellites.get("crm")
    assert oa is not None
    assert crm is not None
    assert oa.callback == Callback("https://oa.example.com/erp?x=1", bytes(range(32)))
    assert (oa.vouches_for_initiator, crm.vouches_for_initiator, crm.callback) == (True, False, None)
    assert "secret" not in repr(oa.callback)
    assert satellites.warnings == ()


def test_a_callback_secret_in_the_file_is_a_warning(tmp_path: Path) -> None:
    text = told_at("url: http://10.0.0.5/erp", f"secret: {WHSEC}")
    (warning,) = read(tmp_path, text).warnings
    assert str(warning) == "satellites.yaml:7: 'secret' is a secret written into the file; use ${env:NAME} or ${file:path}"


@pytest.mark.parametrize(
    "secret", ["hush", "whsec_", "whsec_aHVzaA==", "whsec_hush!", "WHSEC_" + WHSEC[6:], "whsec_" + "QUJD" * 22]
)
def test_a_callback_secret_that_is_none_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    text = told_at("url: http://10.0.0.5/erp", f"secret: {secret}")
    (found,) = errors(tmp_path, text)
    assert found.startswith("satellites.yaml:7: 'secret' has a value that cannot be used; use whsec_ and 24 to 64 random bytes")
    assert secret == "whsec_" or secret not in found


@pytest.mark.parametrize(
    "url",
    ["oa.example.com", "ftp://oa/x", "https://u:p@oa/x", "https://oa/x#y", "https://a..b/x", "https:///x", "http://oa/\\tx"],
)
def test_a_callback_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    text = told_at(f"secret: {WHSEC}", f'url: "{url}"')
    (found,) = errors(tmp_path, text)
    assert found.startswith("satellites.yaml:7: 'url' is ")
    assert "u:p" not in found


def test_a_callback_needs_both_and_nothing_else(tmp_path: Path) -> None:
    found = errors(tmp_path, told_at("uri: https://oa.example.com"))
    assert sorted(found) == [
        "satellites.yaml:5: the key 'secret' is missing; add 'secret:'",
        "satellites.yaml:5: the key 'url' is missing; add 'url:'",
        "satellites.yaml:6: unknown key 'uri'; did you mean 'url'?",
    ]
