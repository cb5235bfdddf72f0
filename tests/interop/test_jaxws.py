"""Metro's JAX-WS through the gateway: wrapped, bare and RPC/literal, SOAP 1.1 and 1.2, headers, faults, derived types, MTOM."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.interop.peers import classpath
from tests.interop.world import Server, World, needs, said
from tests.support import edit

pytestmark = needs("jax-ws")

VALUES: dict[str, Any] = {
    "@colour": "dark  green",
    "@version": -3,
    "text": "  two  spaces, ]]> <&> \r\n\tÜmläut 中文 😀 ",
    "amount": "-12345678901234567890.12345678901234567890",
    "huge": "123456789012345678901234567890",
    "large": "9007199254740993",
    "number": -2147483648,
    "small": 32767,
    "tiny": -128,
    "yes": True,
    "ratio": 1e-300,
    "share": "-INF",
    "day": "2026-02-28+08:00",
    "hour": "23:59:59.999999999Z",
    "moment": "2026-11-20T08:00:00.123456789-05:00",
    "span": "P1Y2M3DT4H5M6.7S",
    "name": "{urn:interop:jaxws}stock",
    "data": base64.b64encode(bytes(range(1, 200))).decode(),
    "unit": "KILOGRAM",
    "maybe": None,
    "tags": ["", " a ", None, "中"],
    "counts": [1, None, -3],
    "codes": {"code": ["only one"]},
    "row": [3, 2, 1],
    "part": {"$type": "{urn:interop:jaxws}bolt", "id": "B-1", "length": "2.50"},
    "parts": [
        {"id": "P-1"},
        None,
        {
            "$type": "{urn:interop:jaxws}Assembly",
            "id": "A-1",
            "members": [{"id": "P-2"}, {"$type": "{urn:interop:jaxws}bolt", "id": "B-2"}],
        },
    ],
    "$items": [{"word": "one"}, {"count": 2}, {"word": ""}, {"count": 0}],
    "label": {"$value": "Etikett", "@language": "de"},
}
SEEN = {
    "text": "  two  spaces, ]]> <&> \\u000d\\u000a\\u0009\\u00dcml\\u00e4ut \\u4e2d\\u6587 \\ud83d\\ude00 ",
    "amount": VALUES["amount"],
    "huge": VALUES["huge"],
    "large": VALUES["large"],
    "number": "-2147483648",
    "small": "32767",
    "tiny": "-128",
    "yes": "true",
    "ratio": "1.0E-300",
    "share": "-Infinity",
    "day": "2026-02-28+08:00",
    "hour": "23:59:59.999999999Z",
    "moment": "2026-11-20T08:00:00.123456789-05:00",
    "span": "P1Y2M3DT4H5M6.7S",
    "name": "{urn:interop:jaxws}stock",
    "data": bytes(range(1, 200)).hex().removeprefix("0"),
    "unit": "KILOGRAM",
    "maybe": "null",
    "optional": "null",
    "tags": "[,  a , null, 中]",
    "counts": "[1, null, -3]",
    "codes": "[only one]",
    "row": "[3, 2, 1]",
    "part": "Bolt B-1 2.50",
    "parts": "[Part P-1, null, Assembly A-1 [Part P-2, Bolt B-2 null]]",
    "mixed": "[one, 2, , 0]",
    "label": "Etikett/de",
    "colour": "dark  green",
    "version": "-3",
}
LEAST: dict[str, Any] = {
    "@version": 0, "text": "", "amount": "0", "large": 0, "number": 0, "small": 0, "tiny": 0, "yes": False, "ratio": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("jaxws")) as made:
        server = made.runs(Server(["java", "-Dfile.encoding=UTF-8", "-cp", classpath(), "interop.Server", "{port}"]))
        names = [made.imports(f"{server.url}/{path}?wsdl") for path in ("stock", "stock12", "rpc", "bare", "files")]
        assert names == ["stock-service", "stock12-service", "rpc-service", "bare-service", "files-service"]
        # Its policy says that MTOM is optional, so it is up to us.
        edit(made.folder / "gateway.yaml", "port: FilesPort", "port: FilesPort\n    mtom: true")
        yield made.serve()


@pytest.fixture(params=["stock-service", "stock12-service"])
def stock(request: pytest.FixtureRequest, world: World) -> Any:
    """The same endpoint in SOAP 1.1 and in SOAP 1.2."""
    return world.service(request.param)


def test_every_kind_of_value_arrives_and_comes_back(stock: Any) -> None:
    described = stock("describe", {"values": VALUES})
    assert described.status_code == 200, described.text
    assert said(described.json()["return"]) == SEEN
    echoed = stock("echo", {"values": VALUES})
    assert echoed.status_code == 200, echoed.text
    assert echoed.json() == {"return": VALUES}


def test_what_is_absent_stays_absent(stock: Any) -> None:
    echoed = stock("echo", {"values": LEAST}).json()["return"]
    # JAXB has one null for absent and nil, and writes it as nil where the element is nillable.
    assert echoed == LEAST | {"large": "0", "maybe": None, "tags": [], "counts": [], "parts": [], "$items": []}
    assert stock("absent", {}).json() == {}
    assert stock("nothing", {}).json() == {}


def test_answers_of_a_derived_type(stock: Any) -> None:
    answer = stock("swap", {"part": {"$type": "{urn:interop:jaxws}bolt", "id": "B", "length": "1.0"}}).json()
    members = [{"$type": "{urn:interop:jaxws}bolt", "id": "B", "length": "1.0"}]
    assert answer == {"return": {"$type": "{urn:interop:jaxws}Assembly", "id": "around B", "members": members}}


def test_headers_both_ways(stock: Any) -> None:
    answer = stock("signed", {"text": "hello", "$headers": {"session": "S 1", "turn": 41}})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"return": "hello for S 1", "$headers": {"turn": 42}}


def test_several_results(stock: Any) -> None:
    assert stock("divide", {"number": 17, "by": 5}).json() == {"by": 2, "quotient": 3}


def test_one_way_arrives(stock: Any) -> None:
    sent = stock("note", {"text": "eins & zwei"})
    assert (sent.status_code, sent.content) == (202, b"")
    assert stock("lastNote", {}).json() == {"return": "eins & zwei"}


def test_a_declared_fault_is_typed(stock: Any) -> None:
    assert stock("reserve", {"sku": "M8", "quantity": "10.00"}).json() == {"return": "10.00"}
    refused = stock("reserve", {"sku": "M8", "quantity": "12.50"})
    assert refused.status_code == 422, refused.text
    fault = refused.json()["fault"]
    assert fault["detail"] == {"OutOfStock": {"sku": "M8", "missing": "2.50", "alternatives": ["螺丝 M8", "Schraube für Ü"]}}
    assert "only ten left" in fault["reasons"].values()


@pytest.mark.parametrize(
    ("sku", "status", "kind"), [("broken", 502, "fault-server"), ("down", 502, "fault-server"), ("unknown", 400, "fault-client")]
)
def test_undeclared_faults(world: World, sku: str, status: int, kind: str) -> None:
    refused = world.service("stock-service")("reserve", {"sku": sku, "quantity": "1"})
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (status, kind), refused.text
    assert "SELECT" not in refused.text
    assert "java" not in refused.text


def test_rpc_literal(world: World) -> None:
    rpc = world.service("rpc-service")
    described = rpc("describe", {"values": VALUES, "times": 1})
    assert described.status_code == 200, described.text
    assert said(described.json()["said"]) == SEEN
    assert rpc("echo", {"values": VALUES}).json() == {"return": VALUES}
    assert rpc("split", {"text": "a,b ,c"}).json() == {"return": {"item": ["a", "b ", "c"]}}
    refused = rpc("reserve", {"sku": "M8"})
    assert (refused.status_code, refused.json()["fault"]["detail"]["OutOfStock"]["sku"]) == (422, "M8")


def test_bare(world: World) -> None:
    bare = world.service("bare-service")
    assert bare("echo", VALUES).json() == VALUES
    assert bare("length", "zwölf").json() == 5


@pytest.mark.parametrize("size", [10, 100_000])
def test_files_travel_beside_the_envelope_both_ways(world: World, size: int) -> None:
    files = world.service("files-service")
    data = bytes(n % 251 for n in range(size))
    value = {"data": base64.b64encode(data).decode()}
    assert files("travelled", value).json() == {"return": f"{size} bytes in multipart/related"}
    reversed_ = files("reverse", value)
    assert reversed_.status_code == 200, reversed_.text
    assert base64.b64decode(reversed_.json()["return"]) == data[::-1]
    answer = files("text", {"text": "ü", "times": size}).json()
    assert base64.b64decode(answer["return"]).decode() == "ü" * size


def test_jaxws_answers_mtom_with_mtom(world: World) -> None:
    """So what the gateway was answered above came in parts."""
    asked = '<t:text xmlns:t="urn:interop:jaxws"><text>x</text><times>100</times></t:text>'
    envelope = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{asked}</e:Body></e:Envelope>'
    part = f'--b\r\nContent-Type: application/xop+xml; type="text/xml"\r\nContent-ID: <a>\r\n\r\n{envelope}\r\n--b--\r\n'
    kind = 'multipart/related; type="application/xop+xml"; start="<a>"; start-info="text/xml"; boundary=b'
    answer = httpx.post(f"{world.servers[0].url}/files", content=part, headers={"content-type": kind})
    assert answer.headers["content-type"].startswith("multipart/related"), answer.text
    assert b"x" * 100 in answer.content


def test_the_imported_routes_serve_unedited(world: World) -> None:
    """With the field tables as imported: a date has no zone, moments are said in UTC, empty texts are left out."""
    stock = world.service("stock-service", exact=False)
    echoed = stock("echo", {"values": VALUES | {"day": "2026-02-28"}})
    changed = {key: value for key, value in echoed.json()["return"].items() if value != VALUES[key]}
    assert changed == {"day": "2026-02-28"}, echoed.json()
    assert stock("note", {"text": "recorded"}).json()["state"] == "delivered"
    assert stock("lastNote", {}).json() == {"return": "recorded"}
    refused = stock("reserve", {"sku": "M8", "quantity": "12.50"})
    assert (refused.status_code, list(refused.json()["fault"]["detail"])) == (422, ["OutOfStock"])
    # Nobody can know what a broken ERP booked.
    unknown = stock("reserve", {"sku": "broken", "quantity": "1"})
    assert (unknown.status_code, unknown.json()["state"]) == (202, "unknown")
