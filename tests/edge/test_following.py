"""The documented form of a document is the one that is told."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from gateway.documents.states import State
from gateway.documents.view import TOLD, represent
from gateway.edge.following import DOCUMENT_SCHEMA, HEADERS, following
from tests.documents.support import document, hold

STRICT: dict[str, Any] = {**DOCUMENT_SCHEMA, "additionalProperties": False}


@pytest.mark.parametrize("state", State)
def test_every_document_fits_its_schema(state: State) -> None:
    checker = jsonschema.FormatChecker()
    for one in (
        document(state=state),
        document(state=state, hold=hold(), reference="P-1", note={"code": "rejected", "reason": "no order"}),
        document(state=state, hold=hold(received=2), note={"code": "superseded", "by": "a" * 32}),
    ):
        jsonschema.validate(represent(one), STRICT, format_checker=checker)


def test_what_is_told_of_a_note_is_documented() -> None:
    assert set(DOCUMENT_SCHEMA["properties"]["note"]["properties"]) == TOLD


def test_every_header_is_used() -> None:
    used = set(following()["get"]["responses"]["200"]["headers"])
    assert used | {"Location", "Document-Id", "Idempotent-Replayed"} == set(HEADERS)
