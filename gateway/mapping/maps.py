"""A compiled field table: what turns a satellite's value into the ERP's, and the ERP's into a satellite's.

Converting finds everything wrong with a value. A message names a field and what would be right, never the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import BadAnswer, FieldError, Unprocessable
from gateway.mapping.forms import Convert, Schema
from gateway.mapping.path import Path
from gateway.mapping.table import Direction, Table
from gateway.mapping.wrong import MOST, Wrong, unescape


@dataclass(frozen=True, slots=True)
class RequestMap:
    """Turns REST values into ERP values. Immutable.

    :param path: names of the path parameters, which stand beside the others in the value.
    :param body: whether the value is a JSON body; if not, it is an object of query parameters, strings or lists of strings.
    """

    table: Table
    path: frozenset[str]
    body: bool
    _convert: Convert
    _place: Callable[[str], str]
    _schema: Callable[[], Schema]

    def __call__(self, value: object) -> object:
        """The ERP value of a body, or of an object of parameters. Raises ``Unprocessable`` with every error."""
        try:
            return self._convert(value)
        except Wrong as wrong:
            errors = [FieldError(self._shown(pointer), detail) for pointer, detail in wrong.errors[:MOST]]
            raise Unprocessable(_summary(errors), errors=errors) from wrong.__cause__

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
        return self._schema()

    def whole(self) -> list[tuple[Path, Path]]:
        """REST and ERP path of each value that is moved as it is; the schema says nothing about them."""
        return _whole(self.table, "request")


@dataclass(frozen=True, slots=True)
class AnswerMap:
    """Turns ERP values into REST values. Immutable."""

    table: Table
    _convert: Convert
    _place: Callable[[str], str]
    _schema: Callable[[], Schema]

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
        return self._schema()

    def whole(self) -> list[tuple[Path, Path]]:
        """As that of requests."""
        return _whole(self.table, "answer")


def _whole(table: Table, direction: Direction) -> list[tuple[Path, Path]]:
    lines = [line for line in table.of(direction) if line.row.kind == "any" and line.row.call is None]
    return [(line.rest, line.erp) for line in lines if line.rest and line.erp]


def _summary(errors: list[FieldError]) -> str:
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"{errors[0].pointer or 'The body'} {errors[0].detail}{more}."
