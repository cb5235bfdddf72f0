"""``routes/*.yaml`` as values: one file per resource, one short entry per operation.

What a stage can be told per route is not written here: the stage's own configuration class is handed in by name, so that a new
stage is a new key without a change to this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, create_model, model_validator

from gateway.config.values import Seconds, Section, wrong

METHODS = ("get", "post", "put", "patch", "delete")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+|\{[A-Za-z][A-Za-z0-9_]*\}")


def _template(path: str) -> str:
    segments = path.split("/")
    if segments[0] or len(segments) < 2 or not all(map(_SEGMENT.fullmatch, segments[1:])) or {".", ".."} & set(segments):
        raise wrong(f"is {path!r}", "write a path such as /payments/{number}")
    names = re.findall(r"\{(\w+)\}", path)
    if len(names) != len(set(names)):
        raise wrong(f"names a parameter twice in {path!r}", "give each parameter its own name")
    return path


def _version(text: Any) -> Any:
    if not isinstance(text, str) or not re.fullmatch(r"v[1-9][0-9]{0,3}", text):
        raise wrong(f"is {text!r}", "write versions as v1, v2, …")
    return text


def _distinct(versions: list[str]) -> list[str]:
    for version in versions:
        if versions.count(version) > 1:
            raise wrong(f"names {version} twice", "name each version once")
    return versions


Template = Annotated[str, AfterValidator(_template)]
Version = Annotated[str, BeforeValidator(_version), WithJsonSchema({"type": "string", "examples": ["v1"]})]
Versions = Annotated[list[Version], Field(min_length=1), AfterValidator(_distinct)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


def _place(path: str) -> str:
    if not re.fullmatch(r"\$(\.[A-Za-z_][A-Za-z0-9_-]*)+", path):
        raise wrong(f"is {path!r}", "write a path such as $.externalNumber or $.header.number")
    return path


ValuePath = Annotated[str, AfterValidator(_place)]
"""Where a value stands in a body: ``$.payee.account``."""


class ProbeSection(Section):
    """How to ask the ERP whether it booked a write whose answer was lost."""

    call: str = Field(description="SOAP operation, or GET /path of a REST upstream, that finds the booking.")
    by: Annotated[dict[str, Literal["$operation_id"] | ValuePath], Field(min_length=1)] = Field(
        description="What it is asked with: names of the probe's request, each with a path into the body, or $operation_id."
    )
    request: str | None = Field(None, description="Field table of the probe's request.")
    answer: str | None = Field(None, description="Field table of its answer; best the one of the operation itself.")
    faults: dict[str, Literal[400, 404, 409, 422]] = Field({}, description="Status of a declared fault; 404 means not booked.")


Parameter = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]


class RecordPlace(Section):
    """Where an operation carries what one predicate of policy rows asks for."""

    at: ValuePath | None = Field(None, description="Its path below a record; lists on the way are looked through.")
    filter: Parameter | None = Field(None, description="The request parameter by which the ERP narrows to one value.")

    @model_validator(mode="after")
    def _somewhere(self) -> RecordPlace:
        if self.at is None and self.filter is None:
            raise wrong("says nothing", "give 'at: $.entity' for a field of the record, or 'filter: entity' for a parameter")
        return self


class AmountPlace(RecordPlace):
    """Where an operation carries an amount."""

    currency: ValuePath | None = Field(None, description="The path of its currency below a record.")

    @model_validator(mode="after")
    def _with_currency(self) -> AmountPlace:
        if self.at is not None and self.currency is None:
            raise wrong("names no currency", "add 'currency: $.currency'; an amount counts only in its currency")
        return self


class RecordsSection(Section):
    """The records of an operation's request or answer, for the predicates of p3 rows."""

    within: ValuePath | None = Field(
        None,
        description="Where the answer holds its list of records; left out, the answer itself is a record, or a list of them.",
    )
    counts: list[ValuePath] = Field(
        [],
        description="Where the answer counts records, such as `[$.total]`. Not told to callers who see only some of them.",
    )
    entity: RecordPlace | None = Field(None, description="The legal entity.")
    cost_centre: RecordPlace | None = Field(None, description="The cost centre.")
    satellite: RecordPlace | None = Field(None, description="The satellite that made it.")
    amount: AmountPlace | None = Field(None, description="The amount.")


class OperationBase(Section):
    """One operation of a resource: its REST side, and what it calls."""

    get: Template | None = Field(None, description="Path of a read, such as /payments/{number}.")
    post: Template | None = Field(None, description="Path of a creation.")
    put: Template | None = Field(None, description="Path of a replacement.")
    patch: Template | None = Field(None, description="Path of a change.")
    delete: Template | None = Field(None, description="Path of a removal.")
    versions: Versions | None = Field(None, description="API versions; default: the resource's.")
    upstream: str | None = Field(None, description="Upstream; default: the resource's.")
    call: str = Field(description="SOAP operation, or METHOD /path of a REST upstream.")
    mapping: str | None = Field(None, description="Field table for both directions.")
    request: str | None = Field(None, description="Field table of the request, when it is not 'mapping'.")
    answer: str | None = Field(None, description="Field table of the answer, when it is not 'mapping'.")
    status: int | None = Field(None, ge=200, le=299, description="Success status; default 201 for post, else 200.")
    faults: dict[str, Literal[400, 404, 409, 422]] = Field({}, description="Status of a declared fault; default 422.")
    timeout: Annotated[Seconds, Field(gt=0)] | None = Field(None, description="Deadline of the call; default: the upstream's.")
    public: bool = Field(False, description="Serve without authentication and policy.")
    delivery: Literal["inline", "queued", "direct"] | None = Field(
        None,
        description="How a write is sent: inline is recorded and sent within the call (the default of writes), queued is "
        "recorded and sent by the worker (202), direct is not recorded. A get is always direct.",
    )
    idempotency: Literal["required", "optional"] = Field(
        "optional", description="Whether a call without an Idempotency-Key is refused with 400."
    )
    key: ValuePath | None = Field(None, description="A natural key in the body that is used instead of an Idempotency-Key.")
    reference: ValuePath = Field("$.number", description="Where the answer holds the ERP's number of what it booked.")
    operation_id: ValuePath | None = Field(
        None, description="A field of the body that is given the document's id; it travels as X-Operation-Id in any case."
    )
    probe: ProbeSection | None = Field(None, description="How to find out whether a write with a lost answer was booked.")
    sensitive: bool = Field(
        False,
        description="A call that policy allows is on record before it is made, and refused without a ledger. Denials and "
        "documents always are on record.",
    )
    records: RecordsSection | None = Field(None, description="Where the predicates of policy rows find what they ask for.")
    summary: str | None = Field(None, description="One line for the API documentation.")
    soap: bool = Field(True, description="False leaves it out of the resource's SOAP service.")

    @model_validator(mode="after")
    def _one_method(self) -> OperationBase:
        found = [name for name in METHODS if getattr(self, name)]
        if len(found) != 1:
            what = "has no method" if not found else f"has the methods {' and '.join(found)}"
            raise wrong(what, f"give exactly one of {', '.join(METHODS)}, with its path")
        if self.mapping and self.request and self.answer:
            raise wrong("has 'mapping' beside both 'request' and 'answer'", "remove 'mapping'")
        return self

    @model_validator(mode="after")
    def _recorded_or_not(self) -> OperationBase:
        if self.method == "GET" and self.delivery not in (None, "direct"):
            raise wrong(f"is a get with delivery: {self.delivery}", "remove 'delivery'; reads are not recorded")
        if not self.recorded:
            for key in ("probe", "key", "operation_id"):
                if getattr(self, key) is not None:
                    raise wrong(f"has '{key}' without being recorded", f"remove '{key}', or say delivery: inline")
            if self.idempotency == "required":
                raise wrong("requires an idempotency key without being recorded", "say delivery: inline or queued")
        if self.public and self.sensitive:
            raise wrong("is public and sensitive, and nobody who calls it is known", "remove 'public' or 'sensitive'")
        if self.public and self.recorded:
            raise wrong("is public and would be recorded for nobody", "remove 'public', or say delivery: direct")
        if self.key is not None and self.idempotency == "required":
            raise wrong("requires an Idempotency-Key beside a natural key", "keep 'key', or 'idempotency: required'")
        return self

    @property
    def method(self) -> str:
        return next(name for name in METHODS if getattr(self, name)).upper()

    @property
    def path(self) -> str:
        path: str = getattr(self, self.method.lower())
        return path

    @property
    def recorded(self) -> bool:
        """Whether a call becomes a document."""
        return self.delivery != "direct" and self.method != "GET"

    @property
    def success(self) -> int:
        return self.status or (201 if self.method == "POST" else 200)


class ResourceBase(Section):
    """One route file."""

    resource: Name = Field(description="Name of the resource: the first half of its operation ids.")
    versions: Versions = Field(["v1"], description="API versions the operations are served in.")
    upstream: str | None = Field(None, description="Upstream of operations that name none.")
    soap: Version | None = Field(
        None, description="Offer the operations of this version as SOAP at /soap/RESOURCE too; left out, they are not."
    )
    operations: dict[Name, Any]

    @model_validator(mode="after")
    def _soap_version(self) -> ResourceBase:
        if self.soap is not None and not self.offered(self.soap):
            raise wrong(
                f"offers {self.soap} as SOAP, and no operation has that version", f"use one of {', '.join(self.versions)}"
            )
        return self

    def offered(self, version: str) -> list[str]:
        """The operations that the SOAP service of this version has."""
        operations: dict[str, OperationBase] = self.operations
        return [name for name, entry in operations.items() if entry.soap and version in (entry.versions or self.versions)]


Elements = dict[Annotated[str, Field(pattern=r"^\S+$")], list[str]]


class OperationOrder(Section):
    """The elements of each object of a message, by a path of elements; ``.`` is the message itself."""

    request: Elements = Field({}, description="Order of the request's elements.")
    answer: Elements = Field({}, description="Order of the answer's elements.")


class SoapOrder(Section):
    """``routes/RESOURCE.soap.yaml``: the order of elements that a SOAP service was published with."""

    operations: dict[Name, OperationOrder] = Field(description="Operations by name.")


def route_file(stages: Mapping[str, type]) -> type[ResourceBase]:
    """The model of a route file in which an operation may also configure the given stages by name."""
    keys: dict[str, Any] = {
        name: (config | None, Field(None, description=(config.__doc__ or "").partition("\n")[0]))
        for name, config in stages.items()
    }
    operation = create_model("Operation", __base__=OperationBase, **keys)
    operations = Annotated[dict[Name, operation], Field(min_length=1, description="Operations by name.")]
    return create_model("Resource", __base__=ResourceBase, operations=(operations, ...))
