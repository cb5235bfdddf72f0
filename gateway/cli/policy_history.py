"""``policy history`` and ``policy rollback``: what was live, and the files of an earlier policy put back.

A rollback writes files, nothing else: the running gateway takes them as it takes any change, and where policies need two people
they wait like any other. All new files are on disk before the first old one is replaced.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from gateway.bundle import NAMES, SHORT, Bundle
from gateway.cli.candidate import CannotAsk, JsonOption, asking
from gateway.cli.ledger import Unreadable, read_ledger
from gateway.cli.output import DEFAULT, ConfigPath, err, out
from gateway.config.gateway import Gateway
from gateway.config.source import read_source, validate
from gateway.deployment import bundle_of, own_policies
from gateway.documents.audit import timestamp
from gateway.documents.policies import Activation, NotOnRecord, activations, kept, named
from gateway.errors import ConfigError

PREVIOUS = "previous"
MOST = 1000

DigestArgument = Annotated[str, typer.Argument(metavar="DIGEST", help="The first digits of a policy's digest, or 'previous'.")]


def history(
    digest: Annotated[str | None, typer.Argument(metavar="DIGEST", help="Show the files of this one; its first digits.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write the files of DIGEST to this folder, which is made.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="At most so many.")] = 50,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """List the policies that were live, newest first; with a digest, show the files of one.

    Exit 0, or 2: the ledger cannot be read, or knows no such policy."""
    with _asking(json):
        if digest is None:
            found = read_ledger(config, lambda connection: activations(connection, limit))
            print(orjson.dumps({"history": [_told(one) for one in found]}).decode()) if json else _list(found)
            return
        bundle = read_ledger(config, lambda connection: kept(connection, _one(connection, digest)))
        if to is not None:
            to.mkdir(parents=True, exist_ok=True)
            replace_files(to, bundle)
    files = {name: bundle.shown(name) for name in NAMES if name in bundle.files}
    if json:
        print(orjson.dumps({"digest": bundle.digest, "files": files}).decode())
    elif to is None:
        for name, text in files.items():
            out.print(f"==> {name}\n{text}", markup=False, highlight=False, soft_wrap=True)


def rollback(
    digest: DigestArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Put the files of an earlier policy back into the policies folder. Where a change needs two people, they wait there.

    Exit 0: written, or already so. 1: not wanted. 2: there is no such policy, or it cannot be written."""
    with _asking(json):
        gateway = validate(read_source(config, name=config.name), Gateway)
        bundle = read_ledger(config, lambda connection: kept(connection, _one(connection, digest)))
        own = own_policies(config.parent, gateway)
        before = _on_disk(config, gateway)
        changed = bundle.summary(before)
        if not json:
            out.print(bundle.difference(before) or "The files are so already.", markup=False, highlight=False, soft_wrap=True)
        if changed and not (yes or (not json and typer.confirm(f"Write these files ({changed})?"))):
            raise typer.Exit(1)
        if changed:
            replace_files(own.path, bundle)
    if json:
        print(orjson.dumps({"digest": bundle.digest, "changed": list(bundle.changed(before)), "summary": changed}).decode())
    elif changed and gateway.policy.activation == "dual":
        err.print("The files wait in the console: one person proposes them, another approves.")


@contextmanager
def _asking(json: bool) -> Iterator[None]:
    with asking(json):
        try:
            yield
        except (Unreadable, NotOnRecord) as error:
            raise CannotAsk(f"{error}"[:1].upper() + f"{error}"[1:]) from error
        except OSError as error:
            raise CannotAsk(f"The files cannot be written ({error.strerror}).") from error


def _on_disk(config: Path, gateway: Gateway) -> Bundle:
    """What can be read of the files as they are; a rollback mends what cannot."""
    try:
        return bundle_of(own_policies(config.parent, gateway))
    except ConfigError:
        return Bundle({})


def _one(connection: Connection, wanted: str) -> str:
    """The digest that is meant. Raises ``CannotAsk`` for none or several."""
    if wanted == PREVIOUS:
        digests = [one.digest for one in activations(connection, MOST)]
        found = [digest for digest in digests if digest != digests[0]][:1]
    else:
        found = named(connection, wanted.lower())
    if len(found) != 1:
        what = "no policy" if not found else f"{len(found)} policies"
        raise CannotAsk(f"The history knows {what} called '{wanted}': see 'erp-gateway policy history'.")
    return found[0]


def _told(one: Activation) -> dict[str, object]:
    return {**asdict(one), "at": timestamp(one.at)}


def _list(found: list[Activation]) -> None:
    table = Table("when", "policy", "how", "changed", "proposed by", "approved by", box=None, pad_edge=False)
    for one in found:
        people = (one.proposed_by or "", ", ".join(one.approved_by))
        cells = (timestamp(one.at)[:19] + "Z", one.digest[:SHORT], f"{one.how} ({one.mode})", one.summary, *people)
        table.add_row(*map(escape, cells))
    out.print(table)


def replace_files(folder: Path, bundle: Bundle) -> None:
    """Make the files of a folder those of a bundle, and take away what it has not. A file system replaces one file at a time: all
    are written beside the old ones first, and where one cannot be put in its place those before it are put back. Raises
    ``OSError``."""
    old = {name: (folder / name).read_bytes() for name in NAMES if (folder / name).is_file()}
    changed = [name for name in NAMES if old.get(name) != bundle.files.get(name)]
    done: list[str] = []
    with _beside(folder, {name: bundle.files[name] for name in changed if name in bundle.files}) as written:
        try:
            for name in changed:
                _put(folder / name, written.get(name))
                done.append(name)
        except OSError:
            for name in done:
                with contextlib.suppress(OSError), _beside(folder, {name: old[name]} if name in old else {}) as again:
                    _put(folder / name, again.get(name))
            raise
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _beside(folder: Path, files: dict[str, bytes]) -> Iterator[dict[str, Path]]:
    """New files on disk in a folder beside, with the rights of the old ones. Names that are watched are not used."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".rollback-") as temporary:
        written = {}
        for name, data in files.items():
            written[name] = Path(temporary) / name
            with written[name].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            known = folder / name
            written[name].chmod(known.stat().st_mode & 0o777 if known.exists() else 0o644)
        yield written


def _put(path: Path, new: Path | None) -> None:
    if new is None:
        path.unlink()
    else:
        new.replace(path)
