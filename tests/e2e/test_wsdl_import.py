"""An imported contract serves: only its address and who may call are filled in, nothing else is edited."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contracts.inspect import contract_of
from gateway.contracts.pin import collect
from gateway.contracts.write import import_contract
from gateway.demo.erp.process import ErpProcess
from tests.contracts.bundles import no_fetch
from tests.support import ROOT, GatewayProcess, copy_deployment, edit

BASE = "/api/v1/finance-service"


@pytest.fixture
def gateway(erp: ErpProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    """The example deployment with the finance contract imported once more."""
    config = copy_deployment(tmp_path)
    bundle = collect(str(ROOT / "gateway/demo/erp/contracts/finance.wsdl"), fetch=no_fetch)
    import_contract(tmp_path, bundle, contract_of(bundle))
    edit(config, 'url: "http://127.0.0.1/soap/finance"', f"url: {erp.url}/soap/finance")
    policy = tmp_path / "policies/policy.csv"
    for line in policy.read_text("utf-8").splitlines():
        if line.startswith("p, finance-service,"):
            edit(policy, line, line.replace("p, finance-service, *", "p, oa, demo").replace("deny", "allow"))
    process = GatewayProcess(config, erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


def test_an_imported_contract_books_reads_refuses_and_is_documented(gateway: GatewayProcess) -> None:
    payment = {
        "BUKRS": "1000",
        "XBLNR": f"WSDL-{uuid.uuid4().hex[:12]}",
        "USNAM": "li.na",
        "LIFNR": "00004711",
        "NAME1": "Falkenberg GmbH",
        "BANKN": "6222020200112233",
        "WRBTR": "12.50",
        "WAERS": "CNY",
        "ZFBDT": "31/12/2026",
        "SGTXT": None,
    }
    booked = gateway.call("oa", "POST", f"{BASE}/CreatePayment", json={"Payment": payment})
    assert booked.status_code == 201, booked.text
    number = booked.json()["Payment"]["BELNR"]
    read = gateway.call("oa", "POST", f"{BASE}/GetPayment", json={"BELNR": number})
    assert read.status_code == 200, read.text
    assert {key: read.json()["Payment"][key] for key in payment} == payment
    missing = gateway.call("oa", "POST", f"{BASE}/GetPayment", json={"BELNR": "9999999999"})
    assert (missing.status_code, list(missing.json()["fault"]["detail"])) == (422, ["NotFound"])
    wrong = gateway.call("oa", "POST", f"{BASE}/CreatePayment", json={"Payment": payment | {"WAERS": "yuan"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/Payment/WAERS")
    assert gateway.call("wms", "POST", f"{BASE}/GetPayment", json={"BELNR": number}).status_code == 403
    paths = gateway.call("oa", "GET", "/openapi/v1.json").json()["paths"]
    assert "Post a payment." in paths[f"{BASE}/CreatePayment"]["post"]["summary"]
