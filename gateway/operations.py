"""From a route entry to the upstream operation it ends in: contract, codec, field tables and client put together.

Each thing an entry names is looked up here; what is not there is a finding at the entry's line, with the nearest name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from urllib.parse import urlsplit

from gateway.config.files import read_file
from gateway.config.gateway import Upstream
from gateway.config.routes import METHODS, OperationBase
from gateway.config.source import Place
from gateway.contracts.pin import verify
from gateway.deployment import Deployment, Findings, Resource
from gateway.errors import ConfigError
from gateway.exchange import Headers
from gateway.mapping import Table as FieldTable
from gateway.mapping import compile_answer, compile_request, run_examples
from gateway.mapping.table import Direction
from gateway.ports import Client, Clock, Operation
from gateway.protocols.soap import (
    Addressing,
    Codec,
    Contract,
    Packages,
    answer_schema,
    compile_operation,
    fault_schemas,
    request_schema,
    resolver,
)
from gateway.protocols.soap import Operation as SoapEntry
from gateway.protocols.soap.features import SUBMISSION, WSA
from gateway.sending import Probe
from gateway.stages.prepare import Reads
from gateway.upstreams.asked import unmet
from gateway.upstreams.certificates import certificates, expiring
from gateway.upstreams.coerce import coercer
from gateway.upstreams.credentials import authorization, in_the_clear
from gateway.upstreams.headers import DEFAULT_FORWARD, protected
from gateway.upstreams.rest import PassThrough, RestOperation, Target
from gateway.upstreams.security import Reader as SecurityReader
from gateway.upstreams.security import Security
from gateway.upstreams.soap import SoapOperation, request_headers
from gateway.upstreams.stores import Clients, Contracts
from gateway.upstreams.table import Table

_CALL = re.compile(r"([A-Z]+) (/\S*)")


class Operations:
    """Builds the operations of one snapshot; each upstream's client and contract is looked up once."""

    def __init__(self, deployment: Deployment, clients: Clients, contracts: Contracts, findings: Findings, clock: Clock) -> None:
        self._deployment = deployment
        self._clock = clock
        self._findings = findings
        self._clients: dict[str, tuple[Client, str]] = {}
        self._addresses: dict[str, str] = {}
        self._contracts: dict[str, Contract] = {}
        self._securities: dict[str, Security | None] = {}
        for name, upstream in deployment.gateway.upstreams.items():
            findings.attempt(self._open, name, upstream, clients, contracts)

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(client for client, _ in self._clients.values())

    def _open(self, name: str, upstream: Upstream, clients: Clients, contracts: Contracts) -> None:
        source, place = self._deployment.source, ("upstreams", name)
        self._check_headers(name, upstream)
        url = upstream.url
        if upstream.wsdl is not None:
            contract = self._contract(name, upstream.wsdl, contracts)
            self._contracts[name] = contract
            self._check_port(name, upstream, contract)
            url = url or next((operation.address for operation in contract.operations if operation.address), None)
            for refused in contract.not_offered:
                what = f"the operation {refused.operation} of {refused.port} is not offered: {refused.reason}"
                self._findings.warnings.append(source.finding((*place, "wsdl"), what, "other operations are not affected"))
        if url is None:
            raise ConfigError([source.finding(place, "the WSDL has no address", "add 'url:'")])
        self._addresses[name] = url
        self._securities[name] = self._secure(name, upstream, url)
        base, target = _split(url) if upstream.wsdl is not None else (url, "")
        self._clients[name] = (clients.client(name, base, upstream, source, self._deployment.folder), target)

    def _secure(self, name: str, upstream: Upstream, url: str) -> Security | None:
        source, folder, warnings = self._deployment.source, self._deployment.folder, self._findings.warnings
        warnings.extend(in_the_clear(upstream, url, ("upstreams", name), source))
        shown = upstream.credentials.client_certificate if upstream.credentials else None
        if shown is not None:
            place: Place = ("upstreams", name, "credentials", "client_certificate", "certificate_file")
            own = certificates(shown.certificate_file, place, source, folder)
            warnings.extend(expiring(own[:1], self._clock.now(), place, source))
        reader = SecurityReader(name, source, folder, self._clock.now)
        security = reader.security(upstream.security)
        warnings.extend(reader.warnings)
        return security

    def _contract(self, name: str, wsdl: str, contracts: Contracts) -> Contract:
        source, place = self._deployment.source, ("upstreams", name, "wsdl")
        if "://" not in wsdl and not (self._deployment.folder / wsdl).is_file():
            raise ConfigError([source.finding(place, f"no file {wsdl}", "save the WSDL there")])
        if "://" not in wsdl:
            path = self._deployment.folder / wsdl
            self._findings.warnings.extend(verify(path.parent, PurePath(wsdl).parent.as_posix()))
        try:
            folder = self._deployment.folder
            contract = contracts.contract(wsdl, folder, folder / self._deployment.gateway.cache / "contracts")
        except OSError as error:
            remedy = "check the URL, or save the WSDL to a file and name that"
            raise ConfigError([source.finding(place, f"{wsdl}: {error}", remedy)]) from error
        if "://" not in wsdl:
            upstream = self._deployment.gateway.upstreams[name]
            self._findings.warnings.extend(unmet(read_file(path), upstream, ("upstreams", name), source))
        return contract

    def _check_headers(self, name: str, upstream: Upstream) -> None:
        for index, header in enumerate(upstream.forward):
            if protected(header.lower().encode()):
                place: Place = ("upstreams", name, "forward", index)
                what = f"'{header}' may never pass from a satellite to an ERP"
                self._findings.errors.append(self._deployment.source.finding(place, what, "remove it"))

    def _check_port(self, name: str, upstream: Upstream, contract: Contract) -> None:
        for key, chosen in (("service", upstream.service), ("port", upstream.port)):
            known = sorted({getattr(operation, key) for operation in contract.operations})
            if chosen is not None and chosen not in known:
                finding = self._deployment.source.finding(
                    ("upstreams", name, key), f"no {key} '{chosen}'", _nearest(chosen, known)
                )
                self._findings.errors.append(finding)

    def build(self, resource: Resource, place: Place, config: OperationBase) -> tuple[Operation, Reads]:
        """The operation an entry calls, and how its request is read. Raises ``ConfigError``."""
        source = resource.source
        name = config.upstream or resource.model.upstream
        upstreams = self._deployment.gateway.upstreams
        if name is None:
            raise ConfigError([source.finding(place, "names no upstream", "add 'upstream:' here or at the top of the file")])
        if name not in upstreams:
            where: Place = (*place, "upstream") if config.upstream else ("upstream",)
            raise ConfigError([source.finding(where, f"no upstream '{name}' in gateway.yaml", _nearest(name, upstreams))])
        if name not in self._clients:
            raise ConfigError([])
        if upstreams[name].wsdl is not None:
            return self._soap(name, resource, place, config)
        return self._rest(name, resource, place, config)

    def probe(self, resource: Resource, place: Place, config: OperationBase) -> Probe | None:
        """How a write whose answer was lost is looked for. Raises ``ConfigError``."""
        section = config.probe
        if section is None:
            return None
        asked = OperationBase(
            get="/probe",
            upstream=config.upstream,
            call=section.call,
            request=section.request,
            answer=section.answer or config.answer or config.mapping,
            faults=section.faults,
        )
        place = (*place, "probe")
        name = config.upstream or resource.model.upstream or ""
        if self._deployment.gateway.upstreams[name].wsdl is not None:
            call, _ = self._soap(name, resource, place, asked)
        else:
            call, _ = self._rest(name, resource, place, asked, stream=False)
        return Probe(call, section.by)

    # --- SOAP --------------------------------------------------------------------------------------------------------

    def _soap(self, name: str, resource: Resource, place: Place, config: OperationBase) -> tuple[Operation, Reads]:
        upstream, contract = self._deployment.gateway.upstreams[name], self._contracts[name]
        try:
            entry = contract.operation(config.call, service=upstream.service, port=upstream.port)
        except LookupError as error:
            known = [operation.name for operation in contract.operations]
            what = f"{error.args[0]} (upstream {name})"
            raise ConfigError([resource.source.finding((*place, "call"), what, _nearest(config.call, known))]) from error
        if upstream.attachments and entry.output is not None:
            entry = replace(entry, output=replace(entry.output, attachments=True))
        codec: Codec = compile_operation(contract, entry)
        table = self._table(resource, place, config, contract, entry)
        reads = _reads(config)
        client, target = self._clients[name]
        coerce = coercer(request_schema(contract, entry)) if reads == "parameters" and table.request is None else None
        packing = Packages(contract, codec, mtom=entry.mtom if upstream.mtom is None else upstream.mtom)
        security = self._securities[name]
        if security is not None and security.signs and packing.refers:
            what = f"{config.call} sends attachments by reference, for which the ERP will not find what was signed"
            self._findings.warnings.append(resource.source.finding((*place, "call"), what, "sign without it, or use MTOM"))
        operation = SoapOperation(
            codec,
            client,
            target,
            table,
            status=config.success,
            timeout=config.timeout,
            safe=config.method == "GET",
            headers=request_headers(codec, _secret_headers(upstream)),
            faults=config.faults,
            coerce=coerce,
            fault_schemas=partial(fault_schemas, contract, entry),
            one_way=entry.output is None,
            addressing=_addressing(upstream, entry, self._addresses[name]),
            packing=packing,
            security=security,
        )
        return operation, reads

    # --- REST --------------------------------------------------------------------------------------------------------

    def _rest(
        self, name: str, resource: Resource, place: Place, config: OperationBase, *, stream: bool = True
    ) -> tuple[Operation, Reads]:
        upstream = self._deployment.gateway.upstreams[name]
        match = _CALL.fullmatch(config.call)
        if match is None or match[1].lower() not in METHODS:
            what = f"'call' is '{config.call}', and {name} is a REST upstream"
            raise ConfigError([resource.source.finding((*place, "call"), what, "write METHOD /path, such as GET /items/{sku}")])
        method, target = match[1], Target(match[2])
        client, _ = self._clients[name]
        table = self._table(resource, place, config, None, None)
        secrets = tuple(_secret_headers(upstream))
        safe = method == "GET"
        if stream and table.request is None and table.answer is None:
            self._check_parameters(resource, place, config, target)
            forward = DEFAULT_FORWARD | {header.lower().encode() for header in upstream.forward}
            self._check_passed(resource, place, config)
            passed: Reads = "bytes" if config.recorded else "nothing"
            return PassThrough(client, method, target, config.timeout, safe, forward, secrets), passed
        reads = _reads(config)
        return RestOperation(client, method, target, table, config.success, config.timeout, safe, secrets), reads

    def _check_parameters(self, resource: Resource, place: Place, config: OperationBase, target: Target) -> None:
        known = re.findall(r"\{(\w+)\}", config.path)
        for name in target.names:
            if name not in known:
                what = f"'call' needs {{{name}}}, which the path {config.path} does not have"
                raise ConfigError([resource.source.finding((*place, "call"), what, _nearest(name, known))])

    def _check_passed(self, resource: Resource, place: Place, config: OperationBase) -> None:
        """A body that is passed through is never looked into."""
        for key in ("key", "operation_id"):
            if getattr(config, key) is not None:
                what = f"'{key}' names a field of a body that is passed through unread"
                self._findings.errors.append(
                    resource.source.finding((*place, key), what, f"add a field table ('mapping'), or remove '{key}'")
                )

    # --- field tables ------------------------------------------------------------------------------------------------

    def _table(
        self, resource: Resource, place: Place, config: OperationBase, contract: Contract | None, entry: SoapEntry | None
    ) -> Table:
        request, answer = None, None
        wanted = self._field_table(resource, place, config, "request")
        if wanted is not None:
            leaf = resolver(contract, entry, "request") if contract and entry else None
            path = re.findall(r"\{(\w+)\}", config.path)
            body = _reads(config) == "json"
            request = compile_request(wanted, functions=self._deployment.functions, leaf=leaf, path=path, body=body)
            self._findings.errors.extend(run_examples(wanted, request, None))
        wanted = self._field_table(resource, place, config, "answer")
        if wanted is not None:
            leaf = resolver(contract, entry, "answer") if contract and entry else None
            answer = compile_answer(wanted, functions=self._deployment.functions, leaf=leaf)
            self._findings.errors.extend(run_examples(wanted, None, answer))
        if contract is None or entry is None:
            return Table(request, answer)
        return Table(request, answer, partial(request_schema, contract, entry), partial(answer_schema, contract, entry))

    def _field_table(self, resource: Resource, place: Place, config: OperationBase, direction: Direction) -> FieldTable | None:
        key = direction if getattr(config, direction) else "mapping"
        name = getattr(config, key)
        if name is None:
            return None
        tables = self._deployment.tables
        if name not in tables:
            raise ConfigError([resource.source.finding((*place, key), f"no field table '{name}'", _nearest(name, tables))])
        return tables[name]


def _addressing(upstream: Upstream, entry: SoapEntry, address: str) -> Addressing | None:
    """WS-Addressing as the upstream's entry says it, or else the contract."""
    said = upstream.addressing
    space = entry.addressing or WSA if said is True else SUBMISSION if said else "" if said is False else entry.addressing
    return Addressing(space, entry.request_action, address, entry.output is not None) if space else None


def _secret_headers(upstream: Upstream) -> Headers:
    headers = upstream.headers.items()
    own = [(name.lower().encode("ascii"), value.get_secret_value().encode("latin-1")) for name, value in headers]
    return own + authorization(upstream.credentials)


def _reads(config: OperationBase) -> Reads:
    return "parameters" if config.method in ("GET", "DELETE") else "json"


def _split(url: str) -> tuple[str, str]:
    """A service address as base URL and target, so that services of one host share a pool only when configured alike."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", target


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names[:12])}" if names else "define it first"
