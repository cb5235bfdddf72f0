"""Rows that restrict, held against the example's routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.deployment import read_deployment
from gateway.errors import ConfigError
from gateway.runtime import check_stores
from gateway.snapshot import Snapshot, build
from tests.support import copy_deployment, edit


def built(path: Path) -> Snapshot:
    return build(read_deployment(path), check_stores(path))


def refused(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        built(path)
    return [str(finding) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("p2, oa, demo, payments.get, price, hide", "no operation the row is about has the field 'price'; name a field"),
        (
            "p2, oa, demo, purchase-orders.write, lines[].price, hide",
            "no operation the row is about has the field 'lines[].price'",
        ),
        (
            "p2, oa, demo, documents.audit, price, hide",
            "documents.audit is done at the console, where nothing is restricted by p2",
        ),
        ("p4, oa, demo, approvals.delegate, network, ::1", "approvals.delegate is done at the console"),
        ("p2, oa, demo, paiments.get, price, hide", "no route has the operation 'paiments.get'"),
        (
            "p3, oa, demo, purchase-orders.get, entity, 1000",
            "neither the ERP nor an answer can tell the entity of purchase-orders.get; say where it stands in "
            "routes/purchase-orders.yaml, as 'records: {entity: {at: $.FIELD}}'",
        ),
        ("p3, oa, demo, payments.write, entity, 1000", "neither the ERP nor an answer can tell the entity of payments.create"),
    ],
)
def test_a_row_that_cannot_do_what_it_says_is_refused_at_its_line(tmp_path: Path, row: str, said: str) -> None:
    path = copy_deployment(tmp_path)
    policy = tmp_path / "policies" / "policy.csv"
    edit(policy, "# end\n", row + "\n# end\n")
    line = len(policy.read_text("utf-8").splitlines()) - 1
    found = [finding for finding in refused(path) if finding.startswith("policies/policy.csv:")]
    assert len(found) == 1
    assert found[0].startswith(f"policies/policy.csv:{line}: {said}")


def test_a_policy_that_fails_its_tests_is_refused(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    policy = tmp_path / "policies" / "policy.csv"
    edit(policy, "# end\n", "p, wms, demo, reports.finance, allow\n# end\n")
    allowed = f"wms, reports.finance: allowed (policies/policy.csv:{len(policy.read_text('utf-8').splitlines()) - 1})"
    assert [finding.partition(": ")[2] for finding in refused(path)] == [
        f"{allowed}, expected deny; mend policy.csv, or the test if this is meant"
    ]


@pytest.mark.parametrize(
    "row", ["p2, oa, demo, payments.write, payee.account, lock", "p2, oa, demo, stock.get, anything.at.all, hide"]
)
def test_a_field_of_one_of_the_operations_or_of_a_body_nobody_describes_will_do(tmp_path: Path, row: str) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "policies" / "policy.csv", "# end\n", row + "\n# end\n")
    assert built(path).policy.file.restrictions[-1].operation == row.split(", ")[3]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ("{entity: {at: $.company}}", "the answer has no field 'company'"),
        ("{within: $.items, entity: {at: $.entity}}", "the answer has no field 'items.entity'"),
        ("{counts: [$.total], entity: {at: $.entity}}", "the answer has no field 'total'"),
        ("{entity: {filter: company}}", "the operation has no parameter 'company'"),
        ("{amount: {at: $.amount, currency: $.money}}", "the answer has no field 'money'"),
        ("{amount: {at: $.amount}}", "names no currency"),
        ("{entity: {}}", "says nothing"),
    ],
)
def test_a_place_the_operation_does_not_have_is_refused_in_the_route_file(tmp_path: Path, records: str, said: str) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes" / "payments.yaml", "records: {entity: {at: $.entity}}", f"records: {records}")
    found = [finding for finding in refused(path) if finding.startswith("routes/payments.yaml:")]
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ("{within: $.items, entity: {at: $.entity}}", "'within' is about answers"),
        ("{counts: [$.total], entity: {at: $.entity}}", "'counts' is about answers"),
        ("{entity: {filter: entity, at: $.entity}}", "'filter' is about reads"),
        ("{entity: {at: $.company}}", "the request has no field 'company'"),
    ],
)
def test_what_a_write_carries_stands_in_its_request(tmp_path: Path, records: str, said: str) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes" / "payments.yaml", "idempotency: required", f"records: {records}\n    idempotency: required")
    assert any(said in finding for finding in refused(path))


def test_a_public_operation_cannot_be_restricted(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes" / "stock.yaml", "call: GET", "public: true\n    call: GET")
    edit(tmp_path / "policies" / "policy.csv", "# end\n", "p2, oa, demo, stock.get, price, hide\n# end\n")
    assert any("stock.get is public" in finding for finding in refused(path))
