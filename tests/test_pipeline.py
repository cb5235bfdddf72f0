"""Stages are folded around the terminal in the order they are given."""

from __future__ import annotations

from gateway.exchange import Exchange, Reply, Request
from gateway.pipeline import Handler, Phase, Stage, compose


def exchange() -> Exchange:
    return Exchange(Request("GET", "/", "", [], None), "", "a.b", "v1", {})  # type: ignore[arg-type]


def noting(name: str, seen: list[str]) -> Stage:
    async def stage(exchange: Exchange, call_next: Handler) -> Reply:
        seen.append(f"{name} in")
        reply = await call_next(exchange)
        seen.append(f"{name} out")
        return reply

    return stage


async def answer(exchange: Exchange) -> Reply:
    return Reply(200)


async def test_outermost_first() -> None:
    seen: list[str] = []
    handler = compose([noting("a", seen), noting("b", seen)], answer)
    assert (await handler(exchange())).status == 200
    assert seen == ["a in", "b in", "b out", "a out"]


async def test_without_stages_the_terminal_is_the_handler() -> None:
    assert compose([], answer) is answer


async def test_a_stage_may_answer_itself() -> None:
    async def closed(exchange: Exchange, call_next: Handler) -> Reply:
        return Reply(503)

    seen: list[str] = []
    assert (await compose([closed, noting("never", seen)], answer)(exchange())).status == 503
    assert seen == []


def test_who_is_calling_is_known_before_what_they_may_do() -> None:
    assert sorted(Phase) == [
        Phase.OBSERVE,
        Phase.IDENTIFY,
        Phase.ACCESS,
        Phase.LIMIT,
        Phase.REQUEST,
        Phase.RECORD,
        Phase.CALL,
    ]
