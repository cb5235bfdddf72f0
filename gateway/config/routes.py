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
    delivery: Literal["direct"] = Field("direct", description="How a write is sent: direct is within the call, unrecorded.")
    summary: str | None = Field(None, description="One line for the API documentation.")

    @model_validator(mode="after")
    def _one_method(self) -> OperationBase:
        found = [name for name in METHODS if getattr(self, name)]
        if len(found) != 1:
            what = "has no method" if not found else f"has the methods {' and '.join(found)}"
            raise wrong(what, f"give exactly one of {', '.join(METHODS)}, with its path")
        if self.mapping and self.request and self.answer:
            raise wrong("has 'mapping' beside both 'request' and 'answer'", "remove 'mapping'")
        return self

    @property
    def method(self) -> str:
        return next(name for name in METHODS if getattr(self, name)).upper()

    @property
    def path(self) -> str:
        path: str = getattr(self, self.method.lower())
        return path

    @property
    def success(self) -> int:
        return self.status or (201 if self.method == "POST" else 200)


class ResourceBase(Section):
    """One route file."""

    resource: Name = Field(description="Name of the resource: the first half of its operation ids.")
    versions: Versions = Field(["v1"], description="API versions the operations are served in.")
    upstream: str | None = Field(None, description="Upstream of operations that name none.")
    operations: dict[Name, Any]


def route_file(stages: Mapping[str, type]) -> type[ResourceBase]:
    """The model of a route file in which an operation may also configure the given stages by name."""
    keys: dict[str, Any] = {
        name: (config | None, Field(None, description=(config.__doc__ or "").partition("\n")[0]))
        for name, config in stages.items()
    }
    operation = create_model("Operation", __base__=OperationBase, **keys)
    operations = Annotated[dict[Name, operation], Field(min_length=1, description="Operations by name.")]
    return create_model("Resource", __base__=ResourceBase, operations=(operations, ...))
