"""Callbacks over a real ledger to a real server; the ``standardwebhooks`` library says whether a signature is good."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
import standardwebhooks
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.records import Todo, put
from gateway.documents.states import Event
from gateway.documents.view import represent
from gateway.identity.satellites import Callback, Satellite, Satellites
from gateway.ports import Client
from gateway.upstreams.http1 import Http1Client
from gateway.worker.callbacks import EARLIER, WAITS, Callbacks, client_settings, shunned, signature
from gateway.worker.turns import AT_ONCE, BUSY, Turns
from tests.worker.support import Server, World

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def connect(origin: str) -> Client:
    return Http1Client(origin, client_settings(origin))


def told_at(url: str) -> Satellites:
    return Satellites([Satellite("oa", "OA", "demo", callback=Callback(url, KEY))])


def caller(world: World, server: Server, *, path: str = "/hooks/erp", connect: Any = connect, **given: Any) -> Callbacks:
    satellites = told_at(f"http://{server.host}{path}")
    return Callbacks(world.ledger, lambda: satellites, represent, connect, jitter=lambda: 0.0, **given)


async def work_off(world: World, callbacks: Callbacks) -> int:
    """Everything that is due, as the dispatcher does it. How many pieces of work that was."""
    done = 0
    while claimed := await world.claim(*callbacks.kinds):
        await asyncio.gather(*map(callbacks.handle, claimed))
        done += len(claimed)
    await callbacks.aclose()
    return done


async def test_a_satellite_is_told_and_can_check_who_tells(world: World, server: Server) -> None:
    world.clock.at = time.time()  # the library compares with its own clock
    await world.hold(callback=True)
    callbacks = caller(world, server, path="/hooks/erp?from=gateway")
    await work_off(world, callbacks)
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/hooks/erp?from=gateway")
    assert request.headers["webhook-id"] == "d1.1"
    assert request.headers["webhook-timestamp"] == str(int(world.clock.at))
    assert request.headers["content-type"] == "application/json"
    event = standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)
    assert event["type"] == "document.held"
    assert event["data"]["id"] == "d1"
    assert (event["data"]["state"], event["data"]["sequence"], event["data"]["revision"]) == ("held", 1, 1)
    assert event["data"]["approvals"]["required"] == 2
    assert event["timestamp"].endswith("Z")
    assert [(e["kind"], e["details"]) for e in await world.audit("callback.")] == [("callback.sent", {"sequence": 1})]
    assert await world.work("callback") == []
    assert (callbacks.failed, callbacks.given_up) == (0, 0)
    forged = {**request.headers, "webhook-id": "d1.2"}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(request.body, forged)


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1), st.binary())
def test_signatures_are_those_of_the_library(key: bytes, id_: str, body: bytes) -> None:
    text = base64.b64encode(body).decode()
    now = int(time.time())
    signed = {"webhook-id": id_, "webhook-timestamp": str(now), "webhook-signature": signature(key, id_, now, text.encode())}
    oracle = standardwebhooks.Webhook("whsec_" + base64.b64encode(key).decode())
    assert oracle.verify(text, signed, json_parse=False) is None


async def test_every_step_is_told_in_its_order(world: World, server: Server) -> None:
    await world.hold(callback=True)
    await world.step("d1", Event.APPROVE, callback=True)
    await world.step("d1", Event.RECALL, callback=True)
    await work_off(world, caller(world, server))
    events = [request.json for request in server.received]
    assert [event["type"] for event in events] == ["document.held", "document.approved", "document.recalled"]
    assert [event["data"]["sequence"] for event in events] == [1, 2, 3]
    assert [event["data"]["state"] for event in events] == ["held", "approved", "recalled"]
    assert [request.headers["webhook-id"] for request in server.received] == ["d1.1", "d1.2", "d1.3"]


async def test_an_event_tells_nothing_of_what_came_after_it(world: World, server: Server) -> None:
    await world.hold(callback=True)
    held_at = world.clock.at
    world.clock.at += 60
    await world.step("d1", Event.APPROVE, callback=True)
    await world.step("d1", Event.SEND, callback=True)
    await world.step("d1", Event.DELIVER, callback=True, reference="AP-1")
    await work_off(world, caller(world, server))
    held, approved, delivered = (request.json for request in server.received)
    assert (held["data"]["state"], held["data"]["reference"]) == ("held", None)
    assert approved["data"]["reference"] is None
    assert delivered["data"]["reference"] == "AP-1"
    assert held["timestamp"] < approved["timestamp"] <= delivered["timestamp"]
    assert held["data"]["updated_at"] == held["timestamp"]
    assert held_at < world.clock.at


async def test_a_later_callback_waits_for_the_earlier_one(world: World, server: Server) -> None:
    server.answers = [500, 200]
    callbacks = caller(world, server)
    await world.hold(callback=True)
    await work_off(world, callbacks)
    await world.hold("d2", callback=True)
    await world.step("d1", Event.REJECT, callback=True)
    await work_off(world, callbacks)
    assert [request.headers["webhook-id"] for request in server.received] == ["d1.1", "d2.1"]
    first, second = await world.work("callback")
    assert (first["at"] - world.clock.at, first["problem"]) == (WAITS[0], "the satellite answered 500")
    assert (second["problem"], second["attempts"]) == (EARLIER, 0)
    world.clock.at = first["at"]
    await work_off(world, callbacks)
    assert [request.headers["webhook-id"] for request in server.received] == ["d1.1", "d2.1", "d1.1", "d1.2"]
    assert await world.work("callback") == []


async def test_waiting_costs_no_tries(world: World, server: Server) -> None:
    server.answers = ["drop"]
    callbacks = caller(world, server)
    await world.hold(callback=True)
    await world.step("d1", Event.REJECT, callback=True)
    for _ in range(3):
        world.clock.at += 200_000
        await work_off(world, callbacks)
        first, second = await world.work("callback")
    assert (first["attempts"], second["attempts"]) == (3, 0)
    assert {request.headers["webhook-id"] for request in server.received} == {"d1.1"}


async def test_the_schedule_ends(world: World, server: Server) -> None:
    server.answers = [503]
    callbacks = caller(world, server)
    await world.hold(callback=True)
    await world.step("d1", Event.REJECT, callback=True)
    with structlog.testing.capture_logs() as logs:
        for wait in (0.0, *WAITS):
            world.clock.at += wait
            if wait == WAITS[-1]:
                server.answers = [503, 200]
            await work_off(world, callbacks)
    assert [r.headers["webhook-id"] for r in server.received] == ["d1.1"] * (len(WAITS) + 1) + ["d1.2"]
    assert len({request.headers["webhook-timestamp"] for request in server.received}) == len(WAITS) + 1
    audit = [(e["kind"], e["details"]["sequence"]) for e in await world.audit("callback.")]
    assert audit == [("callback.given_up", 1), ("callback.sent", 2)]
    assert (callbacks.failed, callbacks.given_up) == (len(WAITS) + 1, 1)
    assert [log["given_up"] for log in logs] == [False] * len(WAITS) + [True]
    assert {log["event"] for log in logs} == {"callback.failed"}
    assert await world.work("callback") == []


async def test_gone_means_stop(world: World, server: Server) -> None:
    server.answers = [410]
    callbacks = caller(world, server)
    await world.hold(callback=True)
    await work_off(world, callbacks)
    (entry,) = await world.audit("callback.")
    assert (entry["kind"], entry["details"]["problem"]) == ("callback.given_up", "the satellite answered 410")
    assert callbacks.given_up == 1
    assert await world.work("callback") == []


async def test_a_redirect_is_not_followed(world: World, server: Server) -> None:
    server.answers = [308]
    await world.hold(callback=True)
    await work_off(world, caller(world, server))
    assert [request.path for request in server.received] == ["/hooks/erp"]
    (row,) = await world.work("callback")
    assert row["problem"] == "the satellite answered 308"


@pytest.mark.parametrize(("answer", "problem"), [("hang", "no answer (UpstreamTimeout)"), ("drop", "no answer (Unreachable)")])
async def test_no_answer(world: World, server: Server, answer: str, problem: str) -> None:
    server.answers = [answer]
    await world.hold(callback=True)
    await work_off(world, caller(world, server, timeout=0.2))
    (row,) = await world.work("callback")
    assert (row["problem"], row["at"] - world.clock.at) == (problem, WAITS[0])


async def test_a_satellite_that_is_not_there(world: World, server: Server) -> None:
    server.port = 9
    await world.hold(callback=True)
    await work_off(world, caller(world, server))
    (row,) = await world.work("callback")
    assert row["problem"] == "not reached (Unreachable)"


async def test_a_satellite_that_hangs_holds_up_no_other(world: World, server: Server) -> None:
    server.answers = ["hang"]
    for number in range(AT_ONCE + 3):
        await world.hold(f"d{number}", callback=True)
    callbacks = caller(world, server, timeout=0.2, turns=Turns(patience=0.0))
    claimed = await world.claim("callback")
    await asyncio.gather(*map(callbacks.handle, claimed))
    rows = await world.work("callback")
    assert [row["problem"] for row in rows].count(BUSY) == 3
    assert sorted(row["attempts"] for row in rows) == [0] * 3 + [1] * AT_ONCE
    server.answers = [200]
    callbacks = caller(world, server)
    world.clock.at += 25
    await work_off(world, callbacks)
    assert await world.work("callback") == []


async def test_a_flood_is_not_read(world: World, server: Server) -> None:
    """A satellite that took the event took it, whatever else it says and however long that is."""
    server.answers = ["flood"]
    await world.hold(callback=True)
    await work_off(world, caller(world, server))
    assert [e["kind"] for e in await world.audit("callback.")] == ["callback.sent"]


async def test_a_satellite_without_a_url_is_not_told(world: World, server: Server) -> None:
    await world.hold("d1", callback=True)
    await world.hold("d2", callback=True, satellite="gone")
    await world.step("d1", Event.REJECT, callback=True)
    satellites = Satellites([Satellite("oa", "OA", "demo")])
    callbacks = Callbacks(world.ledger, lambda: satellites, represent, connect)
    await work_off(world, callbacks)
    assert [(e["kind"], e["document"]) for e in await world.audit("callback.")] == [
        ("callback.dropped", "d1"),
        ("callback.dropped", "d2"),
        ("callback.dropped", "d1"),
    ]
    assert await world.work("callback") == []


async def test_a_claim_that_ran_out_sends_nothing(world: World, server: Server) -> None:
    await world.hold(callback=True)
    callbacks = caller(world, server)
    (slow,) = await world.claim("callback")
    world.clock.at += 61
    (quick,) = await world.claim("callback")
    await callbacks.handle(slow)
    assert server.received == []
    await callbacks.handle(quick)
    await callbacks.handle(quick)
    await callbacks.aclose()
    assert len(server.received) == 1
    assert len(await world.audit("callback.")) == 1


async def test_work_of_an_older_gateway_is_told_too(world: World, server: Server) -> None:
    """Before steps left their time with it."""
    await world.hold()
    await world.ledger.write(lambda tx: put(tx, [Todo("callback", tx.now, "d1", {"state": "held", "seq": 1, "revision": 1})]))
    await work_off(world, caller(world, server))
    assert server.received[0].json["timestamp"] == server.received[0].json["data"]["updated_at"]


# --- where a callback must not lead ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"],
)
def test_addresses_nobody_may_be_led_to(address: str) -> None:
    assert shunned(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.5", "192.168.1.1", "203.0.113.7", "2001:db8::1"])
def test_addresses_satellites_live_at(address: str) -> None:
    assert not shunned(address)


async def test_a_name_that_leads_to_a_shunned_address_is_not_spoken_to(world: World, server: Server) -> None:
    def wary(origin: str) -> Client:
        settings = client_settings("http://localhost")
        assert settings.shuns is shunned
        return Http1Client(origin, type(settings)(timeout=5, shuns=lambda address: address == "127.0.0.1"))

    await world.hold(callback=True)
    await work_off(world, caller(world, server, connect=wary))
    assert server.received == []
    (row,) = await world.work("callback")
    assert row["problem"] == "not reached (Unreachable)"


def test_an_address_in_the_configuration_was_meant() -> None:
    assert client_settings("http://169.254.169.254").shuns is None
    assert client_settings("http://[fe80::1]:8080").shuns is None
    assert client_settings("https://metadata.example.com").shuns is shunned


async def test_the_body_is_what_the_satellite_would_get(world: World, server: Server) -> None:
    document = await world.hold(callback=True)
    await work_off(world, caller(world, server))
    assert json.loads(server.received[0].body)["data"] == represent(document)
