"""Each way to misbehave, met over a socket, and what the journal says of it."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from lxml import etree

from gateway.demo.erp.mischief import AFTER, BEFORE
from gateway.demo.erp.process import ErpProcess

REPORT = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    '<f:GetFinanceReport xmlns:f="urn:demo-erp:finance:types">'
    "<f:PERIODE>202609</f:PERIODE></f:GetFinanceReport></e:Body></e:Envelope>"
)


@pytest.fixture
def erp() -> Iterator[ErpProcess]:
    with ErpProcess.start() as process:
        yield process


@pytest.fixture
def http(erp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=erp.url) as client:
        yield client


def ask(http: httpx.Client) -> httpx.Response:
    return http.post("/soap/finance", content=REPORT, headers={"content-type": "text/xml", "soapaction": '""'})


@pytest.mark.parametrize(("mode", "heard"), [("drop_before", 0), ("drop_after_commit", 1)])
def test_a_dropped_connection(erp, http, mode, heard):
    erp.control("finance", mode)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        ask(http)
    assert len(erp.journal()) == heard
    assert ask(http).status_code == 200


@pytest.mark.parametrize(
    ("mode", "status", "media_type"),
    [("http500", 500, "text/plain"), ("html502", 502, "text/html"), ("fault", 500, "text/xml")],
)
def test_an_error_in_front_of_the_erp_books_nothing(erp, http, mode, status, media_type):
    erp.control("finance", mode, times=2)
    answers = [ask(http), ask(http), ask(http)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers["content-type"].startswith(media_type)
    assert len(erp.journal()) == 1


def test_the_undeclared_fault_speaks_the_version_of_the_request(erp, http):
    erp.control("procurement", "fault", times=2)
    texts = [http.post("/soap/procurement", headers={"content-type": kind}).text for kind in ("application/soap+xml", "text/xml")]
    assert "e:Receiver" in texts[0]
    assert "<faultcode>e:Server</faultcode>" in texts[1]


def test_a_rest_service_breaks_in_json(erp, http):
    erp.control("inventory", "fault")
    answer = http.get("/inventory/items/000001")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")


def test_a_truncated_answer_is_cut_short_of_its_length(erp, http):
    erp.control("finance", "truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask(http)
    assert [entry["outcome"] for entry in erp.journal()] == ["read"]


def test_garbage_and_an_entity_bomb_arrive_as_success(erp, http):
    erp.control("finance", "garbage")
    erp.control("finance", "dtd")
    garbage, bomb = ask(http), ask(http)
    assert garbage.status_code == bomb.status_code == 200
    assert garbage.headers["content-type"] == bomb.headers["content-type"] == "text/xml; charset=utf-8"
    assert b"<!ENTITY" in bomb.content
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(garbage.content)
    with pytest.raises(etree.XMLSyntaxError, match="amplification"):
        etree.fromstring(bomb.content, etree.XMLParser(resolve_entities=True, huge_tree=False))
    assert len(erp.journal()) == 2


def test_an_oversize_answer_is_valid_but_large(erp, http):
    erp.control("finance", "oversize", bytes=3_000_000)
    erp.control("inventory", "oversize", bytes=1_000_000)
    answer, item = ask(http), http.get("/inventory/items/000001")
    assert len(answer.content) > 3_000_000
    assert "content-length" not in answer.headers
    assert etree.fromstring(answer.content).tag.endswith("Envelope")
    assert len(item.content) > 1_000_000
    assert item.json()["sku"] == "000001"


def test_a_slow_answer_comes_after_its_delay(erp, http):
    erp.control("finance", "delay", seconds=0.2)
    started = time.monotonic()
    assert ask(http).status_code == 200
    assert time.monotonic() - started >= 0.2


async def test_a_held_answer_waits_for_its_release_and_is_booked_before(erp):
    erp.control("finance", "hold")
    async with httpx.AsyncClient(base_url=erp.url) as http:
        call = asyncio.create_task(
            http.post("/soap/finance", content=REPORT, headers={"content-type": "text/xml", "soapaction": '""'})
        )
        while not (await http.get("/journal")).json():
            assert not call.done()
        await http.post("/control", json={"service": "finance", "mode": "release"})
        assert (await call).status_code == 200


def test_clear_disarms_and_other_services_are_not_touched(erp, http):
    erp.control("finance", "http500", times=5)
    assert http.get("/inventory/items/000001").status_code == 200
    assert http.get("/control").json()["finance"] == ["http500"] * 5
    erp.control("finance", "clear")
    assert ask(http).status_code == 200


@pytest.mark.parametrize(
    "order",
    [
        *([], {}, {"service": "crm", "mode": "delay"}, {"service": "finance"}, {"service": "finance", "mode": "explode"}),
        *({"service": "finance", "mode": "delay", "seconds": -1}, {"service": "finance", "mode": "delay", "times": 0}),
        {"service": "finance", "mode": "oversize", "bytes": "many"},
    ],
)
def test_a_control_nobody_understands_arms_nothing(erp, http, order):
    answer = http.post("/control", json=order)
    assert answer.status_code == 400
    assert "must be" in answer.json()["error"]
    assert not any(http.get("/control").json().values())


def test_every_mode_is_tested_here():
    with open(__file__, encoding="utf-8") as file:
        source = file.read()
    assert all(f'"{mode}"' in source for mode in BEFORE + AFTER)
