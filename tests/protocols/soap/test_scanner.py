"""A scan gives what the parser gives, or nothing: never another value, never a value for what the parser refuses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.protocols.soap import Codec, answers, compile_operation
from gateway.protocols.soap.scanner import MISS
from tests.protocols.soap import wsdls

ORDER = """
<xs:element name="Root"><xs:complexType><xs:sequence>
  <xs:element name="id" type="xs:int"/>
  <xs:element name="note" type="xs:string" minOccurs="0" nillable="true"/>
  <xs:element name="head" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="code" type="xs:token"/>
    </xs:sequence><xs:attribute name="kind" type="xs:string"/></xs:complexType></xs:element>
  <xs:element name="line" minOccurs="0" maxOccurs="3"><xs:complexType><xs:sequence>
    <xs:element name="price" type="xs:decimal"/><xs:element name="day" type="xs:date" minOccurs="0"/>
    <xs:element name="tag" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="open" type="xs:boolean" default="true" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>"""
PLAIN = (
    "<t:Root><t:id>-7</t:id><t:note>a &amp;lt; b</t:note><t:head kind='x'><t:code> c </t:code></t:head>"
    "<t:line><t:price>-1.50</t:price><t:tag>x</t:tag><t:tag>漢𝄞</t:tag></t:line>\n"
    "<t:line><t:price>2</t:price><t:day>2026-01-31</t:day></t:line><t:open>true</t:open></t:Root>"
).replace("'", '"')
VALUE = {
    "id": -7,
    "note": "a &lt; b",
    "head": {"@kind": "x", "code": "c"},
    "line": [{"price": "-1.50", "tag": ["x", "漢𝄞"]}, {"price": "2", "day": "2026-01-31", "tag": []}],
    "open": True,
}
PIECES = [
    *("<", ">", "&", '"', " ", "\n", "\r", "\t", "\0", "\x85", "\ufffe", "]]>", "x", "0", "-", ".", "t:", "xmlns"),
    *("&amp;", "&#13;", "&lt;", "<!-- -->", "<?p?>", "<![CDATA[a]]>", "<t:note/>", "<t:tag></t:tag>", "<t:open></t:open>"),
    *("<t:tag>y</t:tag>", "<t:id>8</t:id>", "<t:line><t:price>3</t:price></t:line>", "</t:Root>", ' kind="y"', ' a="b"'),
    *(' xmlns:t="urn:other"', ' xmlns="urn:t"', ' xsi:nil="true"', "<!DOCTYPE a>", "99999999999", "1e5", "é"),
]


@lru_cache
def codec() -> Codec:
    contract = wsdls.contract(ORDER)
    return compile_operation(contract, contract.operation("echo"))


def scanned(envelope: bytes) -> object:
    return codec()._scanner.read(envelope)


def parsed(envelope: bytes) -> Any:
    return codec()._decode(answers.tree(envelope))


@pytest.mark.parametrize(
    "start", ["", '<?xml version="1.0" encoding="utf-8"?>\n', '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>']
)
def test_plain_answer_is_scanned(start: str) -> None:
    envelope = start.encode() + wsdls.envelope(PLAIN)
    assert scanned(envelope) == parsed(envelope) == VALUE


@pytest.mark.parametrize(
    ("old", "new"),
    [("<t:", "<"), ("<t:", "<u:")],
    ids=["default namespace", "another prefix"],
)
def test_prefixes_are_the_servers_own(old: str, new: str) -> None:
    body = PLAIN.replace(old, new).replace(old.replace("<", "</"), new.replace("<", "</"))
    declared = 'xmlns="urn:t"' if new == "<" else 'xmlns:u="urn:t"'
    envelope = wsdls.envelope(body.replace("Root>", f"Root {declared}>", 1))
    assert scanned(envelope) == parsed(envelope) == VALUE


def test_white_space_between_elements_is_plain() -> None:
    envelope = wsdls.envelope(PLAIN.replace("><t:", ">\r\n  <t:").replace("></t:", ">\n</t:"))
    assert scanned(envelope) == parsed(envelope) == VALUE


@pytest.mark.parametrize(
    "body",
    [
        '<t:Root xmlns:t="urn:other"><t:id>1</t:id></t:Root>',
        "<t:Root><t:id>1</t:id>text</t:Root>",
        "<t:Root><t:id>1</t:id><t:note>a\x01</t:note></t:Root>",
        "<t:Root><t:id>1</t:id><t:note>]]></t:note></t:Root>",
        "<t:Root><t:id>1</t:id><t:note>\ufffe</t:note></t:Root>",
        "<t:Root><t:id>1</t:id>" + "<t:line><t:price>1</t:price></t:line>" * 4 + "</t:Root>",
        "<t:Root><t:id>1</t:id><t:line><t:price>1</t:price><t:day>tomorrow</t:day></t:line></t:Root>",
        "<t:Root><t:id>1</t:id></t:Root><t:Root/>",
        "<t:Root><t:id>1</t:id>",
    ],
)
def test_what_the_parser_refuses_is_missed(body: str) -> None:
    envelope = wsdls.envelope(body)
    with pytest.raises(Problem):
        parsed(envelope)
    assert scanned(envelope) is MISS


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff"])
def test_other_encodings_are_missed(mark: bytes) -> None:
    assert scanned(mark + wsdls.envelope(PLAIN)) is MISS


def test_server_that_writes_in_too_many_ways_is_no_longer_learnt() -> None:
    contract = wsdls.contract(ORDER)
    fresh = compile_operation(contract, contract.operation("echo"))
    found = [fresh._scanner.read(wsdls.envelope(PLAIN, head=f'xmlns:a="urn:{n}"')) for n in range(20)]
    assert found == [VALUE] * 16 + [MISS] * 4
    assert fresh.decode(wsdls.envelope(PLAIN, head='xmlns:a="urn:last"')) == VALUE


@pytest.mark.parametrize(
    "xsd",
    [
        '<xs:element name="Root" type="t:R"/><xs:complexType name="R"><xs:sequence>'
        '<xs:element name="r" type="t:R" minOccurs="0"/></xs:sequence></xs:complexType>',
        '<xs:element name="Root" type="xs:string"/>',
        wsdls.root('<xs:choice><xs:element name="a" type="xs:int"/><xs:element name="r" type="xs:int"/></xs:choice>'),
        wsdls.root('<xs:sequence><xs:element name="r" type="xs:anyType" minOccurs="0"/></xs:sequence>'),
        wsdls.root('<xs:sequence/><xs:attribute name="a" use="required"/>'),
    ],
    ids=["recursion", "simple", "choice", "anyType", "required attribute"],
)
def test_contracts_that_are_not_plain_are_missed(xsd: str) -> None:
    contract = wsdls.contract(xsd)
    scanner = compile_operation(contract, contract.operation("echo"))._scanner
    assert scanner.read(wsdls.envelope("<t:Root><t:r>1</t:r></t:Root>")) is MISS


@given(
    st.lists(
        st.tuples(st.integers(0, len(wsdls.envelope(PLAIN).decode())), st.integers(0, 12), st.sampled_from(["", *PIECES])),
        min_size=1,
        max_size=3,
    )
)
def test_damaged_answers_give_what_the_parser_gives(edits: list[tuple[int, int, str]]) -> None:
    text = wsdls.envelope(PLAIN, head='xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"').decode()
    for place, removed, added in edits:
        text = text[:place] + added + text[place + removed :]
    found = scanned(text.encode())
    assert found is MISS or found == parsed(text.encode())


@pytest.mark.parametrize(
    ("note", "value"),
    [
        ("", {}),
        ("<t:note/>", {"note": ""}),
        ("<t:note></t:note>", {"note": ""}),
        ('<t:note xsi:nil="true"/>', {"note": None}),
        ('<t:note xsi:nil="1" />', {"note": None}),
        ("<t:note>&lt;</t:note>", {"note": "<"}),
    ],
)
def test_empty_and_nil_elements_need_no_parser(note: str, value: dict[str, object]) -> None:
    head = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    answer = wsdls.envelope(f"<t:Root><t:id>1</t:id>{note}</t:Root>", head=head)
    assert scanned(answer) == parsed(answer) == {"id": 1, **value, "line": []}


@pytest.mark.parametrize(
    "text", ["<t:id/>", "<t:id></t:id>", '<t:id xsi:nil="true"/>', '<t:id>1</t:id><t:note xsi:nil="false"/>']
)
def test_other_empty_elements_are_the_parsers(text: str) -> None:
    head = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert scanned(wsdls.envelope(f"<t:Root>{text}</t:Root>", head=head)) is MISS
