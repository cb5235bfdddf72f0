"""What passes a row's inline test becomes what the row's converter gives, type for type; good values seldom fail it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mapping.forms import answer_form, request_form
from gateway.mapping.inline import Inline, answer_inline, request_inline
from gateway.mapping.table import Row
from gateway.mapping.wrong import Wrong


@dataclass(frozen=True)
class Text:
    """A contract's leaf."""

    builtin: str = "string"
    repeated: bool = False
    nillable: bool = False
    max_length: int | None = 5
    fraction_digits: int | None = None
    enumeration: tuple[str, ...] | None = None


ROWS: dict[str, tuple[Row, object, object]] = {
    "string": (Row(rest="a", erp="A", min=1, max=9), "abc", "abc"),
    "pattern": (Row(rest="a", erp="A", pattern=r"[0-9]{2}|\w"), "12", "12"),
    "decimal": (Row(rest="a", erp="A", type="decimal"), "12.50", "12.50"),
    "scale": (Row(rest="a", erp="A", type="decimal", scale=2, digits=4), "12.50", "12.50"),
    "whole": (Row(rest="a", erp="A", type="decimal", scale=0, digits=4), "1250", "1250"),
    "fraction": (Row(rest="a", erp="A", type="decimal", scale=2, digits=2), "0.5", "0.5"),
    "bounds": (Row(rest="a", erp="A", type="decimal", min="0.1", max="99.9"), "0.2", "0.2"),
    "fine bounds": (Row(rest="a", erp="A", type="decimal", min="0.10000000000000000001", max="0.3"), "0.2", "0.2"),
    "huge bounds": (Row(rest="a", erp="A", type="decimal", min=-(10**400), max=10**400), "7", "7"),
    "integer": (Row(rest="a", erp="A", type="integer", min=1, max=9), 5, 5),
    "any integer": (Row(rest="a", erp="A", type="integer"), 5, 5),
    "boolean": (Row(rest="a", erp="A", type="boolean"), True, False),
    "date": (Row(rest="a", erp="A", type="date", erp_form="DD/MM/YYYY"), "2026-12-31", "31/12/2026"),
    "code": (Row(rest="a", erp="A", type="code", digits=4), "12", "0012"),
    "codes": (Row(rest="a", erp="A", type="codes", values={"PC": "ST", "one": 1, "": "none"}), "PC", "ST"),
    "any": (Row(rest="a", erp="A", type="any"), {"a": 1}, [None]),
}
ANSWERS_OF = {name: answer_form(row, unknown=lambda: None, function=None) for name, (row, _, _) in ROWS.items()}

digits = st.text("0123456789", max_size=6)
decimals = st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), digits, digits)
near = st.sampled_from(
    ["0.1", "0.10", "0.099999999999999999999", "0.10000000000000000001", "0.1000000000000000000100", "99.9", "0.3"]
)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | digits
    | decimals
    | near
    | st.dates().map(str)
    | st.dates().map("{:%d/%m/%Y}".format)
    | st.sampled_from(
        ["PC", "ST", "one", "1", "none", "true", "٣", "\ud800", 10**400, Decimal("1.5"), b"x", "9" * 500, "0." + "0" * 400 + "1"]
    )
    | st.lists(st.integers(), max_size=1)
    | st.dictionaries(st.text(), st.integers(), max_size=1)
)


def passes(inline: Inline, value: object) -> bool:
    names = {name: name for name in inline.names}
    return bool(inline.test and eval(inline.test.format(x="x", **names), {"x": value, **inline.names}))


def inlined(inline: Inline, value: object) -> object:
    """What generated code makes of a value: the result of the inline test, else of the converter."""
    if passes(inline, value):
        names = {name: name for name in inline.names}
        return eval(inline.result.format(x="x", **names), {"x": value, **inline.names})
    return inline.convert(value)


def agree(inline: Inline, convert: object, value: object) -> None:
    assert callable(convert)
    try:
        wanted = convert(value)
    except Wrong:
        with pytest.raises(Wrong):
            inlined(inline, value)
        return
    got = inlined(inline, value)
    assert (type(got), repr(got)) == (type(wanted), repr(wanted))


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(ROWS)), values, st.booleans(), st.sampled_from([None, Text(), Text(builtin="int", max_length=None)])
)
def test_requests(name: str, value: object, parameter: bool, leaf: Text | None) -> None:
    row = ROWS[name][0]
    convert = request_form(row, leaf, parameter=parameter, function=None)
    inline = request_inline(row, leaf, called=False, convert=convert)
    for _ in range(2):
        agree(inline, convert, value)


@settings(max_examples=300)
@given(st.sampled_from(sorted(ROWS)), values)
def test_answers(name: str, value: object) -> None:
    row = ROWS[name][0]
    inline = answer_inline(row, called=False, convert=ANSWERS_OF[name])
    unknown: list[object] = []
    try:
        answer_form(row, unknown=lambda: unknown.append(value), function=None)(value)
    except Wrong:
        unknown.clear()
    for _ in range(2):
        if unknown:
            with pytest.raises(Wrong):
                inlined(inline, value)
        else:
            agree(inline, ANSWERS_OF[name], value)


@pytest.mark.parametrize("name", ROWS)
def test_good_values_pass(name: str) -> None:
    row, rest, erp = ROWS[name]
    request = request_inline(row, None, called=False, convert=request_form(row, None, parameter=False, function=None))
    answer = answer_inline(row, called=False, convert=ANSWERS_OF[name])
    for inline, value in ((request, rest), (answer, erp)):
        inlined(inline, value)
        assert passes(inline, value)


def test_only_so_many_values_are_remembered() -> None:
    row = Row(rest="a", erp="A", type="date")
    inline = request_inline(row, None, called=False, convert=request_form(row, None, parameter=False, function=None))
    for day in range(5000):
        inlined(inline, f"{2000 + day // 336}-{day // 28 % 12 + 1:02}-{day % 28 + 1:02}")
    with pytest.raises(Wrong):
        inlined(inline, "2026-02-30")
    known = inline.names["known"]
    assert isinstance(known, dict)
    assert 0 < len(known) <= 1024
    assert "2026-02-30" not in known
