"""One row in one direction: how its value is converted, and the JSON Schema of its REST side."""

from __future__ import annotations

from collections.abc import Callable

from gateway.mapping import dates, numbers, texts
from gateway.mapping.contract import INTEGERS, TEXT, Leaf
from gateway.mapping.functions import Function
from gateway.mapping.table import Direction, Row
from gateway.mapping.wrong import Wrong

Convert = Callable[[object], object]
Schema = dict[str, object]


def request_form(row: Row, leaf: Leaf | None, *, parameter: bool, function: Function | None) -> Convert:
    """REST value to ERP value. With a function the row's type describes the REST side only. A ``parameter`` arrives as text."""
    build = _REQUEST.get(row.kind)
    known = leaf if function is None else None
    convert = build(row, known, parameter) if build is not None else texts.any_value
    return convert if function is None else _then(_checked(row, convert), _called(function))


def answer_form(row: Row, *, unknown: Callable[[], None], function: Function | None) -> Convert:
    """ERP value to REST value; ``ABSENT`` for what the ERP leaves empty."""
    if function is not None:
        return _then(_called(function), _result(row))
    build = _ANSWER.get(row.kind)
    return build(row, unknown) if build is not None else texts.any_value


def _string(row: Row, leaf: Leaf | None, parameter: bool) -> Convert:
    return texts.string_request(*lengths(row, leaf), row.pattern)


def _integer(row: Row, leaf: Leaf | None, parameter: bool) -> Convert:
    text = leaf is not None and leaf.builtin in TEXT
    return numbers.integer_request(whole(row.min), whole(row.max), text=text, parameter=parameter)


def _codes(row: Row, leaf: Leaf | None, parameter: bool) -> Convert:
    return texts.codes_request(row.values or {}, leaf is not None and leaf.builtin in INTEGERS)


_REQUEST: dict[str, Callable[[Row, Leaf | None, bool], Convert]] = {
    "string": _string,
    "decimal": lambda row, _, __: numbers.decimal_request(row.scale, row.digits, row.min, row.max, row.erp_form == "number"),
    "integer": _integer,
    "boolean": lambda row, _, parameter: texts.boolean_request(row.values, parameter=parameter),
    "date": lambda row, _, __: dates.date_request(row.erp_form),
    "datetime": lambda row, _, __: dates.datetime_request(row.erp_form),
    "code": lambda row, _, __: texts.code_request(row.digits or 0),
    "codes": _codes,
    "unit": lambda row, _, __: numbers.unit_request(str(row.factor), row.scale),
}

_ANSWER: dict[str, Callable[[Row, Callable[[], None]], Convert]] = {
    "string": lambda _, __: texts.string_answer,
    "decimal": lambda _, __: numbers.decimal_answer,
    "integer": lambda _, __: numbers.integer_answer,
    "boolean": lambda row, _: texts.boolean_answer(row.values),
    "date": lambda row, _: dates.date_answer(row.erp_form),
    "datetime": lambda row, _: dates.datetime_answer(row.erp_form),
    "code": lambda _, __: texts.code_answer,
    "codes": lambda row, unknown: texts.codes_answer(row.values or {}, unknown),
    "unit": lambda row, _: numbers.unit_answer(str(row.factor)),
}


def lengths(row: Row, leaf: Leaf | None) -> tuple[int | None, int | None]:
    """The least and greatest length of a string, by its row and by the contract."""
    bounds = [bound for bound in (whole(row.max), leaf.max_length if leaf is not None else None) if bound is not None]
    return whole(row.min), min(bounds, default=None)


def whole(bound: int | str | None) -> int | None:
    """A bound of a row as a number."""
    return None if bound is None else int(bound)


def _then(first: Convert, second: Convert) -> Convert:
    return lambda value: second(first(value))


def _checked(row: Row, convert: Convert) -> Convert:
    """Checks a value by its row's type and passes it on as it is."""

    def check(value: object) -> object:
        convert(value)
        return value

    return texts.any_value if row.kind == "any" else check


def _result(row: Row) -> Convert:
    """Checks what a function gave back against the REST form its row promises."""
    if row.kind == "any":
        return texts.any_value
    check = request_form(row, None, parameter=False, function=None)

    def passed(value: object) -> object:
        if value is not None:
            check(value)
        return value

    return passed


def _called(function: Function) -> Convert:
    """The function, given a value of its own: it may change it, other rows may read it, and it may be asked again."""
    name = getattr(function, "__name__", "?")

    def convert(value: object) -> object:
        try:
            return texts.json_value(function(texts.copied(value)))
        except Wrong:
            raise
        except Exception as error:
            raise Wrong(f"cannot be converted by the company function '{name}'") from error

    return convert


def form_schema(row: Row, direction: Direction, most: int | None = None) -> Schema:
    """JSON Schema 2020-12 of a row's REST value. An answer promises the form; a request also has to keep the bounds."""
    schema = _bare_schema(row, direction, most)
    if row.nullable:
        schema = {"anyOf": [schema, {"type": "null"}]} if schema else {}
    if row.doc is not None:
        schema["description"] = row.doc
    if row.example is not None:
        schema["examples"] = [row.example]
    default = row.default if direction == "request" else row.answer_default
    return schema if default is None else schema | {"default": default}


def _bare_schema(row: Row, direction: Direction, most: int | None) -> Schema:
    bounded = direction == "request" or row.call is not None
    match row.kind:
        case "string":
            return _string_schema(row, most) if bounded else {"type": "string"}
        case "decimal" | "unit":
            pattern = numbers.decimal_pattern(row.scale, row.digits) if bounded else numbers.DECIMAL_PATTERN
            return {"type": "string", "format": "decimal", "pattern": pattern}
        case "integer":
            low, high = (row.min, row.max) if bounded else (None, None)
            least, greatest = -numbers.SAFE if low is None else low, numbers.SAFE if high is None else high
            return {"type": "integer", "minimum": least, "maximum": greatest}
        case "boolean":
            return {"type": "boolean"}
        case "date":
            return {"type": "string", "format": "date", "pattern": dates.DATE_PATTERN}
        case "datetime":
            return {"type": "string", "pattern": dates.LOCAL_PATTERN if row.erp_form else dates.LEXICAL_PATTERN}
        case "code":
            return {"type": "string", "pattern": f"^[0-9]{{1,{row.digits}}}$" if bounded else "^(0|[1-9][0-9]*)$"}
        case "codes":
            return _codes_schema(row, bounded)
    return {}


def _string_schema(row: Row, most: int | None) -> Schema:
    schema: Schema = {"type": "string"}
    if row.min:
        schema["minLength"] = row.min
    if most is not None:
        schema["maxLength"] = most
    if row.pattern is not None:
        schema["pattern"] = f"^(?:{row.pattern})$"
    return schema


def _codes_schema(row: Row, bounded: bool) -> Schema:
    """An answer's list is open: an ERP code the table does not know passes."""
    known = list(row.values or {})
    if bounded:
        return {"type": "string", "enum": known}
    return {"anyOf": [{"enum": known}, {"type": "string"}]}
