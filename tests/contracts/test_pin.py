"""Collecting a contract: what is read, what is refused, what the pinned folder says afterwards."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from gateway.contracts.inspect import contract_of
from gateway.contracts.pin import LOCK, Bundle, collect, verify
from gateway.errors import ConfigError
from tests.protocols.soap.wsdls import root, schema, wsdl

TYPE = '<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType>'


def importing(location: str) -> str:
    """A WSDL whose inline schema includes a file at a location."""
    return wsdl(schema(f'<xs:include schemaLocation="{location}"/><xs:element name="Root" type="t:T"/>'))


class Web:
    """A little web: pages by URL, what was asked for, and what each host stands for."""

    def __init__(self, pages: dict[str, str], hosts: dict[str, str] | None = None) -> None:
        self.pages, self.hosts, self.asked = pages, hosts or {}, list[str]()

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise OSError("the answer is 404, not 200")
        return self.pages[url].encode()

    def resolve(self, host: str) -> list[str]:
        return [self.hosts.get(host, "10.0.0.1")]

    def collect(self, source: str, *hosts: str) -> Bundle:
        return collect(source, hosts=hosts, fetch=self.fetch, resolve=self.resolve)


def saved(folder: Path, **files: str) -> str:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return str(folder / "a.wsdl")


def test_files_are_copied_byte_for_byte_where_nothing_moves(tmp_path: Path) -> None:
    source = saved(tmp_path, a_wsdl=importing("t.xsd"), t_xsd=schema(TYPE))
    bundle = Web({}).collect(source)
    assert [(page.name, page.origin) for page in bundle.pages] == [("a.wsdl", "a.wsdl"), ("t.xsd", "t.xsd")]
    assert bundle.pages[0].data == Path(source).read_bytes()


def test_references_are_rewritten_to_names_in_the_folder(tmp_path: Path) -> None:
    common = '<xs:include schemaLocation="../t.xsd"/>'
    source = saved(tmp_path, w__a_wsdl=importing("../x/t.xsd"), x__t_xsd=schema(common), t_xsd=schema(TYPE))
    bundle = Web({}).collect(str(Path(source).parent / "w/a.wsdl"))
    assert [(page.name, page.origin) for page in bundle.pages] == [
        ("a.wsdl", "a.wsdl"),
        ("t.xsd", "../x/t.xsd"),
        ("t-2.xsd", "../t.xsd"),
    ]
    assert b'schemaLocation="t.xsd"' in bundle.pages[0].data
    assert b'schemaLocation="t-2.xsd"' in bundle.pages[1].data
    assert [operation.name for operation in contract_of(bundle).operations] == ["echo"]


def test_a_url_may_read_its_own_origin_and_named_hosts_only() -> None:
    web = Web(
        {
            "http://erp.test/a?wsdl": importing("/schemas/one.xsd"),
            "http://erp.test/schemas/one.xsd": schema('<xs:include schemaLocation="https://types.test/two.xsd"/>'),
            "https://types.test/two.xsd": schema(TYPE),
        }
    )
    refused = web.collect("http://erp.test/a?wsdl")
    assert web.asked == ["http://erp.test/a?wsdl", "http://erp.test/schemas/one.xsd"]
    assert refused.unread == (
        (
            "https://types.test/two.xsd",
            "https://types.test/two.xsd is on the host types.test, which was not named, and is not fetched",
        ),
    )
    allowed = web.collect("http://erp.test/a?wsdl", "types.test")
    assert [page.name for page in allowed.pages] == ["a.wsdl", "one.xsd", "two.xsd"]
    assert [operation.name for operation in contract_of(allowed).operations] == ["echo"]


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "/etc/passwd",
        "\\etc\\passwd",
        "C:/windows/win.ini",
        "ftp://erp.test/x.xsd",
        "http://169.254.169.254/latest/x.xsd",
        "http://[fe80::1]/x.xsd",
        "http://other.test/x.xsd",
        "http://erp.test:8080/x.xsd",
        "http://erp.test:bad/x.xsd",
        "//other.test/x.xsd",
    ],
)
@pytest.mark.parametrize("remote", [False, True])
def test_other_places_are_left_alone(location: str, remote: bool, tmp_path: Path) -> None:
    web = Web({"http://erp.test/a.wsdl": importing(location)})
    source = "http://erp.test/a.wsdl" if remote else saved(tmp_path, a_wsdl=importing(location))
    if remote and location.startswith(("/etc", "\\etc")):
        with pytest.raises(ConfigError, match="404"):
            web.collect(source)
        return
    bundle = web.collect(source)
    assert len(bundle.pages) == len(bundle.unread) == 1
    assert web.asked == (["http://erp.test/a.wsdl"] if remote else [])
    assert contract_of(bundle).not_offered


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.1.1", "0.0.0.0", "224.0.0.1"])
def test_a_named_host_that_leads_to_a_link_local_address_is_refused(address: str, tmp_path: Path) -> None:
    web = Web({"http://types.test/x.xsd": schema(TYPE)}, {"types.test": address})
    bundle = web.collect(saved(tmp_path, a_wsdl=importing("http://types.test/x.xsd")), "types.test")
    assert "leads to the address" in bundle.unread[0][1]
    assert web.asked == []


def test_a_refused_wsdl_import_is_an_error(tmp_path: Path) -> None:
    text = '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"><import namespace="x" location="file:///etc/passwd"/></definitions>'
    with pytest.raises(ConfigError, match="not a relative path"):
        Web({}).collect(saved(tmp_path, a_wsdl=text))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "DOCTYPE"),
        ("<definitions", "not well-formed"),
        ("", "not well-formed"),
    ],
)
def test_a_broken_file_is_named(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=what):
        Web({}).collect(saved(tmp_path, a_wsdl=text))


def test_a_missing_file_is_named_where_it_is_referred_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Web({}).collect(saved(tmp_path, a_wsdl=importing("gone.xsd")))
    assert caught.value.findings[0].file.endswith("a.wsdl")
    assert "gone.xsd cannot be read" in caught.value.findings[0].what


def test_circles_end(tmp_path: Path) -> None:
    again = schema('<xs:include schemaLocation="t.xsd"/>' + TYPE)
    assert len(Web({}).collect(saved(tmp_path, a_wsdl=importing("t.xsd"), t_xsd=again)).pages) == 2


def test_the_lock_says_what_was_read_and_what_was_written(tmp_path: Path) -> None:
    source = saved(tmp_path, a_wsdl=importing("x/t.xsd"), x__t_xsd=schema(TYPE))
    Web({}).collect(source).write(tmp_path / "pinned")
    lock = json.loads((tmp_path / "pinned" / LOCK).read_text())
    assert (lock["source"], lock["wsdl"], lock["unread"]) == ("a.wsdl", "a.wsdl", [])
    for file, original in zip(lock["files"], (source, tmp_path / "x/t.xsd"), strict=True):
        assert file["sha256"] == hashlib.sha256((tmp_path / "pinned" / file["name"]).read_bytes()).hexdigest()
        assert file["original_sha256"] == hashlib.sha256(Path(original).read_bytes()).hexdigest()


def test_what_changed_in_the_folder_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "pinned"
    Web({}).collect(saved(tmp_path, a_wsdl=importing("t.xsd"), t_xsd=schema(TYPE))).write(folder)
    assert verify(folder, "contracts/s") == []
    (folder / "t.xsd").write_text("other")
    (folder / "a.wsdl").unlink()
    assert [finding.file for finding in verify(folder, "contracts/s")] == ["contracts/s/a.wsdl", "contracts/s/t.xsd"]
    (folder / LOCK).write_text("[]")
    assert [finding.what for finding in verify(folder, "contracts/s")] == ["is no lock file"]
    (folder / LOCK).unlink()
    assert verify(folder, "contracts/s") == []


def test_errors_of_the_pinned_copy_name_the_original() -> None:
    web = Web({"http://erp.test/a?wsdl": "<x/>"})
    with pytest.raises(ConfigError) as caught:
        contract_of(web.collect("http://erp.test/a?wsdl"))
    assert caught.value.findings[0].file == "http://erp.test/a?wsdl"


def test_a_contract_without_references_is_one_file(tmp_path: Path) -> None:
    bundle = Web({}).collect(saved(tmp_path, a_wsdl=wsdl(schema(root("<xs:sequence/>")))))
    assert [page.name for page in bundle.pages] == ["a.wsdl"]
