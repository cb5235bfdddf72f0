"""Random schemas and values: what goes in as JSON is schema-valid XML, and comes back as the same JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema
import pytest
import xmlschema
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import Unprocessable
from gateway.protocols.soap import Codec, Contract, answer_schema, compile_operation, request_schema
from tests.protocols.soap import wsdls

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
INT = st.integers
DECIMALS = st.from_regex(r"[+-]?[0-9]{1,30}(\.[0-9]{1,9})?", fullmatch=True)
DATES = st.dates().map(str)
ZONES = st.sampled_from(["", "Z", "+08:00", "-11:30"])
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)


@dataclass(frozen=True)
class Sample:
    """A piece of schema, the keys it stands for and what values they take."""

    xsd: str
    values: st.SearchStrategy[Any]


SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT | st.text(st.sampled_from("a \t\n\r<>&'\"é漢𝄞]"), max_size=9),
    "token": st.from_regex(r"[a-z0-9äß-]{0,9}", fullmatch=True),
    "boolean": st.booleans(),
    "byte": INT(-128, 127),
    "short": INT(-(2**15), 2**15 - 1),
    "int": INT(-(2**31), 2**31 - 1),
    "unsignedInt": INT(0, 2**32 - 1),
    "long": INT(-(2**63), 2**63 - 1).map(str),
    "unsignedLong": INT(0, 2**64 - 1).map(str),
    "integer": st.from_regex(r"[+-]?[0-9]{1,40}", fullmatch=True),
    "decimal": DECIMALS,
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["INF", "-INF", "NaN"]),
    "date": st.builds(str.__add__, DATES, ZONES),
    "time": st.builds(str.__add__, st.times().map(str), ZONES),
    "dateTime": st.builds(str.__add__, st.datetimes().map(lambda d: d.isoformat()), ZONES),
    "duration": st.sampled_from(["P1Y", "-P3DT4H5M6.789S", "PT0S"]),
    "base64Binary": st.sampled_from(["", "AAAA", "/+8=", "QQ=="]),
    "hexBinary": st.binary(max_size=6).map(lambda b: b.hex().upper()),
    "anyURI": st.sampled_from(["", "urn:x", "http://example.org/?a=b&c=d"]),
    "QName": st.builds("{{urn:{}}}{}".format, NAMES, NAMES),
    "gYearMonth": st.sampled_from(["2026-02", "-0044-03Z"]),
    "NMTOKENS": st.lists(NAMES, min_size=1, max_size=3),
}
FACETS: list[Sample] = [
    Sample('<xs:restriction base="xs:string"><xs:maxLength value="5"/></xs:restriction>', st.text("ab<&é -", max_size=5)),
    Sample('<xs:restriction base="xs:token"><xs:length value="4"/></xs:restriction>', st.text("abc-", min_size=4, max_size=4)),
    Sample(
        '<xs:restriction base="xs:string"><xs:pattern value="[0-9]{8}"/></xs:restriction>', INT(0, 10**8 - 1).map("{:08d}".format)
    ),
    Sample(
        '<xs:restriction base="xs:string"><xs:enumeration value="A&amp;B"/><xs:enumeration value=""/></xs:restriction>',
        st.sampled_from(["A&B", ""]),
    ),
    Sample(
        '<xs:restriction base="xs:NMTOKEN"><xs:enumeration value="CNY"/><xs:enumeration value="EUR"/></xs:restriction>',
        st.sampled_from(["CNY", "EUR"]),
    ),
    Sample(
        '<xs:restriction base="xs:decimal"><xs:totalDigits value="13"/><xs:fractionDigits value="2"/></xs:restriction>',
        INT(-(10**12), 10**12).map(lambda n: f"{n // 100}.{abs(n) % 100:02d}"),
    ),
    Sample(
        '<xs:restriction base="xs:integer"><xs:minInclusive value="1"/><xs:maxExclusive value="100"/></xs:restriction>',
        INT(1, 99),
    ),
    Sample(
        '<xs:restriction base="xs:decimal"><xs:minInclusive value="0"/></xs:restriction>',
        st.sampled_from(["0", "0.00", "17.5", "+3"]),
    ),
    Sample('<xs:list itemType="xs:int"/>', st.lists(INT(-9, 9), max_size=4)),
    Sample('<xs:union memberTypes="xs:date xs:NCName"/>', DATES | NAMES),
]


@st.composite
def simple_types(draw: st.DrawFn) -> Sample:
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(SIMPLE)))
        return Sample(f'<xs:restriction base="xs:{name}"/>', SIMPLE[name])
    return draw(st.sampled_from(FACETS))


class Names:
    """Fresh names, so that every key says one thing."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"n{self.count}"


@st.composite
def elements(draw: st.DrawFn, names: Names, depth: int, *, occurs: bool = True) -> Sample:
    """An element particle and the (key, value) pairs it may give."""
    name = names()
    if depth > 0 and draw(st.booleans()):
        inner = draw(complex_types(names, depth - 1))
        xsd, values = inner.xsd, inner.values
    else:
        leaf = draw(simple_types())
        xsd, values = f"<xs:simpleType>{leaf.xsd}</xs:simpleType>", leaf.values
    nillable = draw(st.booleans()) and 'use="required"' not in xsd
    if nillable:
        values = st.none() | values
    low, high = draw(st.sampled_from([(1, 1), (0, 1), (0, None), (1, None), (2, 3)])) if occurs else (1, 1)
    bounds = f'minOccurs="{low}" maxOccurs="{"unbounded" if high is None else high}"'
    text = f'<xs:element name="{name}" {bounds} {"nillable=" + chr(34) + "true" + chr(34) if nillable else ""}>{xsd}</xs:element>'
    if high == 1:
        pairs = values.map(lambda v: {name: v})
        return Sample(text, pairs if low else st.just({}) | pairs)
    return Sample(text, st.lists(values, min_size=low, max_size=high or 3).map(lambda v: {name: v}))


@st.composite
def groups(draw: st.DrawFn, names: Names, depth: int) -> Sample:
    kind = draw(st.sampled_from(["element", "choice", "optional", "all-optional"]))
    if kind == "element":
        return draw(elements(names, depth))
    if kind == "choice":
        options = draw(st.lists(elements(names, depth, occurs=False), min_size=2, max_size=3))
        optional = draw(st.booleans())
        values = st.one_of(*[option.values for option in options])
        text = "".join(option.xsd for option in options)
        return Sample(
            f'<xs:choice minOccurs="{0 if optional else 1}">{text}</xs:choice>', st.just({}) | values if optional else values
        )
    first = draw(elements(names, 0, occurs=False))
    rest = draw(st.lists(elements(names, depth), max_size=2))
    together = st.tuples(first.values, *[part.values for part in rest]).map(_merged)
    text = first.xsd + "".join(part.xsd for part in rest)
    return Sample(f'<xs:sequence minOccurs="0">{text}</xs:sequence>', st.just({}) | together)


@st.composite
def complex_types(draw: st.DrawFn, names: Names, depth: int) -> Sample:
    attributes = draw(st.lists(attribute(names), max_size=2))
    if draw(st.integers(0, 5)) == 0:
        leaf = draw(simple_types().filter(lambda s: "QName" not in s.xsd))
        content = f'<xs:extension base="t:{{}}">{"".join(a.xsd for a in attributes)}</xs:extension>'
        base = draw(st.sampled_from(["string", "decimal", "date", "int"]))
        del leaf
        text = content.replace("t:{}", f"xs:{base}")
        values = st.tuples(SIMPLE[base].map(lambda v: {"$value": v}), *[a.values for a in attributes]).map(_merged)
        return Sample(f"<xs:complexType><xs:simpleContent>{text}</xs:simpleContent></xs:complexType>", values)
    parts = draw(st.lists(groups(names, depth), max_size=4))
    items = draw(st.none() | repeating(names)) if depth else None
    chosen = [*parts, items] if items else parts
    text = f"<xs:sequence>{''.join(p.xsd for p in chosen)}</xs:sequence>{''.join(a.xsd for a in attributes)}"
    values = st.tuples(*[p.values for p in (*chosen, *attributes)]).map(_merged)
    return Sample(f"<xs:complexType>{text}</xs:complexType>", values)


@st.composite
def repeating(draw: st.DrawFn, names: Names) -> Sample:
    options = draw(st.lists(elements(names, 0, occurs=False), min_size=2, max_size=3))
    values = st.lists(st.one_of(*[option.values for option in options]), min_size=1, max_size=4).map(lambda v: {"$items": v})
    return Sample(f'<xs:choice maxOccurs="unbounded">{"".join(o.xsd for o in options)}</xs:choice>', values)


@st.composite
def attribute(draw: st.DrawFn, names: Names) -> Sample:
    name, required = names(), draw(st.booleans())
    leaf = draw(simple_types())
    use = "required" if required else "optional"
    pairs = leaf.values.map(lambda v: {f"@{name}": v})
    text = f'<xs:attribute name="{name}" use="{use}"><xs:simpleType>{leaf.xsd}</xs:simpleType></xs:attribute>'
    return Sample(text, pairs if required else st.just({}) | pairs)


def _merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


@st.composite
def samples(draw: st.DrawFn) -> tuple[str, Any, Any]:
    inner = draw(complex_types(Names(), 2))
    return f'<xs:element name="Root">{inner.xsd}</xs:element>', draw(inner.values), draw(inner.values)


@lru_cache(maxsize=64)
def compiled(body: str) -> tuple[Contract, Codec, etree.XMLSchema]:
    contract = wsdls.contract(body)
    assert not contract.not_offered, contract.not_offered
    return contract, compile_operation(contract, contract.operations[0]), etree.XMLSchema(etree.fromstring(wsdls.schema(body)))


def body_of(envelope: bytes) -> Any:
    return etree.fromstring(envelope)[0][0]


def plain(value: Any) -> Any:
    """Decoded and given values agree up to this: lists and numbers in their one form."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


SLOW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(samples())
def test_a_value_survives_json_to_xml_to_json(sample: tuple[str, Any, Any]) -> None:
    body, value, _ = sample
    note(body)
    contract, codec, schema = compiled(body)
    envelope = codec.encode(value)
    schema.assertValid(body_of(envelope))
    decoded = codec.decode(envelope)
    assert plain(decoded) == plain(value)
    assert codec.encode(decoded) == envelope
    operation = contract.operations[0]
    jsonschema.Draft202012Validator(request_schema(contract, operation)).validate(value)
    answer = answer_schema(contract, operation)
    assert answer is not None
    jsonschema.Draft202012Validator(answer).validate(decoded)


def mutations(value: Any) -> st.SearchStrategy[Any]:
    """A value with one thing about it changed."""
    junk = st.sampled_from([None, "", "x", 0, -1, 1.5, True, [], {}, ["x"], {"x": 1}, "2026-13-01", "\x00", "1e5"])
    choices = [junk]
    if isinstance(value, dict) and value:
        key = st.sampled_from(sorted(value))
        choices += [
            key.map(lambda k: {a: b for a, b in value.items() if a != k}),
            key.flatmap(lambda k: mutations(value[k]).map(lambda new: {**value, k: new})),
            junk.map(lambda j: {**value, "surplus": j}),
        ]
    if isinstance(value, list) and value:
        choices += [
            st.just(value[1:]),
            st.just(value * 3),
            st.integers(0, len(value) - 1).flatmap(
                lambda i: mutations(value[i]).map(lambda new: [*value[:i], new, *value[i + 1 :]])
            ),
        ]
    return st.one_of(*choices)


@SLOW
@given(samples().flatmap(lambda s: st.tuples(st.just(s[0]), st.just(s[1]), mutations(s[1]))))
def test_what_is_accepted_is_schema_valid_and_what_is_refused_says_where(sample: tuple[str, Any, Any]) -> None:
    body, _, changed = sample
    note(body)
    _, codec, schema = compiled(body)
    details = []
    try:
        envelope = codec.encode(changed)
    except Unprocessable as problem:
        details = [error.detail for error in problem.errors]
    else:
        schema.assertValid(body_of(envelope))
        codec.decode(envelope)
    assert "does not fit the contract" not in details
    assert [error.detail for error in codec._check(changed)] == details


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples())
def test_a_second_validator_agrees(sample: tuple[str, Any, Any]) -> None:
    body, value, other = sample
    _, codec, _ = compiled(body)
    judge = xmlschema.XMLSchema(wsdls.schema(body), allow="sandbox", base_url="/nowhere")
    for each in (value, other):
        judge.validate(etree.tostring(body_of(codec.encode(each)), encoding="unicode"))


@pytest.mark.parametrize("name", sorted(SIMPLE))
def test_every_builtin_has_a_value(name: str) -> None:
    contract = wsdls.contract(f'<xs:element name="Root" type="xs:{name}"/>')
    codec = compile_operation(contract, contract.operations[0])
    with pytest.raises(Unprocessable):
        codec.encode({"no": "such"})
