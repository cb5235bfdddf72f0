"""PHP's SoapServer through the gateway: document/literal in SOAP 1.1 and 1.2, RPC/encoded with arrays and references, faults."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.interop.peers import HERE
from tests.interop.world import Server, World, needs, said

pytestmark = needs("php")

XSD = "{http://www.w3.org/2001/XMLSchema}"
VALUES: dict[str, Any] = {
    "text": " two  spaces, ]]> <&> \r\n\tÜ 中文 😀 ",
    "amount": "-12345678901234567890.1234567890",
    "huge": "9223372036854775807",
    "large": "9007199254740993",
    "number": -2147483648,
    "yes": False,
    "ratio": 0.1,
    "day": "2026-02-28+08:00",
    "moment": "2026-11-20T08:00:00.123456789-05:00",
    "data": base64.b64encode(bytes(range(256))).decode(),
    "hex": "00FF7F80",
    "maybe": None,
    "tags": ["", " a ", "中"],
    "lines": {"line": [{"@number": 1, "sku": "007", "quantity": "1.500", "unit": "KG"}, None, {"sku": "", "quantity": "-2"}]},
    "best": {"$type": "{urn:interop:php}Priced", "sku": "B", "quantity": "1", "price": "9.990"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("php")) as made:
        options = ["-d", "display_errors=0", "-d", f"sys_temp_dir={tmp_path_factory.mktemp('php-files')}"]
        command = ["php", *options, "-S", "127.0.0.1:{port}", str(HERE / "php" / "server.php")]
        server = made.runs(Server(command, "started"))
        assert made.imports(f"{server.url}/literal?wsdl", "--port", "Orders") == "literal"
        assert made.imports(f"{server.url}/literal12?wsdl", "--port", "Orders12") == "literal12"
        assert made.imports(f"{server.url}/encoded?wsdl") == "legacy"
        yield made.serve()


@pytest.fixture(params=["literal", "literal12"])
def orders(request: pytest.FixtureRequest, world: World) -> Any:
    return world.service(request.param)


SEEN = {
    "text": '" two  spaces, ]]> <&> \\u{d}\\u{a}\\u{9}\\u{dc} \\u{4e2d}\\u{6587} \\u{1f600} "',
    "amount": '"-12345678901234567890.1234567890"',
    "huge": "9223372036854775807",
    "large": "9007199254740993",
    "number": "-2147483648",
    "yes": "false",
    "ratio": "0.1",
    "day": '"2026-02-28+08:00"',
    "moment": '"2026-11-20T08:00:00.123456789-05:00"',
    "data": bytes(range(256)).hex(),
    "hex": "00ff7f80",
    "maybe": "null",
    "tags": '["", " a ", "\\u{4e2d}"]',
    "lines": '{line: [Line{sku: "007", quantity: "1.500", unit: "KG", number: 1}, null, Line{sku: "", quantity: "-2"}]}',
    "best": 'Priced{sku: "B", quantity: "1", price: "9.990"}',
}
MAP: dict[str, Any] = {
    "$type": "{http://xml.apache.org/xml-soap}Map",
    "item": [
        {"key": "colour", "value": "red"},
        {"key": "size", "value": {"$type": f"{XSD}int", "$value": 42}},
        {"key": "open", "value": {"$type": f"{XSD}boolean", "$value": True}},
    ],
}
LINE: dict[str, Any] = {
    "sku": "007",
    "quantity": "1.50",
    "amount": "9007199254740993",
    "open": True,
    "day": "2026-02-28",
    "data": "AAEC",
    "next": None,
}


def test_every_kind_of_value_arrives_and_comes_back(orders: Any) -> None:
    described = orders("Describe", {"values": VALUES})
    assert described.status_code == 200, described.text
    assert said(described.json()["said"]) == SEEN
    echoed = orders("Echo", {"values": VALUES})
    assert echoed.status_code == 200, echoed.text
    assert echoed.json() == {"values": VALUES}


def test_one_item_none_and_what_is_absent(orders: Any) -> None:
    least = {key: value for key, value in VALUES.items() if key not in ("lines", "best")}
    assert orders("Echo", {"values": least | {"tags": []}}).json() == {"values": least | {"tags": []}}
    one = least | {"tags": ["x"], "lines": {"line": [{"sku": "1", "quantity": "1"}]}}
    assert orders("Echo", {"values": one}).json() == {"values": one}
    none = least | {"lines": {"line": []}}
    assert orders("Echo", {"values": none}).json() == {"values": none}


def test_an_integer_that_php_cannot_hold_is_rounded_by_php(orders: Any) -> None:
    """It arrives with all its digits; PHP makes a float of it, and what it answers is a valid integer."""
    echoed = orders("Echo", {"values": VALUES | {"huge": "123456789012345678901234567890"}}).json()
    assert echoed["values"]["huge"] == "123456789012345677877719597056"


def test_headers_both_ways(world: World) -> None:
    answer = world.service("literal")("Describe", {"values": VALUES, "$headers": {"Session": "s 1"}}).json()
    assert said(answer["said"]) == {"session": "s 1"} | SEEN
    assert answer["$headers"] == {"Turn": 7}


def test_one_way_arrives(orders: Any, world: World) -> None:
    text = f"eins & zwei {uuid.uuid4().hex}"
    sent = orders("Note", {"text": text})
    assert (sent.status_code, sent.content) == (202, b"")
    assert text in httpx.get(f"{world.servers[0].url}/notes").text


def test_a_declared_fault_is_typed(orders: Any) -> None:
    refused = orders("Fail", {"how": "refused"})
    assert refused.status_code == 422, refused.text
    fault = refused.json()["fault"]
    assert fault["detail"] == {"Refused": {"sku": "M8", "missing": "2.50"}}
    assert list(fault["reasons"].values()) == ["nicht genug: 中"]


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({"how": "Client"}, 400, "fault-client"),
        ({"how": "Server"}, 502, "fault-server"),
        ({"how": "MustUnderstand"}, 502, "fault-server"),
        ({"how": "status", "status": 200}, 502, "fault-server"),
        ({"how": "status", "status": 400}, 502, "fault-server"),
        ({"how": "status", "status": 404}, 502, "fault-server"),
        ({"how": "html", "status": 200}, 502, "upstream-bad-answer"),
        ({"how": "html", "status": 502}, 502, "fault-server"),
        ({"how": "exception"}, 502, "fault-server"),
    ],
)
def test_other_failures(orders: Any, asked: dict[str, object], status: int, kind: str) -> None:
    refused = orders("Fail", asked)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (status, kind), refused.text
    assert "/var" not in refused.text
    assert "<h1>" not in refused.text


def test_encoded_arrays_of_structs(world: World) -> None:
    legacy = world.service("legacy")
    for lines in ([], None, [LINE], [LINE, LINE | {"sku": "2", "next": LINE | {"sku": "3"}}]):
        answer = legacy("echoLines", {"lines": lines, "note": "ü"})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"return": lines}


def test_encoded_values_of_a_derived_type(world: World) -> None:
    priced = LINE | {"$type": "{urn:interop:encoded}Priced", "price": "1.0"}
    assert world.service("legacy")("echoLines", {"lines": [priced], "note": None}).json() == {"return": [priced]}


def test_encoded_references_are_followed(world: World) -> None:
    """SoapServer writes the line once and refers to it twice."""
    assert world.service("legacy")("shared", {"line": LINE, "times": 3}).json() == {"return": [LINE] * 3}


def test_encoded_arrays_of_strings_and_of_two_dimensions(world: World) -> None:
    legacy = world.service("legacy")
    joined = legacy("join", {"words": ["a", " b ", None, "中"]}).json()
    assert joined == {"joined": '["a", " b ", null, "\\u{4e2d}"]', "words": ["中", None, " b ", "a"]}
    assert legacy("transpose", {"matrix": [[1, 2, 3], [4, 5, 6]]}).json() == {"return": [[1, 4], [2, 5], [3, 6]]}


def test_encoded_values_of_any_type(world: World) -> None:
    legacy = world.service("legacy")
    assert legacy("anything", {"kind": "text"}).json() == {"return": "text"}
    assert legacy("anything", {"kind": "int"}).json() == {"return": {"$type": f"{XSD}int", "$value": 42}}
    assert legacy("anything", {"kind": "list"}).json() == {"return": ["a", "b"]}
    # PHP's arrays with names are maps of Apache SOAP.
    assert legacy("anything", {"kind": "map"}).json() == {"return": MAP}


def test_maps_both_ways(world: World) -> None:
    legacy = world.service("legacy")
    told = legacy("merge", {"first": MAP, "second": {"item": [{"key": "more", "value": None}]}})
    assert told.status_code == 200, told.text
    items = [*MAP["item"], {"key": "more", "value": None}]
    seen = '["colour" => "red", "size" => 42, "open" => true, "more" => null]'
    assert told.json() == {"map": {"item": items}, "seen": seen}


def test_encoded_faults(world: World) -> None:
    refused = world.service("legacy")("fail", {"how": "this"})
    assert (refused.status_code, refused.json()["fault"]["reasons"]) == (502, {"und": "because of this"})
    assert refused.json()["fault"]["actor"] == "urn:actor"


def test_the_imported_routes_serve_unedited(world: World) -> None:
    """With the field tables as imported: a date has no zone, moments are said in UTC, empty texts are left out."""
    for name in ("literal", "literal12"):
        echoed = world.service(name, exact=False)("Echo", {"values": VALUES | {"day": "2026-02-28"}})
        assert echoed.status_code == 201, echoed.text
        changed = {key: value for key, value in echoed.json()["values"].items() if value != VALUES[key]}
        assert changed == {"day": "2026-02-28"}
    legacy = world.service("legacy", exact=False)
    assert legacy("echoLines", {"lines": [LINE], "note": "ü"}).json() == {"return": [LINE]}
