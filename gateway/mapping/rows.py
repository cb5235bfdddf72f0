"""What one row of a field table must satisfy on its own: its sides, its keys, its bounds, and whether it can be inverted."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from gateway.config.values import wrong
from gateway.mapping.dates import check_form
from gateway.mapping.table import GROUPS, Calls, Codes, Row, code_text

KEYS: dict[str, frozenset[str]] = {
    "string": frozenset({"min", "max", "pattern"}),
    "decimal": frozenset({"min", "max", "scale", "digits", "erp_form"}),
    "integer": frozenset({"min", "max"}),
    "boolean": frozenset({"values"}),
    "date": frozenset({"erp_form"}),
    "datetime": frozenset({"erp_form"}),
    "code": frozenset({"digits"}),
    "codes": frozenset({"values"}),
    "unit": frozenset({"factor", "scale"}),
    "any": frozenset(),
    "object": frozenset(),
    "list": frozenset({"min", "max"}),
}
"""The keys only some types understand."""


def _sides(row: Row) -> None:
    if row.constant is not None:
        if (row.rest is None) == (row.erp is None):
            raise wrong("is a constant with two sides or none", "give 'rest' or 'erp', the side that gets the constant")
        extra = sorted(row.model_fields_set - {"rest", "erp", "constant", "serves", "doc"})
        if extra:
            raise wrong(f"is a constant with '{extra[0]}'", f"remove '{extra[0]}'")
    elif row.kind == "object":
        if row.rest is None or row.erp is not None:
            raise wrong("is an object row", "give 'rest' and no 'erp': it only says whether the REST object is required")
    elif row.rest is None or row.erp is None:
        missing = "rest" if row.rest is None else "erp"
        raise wrong(f"has no '{missing}'", f"add '{missing}', or 'constant' for a value only one side has")


def _keys_fit(row: Row) -> None:
    special = frozenset().union(*KEYS.values())
    for key in sorted(row.model_fields_set & special - KEYS[row.kind]):
        if getattr(row, key) is not None:
            fits = [kind for kind, keys in KEYS.items() if key in keys]
            raise wrong(f"gives '{key}' to the type {row.kind}", f"remove it; it belongs to {', '.join(fits)}")
    if row.kind in GROUPS:
        for key in ("nullable", "default", "answer_default", "call", "example"):
            if getattr(row, key) not in (None, False):
                raise wrong(f"gives '{key}' to the type {row.kind}", "remove it; it belongs to a single field")
    if row.kind == "list" and not (str(row.rest).endswith("[]") and str(row.erp).endswith("[]")):
        raise wrong("is a list row without []", "write both names with [] at the end, such as lines[]")


def _needs(row: Row) -> None:
    for kind, key, example in (("code", "digits", "8"), ("codes", "values", "{PC: ST}"), ("unit", "factor", "1000")):
        if row.kind == kind and getattr(row, key) is None:
            raise wrong(f"is of type {kind} without '{key}'", f"add '{key}: {example}'")
    if row.kind == "decimal" and row.digits is not None and (row.scale is None or row.scale > row.digits):
        raise wrong("has 'digits' without a fitting 'scale'", "add 'scale', no larger than 'digits'")
    if row.kind == "boolean" and row.values is not None and set(row.values) != {"true", "false"}:
        raise wrong("does not say both boolean values", "write values: {true: X, false: ''}")
    if row.required and row.default is not None:
        raise wrong("is required and has a default", "keep one of the two")
    if row.kind == "decimal" and row.erp_form not in (None, "number"):
        raise wrong(f"has erp_form {row.erp_form!r}", "use erp_form: number for an ERP that wants JSON numbers, or remove it")
    if row.kind in ("date", "datetime") and row.erp_form is not None:
        check_form(row.erp_form, row.kind)


def _bounds(row: Row) -> None:
    if row.kind == "decimal":
        for key in ("min", "max"):
            value = getattr(row, key)
            if value is not None and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", str(value)):
                raise wrong(f"has {key} {value!r}", f'write a decimal, such as {key}: "0.01"')
    elif isinstance(row.min, str) or isinstance(row.max, str):
        raise wrong("has a bound that is text", "write 'min' and 'max' as whole numbers")
    if row.kind in ("string", "list") and min(int(row.min or 0), int(row.max or 0)) < 0:
        raise wrong("has a length below 0", "write lengths from 0 upward")
    if row.min is not None and row.max is not None and Decimal(row.min) > Decimal(row.max):
        raise wrong("has 'min' above 'max'", "exchange the two")
    if row.pattern is not None:
        try:
            re.compile(row.pattern, re.ASCII)
        except re.error as error:
            raise wrong(f"has a pattern that is no regular expression ({error})", "mend the pattern") from error


def _inverts(row: Row) -> None:
    if row.constant is not None:
        only = "request" if row.erp is not None else "answer"
        if row.serves != only:
            raise wrong("is a constant, which cannot be inverted", f"add 'serves: {only}'")
    if isinstance(row.call, str) and row.serves == "both":
        raise wrong("calls one function for both directions", "add 'serves', or write call: {request: ..., answer: ...}")
    if isinstance(row.call, Calls) and row.serves != "both":
        raise wrong(f"names two functions and serves {row.serves} only", "name one function, or remove 'serves'")
    if row.answer_default is not None and row.serves == "request":
        raise wrong("has an answer_default and serves requests only", "remove one of the two")
    if row.default is not None and row.serves == "answer":
        raise wrong("has a default and serves answers only", "use answer_default")
    if row.kind == "unit":
        _unit_inverts(row)
    elif row.values is not None:
        _values_invert(row, row.values)


def _unit_inverts(row: Row) -> None:
    text = str(row.factor)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or not Decimal(text):
        raise wrong(f"has the factor {text!r}", 'write a positive decimal, such as 1000 or "0.001"')
    if row.serves != "request" and not terminates(Decimal(text)):
        raise wrong(f"divides by {text}, which has no exact decimal", "add 'serves: request'")


def terminates(factor: Decimal) -> bool:
    """Whether one divided by the factor is a finite decimal."""
    number = int("".join(map(str, factor.as_tuple().digits)))
    for prime in (2, 5):
        while number % prime == 0:
            number //= prime
    return number == 1


def _values_invert(row: Row, values: dict[str, Codes]) -> None:
    seen: dict[str, str] = {}
    for rest, erp in values.items():
        if isinstance(erp, list) and (row.serves != "answer" or not erp):
            raise wrong(f"gives '{rest}' a list of ERP values", "add 'serves: answer': a request needs exactly one")
        for value in erp if isinstance(erp, list) else [erp]:
            other = seen.setdefault(code_text(value), rest)
            if other != rest and row.serves != "request":
                remedy = "add 'serves: request'" if row.serves == "both" else "let each ERP value stand for one REST value"
                raise wrong(f"gives '{other}' and '{rest}' the same ERP value {value!r}", remedy)


CHECKS: tuple[Callable[[Row], None], ...] = (_sides, _keys_fit, _needs, _bounds, _inverts)
"""Each raises a pydantic error that carries ``what`` and ``remedy``; the later ones rely on the earlier ones."""
