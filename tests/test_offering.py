"""Routes as SOAP services: only those a route file offers, and only those that have a form in XML."""

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


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        built(path)
    return [str(finding) for finding in wrong.value.findings]


def test_only_what_a_route_file_offers(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    snapshot = built(path)
    assert set(snapshot.soap) == {"payments", "purchase-orders", "sales-orders", "stock-movements"}
    assert {route.operation for route in snapshot.routes if route.soap == "payments"} == {"payments.create", "payments.get"}
    assert snapshot.warnings == ()
    edit(
        tmp_path / "routes/payments.yaml",
        "    call: GetPayment\n    request: payment-key",
        "    soap: false\n    call: GetPayment\n    request: payment-key",
    )
    assert built(path).soap["payments"].service.names == ["create"]
    for file in ("payments", "purchase-orders", "sales-orders", "stock-movements"):
        lines = (tmp_path / f"routes/{file}.yaml").read_text("utf-8").splitlines(keepends=True)
        (tmp_path / f"routes/{file}.yaml").write_text("".join(line for line in lines if not line.startswith("soap:")), "utf-8")
    assert built(path).soap == {}


def test_another_version_is_another_service(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes/sales-orders.yaml", "resource: sales-orders", "resource: sales-orders\nversions: [v1, v2]")
    edit(tmp_path / "routes/sales-orders.yaml", "soap: v1", "soap: v2")
    snapshot = built(path)
    assert snapshot.soap["sales-orders"].service.space == "urn:erp-gateway:soap:sales-orders:v2"
    assert snapshot.soap["sales-orders"].routes["list"].version == "v2"
    edit(tmp_path / "routes/sales-orders.yaml", "soap: v2", "soap: v3")
    (wrong,) = errors(path)
    assert wrong.startswith("routes/sales-orders.yaml:")
    assert "no operation has that version; use one of v1, v2" in wrong


def test_a_route_that_has_no_form_is_refused_at_its_line(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes/stock.yaml", "operations:", "soap: v1\noperations:")
    (wrong,) = errors(path)
    line = (tmp_path / "routes/stock.yaml").read_text("utf-8").splitlines().index("  get:") + 1
    assert wrong.startswith(f"routes/stock.yaml:{line}: stock.get cannot be offered as SOAP: its bodies pass through unread; ")
    assert "soap: false" in wrong


def test_both_directions_need_types(tmp_path: Path) -> None:
    path, table = copy_deployment(tmp_path), tmp_path / "transformers/stock-movements.yaml"
    edit(
        table,
        "{rest: number,         erp: movementId, serves: answer,",
        "{rest: number, erp: movementId, serves: answer, type: any,",
    )
    (wrong,) = errors(path)
    assert "stock-movements.create cannot be offered as SOAP: in the answer number may be anything" in wrong
    edit(tmp_path / "routes/stock-movements.yaml", "    mapping: stock-movement\n", "    request: stock-movement\n")
    (wrong,) = errors(path)
    assert "its answer has no field table" in wrong


def test_a_read_without_a_table_has_its_path_only(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "routes/sales-orders.yaml", "    request: sales-order-period\n", "")
    assert built(path).soap["sales-orders"].service.names == ["list"]


def test_rows_may_move_and_what_is_new_is_named(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    before = built(path).soap["payments"].service.wsdl("http://a/")
    table = tmp_path / "transformers/payments.yaml"
    lines = table.read_text("utf-8").splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if "rest: externalNumber" in line)
    lines.insert(place, lines.pop(next(number for number, line in enumerate(lines) if "rest: currency" in line)))
    table.write_text("".join(lines), "utf-8")
    moved = built(path)
    assert moved.soap["payments"].service.wsdl("http://a/") == before
    assert moved.warnings == ()
    edit(tmp_path / "transformers/payments.yaml", "rest: purpose,  ", "rest: remark,  ")
    (warning,) = built(path).warnings
    assert "create: request ./remark and 2 more" in str(warning)
    assert "erp-gateway soap freeze payments" in warning.remedy


def test_a_frozen_order_that_cannot_be_read(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    (tmp_path / "routes/payments.soap.yaml").write_text("operations:\n  create:\n    requests: {}\n", "utf-8")
    (wrong,) = errors(path)
    assert wrong.startswith("routes/payments.soap.yaml:3: ")


def test_no_order_at_all_is_a_warning(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    (tmp_path / "routes/payments.soap.yaml").unlink()
    (warning,) = built(path).warnings
    assert (warning.file, "payments.soap.yaml lacks" in warning.what) == ("routes/payments.yaml", True)
