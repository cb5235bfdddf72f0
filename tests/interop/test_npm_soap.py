"""npm soap as a server through the gateway: document/literal in SOAP 1.1 and 1.2, RPC/literal, faults under several statuses."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.interop.peers import node
from tests.interop.world import Server, World, needs, said

pytestmark = needs("npm-soap")

VALUES: dict[str, Any] = {
    "@version": -3,
    "text": " two  spaces, ]]> <&> \r\n\tÜ 中文 😀 ",
    "amount": "-12345678901234567890.1234567890",
    "huge": "123456789012345678901234567890",
    "large": "9007199254740993",
    "number": -2147483648,
    "yes": False,
    "ratio": 0.1,
    "day": "2026-02-28+08:00",
    "moment": "2026-11-20T08:00:00.123456789-05:00",
    "data": base64.b64encode(bytes(range(256))).decode(),
    "maybe": None,
    "tags": ["", " a ", "中"],
    "lines": {"line": [{"@number": 1, "sku": "007", "quantity": "1.500", "unit": "KG"}, {"sku": "", "quantity": "-2"}]},
}
PLAIN: dict[str, Any] = {
    "@version": 3,
    "text": "zwölf <&> 中文 😀",
    "amount": "-12.25",
    "huge": "9007199254740991",
    "large": "-9007199254740991",
    "number": -2147483648,
    "yes": True,
    "ratio": 0.1,
    "day": "2026-02-28",
    "moment": "2026-11-20T08:00:00.125Z",
    "data": "AAEC",
    "maybe": "x",
    "tags": [],
    "lines": {"line": [{"@number": 1, "sku": "007", "quantity": "1.5"}]},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("npm")) as made:
        server = made.runs(Server(node("npm/server.js", "{port}")))
        for path, service, name in (
            ("literal", "Depot", "depot"),
            ("literal12", "Depot12", "depot12"),
            ("rpc", "DepotRpc", "depot-rpc"),
        ):
            assert made.imports(f"{server.url}/{path}?wsdl", "--service", service) == name
        yield made.serve()


@pytest.fixture(params=["depot", "depot12"])
def depot(request: pytest.FixtureRequest, world: World) -> Any:
    return world.service(request.param)


SEEN = {
    "attributes": '{"version":"-3"}',
    "text": '" two  spaces, ]]> <&> \\r\\n\\t\\u00dc \\u4e2d\\u6587 \\ud83d\\ude00 "',
    "amount": '"-12345678901234567890.1234567890"',
    "huge": '"123456789012345678901234567890"',
    "large": '"9007199254740993"',
    "number": "-2147483648",
    "yes": "false",
    "ratio": "0.1",
    "day": '"2026-02-28+08:00"',
    "moment": '"2026-11-20T08:00:00.123456789-05:00"',
    "data": f'"{VALUES["data"]}"',
    "maybe": "null",
    "tags": '[""," a ","\\u4e2d"]',
    "lines": '{"line":[{"attributes":{"number":"1"},"sku":"007","quantity":"1.500","unit":"KG"},{"sku":"","quantity":"-2"}]}',
}


def test_every_kind_of_value_arrives_and_comes_back(depot: Any) -> None:
    described = depot("Describe", {"values": VALUES})
    assert described.status_code == 200, described.text
    assert said(described.json()["said"]) == SEEN
    for values in (VALUES, PLAIN):
        echoed = depot("Echo", {"values": values})
        assert echoed.status_code == 200, echoed.text
        assert echoed.json() == {"values": values}


def test_what_is_absent_stays_absent(depot: Any) -> None:
    least = {key: value for key, value in PLAIN.items() if key not in ("@version", "lines")}
    assert depot("Echo", {"values": least}).json() == {"values": least}
    # It reads an element without content as null.
    assert depot("Echo", {"values": least | {"lines": {"line": []}}}).json() == {"values": least | {"lines": None}}


def test_a_header(depot: Any) -> None:
    """Its server sends none back unless it is given a function for it."""
    answer = depot("Describe", {"values": PLAIN, "$headers": {"Session": "s 1"}}).json()
    assert said(answer["said"])["session"] == "s 1"


def test_one_way_arrives(depot: Any, world: World) -> None:
    """Answered with an empty envelope by one of the two and with nothing by the other."""
    text = f"eins & zwei {uuid.uuid4().hex}"
    sent = depot("Note", {"text": text})
    assert (sent.status_code, sent.content) == (202, b"")
    assert text in httpx.get(f"{world.servers[0].url}/notes").text


def test_a_declared_fault_is_typed(depot: Any) -> None:
    refused = depot("Fail", {"how": "refused"})
    assert refused.status_code == 422, refused.text
    fault = refused.json()["fault"]
    assert fault["detail"] == {"Refused": {"sku": "M8", "missing": "2.50"}}
    assert list(fault["reasons"].values()) == ["nicht genug: 中"]


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({"how": "Client"}, 400, "fault-client"),
        ({"how": "Client", "status": 200}, 400, "fault-client"),
        ({"how": "Client", "status": 400}, 400, "fault-client"),
        ({"how": "Server"}, 502, "fault-server"),
        ({"how": "Server", "status": 200}, 502, "fault-server"),
        ({"how": "Server", "status": 400}, 502, "fault-server"),
        ({"how": "Server", "status": 404}, 502, "fault-server"),
        ({"how": "Server", "status": 503}, 502, "fault-server"),
        ({"how": "error"}, 502, "fault-server"),
    ],
)
def test_a_fault_is_a_fault_under_any_status(depot: Any, asked: dict[str, object], status: int, kind: str) -> None:
    refused = depot("Fail", asked)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (status, kind), refused.text
    # Its server writes the fault of an exception in the shape of SOAP 1.2, whatever the envelope.
    assert refused.json()["fault"]["code"] in ("Client", "Sender", "Server", "Receiver")


def test_a_fault_under_401_is_about_the_gateways_credentials(depot: Any) -> None:
    refused = depot("Fail", {"how": "Server", "status": 401})
    assert (refused.status_code, refused.json()["detail"]) == (502, "The ERP does not accept the gateway's credentials.")


def test_rpc_literal(world: World) -> None:
    rpc = world.service("depot-rpc")
    answer = rpc("Both", {"values": PLAIN, "times": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json()["values"] == PLAIN
    assert said(answer.json()["said"])["amount"] == '"-12.25"'
    # It reads an empty text as null and writes xsi:nil with a prefix that nobody declared.
    broken = rpc("Both", {"values": PLAIN | {"lines": {"line": [{"sku": "", "quantity": "1"}]}}, "times": 1})
    assert (broken.status_code, broken.json()["detail"]) == (502, "the answer is not well-formed XML")


def test_the_imported_routes_serve_unedited(world: World) -> None:
    for name in ("depot", "depot12"):
        echoed = world.service(name, exact=False)("Echo", {"values": PLAIN})
        assert echoed.status_code == 201, echoed.text
        assert echoed.json() == {"values": PLAIN}
    assert world.service("depot-rpc", exact=False)("Both", {"values": PLAIN, "times": 1}).json()["values"] == PLAIN
