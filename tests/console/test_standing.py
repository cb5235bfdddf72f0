"""Where the policy stands: what is live, and what a refused file got wrong, with its lines."""

from __future__ import annotations

import re

from tests.console.world import World, policy_of, text
from tests.support import edit


async def test_what_is_live_is_told(console: World) -> None:
    console.live.processes = {"here:1": {"policy": console.live.snapshot.policy.sha256}, "there:2": {"policy": "f" * 64}}
    told = text(await (await console.signed_in("security-admin")).get("/policy"))
    assert console.live.snapshot.policy.sha256 in told
    assert "here:1 the same policy" in told
    assert f"there:2 another policy {'f' * 64}" in told
    assert re.search(r"All \d+ questions of tests.yaml are answered as expected.", told)
    assert "refused" not in told


async def test_a_refused_file_is_told_with_the_line_and_those_around(own: World) -> None:
    policy, live = policy_of(own), own.live.snapshot.policy.sha256
    edit(policy, "p, wms,   demo, stock.get,               allow", "p, wms, demo, stock.get, <script>alert(1)</script>")
    line = next(number for number, row in enumerate(policy.read_text("utf-8").splitlines(), 1) if "<script>" in row)
    assert not await own.live.reload()
    browser = await own.signed_in("security-admin")
    answer = await browser.get("/policy")
    told = text(answer)
    assert "Traffic goes on under the last good policy." in told
    assert f"policies/policy.csv:{line} " in told
    assert f"{line} ▶ wrong: p, wms, demo, stock.get, <script>alert(1)</script>" in told
    assert f"{line - 1} p, oa, demo, purchase-orders.write, allow" in told
    assert live in told
    assert "<script>alert" not in answer.text
    edit(policy, "<script>alert(1)</script>", "allow")
    assert await own.live.reload()
    assert "Traffic goes on" not in text(await browser.get("/policy/live"))


async def test_a_test_that_fails_is_told_with_its_line_and_no_file_with_secrets_is_quoted(own: World) -> None:
    edit(policy_of(own), "# end\n", "p, wms, demo, reports.finance, allow\n# end\n")
    edit(own.live.path.parent / "policies" / "satellites.yaml", "    limit: 3/min\n", "    limit: never\n    password: hunter2\n")
    assert not await own.live.reload()
    told = text(await (await own.signed_in("security-admin")).get("/policy"))
    assert "policies/satellites.yaml:" in told
    assert "hunter2" not in told
    edit(own.live.path.parent / "policies" / "satellites.yaml", "    limit: never\n    password: hunter2\n", "    limit: 3/min\n")
    assert not await own.live.reload()
    told = text(await (await own.signed_in("security-admin")).get("/policy"))
    assert "wms, reports.finance: allowed" in told
    assert "▶ wrong: - {who: [oa, crm, wms" in told


async def test_what_is_live_is_sent_again_only_when_it_changed(own: World) -> None:
    browser = await own.signed_in("security-admin")
    first = await browser.get("/policy/live")
    same = await browser.get("/policy/live", **{"if-none-match": first.headers["etag"]})
    edit(policy_of(own), "allow\n", "Allow\n")
    assert not await own.live.reload()
    other = await browser.get("/policy/live", **{"if-none-match": first.headers["etag"]})
    assert (first.status_code, same.status_code, other.status_code) == (200, 304, 200)


async def test_many_findings_are_counted(own: World) -> None:
    policy = policy_of(own)
    policy.write_text(policy.read_text("utf-8").replace(", allow\n", ", Allow\n").replace("  allow\n", "  Allow\n") + "p\n" * 60)
    assert not await own.live.reload()
    assert re.search(r"\d+ more findings", text(await (await own.signed_in("security-admin")).get("/policy")))
