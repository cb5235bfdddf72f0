"""What a process starts with, and what it takes from the ledger while it runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.activation import Keeper, Policies, open_live
from gateway.documents.anchors import Anchors
from gateway.documents.ledger import Ledger, open_ledger
from gateway.documents.policies import Activation
from gateway.errors import ConfigError, LedgerUnavailable, Problem
from tests.activation.support import ADMIN, LAST, SECOND, World, stores_over
from tests.documents.support import KEY, HandClock, verdict
from tests.support import copy_deployment, edit

GIVES = "p, tour, demo, sales-orders.list, allow"
ROW = "INSERT INTO activations (digest, at, how, mode, approved_by, summary, entry) "


def told(history: list[Activation]) -> list[tuple[str, str, str]]:
    return [(one.how, one.mode, one.summary) for one in history]


async def test_files_that_go_live_are_kept_once_by_however_many_processes(
    tmp_path: Path, ledger: Ledger, clock: HandClock
) -> None:
    path = copy_deployment(tmp_path)
    stores = stores_over(path, ledger, clock)
    lives = [await open_live(path, stores) for _ in range(3)]
    keepers = [Keeper(live) for live in lives]
    assert not any(live.dual for live in lives)
    await asyncio.gather(*(keeper.look(started=True) for keeper in keepers))
    policy = path.parent / "policies" / "policy.csv"
    before = policy.read_text("utf-8")
    edit(policy, LAST, LAST + GIVES + "\n")
    for live, keeper in zip(lives, keepers, strict=True):
        await live.reload()
        await keeper.look()
        await keeper.look()
    policy.write_text(before, "utf-8")
    await lives[0].reload()
    await keepers[0].look()
    history = await Policies(lives[0]).history()
    assert told(history) == [("rollback", "files", "policy.csv -1"), ("file", "files", "policy.csv +1"), ("start", "files", "")]
    assert history[0].digest == history[2].digest == lives[0].snapshot.deployment.bundle.digest
    assert lives[0].pending is None


async def test_files_with_a_secret_in_them_are_not_kept(tmp_path: Path, ledger: Ledger, clock: HandClock) -> None:
    path = copy_deployment(tmp_path)
    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    edit(
        path.parent / "policies" / "satellites.yaml",
        "    name: Customer relations\n",
        f"    name: Customer relations\n    callback: {{url: 'http://127.0.0.1:1/', secret: {secret}}}\n",
    )
    live = await open_live(path, stores_over(path, ledger, clock))
    await Keeper(live).look(started=True)
    (kept,) = await ledger.read(lambda connection: connection.execute(text("SELECT content FROM policies")).scalars().all())
    assert kept is None
    with path.open("a", encoding="utf-8") as file:
        file.write("\npolicy: {activation: dual}\n")
    with pytest.raises(ConfigError, match="not kept"):
        await open_live(path, live.stores)


async def test_at_the_start_the_ledger_says_what_is_live_and_not_the_files(world: World) -> None:
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    await world.release()
    await world.add("p, tour, demo, reports.finance, allow")
    started = await world.another()
    assert (started.number, world.may("tour", "sales-orders.list", started)) == (2, True)
    assert not world.may("tour", "reports.finance", started)
    assert started.pending is not None
    edit(world.csv, LAST, LAST + "p, tour\n")
    started = await world.another()
    assert started.pending is not None
    assert (started.failure, started.pending.findings != ()) == (None, True)


@pytest.mark.parametrize(
    "statement",
    [
        ROW + "SELECT digest, at, how, mode, approved_by, summary, entry FROM activations WHERE number = 1",
        "UPDATE activations SET digest = '%s' WHERE number = 1",
        "UPDATE policies SET content = 'erp-gateway policy 1' WHERE digest = '%s'",
        "DELETE FROM activations",
    ],
)
async def test_a_row_that_somebody_wrote_makes_nothing_live(world: World, statement: str) -> None:
    """``%s`` is a policy that is kept because somebody proposed it."""
    digest = await world.add(GIVES)
    await world.policies.propose(SECOND, digest)
    live = world.live.snapshot.deployment.bundle.digest
    kind = "BYTEA" if "postgresql" in world.url else "BLOB"
    said = statement.replace("'erp-gateway policy 1'", f"CAST('erp-gateway policy 1' AS {kind})")
    await world.sql(said.replace("%s", digest if "activations" in statement else live))
    keeper = Keeper(world.live)
    await keeper.look()
    await world.live.reload()
    assert world.live.doubt != ""
    assert (world.live.snapshot.deployment.bundle.digest, world.may("tour", "sales-orders.list")) == (live, False)
    assert "doubt" in str(world.live.status(places_only=False)["activation"])
    with pytest.raises(ConfigError, match="does not prove"):
        await world.another()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE activations SET at = 1e300",
        "UPDATE activations SET at = 1e18",
        "UPDATE activations SET at = 'soon'",
        "UPDATE activations SET approved_by = 'nobody'",
        "UPDATE audit SET mac = CAST('x' AS BLOB) WHERE document = 'policy'",
        "UPDATE audit SET entry = CAST('x' AS BLOB) WHERE document = 'policy'",
        "UPDATE audit SET entry = '[1]' WHERE document = 'policy'",
        "UPDATE policies SET content = 90000000000000",
        "UPDATE policies SET content = 3.5",
    ],
)
async def test_rows_that_cannot_be_read_end_no_process(dual: Path, statement: str) -> None:
    """In SQLite, which keeps any value in any column."""
    clock = HandClock()
    async with open_ledger(f"sqlite:///{dual.parent}/ledger.db", KEY, clock) as ledger:
        world = World(dual, stores_over(dual, ledger, clock), clock, "sqlite")
        await world.start()
        live = world.live.snapshot.deployment.bundle
        await world.sql(statement)
        await world.live.reload()
        await Keeper(world.live).look()
        assert world.live.doubt != ""
        assert world.live.snapshot.deployment.bundle == live
        assert len(await world.policies.history()) == 1
        assert not (await verdict(ledger)).intact
        with pytest.raises(ConfigError, match="does not prove"):
            await world.another()


async def test_what_nobody_foresaw_ends_no_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, stop = asyncio.Event(), asyncio.Event()

    async def broken(*_: object) -> object:
        asked.set()
        raise RecursionError

    with monkeypatch.context() as patched:
        for name in ("read", "proved"):
            patched.setattr(world.live.stores.ledger, name, broken)
        running = asyncio.create_task(Keeper(world.live, poll=0.01).run(stop))
        await asked.wait()
        await world.live.reload()
        assert world.live.doubt != ""
    stop.set()
    await running
    await world.live.reload()
    assert world.live.doubt == ""


async def test_an_activation_elsewhere_is_taken_and_one_that_cannot_be_is_left_alone(world: World) -> None:
    other = await world.another()
    keeper = Keeper(other, poll=0.01)
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    await world.release()
    stop = asyncio.Event()
    running = asyncio.create_task(keeper.run(stop))
    async with asyncio.timeout(20):
        while other.number != 2:
            await other.changed.wait()
            await asyncio.to_thread(int)
    stop.set()
    await running
    assert world.may("tour", "sales-orders.list", other)
    before = other.snapshot
    await world.sql("DELETE FROM activations WHERE number = 2")
    await keeper.look()
    assert (other.snapshot is before) or other.snapshot.digest == before.digest
    assert (other.number, other.doubt != "") == (2, True)
    doubted = other.snapshot
    await keeper.look()
    assert other.snapshot is doubted  # not tried again at once


async def test_broken_files_do_not_keep_back_what_is_agreed_to(world: World) -> None:
    other = await world.another()
    document = await world.propose(GIVES)
    await world.approve(SECOND, document)
    await world.release()
    route = world.path.parent / "routes" / "stock.yaml"
    route.write_text("resource: [", "utf-8")
    await Keeper(other).look()
    assert (other.number, world.may("tour", "sales-orders.list", other)) == (2, True)
    assert other.failure is not None
    assert not other.lagging


async def test_the_ledger_is_gone_for_a_while(world: World) -> None:
    class Gone:
        async def read(self, *_: object) -> object:
            raise LedgerUnavailable

        proved = read

    stop, ledger = asyncio.Event(), world.live.stores.ledger
    object.__setattr__(world.live.stores, "ledger", Gone())
    await world.live.reload()
    running = asyncio.create_task(Keeper(world.live, poll=0.01).run(stop))
    await asyncio.to_thread(int)
    object.__setattr__(world.live.stores, "ledger", ledger)
    stop.set()
    await running
    assert (world.live.doubt, world.live.number) == ("", 1)


async def test_settings_that_say_who_is_who_need_a_restart(world: World) -> None:
    before = world.live.snapshot
    edit(world.path, "  api_keys: true", "  api_keys: false")
    assert not await world.live.reload()
    assert world.live.failure is not None
    assert "'identity' is taken when the gateway starts" in str(world.live.failure.findings[0])
    assert world.live.snapshot is before
    edit(world.path, "  api_keys: false", "  api_keys: true")
    edit(world.path, "activation: dual", "activation: files")
    assert await world.live.reload()
    assert world.live.dual
    assert await world.add(GIVES) != ""
    assert not world.may("tour", "sales-orders.list")


async def test_going_back_to_one_person_and_to_two_again_is_on_record(world: World) -> None:
    await world.add(GIVES)
    edit(world.path, "activation: dual", "activation: files")
    one = await world.another()
    await Keeper(one).look(started=True)
    assert (one.dual, world.may("tour", "sales-orders.list", one)) == (False, True)
    edit(world.path, "activation: files", "activation: dual")
    edit(world.csv, GIVES + "\n", "")
    two = await world.another()
    assert (two.dual, world.may("tour", "sales-orders.list", two)) == (True, True)
    history = await Policies(two).history()
    assert told(history) == [("start", "dual", ""), ("start", "files", "policy.csv +1"), ("start", "dual", "")]


async def test_a_process_that_asks_nobody_takes_no_other_with_it(world: World) -> None:
    await world.add(GIVES)
    edit(world.path, "activation: dual", "activation: files")
    one = await world.another()  # say, one that died and was started again
    await Keeper(one).look(started=True)
    assert world.may("tour", "sales-orders.list", one)
    await Keeper(world.live).look()
    assert (world.live.number, world.may("tour", "sales-orders.list")) == (1, False)
    assert "asks nobody" in world.live.doubt
    with pytest.raises(Problem, match="propose"):
        await world.policies.propose(ADMIN, world.live.pending.digest if world.live.pending else "")
    edit(world.path, "activation: files", "activation: dual")
    again = await world.another()
    await Keeper(world.live).look()
    assert (again.number, world.live.number, world.live.doubt) == (3, 3, "")


@pytest.mark.parametrize("name", ["tests.yaml", "satellites.yaml", "approvals.yaml"])
async def test_values_from_outside_are_refused(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "demo")
    path = world.path.parent / "policies" / name
    old, new = {
        "tests.yaml": ("tenant: demo", "tenant: ${env:WHO}"),
        "satellites.yaml": ("    tenant: demo", "    tenant: ${env:WHO}"),
        "approvals.yaml": ("approvers: finance-approver", "approvers: ${env:APPROVERS:-finance-approver}"),
    }[name]
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    await world.live.reload()
    assert world.live.pending is not None
    assert [f"policies/{name}" in str(finding) and "outside" in str(finding) for finding in world.live.pending.findings] == [True]


async def test_a_ledger_that_ends_before_its_anchors_is_not_started_from(world: World) -> None:
    anchors = world.path.parent / "var" / "anchors.jsonl"
    anchors.parent.mkdir(exist_ok=True)
    anchors.write_text(world.stores.ledger.anchor().line(), "utf-8")
    await world.another()
    await world.sql("DELETE FROM activations")
    await world.sql("DELETE FROM audit")
    await world.sql("UPDATE chain SET seq = 0, hash = :genesis", genesis="0" * 64)
    with pytest.raises(ConfigError, match="anchored"):
        await world.another()


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET document = NULL WHERE document = 'policy'", "DELETE FROM audit WHERE document = 'policy'"]
)
async def test_files_are_the_first_policy_only_where_there_never_was_one(world: World, statement: str) -> None:
    await world.propose(GIVES)
    await Anchors(world.path.parent / "var" / "anchors.jsonl", world.clock).write(world.stores.ledger, now=True)
    await world.sql(statement)
    await world.sql("DELETE FROM activations")
    with pytest.raises(ConfigError, match="tampered with at entry 1"):
        await world.another()


async def test_first_files_that_are_not_good_start_nothing(dual: Path, ledger: Ledger, clock: HandClock) -> None:
    edit(dual.parent / "policies" / "policy.csv", LAST, LAST + "p, tour\n")
    with pytest.raises(ConfigError):
        await open_live(dual, stores_over(dual, ledger, clock))
    count = text("SELECT count(*) FROM activations")
    assert await ledger.read(lambda connection: connection.execute(count).scalar()) == 0


@pytest.mark.parametrize("place", ["policies/policy.csv", "policies/duties.yaml", "routes/more.yaml", "transformers/more.py"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "circle", "huge"])
async def test_no_file_keeps_back_what_is_agreed_to(dual: Path, place: str, kind: str) -> None:
    clock = HandClock()
    async with open_ledger(f"sqlite:///{dual.parent}/ledger.db", KEY, clock) as ledger:
        world = World(dual, stores_over(dual, ledger, clock), clock, "sqlite")
        await world.start()
        document = await world.propose(GIVES)
        await world.approve(SECOND, document)
        path = dual.parent / place
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "huge":
            path.touch()
            os.truncate(path, 1 << 40)
        else:
            path.symlink_to("/dev/zero" if kind == "endless" else path.name)
        async with asyncio.timeout(20):
            await world.release()
        assert (world.live.number, world.may("tour", "sales-orders.list")) == (2, True)
        assert world.live.failure is not None or world.live.pending is not None


async def test_links_in_circles_in_place_of_folders(world: World) -> None:
    for name in ("routes", "policies", "transformers"):
        folder = world.path.parent / name
        folder.rename(folder.with_suffix(".away"))
        folder.symlink_to(name)
    assert not await world.live.reload()
    assert world.live.stale() in (True, False)
    assert not world.live.lagging


async def test_no_finding_tells_a_secret_of_the_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_KEY", "never-to-be-told")
    for name in ("stock", "payments"):
        path = world.path.parent / "routes" / f"{name}.yaml"
        path.write_text(path.read_text("utf-8").replace("call: ", "call: ${env:AUDIT_KEY}", 1), "utf-8")
    assert not await world.live.reload()
    assert world.live.failure is not None
    told = " ".join(map(str, world.live.failure.findings))
    assert "never-to-be-told" not in told
    assert "${env:AUDIT_KEY}" in told


async def test_a_route_around_an_approval_rule_is_refused(world: World) -> None:
    routes = world.path.parent / "routes" / "payments.yaml"
    around = "  again: {post: /more-payments, call: CreatePayment, public: true, delivery: direct, mapping: payment}\n"
    edit(routes, "  create:\n", around + "  create:\n")
    assert not await world.live.reload()
    assert world.live.failure is not None
    assert "without its approval rule" in " ".join(map(str, world.live.failure.findings))
