"""Real SOAP clients on the gateway's own WSDLs, with the demo ERP behind: PHP, npm soap, zeep, suds, JAX-WS."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.demo.erp.process import ErpProcess
from gateway.demo.people import Browser
from gateway.demo.tour import order, payment
from tests.interop import peers
from tests.interop.clients import SoapClient
from tests.interop.world import World, needs

WAYS = [
    ("php", "1.1", "basic"),
    ("php", "1.1", "token"),
    ("php", "1.2", "token"),
    ("npm-soap", "1.1", "basic"),
    ("npm-soap", "1.1", "token"),
    ("npm-soap", "1.2", "token"),
    ("zeep", "1.1", "basic"),
    ("zeep", "1.1", "token"),
    ("zeep", "1.2", "token"),
    ("suds", "1.1", "basic"),
    ("suds", "1.1", "token"),
    ("jax-ws", "1.1", "basic"),
    ("jax-ws", "1.1", "token"),
    ("jax-ws", "1.2", "token"),
]


@pytest.fixture(scope="module")
def world(erp: ErpProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("facade"), erp.url) as made:
        yield made.serve()


@pytest.fixture(scope="module")
def stubs(world: World) -> None:
    peers.stubs({name: f"{world.gateway.url}/soap/{name}?wsdl" for name in ("payments", "purchase-orders")})


@pytest.fixture(scope="module", params=[pytest.param(way, id="-".join(way), marks=needs(way[0])) for way in WAYS])
def client(request: pytest.FixtureRequest, world: World) -> Iterator[SoapClient]:
    if request.param[0] == "jax-ws":
        request.getfixturevalue("stubs")
    started = SoapClient(*request.param, world.gateway.url).start()
    yield started
    started.stop()


def number(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def booked(erp: ErpProcess, number: str) -> list[dict[str, Any]]:
    """What the ERP booked under a sender's own number, as it arrived there."""
    requests = [entry["request"] for entry in erp.journal() if entry["outcome"] == "booked"]
    return [
        request for request in requests if any(isinstance(part, dict) and number in part.values() for part in request.values())
    ]


def fields(told: dict[str, Any]) -> dict[str, Any]:
    """The members of an answer that hold something: some clients show what is absent as null."""
    return {name: value for name, value in told.items() if value is not None}


def exact(client: SoapClient, value: Any) -> Any:
    """A value of the REST answer as this client shows it. npm soap makes doubles of decimals and moments of dates."""
    if isinstance(value, dict):
        return {name: exact(client, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exact(client, inner) for inner in value]
    if client.peer == "npm-soap" and isinstance(value, str):
        if re.fullmatch(r"-?\d+\.\d+", value):
            return float(value)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return f"{value}T00:00:00.000Z"
    return value


def test_an_order_of_twenty_lines_is_booked_and_read_back(client: SoapClient, world: World, erp: ErpProcess) -> None:
    body = order(number("MES"), 20) | {"note": 'Ü  中文 <&> ]]> "quoted"'}
    told = client.call("mes", "purchase-orders", "create", body)
    assert "answer" in told, told
    (seen,) = booked(erp, body["externalNumber"])
    again = body | {"externalNumber": number("MES")}
    assert world.gateway.call("mes", "POST", "/api/v1/purchase-orders", json=again).status_code == 201
    (by_rest,) = booked(erp, again["externalNumber"])
    assert {**seen["Order"], "BSTNK": ""} == {**by_rest["Order"], "BSTNK": ""}

    answer = told["answer"]["answer"]
    rest = world.gateway.call("mes", "GET", f"/api/v1/purchase-orders/{answer['number']}").json()
    assert (len(rest["lines"]), rest["note"]) == (20, body["note"])
    assert fields(answer) == exact(client, rest)
    read = client.call("mes", "purchase-orders", "get", {"number": answer["number"]})
    assert fields(inner(read)) == exact(client, rest)


def inner(told: dict[str, Any]) -> dict[str, Any]:
    """The answer of a read: clients that unwrap a response of one element show that element alone."""
    answer: dict[str, Any] = told["answer"]
    return answer.get("answer", answer)


def test_a_list_of_one_line_is_read_back_too(client: SoapClient, world: World, erp: ErpProcess) -> None:
    body = order(number("MES"), 1) | {"note": None}
    del body["lines"][0]["deliveryDate"]
    told = client.call("mes", "purchase-orders", "create", body)
    assert "answer" in told, told
    (seen,) = booked(erp, body["externalNumber"])
    assert len(seen["Order"]["Positions"]["Position"]) == 1
    rest = world.gateway.call("mes", "GET", f"/api/v1/purchase-orders/{told['answer']['answer']['number']}").json()
    read = fields(inner(client.call("mes", "purchase-orders", "get", {"number": rest["number"]})))
    assert read["lines"][0]["sku"] == rest["lines"][0]["sku"]
    assert read.get("note") is rest.get("note") is None


def test_what_is_wrong_is_told_by_element(client: SoapClient, erp: ErpProcess) -> None:
    wrong = order(number("MES"), 2)
    wrong["lines"][1]["sku"] = "12"
    fault = client.call("mes", "purchase-orders", "create", wrong)["fault"]
    assert "lines[2]/sku" in fault["text"]
    problem = fault["problem"]
    assert (str(problem["status"]), problem["type"]) == ("422", "urn:erp-gateway:problem:unprocessable")
    assert "/lines/1/sku" in str(problem["error"])
    assert booked(erp, wrong["externalNumber"]) == []


def test_the_policy_denies(client: SoapClient) -> None:
    fault = client.call("wms", "payments", "get", {"number": "1900000001"})["fault"]
    assert (str(fault["problem"]["status"]), fault["problem"]["type"]) == ("403", "urn:erp-gateway:problem:forbidden")


def test_what_the_erp_does_not_have(client: SoapClient) -> None:
    fault = client.call("oa", "payments", "get", {"number": "9999999999"})["fault"]
    assert (str(fault["problem"]["status"]), fault["problem"]["origin"]) == ("404", "upstream")


def test_a_wrong_password(client: SoapClient) -> None:
    """With HTTP basic it is a 401, of which suds and JAX-WS do not read the body. Ten failures a minute are one caller's measure,
    so the guesses are shared out."""
    caller = "oa" if client.auth == "basic" else "mes"
    fault = client.call(caller, "payments", "get", {"number": "1900000001"}, secret="wrong")["fault"]
    if client.auth == "basic" and client.peer in ("suds", "jax-ws"):
        assert "401" in fault["text"]
    else:
        assert (str(fault["problem"]["status"]), fault["text"]) == ("401", "The user name or the password is wrong.")


def test_a_payment_over_the_threshold_is_held_until_two_people_agree(client: SoapClient, world: World, erp: ErpProcess) -> None:
    body = payment(number("OA"), "4711", "500000.01", account=uuid.uuid4().hex[:20])
    key = uuid.uuid4().hex
    told = client.call("oa", "payments", "create", body, key=key)
    assert "answer" in told, told
    told = fields(told["answer"])
    assert set(told) == {"document"}
    document = fields(told["document"])
    assert (document["state"], document["reason"]) == ("held", ["over_threshold"])
    for person in ("approver-a", "approver-b"):
        assert booked(erp, body["externalNumber"]) == []
        approve(world, person, document["id"])
    delivered(world, document["id"])
    (seen,) = booked(erp, body["externalNumber"])
    assert seen["Payment"]["WRBTR"] == "500000.01"
    again = client.call("oa", "payments", "create", body, key=key)["answer"]
    assert (again["document"]["id"], again["document"]["replayed"]) == (document["id"], True)
    assert len(booked(erp, body["externalNumber"])) == 1


def approve(world: World, person: str, document: str) -> None:
    browser = Browser(world.gateway.console, person)
    browser.sign_in()
    page = browser.open(f"/documents/{document}")
    shown = world.gateway.call("oa", "GET", f"/api/documents/{document}").json()
    pressed = browser.press(page, "/approve", revision=str(shown["revision"]), payload_hash=shown["payload_hash"])
    assert pressed.status == 200


def delivered(world: World, document: str) -> None:
    """Wait for it, as a satellite does."""
    found, wait = {"state": ""}, {"prefer": "wait=10"}
    for _ in range(10):
        found = world.gateway.call("oa", "GET", f"/api/documents/{document}", headers=wait).json()
        if found["state"] == "delivered":
            return
        wait["if-none-match"] = f'"{found["sequence"]}"'
    raise AssertionError(found)


@pytest.mark.parametrize("peer", [pytest.param(peer, marks=needs(peer)) for peer in ("npm-soap", "zeep")])
def test_a_password_digest_is_refused_with_what_to_send(peer: str, world: World) -> None:
    client = SoapClient(peer, "1.1", "digest", world.gateway.url).start()
    fault = client.call("oa", "payments", "get", {"number": "1900000001"})["fault"]
    client.stop()
    assert "PasswordText" in fault["text"], fault
