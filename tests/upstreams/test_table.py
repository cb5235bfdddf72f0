"""Without a field table a value passes as the contract has it."""

from __future__ import annotations

from typing import Any

from gateway.errors import FieldError, Unprocessable
from gateway.mapping.path import Path
from gateway.upstreams.table import Table, in_rest_terms


class Renamed:
    def __call__(self, value: object) -> object:
        return value

    def pointer(self, erp_pointer: str) -> str:
        return {"/BUKRS": "/entity"}.get(erp_pointer, "")

    def schema(self) -> dict[str, Any]:
        return {"title": "rest"}

    def whole(self) -> list[tuple[Path, Path]]:
        return []


def test_schemas() -> None:
    assert (Table().request_schema(), Table().answer_schema()) == (None, None)
    contract = Table(None, None, lambda: {"title": "in"}, lambda: {"title": "out"})
    assert (contract.request_schema(), contract.answer_schema()) == ({"title": "in"}, {"title": "out"})
    assert Table(Renamed(), Renamed(), lambda: {"title": "in"}).request_schema() == {"title": "rest"}
    assert Table(Renamed(), Renamed()).answer_schema() == {"title": "rest"}


def test_errors_in_rest_terms() -> None:
    error = Unprocessable("No.", errors=[FieldError("/BUKRS", "is wrong"), FieldError("/X", "is odd")])
    told = in_rest_terms(error, Renamed())
    assert (told.detail, told.errors) == ("No.", (FieldError("/entity", "is wrong"), FieldError("", "is odd")))
