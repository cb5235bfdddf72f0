"""The files of a deployment, read and checked each for itself. What they say about each other is checked where they are built
into a snapshot. Every finding of every file is collected; nothing here stops at the first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.approvals.file import Approvals, read_approvals
from gateway.bundle import NAMES, SHORT, Bundle
from gateway.config.credentials import Credential
from gateway.config.files import read_file
from gateway.config.folder import Folder, Given
from gateway.config.gateway import Gateway
from gateway.config.routes import OperationBase, ResourceBase, SoapOrder, route_file
from gateway.config.source import Source, literal_secrets, read_source, validate
from gateway.errors import ConfigError, Finding
from gateway.identity.satellites import Satellites, read_satellites
from gateway.mapping import Functions, Table, load_functions, read_tables
from gateway.policy.duties_file import Duties, read_duties
from gateway.policy.expectations import PolicyTests, read_tests
from gateway.policy.file import PolicyFile, read_policy
from gateway.policy.model import read_model
from gateway.stages import CONFIGURABLE

ORDER = ".soap.yaml"
"""What the names of files end with that are no route files but stand beside one."""

SATELLITES = "satellites.yaml"
SECRET = ("callback", "secret")
"""Where in a satellite's entry a value may come from outside the file."""
YAML = tuple(name for name in NAMES if name.endswith(".yaml"))

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Findings:
    """Errors and warnings gathered while going on. Errors keep a deployment from going live, warnings do not."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def attempt(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The result, or ``None`` with the findings kept."""
        try:
            return function(*args, **kwargs)
        except ConfigError as error:
            self.errors.extend(error.findings)
            return None

    def raise_if_any(self) -> None:
        if self.errors:
            raise ConfigError(self.errors)


@dataclass(frozen=True, slots=True)
class Resource:
    """One route file, and the frozen order of its SOAP service where there is one."""

    source: Source
    model: ResourceBase
    order: SoapOrder | None = None

    def operations(self) -> Iterator[tuple[str, OperationBase]]:
        """Operation ids with their entries."""
        for name, operation in self.model.operations.items():
            yield f"{self.model.resource}.{name}", operation


@dataclass(frozen=True, slots=True)
class Policies:
    """Immutable. What the files of the policies folder say, and the bytes they say it with."""

    bundle: Bundle
    policy: PolicyFile
    model_text: str
    tests: PolicyTests
    duties: Duties
    approvals: Approvals
    satellites: Satellites


@dataclass(frozen=True, slots=True)
class Deployment:
    """Immutable. Paths in ``gateway`` are relative to ``folder``."""

    folder: Path
    source: Source
    gateway: Gateway
    resources: tuple[Resource, ...]
    policies: Policies
    tables: Mapping[str, Table]
    functions: Functions
    doubts: tuple[Finding, ...]

    @property
    def bundle(self) -> Bundle:
        return self.policies.bundle

    @property
    def policy(self) -> PolicyFile:
        return self.policies.policy

    @property
    def model_text(self) -> str:
        return self.policies.model_text

    @property
    def tests(self) -> PolicyTests:
        return self.policies.tests

    @property
    def duties(self) -> Duties:
        return self.policies.duties

    @property
    def approvals(self) -> Approvals:
        return self.policies.approvals

    @property
    def satellites(self) -> Satellites:
        return self.policies.satellites

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return (*self.doubts, *self.satellites.warnings)

    def own_policies(self) -> Folder:
        """The policies folder, whatever this deployment decides by."""
        return own_policies(self.folder, self.gateway)

    def under(self, policies: Folder, *, sealed: bool) -> Deployment:
        """The same deployment deciding by other files. Raises ``ConfigError`` with all their findings."""
        findings = Findings()
        found = read_policies(policies, self.gateway, findings, sealed=sealed)
        findings.raise_if_any()
        if found is None:
            raise AssertionError("a part is missing without a finding")
        return replace(self, policies=found)

    def watched(self) -> tuple[Path, ...]:
        """The folders whose files make up the deployment."""
        gateway = self.gateway
        contracts = [self.folder / u.wsdl for u in gateway.upstreams.values() if u.wsdl and "://" not in u.wsdl]
        keys = [self.folder / name for upstream in gateway.upstreams.values() for name in upstream.key_files()]
        folders = [self.folder, *(self.folder / name for name in (gateway.routes, gateway.policies, gateway.transformers))]
        paths = (*folders, *(file.parent for file in (*contracts, *keys)))
        return tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in paths))  # resolve() raises where links go in circles

    def digest(self) -> str:
        """A short name of what the files on disk say now, to notice that they changed."""
        return self._digest(lambda path: True).hexdigest()[:SHORT]

    def name(self) -> str:
        """A short name of what this deployment says, to tell snapshots apart in logs: its policy, be it on disk or not, and the
        other files on disk."""
        folder = Path(os.path.realpath(self.folder / self.gateway.policies))
        digest = self._digest(lambda path: path.parent != folder or path.name not in NAMES)
        digest.update(self.bundle.digest.encode())
        return digest.hexdigest()[:SHORT]

    def _digest(self, counts: Callable[[Path], bool]) -> hashlib._Hash:
        digest = hashlib.sha256()
        for folder in filter(Path.is_dir, self.watched()):
            for path in sorted(folder.iterdir()):
                if path.is_file() and path.suffix in (".yaml", ".csv", ".conf", ".py", ".wsdl", ".xsd") and counts(path):
                    digest.update(path.name.encode() + b"\0" + _contents(path))
        return digest


def _contents(path: Path) -> bytes:
    """A file's bytes. One that cannot be read must not hide that others changed: it counts by its size and time."""
    try:
        return read_file(path)
    except OSError as error:
        about = path.stat()
        return f"{error.errno} {about.st_size} {about.st_mtime_ns}".encode()


def read_deployment(path: Path, policies: Callable[[Folder], Folder] | None = None, *, sealed: bool = False) -> Deployment:
    """Read ``gateway.yaml`` and everything it names. Raises ``ConfigError`` with all findings of all files.

    :param policies: given the deployment's own policies folder, says which to read in its place.
    :param sealed: the policy must not depend on anything outside its files, whatever ``gateway.yaml`` says."""
    folder = path.parent
    findings = Findings()
    if not path.is_file():
        raise ConfigError(
            [Finding(str(path), 0, "is not there", "name another with --config, or write one with 'erp-gateway init'")]
        )
    source = findings.attempt(read_source, path, name=path.name)
    gateway = findings.attempt(validate, source, Gateway) if source else None
    shown = gateway or Gateway.model_construct(upstreams={})
    written = list(literal_secrets(source, gateway, Credential)) if source and gateway else []
    if not shown.demo:
        findings.errors.extend(written)
    resources = _resources(folder, shown.routes, findings)
    held = own_policies(folder, shown)
    known = gateway or shown.model_copy(update={"demo": True})
    found = read_policies(held if policies is None else policies(held), known, findings, sealed=sealed)
    tables = _tables(folder, shown.transformers, findings)
    scripts = sorted((folder / shown.transformers).glob("*.py"))
    shown_scripts = {script: f"{shown.transformers}/{script.name}" for script in scripts}
    functions = findings.attempt(load_functions, scripts, names=shown_scripts)
    findings.raise_if_any()
    if source is None or gateway is None or found is None or functions is None:
        raise AssertionError("a part is missing without a finding")
    warnings = (*literal_secrets(source, gateway), *written)
    return Deployment(folder, source, gateway, resources, found, tables, functions, warnings)


def _resources(folder: Path, name: str, findings: Findings) -> tuple[Resource, ...]:
    kind = route_file(CONFIGURABLE)
    found = []
    for path in _yaml_files(folder, name, findings):
        source = findings.attempt(read_source, path, name=f"{name}/{path.name}")
        model = findings.attempt(validate, source, kind) if source else None
        if source and model:
            found.append(Resource(source, model, findings.attempt(_order, folder / name, model.resource, name)))
    return tuple(found)


def order_file(resource: str) -> str:
    """The name of the file that freezes the order of a resource's SOAP service, beside its route file."""
    return f"{resource}{ORDER}"


def _order(folder: Path, resource: str, name: str) -> SoapOrder | None:
    path = folder / order_file(resource)
    return validate(read_source(path, name=f"{name}/{path.name}"), SoapOrder) if path.is_file() else None


def _tables(folder: Path, name: str, findings: Findings) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for path in _yaml_files(folder, name, findings, needed=False):
        source = findings.attempt(read_source, path, name=f"{name}/{path.name}")
        read = findings.attempt(read_tables, source) if source else None
        for key, table in (read or {}).items():
            if source and key in tables:
                remedy = "table names are shared by all files; choose another"
                findings.errors.append(source.finding(("tables", key), f"the table '{key}' exists twice", remedy))
            tables[key] = table
    return tables


def _yaml_files(folder: Path, name: str, findings: Findings, *, needed: bool = True) -> list[Path]:
    paths = sorted(path for path in (folder / name).glob("*.yaml") if not path.name.endswith(ORDER))
    if needed and not paths:
        findings.errors.append(Finding(name, 0, "holds no .yaml file", "add one, or name the right folder in gateway.yaml"))
    return paths


# --- policies --------------------------------------------------------------------------------------------------------


def own_policies(folder: Path, gateway: Gateway) -> Folder:
    """The policies folder as it lies on disk."""
    return Folder(folder / gateway.policies, gateway.policies)


def in_place_of(own: Folder, bundle: Bundle, *, shown: str | None = None) -> Folder:
    """The folder with the files of a bundle in it and no others of theirs; ``shown`` is how findings call it."""
    name = own.shown if shown is None else shown
    return Folder(own.path, name, {file: Given(f"{name}/{file}", bundle.files.get(file)) for file in NAMES})


def bundle_of(folder: Folder) -> Bundle:
    """The files that decide, each read once. Raises ``ConfigError`` for one that cannot be read."""
    findings = Findings()
    read = {name: findings.attempt(folder.read, name) for name in NAMES if folder.has(name)}
    findings.raise_if_any()
    return Bundle({name: data for name, data in read.items() if data is not None})


def read_policies(folder: Folder, gateway: Gateway, findings: Findings, *, sealed: bool) -> Policies | None:
    """What the files say, all of it from one reading of their bytes; ``None`` with the findings kept."""
    bundle = findings.attempt(bundle_of, folder)
    if bundle is None:
        return None
    given = {name: Given(folder.shown_name(name), bundle.files.get(name)) for name in NAMES}
    held = Folder(folder.path, folder.shown, given)
    policy = findings.attempt(_policy, held)
    model = findings.attempt(_model, held)
    tests = findings.attempt(_tests, held)
    duties = findings.attempt(_duties, held)
    approvals = findings.attempt(_approvals, held)
    satellites = findings.attempt(_satellites, held, gateway)
    if sealed or gateway.policy.activation == "dual":
        findings.errors.extend(_outside(held))
        findings.errors.extend(satellites.warnings if satellites else ())  # the history would keep what is secret
    if policy is None or model is None or tests is None or duties is None or approvals is None or satellites is None:
        return None
    return Policies(bundle, policy, model, tests, duties, approvals, satellites)


def _outside(folder: Folder) -> Iterator[Finding]:
    """Values from elsewhere: two people who agree to the files would not have seen them. Secrets are not agreed to."""
    for name in YAML:
        try:
            source = folder.source(name) if folder.has(name) else Source(name, None)
        except ConfigError:
            continue  # told by whoever reads the file
        for place in source.references:
            if name != SATELLITES or place[2:] != SECRET:
                what = "takes a value from outside the file, where it could change without anybody agreeing (activation: dual)"
                yield source.finding(place, what, "write the value itself")


def _policy(folder: Folder) -> PolicyFile:
    return read_policy(folder.shown_name("policy.csv"), folder.read("policy.csv"))


def _model(folder: Folder) -> str:
    return read_model(folder.shown_name("model.conf"), folder.read("model.conf"))


def _tests(folder: Folder) -> PolicyTests:
    """What is expected of the policy; nothing where there is no file."""
    return read_tests(folder.source("tests.yaml")) if folder.has("tests.yaml") else PolicyTests()


def _duties(folder: Folder) -> Duties:
    """The company's own separation of duties; nothing where there is no file."""
    return read_duties(folder.source("duties.yaml")) if folder.has("duties.yaml") else Duties()


def _approvals(folder: Folder) -> Approvals:
    """The approval rules. A file that is not there, as while somebody copies a new one, must not let every payment pass."""
    if not folder.has("approvals.yaml"):
        remedy = "put the file there; where nothing waits for people it says 'approvals: {}'"
        raise ConfigError([Finding(folder.shown_name("approvals.yaml"), 0, "is not there", remedy)])
    return read_approvals(folder.source("approvals.yaml"))


def _satellites(folder: Folder, gateway: Gateway) -> Satellites:
    loopback = gateway.edge.listen.loopback
    return read_satellites(folder.source(SATELLITES), gateway.identity, demo=gateway.demo, loopback=loopback)
