# ruff: noqa: E501  (a schema reads best on one line)
"""Lexical forms of XML Schema's simple types against JSON values."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.protocols.soap.lexical import BUILTINS, MATCHERS, NUMERIC, builtin, to_float
from gateway.protocols.soap.simple import reader, writer

TEXTS = {
    "boolean": ["true", "false", "1", "0", "TRUE", "yes", ""],
    "decimal": ["1.00", "-0", "+1", ".5", "5.", "1e5", "1,0", "", ".", "٣", "123456789012345678901234567890.5"],
    "float": ["1", "1e5", "1E-400", "INF", "-INF", "+INF", "NaN", "inf", ".", "0x1"],
    "int": ["007", "-2147483648", "2147483647", "1.0", "", "1 2", "1_000"],
    "date": ["2026-02-28", "2024-02-29", "2026-02-29", "1900-02-29", "2000-02-29", "12026-02-28", "02026-01-01", "0000-01-01", "-0044-03-15", "2026-13-01", "2026-04-31", "2026-1-1", "2026-01-01Z", "2026-01-01+14:00", "2026-01-01+14:01", "20260101"],
    "time": ["24:00:00", "24:00:01", "23:59:59.999999999", "8:00:00", "08:00:00+08:00", "08:60:00"],
    "dateTime": ["2026-01-31T24:00:00", "2026-01-31T08:30:00.123456789Z", "2026-01-31 08:30:00", "2026-01-31T08:30"],
    "duration": ["P1Y2M3DT4H5M6.7S", "P", "PT", "-P1D", "P1DT", "P1S", "PT1S"],
    "gYear": ["2026", "-0044", "26", "2026Z"],
    "gYearMonth": ["2026-02", "2026-13"],
    "gMonthDay": ["--02-29", "--02-30", "--04-31"],
    "gDay": ["---31", "---32"],
    "gMonth": ["--12", "--13"],
    "hexBinary": ["0aFF", "0", "", "0g"],
    "base64Binary": ["", "QQ==", "QUI=", "QUJD", "QR==", "Q", "QQ= =", "QQ"],
    "language": ["en", "zh-CN", "e1", "abcdefghi"],
    "NMTOKEN": ["a", "-1", "a b", ""],
    "Name": ["a:b", "1a", ":"],
    "NCName": ["a", "a:b", "é", "1", "漢字"],
}  # fmt: skip
CASES = [(name, text) for name, texts in TEXTS.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_lexical_forms_are_those_of_the_schema_validator(name: str, text: str) -> None:
    schema = etree.XMLSchema(
        etree.fromstring(
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="r" type="xs:{name}"/></xs:schema>'
        )
    )
    node = etree.Element("r")
    node.text = text
    valid = schema.validate(node)
    if (name, text) in {("float", "+INF"), ("base64Binary", "QR==")}:
        valid = False
    if (name, text) in {("gMonthDay", "--02-30"), ("gMonthDay", "--04-31")}:
        valid = False
    try:
        reader(builtin(name))(text)
        taken = True
    except ValueError:
        taken = False
    assert taken == valid
    if name != "boolean" and name not in NUMERIC:
        try:
            writer(builtin(name))(text)
            written = True
        except ValueError:
            written = False
        assert written == valid


def test_every_builtin_reads_and_writes() -> None:
    for name in BUILTINS:
        assert reader(builtin(name))
        assert writer(builtin(name))
    with pytest.raises(KeyError):
        builtin("nothing")


_GRAMMAR = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?")


@given(
    text=st.one_of(st.text("AQgwE=+/ \né٣", max_size=9), st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode()))
)
def test_base64_is_what_its_grammar_says(text: str) -> None:
    """XML Schema part 2 section 3.2.16, its optional spaces aside."""
    assert bool(MATCHERS["base64Binary"](text)) == bool(_GRAMMAR.fullmatch(text))


def test_the_specials_of_floats_are_floats() -> None:
    assert to_float("-INF") == float("-inf")
    assert to_float("1e5") == 1e5
