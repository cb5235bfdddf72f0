"""Documents are made once for each reader and address, few are kept, and a new snapshot has new ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gateway.edge.descriptions import MOST, Descriptions
from gateway.exchange import Principal
from gateway.policy import compile_policy, read_policy
from gateway.routing import Route

POLICY = compile_policy(read_policy("policy.csv", b"p, oa, demo, orders.get, allow\n# end\n"))


def snapshot(digest: str, described: list[str]) -> Any:
    def schema() -> dict[str, Any]:
        described.append(digest)
        return {"type": "object"}

    handler: Any = None
    call: Any = SimpleNamespace(request_schema=schema, answer_schema=lambda: None, refusals=dict)
    route = Route("orders.get", "v1", "GET", "/api/v1/orders", handler, call, 200)
    return SimpleNamespace(routes=(route,), issuer=None, digest=digest, policy=POLICY)


async def test_a_snapshot_is_described_once_for_all_readers() -> None:
    described: list[str] = []
    kept, first = Descriptions(), snapshot("a", described)
    everybody = await kept.document(first, "v1", "http://x", None)
    assert await kept.document(first, "v1", "http://x", None) is everybody
    mine = await kept.document(first, "v1", "http://x", Principal("oa", "demo"))
    theirs = await kept.document(first, "v1", "http://x", Principal("shop", "demo"))
    assert (len(mine["paths"]), len(theirs["paths"])) == (1, 0)
    assert described == ["a"]
    await kept.document(snapshot("b", described), "v1", "http://x", None)
    assert described == ["a", "b"]
    assert len(kept) == 1


async def test_documents_of_many_addresses_are_not_kept_for_ever() -> None:
    kept, only = Descriptions(), snapshot("a", [])
    for number in range(MOST * 3):
        api = await kept.document(only, "v1", f"http://h{number}", None)
        assert api["servers"] == [{"url": f"http://h{number}"}]
    assert len(kept) <= MOST
