"""Answers in SOAP encoding: arrays of every kind, references, any order. JSON never shows how a server wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import BadAnswer, Refused
from tests.protocols.soap.encodings import ENC, VALUE, answer, codec, part


def refused(text: str, **options: Any) -> str:
    with pytest.raises(BadAnswer) as caught:
        part("person", text, **options)
    return str(caught.value.detail).partition(": ")[2]


def test_references_are_followed_and_what_is_shared_appears_twice() -> None:
    shared = (
        '<people enc:arrayType="t:Person[2]"><Item href="#p"/><Item href="#p"/></people>'
        '<person href="#p"/><names enc:arrayType="xs:string[1]"><n href="#s"/></names>'
    )
    beside = (
        '<multiRef id="p" enc:root="0" xsi:type="t:Person"><age>4</age><name href="#s"/></multiRef>'
        '<multiRef id="s" xsi:type="xs:string">Ann</multiRef>'
    )
    value = codec().decode(answer(shared, beside=beside))
    ann = {"name": "Ann", "age": 4}
    assert value == dict.fromkeys(VALUE) | {"people": [ann, ann], "person": ann, "names": ["Ann"]}


def test_references_of_soap_12() -> None:
    refer = '<people enc:itemType="t:Person" enc:arraySize="2"><a enc:ref="p"/><b enc:ref="p"/></people>'
    text = f'<person enc:id="p"><name>Ann</name></person>{refer}'
    assert part("people", text, version="1.2") == [{"name": "Ann"}] * 2


@pytest.mark.parametrize(
    ("person", "beside", "reason"),
    [
        ('<person id="p"><name>a</name><manager href="#p"/></person>', "", "refers to what contains it"),
        ('<person href="#a"/>', '<m id="a" href="#b"/><m id="b" href="#a"/>', "refers to what contains it"),
        ('<person href="#gone"/>', "", "refers to an element that is not in the message"),
        ('<person href="http://127.0.0.1/x"/>', "", "refers to something outside the message"),
        ('<person href="#a"/>', '<m id="a"><name>x</name></m><m id="a"/>', "two elements have the same id"),
        ("<person><name>a</name></person>", "<stray/>", "the body does not hold one call or answer"),
    ],
)
def test_references_that_lead_nowhere_or_in_circles_are_refused(person: str, beside: str, reason: str) -> None:
    assert refused(person, beside=beside).endswith(reason)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_map_is_typed_though_no_contract_has_its_schema(version: str) -> None:
    pair = '<item><key xsi:type="xs:string">n</key><value xsi:type="xs:int">1</value></item>'
    none = '<item><key xsi:type="xs:string">gone</key><value xsi:nil="true"/></item>'
    text = f'<free xmlns:a="http://xml.apache.org/xml-soap" xsi:type="a:Map">{pair}{none}</free>'
    typed = {"$type": "{http://www.w3.org/2001/XMLSchema}int", "$value": 1}
    items = [{"key": "n", "value": typed}, {"key": "gone", "value": None}]
    value = {"$type": "{http://xml.apache.org/xml-soap}Map", "item": items}
    assert part("free", text, version=version) == value
    sent = codec(version).encode(VALUE | {"free": value})
    assert codec(version).decode(sent)["free"] == value  # type: ignore[index]


def test_references_that_unfold_without_end_are_stopped() -> None:
    levels = 40
    beside = "".join(
        f'<m id="r{n}" enc:arrayType="xs:anyType[2]"><i href="#r{n + 1}"/><i href="#r{n + 1}"/></m>' for n in range(levels)
    )
    assert "unfold" in refused('<free href="#r0"/>', beside=f'{beside}<m id="r{levels}">x</m>')


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ('<names enc:arrayType="xs:string[2]"><x>a</x><y>b</y></names>', ["a", "b"]),
        ("<names><x>a</x></names>", ["a"]),
        ('<names enc:arrayType="xs:string[]"><x>a</x></names>', ["a"]),
        ('<names enc:arrayType="xs:string[0]"/>', []),
        ('<names enc:arrayType="xs:string[4]" enc:offset="[2]"><x>c</x></names>', [None, None, "c", None]),
        ('<names enc:arrayType="xs:string[]" enc:offset="[1]"><x>b</x></names>', [None, "b"]),
        ('<names enc:arrayType="xs:string[3]"><x>a</x></names>', ["a", None, None]),
        (
            '<names enc:arrayType="xs:string[5]"><x enc:position="[3]">d</x><x enc:position="[1]">b</x></names>',
            [None, "b", None, "d", None],
        ),
        ('<names xsi:type="enc:Array" enc:arrayType="xs:string[1]"><x xsi:nil="1"/></names>', [None]),
    ],
)
def test_arrays_however_they_are_sent(array: str, value: object) -> None:
    assert part("names", array) == value


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ('<grid enc:arrayType="xs:int[2,2]"><i>1</i><i>2</i><i>3</i><i>4</i></grid>', [[1, 2], [3, 4]]),
        (
            '<grid enc:arrayType="xs:int[2,2]"><i enc:position="[1,0]">3</i><i enc:position="[0,1]">2</i></grid>',
            [[None, 2], [3, None]],
        ),
        ('<grid enc:arrayType="xs:int[2,2]" enc:offset="[1,0]"><i>3</i><i>4</i></grid>', [[None, None], [3, 4]]),
        ('<grid enc:arrayType="xs:int[0,0]"/>', []),
    ],
)
def test_arrays_of_two_dimensions(array: str, value: object) -> None:
    assert part("grid", array) == value


def test_dimensions_of_soap_12() -> None:
    text = '<grid enc:itemType="xs:int" enc:arraySize="* 2"><i>1</i><i>2</i><i>3</i><i>4</i></grid>'
    assert part("grid", text, version="1.2") == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        ('<names enc:arrayType="xs:string[1]"><x>a</x><y>b</y></names>', "more items than the array has places"),
        ('<names enc:arrayType="xs:string[999999999]"/>', "an array with more than 100000 empty places"),
        ('<names enc:arrayType="xs:string[9999999999]"/>', "an array size that is no number"),
        ('<names enc:arrayType="xs:string[x]"/>', "an array size that is no number"),
        ('<names enc:offset="[900000000]"><x>a</x></names>', "an array with more than 100000 empty places"),
        ('<grid enc:arrayType="xs:int[2]"><i>1</i></grid>', "an array of 1 dimensions instead of 2"),
        ("<grid><i>1</i></grid>", "an array that does not say its dimensions"),
        (
            '<grid enc:arrayType="xs:int[2,2]"><i enc:position="[1,1,1]">3</i></grid>',
            "a place that does not fit the array's dimensions",
        ),
        ('<names><x enc:position="[1]">d</x><x enc:position="[1]">b</x></names>', "two items in one place"),
        ('<grid enc:arrayType="xs:int[99999,99999]"/>', "an array with more than 100000 empty places"),
    ],
)
def test_arrays_that_contradict_themselves_are_refused(array: str, reason: str) -> None:
    assert refused(array).endswith(reason)


@pytest.mark.parametrize(
    ("person", "value"),
    [
        ("<person><age>4</age><name>a</name></person>", {"name": "a", "age": 4}),
        ("<person><t:name>a</t:name></person>", {"name": "a"}),
        ("<person><age>4</age></person>", {"name": None, "age": 4}),
        ('<person xsi:type="t:Unknown"><name>a</name></person>', {"name": "a"}),
        (
            '<person xsi:type="t:Clerk"><desk>A1</desk><name>a</name></person>',
            {"$type": "{urn:t}Clerk", "name": "a", "desk": "A1"},
        ),
        ('<person id="x" e:encodingStyle="u"><name xsi:type="xs:string">a</name></person>', {"name": "a"}),
    ],
)
def test_structs_in_any_order_with_gaps_and_types(person: str, value: object) -> None:
    assert part("person", person) == value


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ("<person><nam>a</nam></person>", "nam is out of place"),
        ("<person><name>a</name><name>a</name></person>", "name is there twice"),
        ("<person>text<name>a</name></person>", "text where only elements belong"),
        ('<person xsi:type="t:Trouble"><reason>a</reason></person>', "its xsi:type is not derived from the declared type"),
        ('<person xsi:type="q:T"/>', "the prefix of a name is not declared"),
        ("<person><age>x</age><name>a</name></person>", "is not a valid int"),
        ('<person xsi:nil="true"><name>a</name></person>', "nil and yet with content"),
        ("<person>" + "<manager>" * 120 + "</manager>" * 120 + "</person>", "nested more than 100 deep"),
    ],
)
def test_structs_that_are_no_structs_are_refused(person: str, reason: str) -> None:
    assert reason in refused(person)


@pytest.mark.parametrize(
    ("free", "value"),
    [
        ("<free>x</free>", "x"),
        ('<free xsi:type="enc:int">5</free>', {"$type": f"{{{ENC['1.1']}}}int", "$value": 5}),
        (
            '<free xmlns:o="http://www.w3.org/1999/XMLSchema" xsi:type="o:int">5</free>',
            {"$type": "{http://www.w3.org/2001/XMLSchema}int", "$value": 5},
        ),
        ('<free xsi:type="enc:Array" enc:arrayType="xs:int[1]"><i>5</i></free>', [5]),
        ('<free enc:arrayType="xs:ur-type[1]"><i>5</i></free>', ["5"]),
        ('<free xsi:type="t:Names"><i>5</i></free>', ["5"]),
        ('<free xsi:type="t:Person"><name>a</name></free>', {"$type": "{urn:t}Person", "name": "a"}),
        ("<free><key>a</key></free>", {"$xml": "<key>a</key>"}),
    ],
)
def test_open_values_by_their_type(free: str, value: object) -> None:
    assert part("free", free) == value


def test_the_wrappers_name_is_not_significant() -> None:
    assert part("note", "<note>x</note>", wrapper="result") == "x"


def test_an_encoded_fault_is_typed() -> None:
    fault = (
        "<e:Fault><faultcode>e:Server</faultcode><faultstring>No</faultstring><detail>"
        '<t:trouble href="#f"/></detail></e:Fault><m id="f"><reason>closed</reason></m>'
    )
    with pytest.raises(Refused) as caught:
        codec().decode(
            answer("").replace(b"<t:echoResponse>", b"<t:x>").split(b"<t:x>")[0] + f"{fault}</e:Body></e:Envelope>".encode()
        )
    assert caught.value.extensions["fault"]["detail"] == {"trouble": {"reason": "closed"}}
