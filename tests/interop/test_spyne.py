"""spyne as a server through the gateway: contracts of its own making, SOAP 1.1 and 1.2, nested arrays, derived types, headers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.peers import HERE, python
from tests.interop.world import Server, World, needs, said

pytestmark = needs("spyne")

NS = "{urn:interop:spyne}"
VALUES: dict[str, Any] = {
    "@version": -3,
    "text": " two  spaces, ]]> <&> \r\n\tÜ 中文 😀 ",
    "amount": "-12345678901234567890.12345678901234567890",
    "huge": "123456789012345678901234567890",
    "large": "9007199254740993",
    "number": -214748364,
    "yes": False,
    "ratio": 1e-300,
    "day": "2026-02-28",
    "hour": "23:59:59.999999",
    "moment": "2026-11-20T08:00:00.123456-05:00",
    "span": "P1DT2H3M4S",
    "data": base64.b64encode(bytes(range(256))).decode(),
    "unit": "KG",
    "maybe": None,
    "code": "ABCD",
    "tags": ["", " a ", "中"],
    "names": {"string": ["", None, "x"]},
    "grid": {"intArray": [{"int": [1, 2]}, {"int": []}, {"int": [-3]}]},
    "part": {"$type": f"{NS}Bolt", "id": "B-1", "length": "2.50"},
    "parts": {"Part": [{"id": "P-1"}, {"$type": f"{NS}Bolt", "id": "B-2", "length": None}]},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("spyne")) as made:
        for service, name in (("Store", "store"), ("Store12", "store12")):
            server = made.runs(Server([str(python()), str(HERE / "spyne" / "server.py"), "{port}", service]))
            assert made.imports(f"{server.url}/?wsdl", "--service", service) == name
        yield made.serve()


@pytest.fixture(params=["store", "store12"])
def store(request: pytest.FixtureRequest, world: World) -> Any:
    return world.service(request.param)


SEEN = {
    "text": "' two  spaces, ]]> <&> \\r\\n\\t\\xdc \\u4e2d\\u6587 \\U0001f600 '",
    "amount": f"Decimal('{VALUES['amount']}')",
    "huge": VALUES["huge"],
    "large": VALUES["large"],
    "number": "-214748364",
    "yes": "False",
    "ratio": "1e-300",
    "day": "2026-02-28",
    "hour": "23:59:59.999999",
    "moment": "2026-11-20T08:00:00.123456-05:00",
    "span": "datetime.timedelta(days=1, seconds=7384)",
    "data": f"[{bytes(range(256))!a}]",
    "unit": "KG",
    "code": "'ABCD'",
    "tags": "['', ' a ', '\\u4e2d']",
    "names": "['', None, 'x']",
    "grid": "[[1, 2], [], [-3]]",
    "part": "Bolt{B-1, 2.50}",
    "parts": "[Part{P-1, None}, Bolt{B-2, None}]",
    "version": "-3",
}


def test_every_kind_of_value_arrives_and_comes_back(store: Any) -> None:
    described = store("describe", {"values": VALUES})
    assert described.status_code == 200, described.text
    assert said(described.json()["describeResult"]) == SEEN
    echoed = store("echo", {"values": VALUES})
    assert echoed.status_code == 200, echoed.text
    # It leaves out what is None.
    parts = {"Part": [{"id": "P-1"}, {"$type": f"{NS}Bolt", "id": "B-2"}]}
    assert echoed.json()["echoResult"] == {key: value for key, value in VALUES.items() if key != "maybe"} | {"parts": parts}


def test_what_is_absent_stays_absent(store: Any) -> None:
    assert store("echo", {"values": {"text": ""}}).json() == {"echoResult": {"text": "", "tags": []}}
    assert store("echo", {"values": None}).json() == store("echo", {}).json() == {}


def test_what_its_contract_forbids_is_refused_before_it_is_sent(store: Any) -> None:
    for field, wrong in (("code", "abc"), ("code", "ABCDE"), ("unit", "LB"), ("number", 2**31), ("day", "20.11.2026")):
        refused = store("echo", {"values": {"text": "", field: wrong}})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/values/{field}")


def test_a_refusal_of_its_own_is_passed_on(store: Any) -> None:
    """spyne counts the sign as a digit, so that the least xs:int is too long for it."""
    refused = store("describe", {"values": {"text": "", "number": -(2**31)}})
    assert (refused.status_code, refused.json()["fault"]["subcodes"]) == (400, ["ValidationError"])


def test_arrays_of_a_derived_type(store: Any) -> None:
    bolt = {"$type": f"{NS}Bolt", "id": "B", "length": "1.0"}
    for times in (0, 1, 3):
        assert store("repeat", {"part": bolt, "times": times}).json() == {"repeatResult": {"Part": [bolt] * times}}


def test_several_results(store: Any) -> None:
    assert store("reserve", {"sku": "M8", "quantity": "2.50"}).json() == {"sku": "M8", "left": "7.50"}


def test_headers_both_ways(store: Any) -> None:
    answer = store("whoami", {"$headers": {"Session": {"user": "李"}}})
    assert answer.json() == {"whoamiResult": "李", "$headers": {"Turn": {"count": 7}}}


def test_open_content(store: Any) -> None:
    given = {"$xml": '<a xmlns="urn:x">1<b/></a>'}
    assert store("anything", {"xml": given}).json() == {"anythingResult": given}
    given = {"$xml": "<a>1</a><b>2</b>"}
    assert store("mapping", {"values": given}).json() == {"mappingResult": given}


def test_a_declared_fault_is_typed(store: Any) -> None:
    refused = store("reserve", {"sku": "M8", "quantity": "12.50"})
    assert refused.status_code == 422, refused.text
    fault = refused.json()["fault"]
    assert fault["detail"] == {"OutOfStock": {"sku": "M8", "missing": "2.50"}}
    assert (fault["subcodes"], list(fault["reasons"].values())) == (["OutOfStock"], ["only ten left"])


def test_undeclared_faults(store: Any) -> None:
    unknown = store("reserve", {"sku": "unknown", "quantity": "1"})
    assert (unknown.status_code, unknown.json()["fault"]["actor"]) == (400, "urn:store")
    broken = store("reserve", {"sku": "broken", "quantity": "1"})
    assert (broken.status_code, broken.json()["detail"]) == (502, "Internal Error")


def test_the_imported_routes_serve_unedited(world: World) -> None:
    for name in ("store", "store12"):
        store = world.service(name, exact=False)
        echoed = store("echo", {"values": VALUES})
        assert echoed.status_code == 201, echoed.text
        changed = {key: value for key, value in echoed.json()["echoResult"].items() if value != VALUES[key]}
        assert set(changed) == {"parts"}, changed
        assert store("reserve", {"sku": "M8", "quantity": "12.50"}).status_code == 422
