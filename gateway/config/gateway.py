"""``gateway.yaml`` as values. Each field's comment is its line in the reference; the defaults are the ones ``explain`` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.console import Console
from gateway.config.credentials import Credentials, Security
from gateway.config.identity import Identity
from gateway.config.messages import Messages
from gateway.config.values import Bytes, Listen, Seconds, Section, written, wrong
from gateway.scope.conditions import Network, parse_network

_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_FIELD_VALUE = re.compile(r"[!-~](?:[ -~\t]*[!-~])?")
_FRAMING = ("connection", "content-length", "host", "transfer-encoding")


def _field_name(name: str) -> str:
    if not _FIELD_NAME.fullmatch(name):
        raise wrong(f"is {name!r}", "write the name of an HTTP header, such as X-Request-Source")
    if name.lower() in _FRAMING:
        raise wrong(f"is {name!r}, which the client writes itself", "remove it")
    return name


def _field_value(value: SecretStr) -> SecretStr:
    if not _FIELD_VALUE.fullmatch(value.get_secret_value()):
        raise wrong("cannot be the value of an HTTP header", "use printable ASCII on one line, without blanks at its ends")
    return value


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isascii() and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise wrong(f"is {url!r}", "write an absolute http:// or https:// URL")
    return url


def _upstream_url(url: str) -> str:
    if urlsplit(_http_url(url)).username is not None:
        raise wrong(f"is {url!r}, which holds a user name", "put it under 'credentials:'")
    return url


def _proxies(text: Any) -> Network:
    try:
        network = parse_network(str(text))
    except ValueError as error:
        raise wrong(f"is {text!r}", "write a network such as 10.20.0.0/24, or an address") from error
    if network.prefixlen == 0:
        raise wrong(f"is {text!r}, which is everybody", "name the networks of your proxies only")
    return network


Proxies = Annotated[Network, BeforeValidator(_proxies), WithJsonSchema({"type": "string", "examples": ["10.20.0.0/24"]})]
FieldName = Annotated[str, AfterValidator(_field_name)]
FieldValue = Annotated[SecretStr, AfterValidator(_field_value)]
PublicUrl = Annotated[str, AfterValidator(_http_url)]
UpstreamUrl = Annotated[str, AfterValidator(_upstream_url)]


class EdgeLimits(Section):
    """What the public port accepts from one client, before anything is known about it."""

    body: Bytes = Field(written("1MiB"), gt=0, description="Largest request body; more is 413.")
    header_bytes: Bytes = Field(
        written("32KiB"), ge=1024, description="Largest request head, the request line included; more is 431."
    )
    header_count: int = Field(100, ge=8, description="Most header lines; more is 431.")
    json_depth: int = Field(64, ge=4, le=512, description="Deepest nesting of a JSON body; more is 400.")
    header_timeout: Seconds = Field(written("10s"), gt=0, description="A request head must arrive within this time.")
    body_timeout: Seconds = Field(written("30s"), gt=0, description="A request body must arrive within this time; longer is 408.")
    idle_timeout: Seconds = Field(written("75s"), ge=1, description="A connection without a request is closed after this time.")
    connections: int = Field(4096, ge=1, description="Most connections at once; more get 503.")


class Edge(Section):
    """The public port, for satellites."""

    listen: Listen = Field(written("127.0.0.1:8080"), description="Address and port.")
    processes: int = Field(1, ge=1, le=64, description="Edge processes sharing the port. More than one needs counters in Redis.")
    public_url: PublicUrl | None = Field(None, description="How satellites reach this port, when a proxy stands in front.")
    trusted_proxies: list[Proxies] = Field(
        [],
        description="Networks of the reverse proxies in front, such as `10.20.0.0/24`: the address of a caller is the one they "
        "give in `X-Forwarded-For`. Anybody else's is not read.",
    )
    docs: Literal["public", "token"] = Field(
        "token",
        description="Whether /docs and /openapi need a credential. public shows everything to everybody; a credential always "
        "narrows it to what its owner may call.",
    )
    drain: Seconds = Field(written("30s"), description="Calls in flight may end within this time when the gateway stops.")
    limits: EdgeLimits = EdgeLimits()


class Ledger(Section):
    """The database that holds business truth."""

    url: str = Field("sqlite:///var/ledger.db", description="sqlite:///path or postgresql://user@host/name.")
    audit_key: SecretStr | None = Field(None, description="Secret that seals the audit entries, 32 characters or more.")
    audit_key_file: str = Field(
        "var/audit.key", min_length=1, description="Or the file that holds it, made when it is not there."
    )
    anchors: str = Field(
        "var/anchors.jsonl", min_length=1, description="File for the anchors of the audit chain; best on another machine's disk."
    )

    @model_validator(mode="after")
    def _known_store(self) -> Ledger:
        if self.url.partition(":")[0] not in ("sqlite", "postgresql"):
            raise wrong(f"has the URL {self.url!r}", "use sqlite:///path or postgresql://user@host/name")
        if self.audit_key is not None and "audit_key_file" in self.model_fields_set:
            raise wrong("has two audit keys", "give 'audit_key: ${file:path}' or 'audit_key_file: path', not both")
        return self


Sample = Annotated[Seconds, BeforeValidator(lambda text: "0s" if text == "off" else text)]


class Decisions(Section):
    """The decision log. Denials, allows of sensitive operations, and documents are always noted."""

    sample: Sample = Field(
        written("1h"),
        description="Of ordinary allows the first of each caller and operation in such a time is noted, the others counted. "
        "off notes none of them, and policy replay does not know of them.",
    )
    repeats: Annotated[Seconds, Field(ge=1, le=3600)] = Field(
        written("1m"),
        description="A denial, or allow of a sensitive operation, that comes again within this time is counted, not noted again.",
    )


class Policy(Section):
    """How a changed policy goes live."""

    activation: Literal["files", "dual"] = Field(
        "files",
        description="files: good files in the policies folder are live at once. dual: they wait until one person has proposed "
        "them at the console and another has agreed. Taken when the gateway starts.",
    )


class Counters(Section):
    """Where rate limits are counted."""

    url: str = Field("memory:", description="memory: (one edge process) or redis://host:port/db (several).")

    @model_validator(mode="after")
    def _known_store(self) -> Counters:
        if self.url.partition(":")[0] not in ("memory", "redis", "rediss", "unix"):
            raise wrong(f"has the URL {self.url!r}", "use memory: or redis://host:port/db")
        return self


class Writes(Section):
    """What the gateway may assume about writes to this upstream, and how it goes on when one fails."""

    not_booked: list[Annotated[int, Field(ge=500, le=599)]] = Field(
        [], description="5xx answers that mean: certainly not booked. Any other 5xx leaves the outcome unknown."
    )
    visible_within: Seconds = Field(
        written("5s"), description="A booking whose answer was lost can be found by a probe after this time, if it exists."
    )
    retry: list[Seconds] = Field(
        [written(text) for text in ("2s", "10s", "1m", "5m", "15m", "1h")],
        description="Waits before a write that was certainly not booked is sent again; after the last it is dead.",
    )
    probe_again: list[Seconds] = Field(
        [written(text) for text in ("5s", "30s", "2m", "10m")],
        description="Waits before a probe that said nothing is made again; after the last, two operators decide.",
    )


class Upstream(Section):
    """A system behind the gateway: SOAP when it names a WSDL, REST otherwise."""

    wsdl: str | None = Field(None, description="Path or URL of the WSDL; makes this a SOAP upstream.")
    service: str | None = Field(None, description="Service of the WSDL, when it has several.")
    port: str | None = Field(None, description="Port of the service, when it has several.")
    url: UpstreamUrl | None = Field(None, description="Where requests go. Required for REST; for SOAP the WSDL says it too.")
    timeout: Seconds = Field(
        written("15s"), gt=0, description="One call, from the first attempt to connect to the answer's last byte."
    )
    connect_timeout: Seconds = Field(written("3s"), gt=0, description="Setting up one connection.")
    connections: int = Field(64, ge=1, le=4096, description="Most connections at once, per process.")
    answer_limit: Bytes = Field(written("10MiB"), gt=0, description="Largest answer, after decompression.")
    adapter: Literal["http1", "httpx"] = Field("http1", description="http1 is the fast client; httpx the general one.")
    headers: dict[FieldName, FieldValue] = Field({}, description="Headers added to every request, such as an API key.")
    forward: list[FieldName] = Field([], description="Request headers passed on beside the usual ones.")
    ca_file: str | None = Field(None, description="PEM file with the authorities to trust for https.")
    mtom: bool | None = Field(None, description="Send binary values as MTOM parts; default: if a policy of the WSDL says so.")
    attachments: bool = Field(
        False, description="Every answer has `$attachments`, also of operations for which the WSDL declares none."
    )
    addressing: bool | Literal["2004/08"] | None = Field(
        None, description="Speak WS-Addressing: 1.0, or the submission of 2004/08; default: if the WSDL says so, as it says."
    )
    credentials: Credentials | None = Field(None, description="How the gateway proves to the upstream who it is.")
    security: Security | None = Field(None, description="WS-Security, for SOAP upstreams.")
    writes: Writes = Writes()

    @model_validator(mode="after")
    def _reachable(self) -> Upstream:
        if self.wsdl is None and self.url is None:
            raise wrong("names neither a wsdl nor a url", "add 'url:' for a REST upstream or 'wsdl:' for a SOAP one")
        if self.security is not None and self.wsdl is None:
            raise wrong("has WS-Security and is no SOAP upstream", "use 'credentials:', or add 'wsdl:'")
        return self

    @model_validator(mode="after")
    def _one_authorization(self) -> Upstream:
        proofs = self.credentials and (self.credentials.basic or self.credentials.bearer)
        if proofs and any(name.lower() == "authorization" for name in self.headers):
            raise wrong("has credentials and an Authorization header", "remove Authorization from 'headers:'")
        return self

    @model_validator(mode="after")
    def _soap_or_not(self) -> Upstream:
        for key in ("mtom", "attachments", "addressing"):
            if self.wsdl is None and key in self.model_fields_set:
                raise wrong(f"has '{key}', which only a SOAP upstream can have", f"remove '{key}', or add 'wsdl:'")
        return self

    def key_files(self) -> Iterator[str]:
        """The files with certificates and keys, as they are named."""
        client = self.credentials.client_certificate if self.credentials else None
        security = self.security
        sign, verify = (security.sign, security.verify) if security else (None, None)
        own = [name for section in (client, sign) if section for name in (section.certificate_file, section.key_file)]
        others = [verify.certificate_file, verify.ca_file] if verify else []
        yield from (name for name in (self.ca_file, *own, *others) if name is not None)


class Gateway(Section):
    """One deployment."""

    demo: bool = Field(False, description="Allow the demo's well-known secrets. Only on a loopback listener.")
    edge: Edge = Edge()
    console: Console = Console()
    ledger: Ledger = Ledger()
    decisions: Decisions = Decisions()
    counters: Counters = Counters()
    identity: Identity = Identity()
    policy: Policy = Policy()
    messages: Messages = Messages()
    upstreams: Annotated[dict[str, Upstream], Field(min_length=1, description="The systems behind the gateway, by name.")]
    routes: str = Field("routes", description="Folder of route files.")
    policies: str = Field("policies", description="Folder of policy files.")
    transformers: str = Field("transformers", description="Folder of field tables and company functions.")
    cache: str = Field(
        "var/cache", min_length=1, description="Folder for contracts already read, as data; it may be emptied at any time."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Gateway:
        if self.demo and not (self.edge.listen.loopback and self.console.listen.loopback):
            raise wrong("says demo: true on a listener others can reach", "listen on 127.0.0.1, or remove 'demo: true'")
        if self.edge.processes > 1 and self.counters.url.startswith("memory"):
            raise wrong(
                f"has {self.edge.processes} edge processes that count limits each for itself",
                "set counters.url to a Redis, such as redis://127.0.0.1:6379/0, or edge.processes to 1",
            )
        return self
