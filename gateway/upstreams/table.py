"""The two directions of a field table as an operation uses them, and errors told in the satellite's terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import FieldError, Unprocessable
from gateway.mapping.path import Path
from gateway.upstreams.whole import described


class RequestMap(Protocol):
    """REST value to ERP value. Raises ``Unprocessable`` with every error."""

    def __call__(self, value: object) -> object: ...

    def pointer(self, erp_pointer: str) -> str:
        """The REST pointer of an ERP pointer."""
        ...

    def schema(self) -> dict[str, Any]: ...

    def whole(self) -> list[tuple[Path, Path]]:
        """REST and ERP path of each value that is moved as it is."""
        ...


class AnswerMap(Protocol):
    """ERP value to REST value. Raises ``BadAnswer``."""

    def __call__(self, value: object) -> object: ...

    def schema(self) -> dict[str, Any]: ...

    def whole(self) -> list[tuple[Path, Path]]: ...


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
        return _schema(self.request, self.contract_request)

    def answer_schema(self) -> dict[str, Any] | None:
        return _schema(self.answer, self.contract_answer)


def _schema(table: RequestMap | AnswerMap | None, contract: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """The schema of a table's REST side, with the contract's for what it moves whole; without a table the contract's own."""
    if table is None:
        return contract()
    moves = table.whole()
    known = contract() if moves else None
    return table.schema() if known is None else described(table.schema(), known, moves)


def in_rest_terms(error: Unprocessable, table: RequestMap) -> Unprocessable:
    """A contract's error with its pointers as the satellite wrote them."""
    return Unprocessable(error.detail, errors=[FieldError(table.pointer(e.pointer), e.detail) for e in error.errors])
