"""Which routes and rows of the example deployment a difference reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.contracts.diff import Change, Difference
from gateway.contracts.touch import Touched, touched, upstreams_of
from gateway.deployment import Deployment, read_deployment
from tests.support import copy_deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return read_deployment(copy_deployment(tmp_path))


def difference(*changes: Change, removed: tuple[str, ...] = (), reasons: dict[str, str] | None = None) -> Difference:
    return Difference((), removed, tuple(change.operation for change in changes), changes, reasons or {})


def found(deployment: Deployment, of: Difference) -> list[Touched]:
    return touched(deployment, ["finance"], of)


def test_a_removed_operation_reaches_every_route_that_calls_it_or_probes_with_it(deployment: Deployment) -> None:
    reached = found(deployment, difference(removed=("GetPayment",), reasons={"GetPayment": "it is encoded"}))
    assert [(touch.route, touch.place, touch.breaks) for touch in reached] == [
        ("payments.create", "routes/payments.yaml:13", True),
        ("payments.get", "routes/payments.yaml:14", True),
    ]
    assert reached[0].what == "the operation is not offered any more: it is encoded"


def test_a_removed_field_reaches_its_row(deployment: Deployment) -> None:
    change = Change("CreatePayment", "request", "Payment.WRBTR", "removed", "xs:decimal", "", True)
    assert found(deployment, difference(change)) == [
        Touched(
            "payments.create",
            "transformers/payments.yaml:16",
            "CreatePayment",
            "request: Payment.WRBTR removed (xs:decimal)",
            True,
        )
    ]


def test_a_field_no_row_names_reaches_nothing(deployment: Deployment) -> None:
    change = Change("CreatePayment", "request", "Payment.OTHER", "removed", "xs:string", "", True)
    assert found(deployment, difference(change)) == []


def test_a_field_that_must_be_sent_now_reaches_the_route(deployment: Deployment) -> None:
    change = Change("CreatePayment", "request", "Payment.NEW", "added", "", "xs:string, required", True)
    assert [(touch.place, touch.breaks) for touch in found(deployment, difference(change))] == [("routes/payments.yaml:7", True)]


def test_a_message_without_a_table_is_reached_as_a_whole(deployment: Deployment) -> None:
    change = Change("CreatePayment", "answer", "", "retyped", "", "", True)
    assert [touch.place for touch in found(deployment, difference(change))] == ["routes/payments.yaml:7"]


def test_the_upstream_is_found_by_its_wsdl(deployment: Deployment) -> None:
    wsdl = deployment.folder / "gateway/demo/erp/contracts/finance.wsdl"
    assert upstreams_of(deployment, str(wsdl)) == ["finance"]
    assert upstreams_of(deployment, "http://erp.test/?wsdl") == []
    (wsdl.parent / "contract.lock").write_text('{"source": "http://erp.test/?wsdl"}', "utf-8")
    assert "finance" in upstreams_of(deployment, "http://erp.test/?wsdl")


def test_other_upstreams_are_not_reached(deployment: Deployment) -> None:
    assert touched(deployment, ["procurement"], difference(removed=("CreatePayment",))) == []
