"""The two directions of a field table as an operation uses them, and errors told in the satellite's terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import FieldError, Unprocessable


class RequestMap(Protocol):
    """REST value to ERP value. Raises ``Unprocessable`` with every error."""

    def __call__(self, value: object) -> object: ...

    def pointer(self, erp_pointer: str) -> str:
        """The REST pointer of an ERP pointer."""
        ...

    def schema(self) -> dict[str, Any]: ...


class AnswerMap(Protocol):
    """ERP value to REST value. Raises ``BadAnswer``."""

    def __call__(self, value: object) -> object: ...

    def schema(self) -> dict[str, Any]: ...


def _nothing() -> dict[str, Any] | None:
    return None


@dataclass(frozen=True, slots=True)
class Table:
    """What stands between a route and its upstream operation. Without a map the value passes as the contract has it.

    :param contract_request: JSON Schema of the upstream's own request; likewise ``contract_answer``.
    """

    request: RequestMap | None = None
    answer: AnswerMap | None = None
    contract_request: Callable[[], dict[str, Any] | None] = _nothing
    contract_answer: Callable[[], dict[str, Any] | None] = _nothing

    def request_schema(self) -> dict[str, Any] | None:
        return self.request.schema() if self.request else self.contract_request()

    def answer_schema(self) -> dict[str, Any] | None:
        return self.answer.schema() if self.answer else self.contract_answer()


def in_rest_terms(error: Unprocessable, table: RequestMap) -> Unprocessable:
    """A contract's error with its pointers as the satellite wrote them."""
    return Unprocessable(error.detail, errors=[FieldError(table.pointer(e.pointer), e.detail) for e in error.errors])
