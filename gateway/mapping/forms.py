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
    """REST value to ERP value. With a function the row's type describes the REST side only."""
    most = _whole(row.max)
    builtin = leaf.type if leaf is not None and function is None else None
    if row.kind == "string" and leaf is not None and leaf.max_length is not None and function is None:
        most = leaf.max_length if most is None else min(most, leaf.max_length)
    match row.kind:
        case "string":
            convert = texts.string_request(_whole(row.min), most, row.pattern)
        case "decimal":
            convert = numbers.decimal_request(row.scale, row.digits, row.min, row.max, row.erp_form == "number")
        case "integer":
            as_text = builtin in TEXT
            convert = numbers.integer_request(_whole(row.min), _whole(row.max), text=as_text, parameter=parameter)
        case "boolean":
            convert = texts.boolean_request(row.values, parameter=parameter)
        case "date":
            convert = dates.date_request(row.erp_form)
        case "datetime":
            convert = dates.datetime_request(row.erp_form)
        case "code":
            convert = texts.code_request(row.digits or 0)
        case "codes":
            convert = texts.codes_request(row.values or {}, builtin in INTEGERS)
        case "unit":
            convert = numbers.unit_request(str(row.factor), row.scale)
        case _:
            convert = texts.any_value
    return convert if function is None else _then(_checked(row, convert), _called(function))


def answer_form(row: Row, *, unknown: Callable[[], None], function: Function | None) -> Convert:
    """ERP value to REST value; ``ABSENT`` for what the ERP leaves empty."""
    if function is not None:
        return _then(_called(function), _result(row))
    match row.kind:
        case "string":
            return texts.string_answer
        case "decimal":
            return numbers.decimal_answer
        case "integer":
            return numbers.integer_answer
        case "boolean":
            return texts.boolean_answer(row.values)
        case "date":
            return dates.date_answer(row.erp_form)
        case "datetime":
            return dates.datetime_answer(row.erp_form)
        case "code":
            return texts.code_answer
        case "codes":
            return texts.codes_answer(row.values or {}, unknown)
        case "unit":
            return numbers.unit_answer(str(row.factor))
        case _:
            return texts.any_value


def _whole(bound: int | str | None) -> int | None:
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
    name = getattr(function, "__name__", "?")

    def convert(value: object) -> object:
        try:
            return texts.json_value(function(value))
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
