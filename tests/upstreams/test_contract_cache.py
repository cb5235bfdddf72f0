"""Contracts on disk: used when nothing changed, ignored with a line in the log when anything is odd, never a reason to fail."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.errors import ConfigError
from gateway.protocols.soap.model import Contract
from gateway.upstreams import contract_cache, stores
from gateway.upstreams.contract_cache import ContractCache
from gateway.upstreams.stores import Contracts
from tests.support import ROOT

WSDL = "finance.wsdl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a contract in several documents; its cache is ``folder / "cache"``."""
    shutil.copytree(ROOT / "gateway/demo/erp/contracts", tmp_path / "deployment")
    return tmp_path / "deployment"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The contracts that were read from their documents."""
    seen: list[str] = []
    link = stores.link
    monkeypatch.setattr(stores, "link", lambda documents: seen.append(documents.source) or link(documents))
    return seen


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


def start(folder: Path, **options: bool) -> Contract:
    """What a process that starts has for a contract."""
    return Contracts(**options).contract(WSDL, folder, folder / "cache")


def entry(folder: Path) -> Path:
    (found,) = (folder / "cache").glob("*.contract")
    return found


def test_the_second_start_reads_nothing(folder: Path, read: list[str]) -> None:
    first = start(folder)
    assert start(folder) == first
    assert read == [str(folder / WSDL)]


def test_only_the_owner_may_look_into_the_cache(folder: Path) -> None:
    before = os.umask(0)
    try:
        start(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "cache").stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(folder).stat().st_mode) == 0o600
    assert [path.suffix for path in (folder / "cache").iterdir()] == [".contract"]


@pytest.mark.parametrize("changed", [WSDL, "finance-types.xsd"])
def test_a_changed_document_is_read_again(folder: Path, read: list[str], changed: str) -> None:
    start(folder)
    path = folder / changed
    path.write_text(path.read_text().replace("CreatePayment", "MakePayment"))
    changed_contract = start(folder)
    assert len(read) == 2
    assert start(folder) == changed_contract
    assert len(read) == 2


def test_a_document_behind_another_link_is_read_again(folder: Path, read: list[str]) -> None:
    """As a volume of Kubernetes changes: the old files are still there, and no link leads to them."""
    for version in ("one", "two"):
        shutil.copytree(folder, folder.parent / version)
    shutil.rmtree(folder)
    os.symlink("one", folder)
    start(folder)
    folder.unlink()
    os.symlink("two", folder)
    shutil.copytree(folder.parent / "one/cache", folder.parent / "two/cache")
    assert start(folder)
    assert len(read) == 2


def test_a_document_that_is_gone_is_an_error_and_not_a_memory(folder: Path) -> None:
    start(folder)
    (folder / "finance-types.xsd").unlink()
    with pytest.raises(ConfigError, match=r"finance-types\.xsd cannot be read"):
        start(folder)


def test_another_version_of_the_reader_reads_again(folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    start(folder)
    monkeypatch.setattr(contract_cache, "_reader", lambda: b"another version")
    start(folder)
    assert len(read) == 2


def test_who_only_looks_uses_the_cache_and_writes_nothing(folder: Path, read: list[str]) -> None:
    start(folder, writable=False)
    assert not (folder / "cache").exists()
    start(folder)
    start(folder, writable=False)
    assert len(read) == 2


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)


def _replace_by(text: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text) and None


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _of_another(path: Path) -> None:
    """A valid entry under the name of another contract's."""
    wrong = path.parent / "wrong"
    Contracts().contract("procurement.wsdl", path.parents[1], wrong)
    shutil.copy(next(wrong.glob("*.contract")), path)
    shutil.rmtree(wrong)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_truncate, "it is damaged"),
        (_flip, "it is damaged"),
        (_replace_by(b""), "it is no contract of this version"),
        (_replace_by(b"erp-gateway contract 0\n"), "it is no contract of this version"),
        (_replace_by(b"\x80\x04cposix\nsystem\n"), "it is no contract of this version"),
        (_of_another, "it is of another contract"),
        (lambda path: path.chmod(0o640), "others may use it (mode 0640): take that right away"),
        (_link, "[Errno 40] Too many levels of symbolic links: "),
        (_folder, "it is of another kind than expected"),
        (_pipe, "it is of another kind than expected"),
    ],
)
def test_an_entry_that_cannot_be_trusted_is_ignored(
    folder: Path, read: list[str], spoil: Callable[[Path], None], reason: str
) -> None:
    first = start(folder)
    spoil(entry(folder))
    with capture_logs() as logs:
        assert start(folder) == first
    assert read.count(str(folder / WSDL)) == 2
    (ignored,) = [line for line in logs if line["event"] == "contract_cache.ignored"]
    assert ignored["reason"].startswith(reason)


def test_what_was_spoiled_is_made_anew(folder: Path, read: list[str]) -> None:
    start(folder)
    _truncate(entry(folder))
    start(folder)
    start(folder)
    assert len(read) == 2


def test_an_entry_of_another_user_is_ignored(folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    start(folder)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with capture_logs() as logs:
        assert start(folder)
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("contract_cache.ignored", "it belongs to another user"),
        ("contract_cache.not_written", "it belongs to another user"),
    ]
    assert len(read) == 2


@pytest.mark.parametrize("kind", ["open to all", "a file", "a link"])
def test_a_folder_that_cannot_be_trusted_is_neither_used_nor_changed(folder: Path, read: list[str], kind: str) -> None:
    cache = folder / "cache"
    start(folder)
    if kind == "open to all":
        cache.chmod(0o777)
    else:
        cache.rename(folder / "real")
        cache.symlink_to(folder / "real") if kind == "a link" else cache.write_text("x")
    with capture_logs() as logs:
        assert start(folder)
    assert {line["event"] for line in logs} == {"contract_cache.ignored", "contract_cache.not_written"}
    assert len(read) == 2
    if kind == "open to all":
        assert stat.S_IMODE(cache.stat().st_mode) == 0o777


def test_a_disk_that_refuses_is_no_reason_not_to_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with capture_logs() as logs:
        assert start(folder).operations
    assert [line["event"] for line in logs] == ["contract_cache.not_written"]
    assert list((folder / "cache").iterdir()) == []


def test_entries_longest_unused_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_cache, "MOST_ENTRIES", 2)
    start(folder)
    first, left, other = entry(folder), folder / "cache/.new-left", folder / "cache/.new-now"
    for path in (left, other):
        path.write_text("half")
    os.utime(first, (1, 1))
    os.utime(left, (1, 1))
    for name in ("procurement.wsdl", "copy.wsdl"):
        shutil.copy(folder / "procurement.wsdl", folder / "copy.wsdl")
        Contracts().contract(name, folder, folder / "cache")
    kept = set((folder / "cache").iterdir())
    assert len(kept) == 3
    assert not kept & {first, left}
    assert other in kept


def test_a_used_entry_is_not_the_next_to_go(folder: Path) -> None:
    start(folder)
    os.utime(entry(folder), (1, 1))
    start(folder)
    assert entry(folder).stat().st_mtime > 1


def test_a_contract_at_a_url_is_kept_too(folder: Path, read: list[str]) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return (folder / url.rpartition("/")[2]).read_bytes()

    url = f"http://erp.example/{WSDL}"
    first = Contracts(fetch).contract(url, folder, folder / "cache")
    again = Contracts(fetch).contract(url, folder, folder / "cache")
    assert again == first
    assert read == [url]
    assert sorted(fetched) == sorted(2 * list(dict.fromkeys(fetched)))

    def down(url: str) -> bytes:
        raise OSError("it cannot be fetched")

    with pytest.raises(OSError, match="cannot be fetched"):
        Contracts(down).contract(url, folder, folder / "cache")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 2**20))
def test_no_bytes_in_an_entry_make_a_start_fail(folder: Path, data: bytes, at: int) -> None:
    first = start(folder)
    path = entry(folder)
    good = path.read_bytes()
    at %= len(good)
    path.write_bytes(good[:at] + data + good[at + len(data) :])
    assert start(folder) == first


def test_an_entry_whose_hash_is_right_and_whose_model_is_not_is_ignored(folder: Path, read: list[str]) -> None:
    """Somebody who may write the file can make its hash; what it says is still held against the model."""
    first = start(folder)
    cache = ContractCache(folder / "cache")
    path = entry(folder)
    for payload in (b"", b"[]\n{}", b"[[1]]\n{}", b"7\n{}", b'[["a","b"]]\n[]', b"{}\n[]"):
        digest = contract_cache.hashlib.sha256(payload).hexdigest().encode()
        path.write_bytes(contract_cache.FORMAT + digest + b"\n" + payload)
        with capture_logs() as logs:
            assert cache.get(str(folder / WSDL), lambda at: Path(at).read_bytes()) is None
        assert [line["event"] for line in logs] == ["contract_cache.ignored"], payload
    assert start(folder) == first
    assert len(read) == 2
