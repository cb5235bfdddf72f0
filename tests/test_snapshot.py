"""A snapshot is one consistent reading of the files, with deny by default built in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.approvals.facts import Facts
from gateway.deployment import read_deployment
from gateway.documents.records import Terms
from gateway.errors import ConfigError, NotFound
from gateway.exchange import Exchange, Principal, Request
from gateway.pipeline import Phase
from gateway.policy.oracle import Difference
from gateway.runtime import check_stores
from gateway.snapshot import build
from gateway.stages.record import Record
from tests.support import copy_deployment, edit


class Nothing:
    async def read(self) -> bytes:
        return b""

    def chunks(self):  # type: ignore[no-untyped-def]
        raise AssertionError


def test_every_route_identifies_and_authorises_before_anything_else(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    snapshot = build(read_deployment(path), check_stores(path))
    for route in snapshot.routes:
        phases = [stage.phase for stage in route.stages]
        assert phases == sorted(phases)
        assert phases[:3] == [Phase.OBSERVE, Phase.IDENTIFY, Phase.ACCESS]


def test_no_approval_rules_must_be_said(tmp_path: Path) -> None:
    path, approvals = copy_deployment(tmp_path), tmp_path / "policies/approvals.yaml"
    approvals.unlink()
    with pytest.raises(ConfigError) as wrong:
        read_deployment(path)
    assert "policies/approvals.yaml: is not there" in str(wrong.value)
    approvals.write_text("approvals: {}\n")
    assert not read_deployment(path).approvals.rules


def test_only_a_public_route_lets_strangers_in(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    route = tmp_path / "routes/stock.yaml"
    route.write_text(route.read_text() + "    public: true\n")
    snapshot = build(read_deployment(path), check_stores(path))
    public = {r.operation for r in snapshot.routes if Phase.IDENTIFY not in {stage.phase for stage in r.stages}}
    assert public == {"stock.get"}


def test_a_deployment_where_nobody_can_prove_who_they_are_is_refused(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    text = path.read_text()
    start, end = text.index("identity:"), text.index("upstreams:")
    path.write_text(text[:start] + text[end:])
    satellites = tmp_path / "policies/satellites.yaml"
    satellites.write_text(satellites.read_text().replace("demo_secret: true", "demo_secret: true"))
    with pytest.raises(ConfigError) as wrong:
        build(read_deployment(path), check_stores(path))
    assert "nobody can prove who they are" in str(wrong.value)


def test_a_policy_casbin_reads_otherwise_never_goes_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copy_deployment(tmp_path)
    policy = tmp_path / "policies/policy.csv"
    policy.write_text("# Another policy than the last one, which was compared already.\n" + policy.read_text())
    difference = Difference(Principal("wms", "demo"), "stock.get", "v1", True, False)
    monkeypatch.setattr("gateway.snapshot.compare_with_casbin", lambda *_, **__: [difference])
    with pytest.raises(ConfigError, match=r"decided otherwise by Casbin for wms calling stock\.get@v1"):
        build(read_deployment(path), check_stores(path))


async def test_what_fits_no_route_still_gets_an_id_and_a_problem(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    snapshot = build(read_deployment(path), check_stores(path))
    exchange = Exchange(Request("GET", "/api/v1/x", "", [], Nothing()), "", "none", "", {})
    reply = await snapshot.refuse(NotFound())(exchange)
    assert reply.status == 404
    assert dict(reply.headers)[b"x-request-id"] == exchange.id.encode()


def test_the_digest_follows_the_files(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    first = build(read_deployment(path), check_stores(path)).digest
    assert build(read_deployment(path), check_stores(path)).digest == first
    route = tmp_path / "routes/stock.yaml"
    route.write_text(route.read_text() + "# a comment\n")
    assert build(read_deployment(path), check_stores(path)).digest != first


def test_a_folder_that_is_not_there_has_no_files_to_tell_apart(tmp_path: Path) -> None:
    """A deployment whose routes need no field tables has no folder for them."""
    path = copy_deployment(tmp_path)
    deployment = read_deployment(path)
    with_tables = build(deployment, check_stores(path)).digest
    shutil.rmtree(tmp_path / "transformers")
    assert build(deployment, check_stores(path)).digest not in ("", with_tables)


def test_versions_are_in_their_natural_order(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    route = tmp_path / "routes/stock.yaml"
    route.write_text(route.read_text().replace("resource: stock", "resource: stock\nversions: [v10, v2, v1]"))
    assert build(read_deployment(path), check_stores(path)).versions == ("v1", "v2", "v10")


def test_writes_are_recorded_and_reads_are_not(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    snapshot = build(read_deployment(path), check_stores(path))
    recorded = {route.operation for route in snapshot.routes if Phase.RECORD in {stage.phase for stage in route.stages}}
    assert recorded == {"payments.create", "purchase-orders.create", "stock-movements.create"}
    assert {operation for operation, _ in snapshot.writings} == recorded
    payments = snapshot.writing_of("payments.create", "v1")
    assert payments is not None
    assert (payments.delivery, payments.target, payments.key) == ("inline", "finance:CreatePayment", None)
    assert payments.rule is not None
    movements = snapshot.writing_of("stock-movements.create", "v1")
    assert movements is not None
    assert (movements.key, movements.rule) == (("externalNumber",), None)
    assert snapshot.writing_of("payments.create", "v9") is None
    assert snapshot.terms_of("payments.create", "v1") == payments.terms
    assert snapshot.terms_of("payments.create", "v9") == Terms()


def test_a_rule_needs_a_body_it_can_read(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    stock = tmp_path / "routes/stock.yaml"
    stock.write_text(stock.read_text() + "  put:\n    put: /stock/{sku}\n    call: PUT /inventory/items/{sku}\n")
    edit(tmp_path / "policies/policy.csv", "# end", "p, wms, demo, stock.put, allow\n# end")
    edit(tmp_path / "policies/approvals.yaml", "  payments.create:", "  stock.put:")
    with pytest.raises(ConfigError, match=r"routes/stock\.yaml:9: stock\.put has an approval rule, and no JSON body"):
        build(read_deployment(path), check_stores(path))


@pytest.mark.parametrize(
    ("who", "initiator", "others"),
    [
        (Principal("oa", "demo"), "clerk-1", ()),
        (Principal("oa", "other"), None, ("clerk-1",)),
        (Principal("crm", "demo"), None, ("clerk-1",)),
        (Principal("approver-a", "demo"), "approver-a", ("clerk-1",)),
        (None, None, ("clerk-1",)),
    ],
)
def test_who_asked(tmp_path: Path, who: Principal | None, initiator: str | None, others: tuple[str, ...]) -> None:
    path = copy_deployment(tmp_path)
    snapshot = build(read_deployment(path), check_stores(path))
    (record,) = [s for r in snapshot.routes if r.operation == "payments.create" for s in r.stages if isinstance(s, Record)]
    exchange = Exchange(Request("POST", "/", "", [], Nothing()), "", "payments.create", "v1", {})
    exchange.principal = who
    assert record.initiator(exchange, Facts((), "CNY", "1000", "finance:CreatePayment", "clerk-1")) == (initiator, others)


def test_documents_are_followed_in_no_version(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    router = build(read_deployment(path), check_stores(path)).router
    for method, operation in (("GET", "documents.get"), ("PUT", "documents.revise"), ("DELETE", "documents.recall")):
        route, params = router.match(method, "/api/documents/7")
        assert (route.operation, params) == (operation, {"id": "7"})
        assert Phase.IDENTIFY in {stage.phase for stage in route.stages}


def test_a_second_way_to_what_a_rule_holds_is_pointed_out(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    assert not [warning for warning in build(read_deployment(path), check_stores(path)).warnings if "rule" in warning.what]
    payments = tmp_path / "routes/payments.yaml"
    payments.write_text(payments.read_text() + "  again:\n    post: /quick\n    call: CreatePayment\n    mapping: payment\n")
    edit(tmp_path / "policies/policy.csv", "# end", "p, oa, demo, payments.again, allow\n# end")
    (warning,) = [warning for warning in build(read_deployment(path), check_stores(path)).warnings if "rule" in warning.what]
    assert str(warning).startswith("routes/payments.yaml:")
    assert "payments.again calls finance:CreatePayment as payments.create does, without its approval rule" in str(warning)


def test_no_route_passes_for_what_people_do_at_the_console(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes" / "stock-movements.yaml", "resource: stock-movements", "resource: policy")
    edit(tmp_path / "routes" / "stock-movements.yaml", "  create:", "  activate:")
    with pytest.raises(ConfigError) as caught:
        build(read_deployment(path), check_stores(path))
    assert any("policy.activate is what people do at the console" in str(finding) for finding in caught.value.findings)


def test_a_policy_that_two_people_change_lets_two_people_change_it(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    path.write_text(path.read_text("utf-8") + "\npolicy: {activation: dual}\n", "utf-8")
    build(read_deployment(path), check_stores(path))
    edit(tmp_path / "policies" / "policy.csv", "g, security-admin-2, security-admin,    *\n", "")
    with pytest.raises(ConfigError) as caught:
        build(read_deployment(path), check_stores(path))
    assert [finding.what for finding in caught.value.findings if "a change of policy needs two" in finding.what] != []
