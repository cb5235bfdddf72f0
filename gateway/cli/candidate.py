"""Which policy a command is about: the deployment's own files, or others in their place, over the same routes.

A *candidate* is read by the same strict readers as a policy that goes live, and findings call its files as the user did. Nothing
here opens the ledger, calls an upstream or writes; a revision is read with git, which never sees a name that it could take for
an option.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from gateway.cli.output import err, errors
from gateway.config.folder import Folder, Given
from gateway.deployment import Deployment, in_place_of, read_deployment
from gateway.errors import ConfigError, Finding
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.text import MAX_BYTES

if TYPE_CHECKING:
    from gateway.snapshot import Snapshot

UNANSWERED = 2
"""Exit code: the question cannot be asked."""

FILES = ("model.conf", "policy.csv", "tests.yaml", "approvals.yaml", "satellites.yaml", "duties.yaml")
GIT_SECONDS = 30.0
DIGEST = re.compile(r"[0-9a-f]{8,64}")
REMEDY = "name a policy.csv, a policies folder, a digest of the policy history, or a git revision such as HEAD~1"

JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


class CannotAsk(Exception):
    """The question itself is wrong: what it names is not there. Says what, and what would be right."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Immutable. A policy that reads without a finding, compiled, with the routes it would rule over. Whether it fits them and
    passes its tests is another question: ``build`` tells.

    :param name: what the user called it; the folder's name for the deployment's own.
    :param deployment: the deployment, with the policies folder's files (rows, tests, satellites, approvals) of the candidate.
    """

    name: str
    deployment: Deployment
    policy: PolicyIndex

    def build(self) -> Snapshot:
        """The snapshot a gateway would serve from; contracts are read, from URLs too. Raises ``ConfigError`` with all that
        would keep it from going live."""
        from gateway.runtime import check_stores
        from gateway.snapshot import build  # With upstreams and ledger: a question to the policy need not wait for them.

        return build(self.deployment, check_stores(self.deployment.folder / self.deployment.source.path))


def candidate(config: Path, what: str | None) -> Candidate:
    """The deployment at ``config`` with the policy ``what``: ``None`` for its own files, else a policy.csv, a policies folder or
    a git revision. Raises ``CannotAsk`` where there is no such thing, ``ConfigError`` with all findings where it is not read."""
    deployment = read_candidate(config, what)
    return Candidate(what or deployment.gateway.policies, deployment, compile_policy(deployment.policy))


def read_candidate(config: Path, what: str | None) -> Deployment:
    """The same, read and not compiled."""
    return read_deployment(config, None if what is None else lambda own: _instead(config, own, what))


@contextmanager
def asking(json: bool) -> Iterator[None]:
    """Tells what keeps a question from being asked, and exits 2."""
    try:
        yield
    except CannotAsk as error:
        if json:
            _print({"error": str(error), "findings": []})
        else:
            err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(UNANSWERED) from error
    except ConfigError as error:
        if json:
            _print({"error": "the files cannot be read", "findings": plain(error.findings)})
        else:
            errors(error.findings)
        raise typer.Exit(UNANSWERED) from error


def check_name(name: str) -> None:
    """Raises ``CannotAsk`` for a name that no terminal and no JSON could show: control characters, bytes that are not UTF-8."""
    if not name.isprintable():
        raise CannotAsk(f"{name!a} has characters that cannot be shown.")


def plain(findings: tuple[Finding, ...]) -> list[dict[str, object]]:
    """Findings as JSON values."""
    return [{"file": f.file, "line": f.line, "what": f.what, "remedy": f.remedy} for f in findings]


def _print(document: Mapping[str, object]) -> None:
    print(orjson.dumps(document).decode())


# --- where it may come from ------------------------------------------------------------------------------------------


def _instead(config: Path, own: Folder, what: str) -> Folder:
    check_name(what)
    found = _on_disk(own, what) or _in_history(config, own, what) or _in_git(own, what)
    if found is None:
        raise CannotAsk(f"There is no policy '{what}': {REMEDY}.")
    return found


def _on_disk(own: Folder, what: str) -> Folder | None:
    """A policies folder, which stands for the deployment's as a whole; or a policy.csv, beside the deployment's other files."""
    path = Path(what)
    if what and path.is_dir():
        return Folder(path, what.rstrip("/") or "/")
    if not what or not path.exists():
        return None
    try:
        with path.open("rb") as file:
            return Folder(own.path, own.shown, {"policy.csv": Given(what, file.read(MAX_BYTES + 1))})
    except OSError as error:
        raise CannotAsk(f"'{what}' cannot be read ({error.strerror}).") from error


def _in_history(config: Path, own: Folder, digest: str) -> Folder | None:
    """A policy that was live, by the first digits of its digest; eight at least, since a word may be made of fewer."""
    if not DIGEST.fullmatch(digest):
        return None
    from gateway.cli.ledger import Unreadable, read_ledger
    from gateway.documents.policies import NotOnRecord, kept, named  # With the ledger: a name on disk need not wait for it.

    try:
        found = read_ledger(config, lambda connection: [kept(connection, one) for one in named(connection, digest)[:2]])
    except Unreadable:
        return None
    except NotOnRecord as error:
        raise CannotAsk(f"The policy '{digest}' is in the history, and {error}.") from error
    if len(found) > 1:
        raise CannotAsk(f"The history knows several policies called '{digest}': give more digits.")
    return in_place_of(own, found[0], shown=f"{digest}:{own.shown}") if found else None


def _in_git(own: Folder, revision: str) -> Folder | None:
    """The policies folder as it was in a revision of the repository that holds it."""
    if revision.startswith("-"):
        raise CannotAsk(f"'{revision}' is no git revision: {REMEDY}.")
    if not _git(own, "rev-parse", "--is-inside-work-tree"):
        raise CannotAsk(f"There is no file or folder '{revision}', and {own.path} is in no git repository: {REMEDY}.")
    commit = _git(own, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        raise CannotAsk(f"There is no file, folder or git revision '{revision}': {REMEDY}.")
    listed = _git(own, "ls-tree", "--full-tree", "-l", "-z", f"{commit.decode().strip()}:./")
    if listed is None:
        raise CannotAsk(f"The revision '{revision}' has no folder {own.shown}.")
    shown = f"{revision}:{own.shown}"
    blobs = dict(_blobs(listed.decode("utf-8", "replace"), shown))
    contents = {name: _git(own, "cat-file", "blob", blobs[name]) if name in blobs else None for name in FILES}
    return Folder(own.path, shown, {name: Given(f"{shown}/{name}", data) for name, data in contents.items()})


def _blobs(listed: str, shown: str) -> Iterator[tuple[str, str]]:
    """Names and hashes of the files in the output of ``git ls-tree -l -z``."""
    for entry in filter(None, listed.split("\0")):
        about, _, name = entry.partition("\t")
        mode, _, blob, size = about.split()
        if name not in FILES:
            continue
        if not mode.startswith("100"):
            raise CannotAsk(f"{shown}/{name} is no plain file in that revision.")
        if int(size) > MAX_BYTES:
            raise ConfigError([Finding(f"{shown}/{name}", 0, f"is larger than {MAX_BYTES} bytes", "name another revision")])
        yield name, blob


def _git(own: Folder, *arguments: str) -> bytes | None:
    """What git prints, run in the policies folder; ``None`` when it fails. It asks nobody for anything: not a remote for what a
    partial clone lacks, not the user for a password, and not the variables of a hook for another repository."""
    program = shutil.which("git")
    if program is None:
        raise CannotAsk(f"There is no such file or folder, and no git to look for a revision: {REMEDY}.")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")
    }
    environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = [program, "--no-pager", "-C", str(own.path), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotAsk(f"git cannot be asked ({type(error).__name__}).") from error
    if done.returncode and b"dubious ownership" in done.stderr:
        raise CannotAsk(
            f"git does not trust the repository of {own.path}: it belongs to another user (see git's safe.directory)."
        )
    return None if done.returncode else done.stdout
