"""Messages over a real ledger, through Apprise, to a real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from gateway.config.gateway import Gateway
from gateway.config.messages import Channel
from gateway.documents import tables
from gateway.documents.records import Todo, put
from gateway.documents.states import Event
from gateway.worker.messages import WAITS, Messages, Settings
from gateway.worker.turns import AT_ONCE, BUSY, Turns
from tests.worker.support import ACCOUNT, START, Server, World

FINANCE = ("finance-approver",)
MEMBERS = {"finance-approver": {"approver-a", "approver-b", "clerk-1"}, "cfo": {"cfo-1"}}


def members(role: str, tenant: str) -> Collection[str]:
    assert tenant == "demo"
    return MEMBERS.get(role, set())


def channel(server: Server, path: str, *, about: Collection[str] = ("ask", "remind", "escalate"), **who: Any) -> Channel:
    return Channel.model_validate({"url": SecretStr(f"json://{server.host}/{path}"), "about": list(about), **who})


def post(world: World, channels: dict[str, Channel], *, language: Any = "en", **given: Any) -> Messages:
    settings = Settings("https://gw.example.com", language, channels)
    return Messages(world.ledger, lambda: settings, members, jitter=lambda: 0.0, **given)


async def work_off(world: World, messages: Messages) -> int:
    """Everything that is due, as the dispatcher does it. How many pieces of work that was."""
    done = 0
    while claimed := await world.claim(*messages.kinds):
        await asyncio.gather(*map(messages.handle, claimed))
        done += len(claimed)
    return done


def told(server: Server) -> list[str]:
    return sorted(f"{request.path} {request.json['message']}" for request in server.received)


async def test_an_ask_goes_to_each_channel_of_the_approvers(world: World, server: Server) -> None:
    channels = {
        "finance": channel(server, "finance", roles=["finance-approver", "cfo"]),
        "everybody": channel(server, "everybody"),
        "warehouse": channel(server, "warehouse", roles=["warehouse"]),
        "it": channel(server, "it", about=["alarm"]),
        "reminders": channel(server, "reminders", about=["remind"]),
    }
    await world.hold()
    messages = post(world, channels)
    assert await work_off(world, messages) == 3
    sentence = "A payment of CNY 500,000.01 waits for your approval (0 of 2). https://gw.example.com/documents/d1"
    assert told(server) == [f"/everybody {sentence}", f"/finance {sentence}"]
    assert {request.json["title"] for request in server.received} == {"Approval needed"}
    assert all(ACCOUNT.encode() not in request.body and b"Acme" not in request.body for request in server.received)
    sent = await world.audit("message.sent")
    assert sorted(entry["details"]["channel"] for entry in sent) == ["everybody", "finance"]
    assert {(entry["document"], entry["details"]["about"]) for entry in sent} == {("d1", "ask")}
    assert (messages.failed, messages.given_up) == (0, 0)
    assert await world.work(*messages.kinds) == []


async def test_a_message_in_chinese(world: World, server: Server) -> None:
    await world.hold()
    await work_off(world, post(world, {"finance": channel(server, "finance")}, language="zh-CN"))
    (request,) = server.received
    assert request.json["title"] == "待您审批"
    assert request.json["message"].startswith("一笔 CNY 500,000.01 的付款等待您审批")


async def test_a_person_hears_only_of_what_is_theirs_to_decide(world: World, server: Server) -> None:
    people = ("approver-a", "approver-b", "clerk-1", "deputy", "former", "cfo-1", "stranger")
    channels = {person: channel(server, person, people=[person]) for person in people}

    def before(tx: Any) -> None:
        vote = {"revision": 1, "decision": "approve", "payload_hash": "a" * 64, "at": START, "method": "demo", "roles": "[]"}
        tx.write(tables.votes.insert(), {"document": "d1", "person": "Approver-B", **vote})
        acting = {"delegator": "approver-a", "tenant": "demo", "starts_at": START - 1, "ends_at": START + 1, "revoked_at": None}
        former = {**acting, "delegate": "former", "revoked_at": START}
        tx.write(tables.delegations.insert(), [{**acting, "delegate": "deputy"}, former])

    await world.hold()
    await world.ledger.write(before)
    await work_off(world, post(world, channels))
    assert sorted(request.path for request in server.received) == ["/approver-a", "/deputy"]


async def test_reminders_and_escalation(world: World, server: Server) -> None:
    channels = {
        "finance": channel(server, "finance", roles=["finance-approver"]),
        "cfo": channel(server, "cfo", roles=["cfo"]),
    }
    document = await world.hold()
    messages = post(world, channels)
    await work_off(world, messages)
    server.received.clear()
    await world.step("d1", Event.REMIND)
    await work_off(world, messages)
    assert [request.path for request in server.received] == ["/finance"]
    server.received.clear()
    assert document.hold is not None
    await world.step("d1", Event.ESCALATE, hold=replace(document.hold, escalated=True))
    await work_off(world, messages)
    assert [request.path for request in server.received] == ["/cfo"]
    assert "not decided in time" in server.received[0].json["message"]
    server.received.clear()
    await world.step("d1", Event.REMIND)
    await work_off(world, messages)
    assert sorted(request.path for request in server.received) == ["/cfo", "/finance"]


async def test_an_alarm_goes_to_operators(world: World, server: Server) -> None:
    channels = {"finance": channel(server, "finance"), "it": channel(server, "it", about=["alarm"], roles=["operator"])}
    await world.hold()
    await world.step("d1", Event.APPROVE)
    await world.step("d1", Event.DISTRUST)
    await work_off(world, post(world, channels))
    assert told(server) == [
        "/it payments.create: a document needs the decision of two operators. https://gw.example.com/documents/d1"
    ]


async def test_an_alarm_about_no_document(world: World, server: Server) -> None:
    def unit(tx: Any) -> None:
        put(tx, [Todo("alarm", tx.now, None, {"code": "reload-failed"})])

    await world.ledger.write(unit)
    await work_off(world, post(world, {"it": channel(server, "it", about=["alarm"])}))
    assert told(server) == ["/it Something in the gateway needs an operator (reload-failed). https://gw.example.com/"]


async def test_nobody_is_asked_in_vain(world: World, server: Server) -> None:
    await world.hold("d1")
    await world.hold("d2")
    await world.step("d1", Event.REJECT)
    messages = post(world, {"finance": channel(server, "finance")})
    asks = await world.claim("ask")
    for work in asks:
        await messages.handle(work)
    await world.step("d2", Event.REVISE, revision=2)
    await work_off(world, messages)
    assert len(server.received) == 1  # of the second revision
    dropped = [(entry["document"], entry["details"]) for entry in await world.audit("message.dropped")]
    assert dropped == [
        ("d1", {"about": "ask", "reason": "now rejected"}),
        ("d2", {"about": "ask", "channel": "finance", "reason": "now revision 2"}),
    ]


async def test_a_hold_whose_time_is_over_asks_nobody(world: World, server: Server) -> None:
    document = await world.hold()
    assert document.hold is not None
    world.clock.at = document.hold.expires_at
    await work_off(world, post(world, {"finance": channel(server, "finance")}))
    assert server.received == []
    (entry,) = await world.audit("message.")
    assert (entry["kind"], entry["details"]["reason"]) == ("message.dropped", "expired")


async def test_an_alarm_that_was_seen_to_is_not_sent(world: World, server: Server) -> None:
    await world.hold()
    await world.step("d1", Event.APPROVE)
    await world.step("d1", Event.DISTRUST)
    await world.step("d1", Event.DISCARD)
    await work_off(world, post(world, {"it": channel(server, "it", about=["alarm"])}))
    assert server.received == []
    assert [e["details"]["reason"] for e in await world.audit("message.dropped")] == ["now discarded", "now discarded"]


async def test_a_channel_taken_out_of_the_configuration_is_told_nothing_more(world: World, server: Server) -> None:
    await world.hold()
    await post(world, {"finance": channel(server, "finance")}).handle((await world.claim("ask"))[0])
    await work_off(world, post(world, {}))
    assert server.received == []
    assert [e["details"]["reason"] for e in await world.audit("message.")] == ["no such channel"]


async def test_that_nobody_was_told_is_on_record(world: World) -> None:
    await world.hold()
    with structlog.testing.capture_logs() as logs:
        await work_off(world, post(world, {}))
    assert [(e["kind"], e["document"]) for e in await world.audit("message.")] == [("message.unaddressed", "d1")]
    assert logs == [{"event": "message.unaddressed", "log_level": "warning", "about": "ask", "document": "d1"}]


async def test_a_failed_delivery_is_tried_again_and_seen(world: World, server: Server) -> None:
    server.answers = [503, 500, 200]
    await world.hold()
    messages = post(world, {"finance": channel(server, "finance?token=hush")})
    with structlog.testing.capture_logs() as logs:
        await work_off(world, messages)
        (row,) = await world.work("message")
        assert (row["at"] - world.clock.at, row["problem"]) == (WAITS[0], "not accepted (HTTP 503)")
        world.clock.at += WAITS[0]
        await work_off(world, messages)
        world.clock.at += WAITS[1]
        await work_off(world, messages)
    assert len(server.received) == 3
    assert await world.work("message") == []
    assert [e["kind"] for e in await world.audit("message.")] == ["message.sent"]
    assert [(e["event"], e["channel"], e["attempts"], e["problem"]) for e in logs] == [
        ("message.failed", "finance", 1, "not accepted (HTTP 503)"),
        ("message.failed", "finance", 2, "not accepted (HTTP 500)"),
    ]
    assert "hush" not in json.dumps(logs)
    assert (messages.failed, messages.given_up) == (2, 0)


async def test_one_channel_that_fails_holds_up_no_other(world: World, server: Server) -> None:
    dead = Channel(url=SecretStr("json://127.0.0.1:9/closed"))
    await world.hold()
    await work_off(world, post(world, {"dead": dead, "finance": channel(server, "finance")}))
    assert [request.path for request in server.received] == ["/finance"]
    (row,) = await world.work("message")
    assert (row["data"]["to"], row["problem"]) == ("dead", "not accepted")


async def test_a_message_is_given_up_and_operators_hear_of_it(world: World, server: Server) -> None:
    dead = Channel(url=SecretStr("json://127.0.0.1:9/closed"))
    await world.hold()
    messages = post(world, {"finance": dead, "it": channel(server, "it", about=["alarm"])})
    await work_off(world, messages)
    for wait in WAITS:
        world.clock.at += wait
        await work_off(world, messages)
    assert (messages.failed, messages.given_up) == (len(WAITS) + 1, 1)
    kinds = [(e["kind"], e["details"]["channel"]) for e in await world.audit("message.")]
    assert kinds == [("message.given_up", "finance"), ("message.sent", "it")]
    assert told(server) == [
        "/it payments.create: people could not be told through the channel finance that a document waits."
        " https://gw.example.com/documents/d1"
    ]
    assert await world.work(*messages.kinds) == []


async def test_an_alarm_that_cannot_be_told_raises_no_other(world: World) -> None:
    await world.hold()
    await world.step("d1", Event.APPROVE)
    await world.step("d1", Event.DISTRUST)
    dead = Channel.model_validate({"url": SecretStr("json://127.0.0.1:9/closed"), "about": ["alarm"]})
    messages = post(world, {"it": dead})
    await work_off(world, messages)
    for wait in WAITS:
        world.clock.at += wait
        await work_off(world, messages)
    assert [e["kind"] for e in await world.audit("message.")][-1] == "message.given_up"
    assert await world.work(*messages.kinds) == []


async def test_a_server_that_hangs_costs_one_thread_and_no_more(world: World, server: Server) -> None:
    server.answers = ["hang"]
    hanging = Channel(url=SecretStr(f"json://{server.host}/slow?rto=60"))
    await world.hold()
    messages = post(world, {"slow": hanging}, timeout=0.2)
    await work_off(world, messages)
    (row,) = await world.work("message")
    assert row["problem"] == "not delivered within 0.2 s"
    world.clock.at += WAITS[0]
    await work_off(world, messages)
    (row,) = await world.work("message")
    assert row["problem"] == "the message before is still on its way"
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "message-slow"]
    assert thread.daemon
    server.answers = [200]
    server.released.set()
    thread.join(10)
    world.clock.at += WAITS[1]
    await work_off(world, messages)
    assert [e["kind"] for e in await world.audit("message.")] == ["message.sent"]


async def test_a_slow_channel_gets_few_messages_at_once_and_loses_none(world: World, server: Server) -> None:
    for number in range(AT_ONCE + 3):
        await world.hold(f"d{number}")
    messages = post(world, {"finance": channel(server, "finance")}, turns=Turns(patience=0.0))
    for ask in await world.claim("ask"):
        await messages.handle(ask)
    await asyncio.gather(*map(messages.handle, await world.claim("message")))
    assert len(server.received) == AT_ONCE
    rows = await world.work("message")
    assert [(row["attempts"], row["problem"]) for row in rows] == [(0, BUSY)] * 3
    world.clock.at += 5
    await work_off(world, messages)
    assert len(server.received) == AT_ONCE + 3


async def test_a_redirect_is_not_followed(world: World, server: Server) -> None:
    server.answers = [307]
    await world.hold()
    await work_off(world, post(world, {"finance": channel(server, "finance")}))
    assert [request.path for request in server.received] == ["/finance"]
    (row,) = await world.work("message")
    assert row["problem"] == "not accepted (HTTP 307)"


async def test_work_taken_over_by_somebody_else_is_not_counted_twice(world: World, server: Server) -> None:
    await world.hold()
    messages = post(world, {"finance": channel(server, "finance")})
    (ask,) = await world.claim("ask")
    await messages.handle(ask)
    await messages.handle(ask)
    (message,) = await world.claim("message")
    await messages.handle(message)
    await messages.handle(message)
    assert len(await world.audit("message.sent")) == 1
    assert await world.work("message") == []


async def test_a_plugin_that_breaks_is_a_failed_delivery(world: World, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str) -> Any:
        raise RuntimeError(url)

    monkeypatch.setattr("gateway.worker.messages.service", broken)
    await world.hold()
    await work_off(world, post(world, {"finance": channel(server, "finance")}))
    (row,) = await world.work("message")
    assert row["problem"] == "failed with RuntimeError"


async def test_a_url_that_is_no_longer_understood(world: World, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Callable[[str], None] = lambda url: None  # noqa: E731
    channels = {"finance": channel(server, "finance")}
    monkeypatch.setattr("gateway.worker.messages.service", nothing)
    await world.hold()
    await work_off(world, post(world, channels))
    (row,) = await world.work("message")
    assert row["problem"] == "the channel's URL is not understood"


@pytest.mark.parametrize(
    ("messages", "console", "link"),
    [
        ({}, {"listen": "127.0.0.1:8081"}, "http://127.0.0.1:8081"),
        ({}, {"listen": "127.0.0.1:8081", "public_url": "https://console.example.com"}, "https://console.example.com"),
        ({"console_url": "https://gw.example.com/console/"}, {"listen": "127.0.0.1:8081"}, "https://gw.example.com/console"),
    ],
)
def test_where_links_lead(messages: dict[str, Any], console: dict[str, Any], link: str) -> None:
    upstreams = {"erp": {"url": "http://127.0.0.1:9"}}
    gateway = Gateway.model_validate({"upstreams": upstreams, "messages": messages, "console": console})
    assert Settings.of(gateway).console == link
