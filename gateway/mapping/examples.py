"""The examples of a field table, run as tests of it: each pair is converted and compared."""

from __future__ import annotations

from gateway.errors import BadAnswer, Finding, Unprocessable
from gateway.mapping.maps import AnswerMap, RequestMap
from gateway.mapping.table import Table
from gateway.mapping.wrong import escape


def run_examples(table: Table, request: RequestMap | None, answer: AnswerMap | None) -> list[Finding]:
    """A finding for each example that does not give what it shows. A direction without a map is not run."""
    findings = []
    for index, example in enumerate(table.config.examples):
        place = ("tables", table.name, "examples", index)
        if request is not None and example.serves != "answer":
            try:
                difference = _difference(request(example.rest), example.erp)
            except Unprocessable as problem:
                difference = f"is refused: {problem.detail}"
            if difference:
                what = f"the request of example {index + 1} of table '{table.name}' {difference}"
                findings.append(table.source.finding(place, what, "mend the row or the example"))
        if answer is not None and example.serves != "request":
            try:
                difference = _difference(answer(example.erp), example.rest)
            except BadAnswer as problem:
                difference = f"is refused: {problem.detail}"
            if difference:
                what = f"the answer of example {index + 1} of table '{table.name}' {difference}"
                findings.append(table.source.finding(place, what, "mend the row or the example"))
    return findings


def _difference(got: object, wanted: object, pointer: str = "") -> str:
    """The first difference of two JSON values in words; empty when there is none."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(key for key in got if key not in wanted)]:
            place = f"{pointer}/{escape(key)}"
            if key not in got or key not in wanted:
                return f"{'lacks' if key in wanted else 'has'} {place}, which the example {'has' if key in wanted else 'lacks'}"
            if found := _difference(got[key], wanted[key], place):
                return found
        return ""
    if isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        pairs = zip(got, wanted, strict=True)
        return next((found for i, (a, b) in enumerate(pairs) if (found := _difference(a, b, f"{pointer}/{i}"))), "")
    if type(got) is type(wanted) and got == wanted:
        return ""
    return f"gives {_short(got)} at {pointer or 'the top'}, not {_short(wanted)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
