"""A compiled field table: what turns a satellite's value into the ERP's, and the ERP's into a satellite's.

Converting finds everything wrong with a value. A message names a field and what would be right, never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.errors import BadAnswer, FieldError, Unprocessable
from gateway.exchange import ABSENT
from gateway.mapping.engine import Convert
from gateway.mapping.forms import Schema
from gateway.mapping.table import Table
from gateway.mapping.wrong import MOST, Wrong, unescape


@dataclass(frozen=True, slots=True)
class RequestMap:
    """Turns REST values into ERP values. Immutable.

    :param path: names of the path parameters.
    :param body: whether the value is a JSON body; if not, it is an object of query parameters, strings or lists of strings.
    """

    table: Table
    path: frozenset[str]
    body: bool
    _convert: Convert
    _place: Callable[[str], str]
    _schema: Schema

    def __call__(self, value: object, path: Mapping[str, str] | None = None) -> object:
        """The ERP value of a body (or of query parameters) and path parameters. Raises ``Unprocessable`` with every error."""
        whole = self._merge(value, path) if path else value
        try:
            return self._convert(whole)
        except Wrong as wrong:
            errors = [FieldError(self._shown(pointer), detail) for pointer, detail in wrong.errors[:MOST]]
            raise Unprocessable(_summary(errors), errors=errors) from wrong.__cause__

    def _merge(self, value: object, path: Mapping[str, str]) -> object:
        if not isinstance(value, dict):
            return dict(path) if value is None or value is ABSENT else value
        twice = [name for name in path if name in value]
        if twice:
            pointers = [self._pointer_of_value(name) for name in twice]
            errors = [FieldError(pointer, "is already given by the path; leave it out here") for pointer in pointers]
            raise Unprocessable(_summary(errors), errors=errors)
        return {**path, **value}

    def _pointer_of_value(self, name: str) -> str:
        return f"/{name}" if self.body else f"query/{name}"

    def pointer(self, erp_pointer: str) -> str:
        """The place, in the satellite's terms, of a JSON pointer into the ERP value."""
        return self._shown(self._place(erp_pointer))

    def _shown(self, pointer: str) -> str:
        name = unescape(pointer.split("/", 2)[1]) if pointer else ""
        if name in self.path:
            return f"path/{name}"
        return f"query{pointer}" if pointer and not self.body else pointer

    def schema(self) -> Schema:
        """JSON Schema 2020-12 of the REST value: body and path parameters, or query and path parameters, as one object."""
        return self._schema

    def body_schema(self) -> Schema:
        """The same without the path parameters."""
        properties = _dict(self._schema["properties"])
        required = [name for name in _list(self._schema.get("required", [])) if name not in self.path]
        kept = {name: schema for name, schema in properties.items() if name not in self.path}
        return {**self._schema, "properties": kept, "required": required}

    def parameters(self) -> list[dict[str, object]]:
        """OpenAPI 3.1 parameter objects: those in the path, and unless there is a body those in the query."""
        required = _list(self._schema.get("required", []))
        found: list[dict[str, object]] = []
        for name, schema in _dict(self._schema["properties"]).items():
            if name in self.path:
                found.append({"name": name, "in": "path", "required": True, "schema": schema})
            elif not self.body:
                found.append({"name": name, "in": "query", "required": name in required, "schema": schema})
        return found


@dataclass(frozen=True, slots=True)
class AnswerMap:
    """Turns ERP values into REST values. Immutable."""

    table: Table
    _convert: Convert
    _place: Callable[[str], str]
    _schema: Schema

    def __call__(self, value: object) -> object:
        """The REST value; ERP fields no row names are dropped. Raises ``BadAnswer``."""
        try:
            return self._convert(value)
        except Wrong as wrong:
            pointer, detail = wrong.errors[0]
            place = self._place(pointer) or "the body"
            more = f" (and {len(wrong.errors) - 1} more)" if len(wrong.errors) > 1 else ""
            raise BadAnswer(f"In the ERP's answer, {place} {detail}{more}.") from wrong.__cause__

    def pointer(self, erp_pointer: str) -> str:
        """The JSON pointer into the REST value for one into the ERP value."""
        return self._place(erp_pointer)

    def schema(self) -> Schema:
        """JSON Schema 2020-12 that every value this map gives is valid under."""
        return self._schema


def _summary(errors: list[FieldError]) -> str:
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"{errors[0].pointer or 'The body'} {errors[0].detail}{more}."


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
