import json

import httpx

from gateway.demo.erp.journal import Journal
from gateway.demo.erp.process import ErpProcess

ORDER = (
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>'
    '<m:CreatePurchaseOrder xmlns:m="urn:demo-erp:procurement:messages" xmlns:t="urn:demo-erp:procurement:types">'
    '<m:Order BSART="UB">'
    "<t:BSTNK>{}</t:BSTNK><t:LIFNR>00001000</t:LIFNR><t:BEDAT>01/02/2026</t:BEDAT><t:WAERS>CNY</t:WAERS>"
    '<t:KTEXT xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/><t:Positions><t:Position><t:EBELP>1</t:EBELP>'
    "<t:MATNR>000007</t:MATNR><t:MENGE>+01.500</t:MENGE><t:MEINS>ST</t:MEINS><t:NETPR>007.10</t:NETPR></t:Position></t:Positions>"
    "</m:Order></m:CreatePurchaseOrder></e:Body></e:Envelope>"
)
FIELDS = {
    "@BSART": "UB",
    "LIFNR": "00001000",
    "BEDAT": "01/02/2026",
    "WAERS": "CNY",
    "KTEXT": None,
    "Positions": {"Position": [{"EBELP": "1", "MATNR": "000007", "MENGE": "+01.500", "MEINS": "ST", "NETPR": "007.10"}]},
}


def test_an_entry_says_exactly_what_the_erp_saw_and_answered(erp, http, unique):
    seen, external = len(erp.journal()), unique()
    headers = {"Content-Type": "application/soap+xml", "X-Operation-Id": "op-7", "X-Twice": "a"}
    answer = http.post("/soap/procurement", content=ORDER.format(external), headers=[*headers.items(), ("X-Twice", "b")])
    (entry,) = erp.journal(seen)
    assert answer.status_code == 200
    assert entry["seq"] == seen + 1
    assert (entry["service"], entry["operation"], entry["outcome"]) == ("procurement", "CreatePurchaseOrder", "booked")
    assert entry["operationId"] == "op-7"
    assert entry["request"] == {"Order": FIELDS | {"BSTNK": external}}
    assert entry["raw"] == ORDER.format(external)
    assert entry["answer"] == answer.text
    assert [value for name, value in entry["headers"] if name == "x-twice"] == ["a", "b"]


def test_refused_and_read_requests_are_there_too(erp, http, unique):
    seen, external = len(erp.journal()), unique()
    for content in (ORDER.format(external), ORDER.format(external), ORDER.format(external).replace("00001000", "x")):
        http.post("/soap/procurement", content=content, headers={"content-type": "application/soap+xml"})
    http.get("/inventory/items/000001?x=1")
    http.get("/inventory/items/999999")
    http.get("/inventory/movements?ref=none")
    http.get("/sales/orders?date_from=01/10/2026&date_to=01/10/2026")
    entries = erp.journal(seen)
    assert [(entry["operation"], entry["outcome"], entry["reason"]) for entry in entries] == [
        ("CreatePurchaseOrder", "booked", ""),
        ("CreatePurchaseOrder", "refused", "DUPLICATE"),
        ("CreatePurchaseOrder", "refused", "Client"),
        ("GetItem", "read", ""),
        ("GetItem", "refused", "UNKNOWN_MATERIAL"),
        ("FindMovement", "refused", "NOT_FOUND"),
        ("ListOrders", "read", ""),
    ]
    assert entries[3]["request"] == {"sku": "000001", "x": "1"}
    assert entries[3]["raw"] == "/inventory/items/000001?x=1"


def test_a_movement_is_recorded_as_it_came(erp, http, unique):
    seen = len(erp.journal())
    sent = {"ref": unique(), "material": "000002", "plant": "W01", "qty": "1.0", "uom": "PC", "sign": "+"}
    http.post("/inventory/movements", json=sent)
    http.post("/inventory/movements", json=sent | {"uom": "ST"})
    booked, refused = erp.journal(seen)
    assert (booked["operation"], booked["outcome"], booked["request"]) == ("PostMovement", "booked", sent)
    assert (refused["outcome"], refused["reason"], refused["request"]) == ("refused", "UNKNOWN_UNIT", sent | {"uom": "ST"})


def test_the_journal_file_holds_the_same_entries(tmp_path):
    file = tmp_path / "journal.jsonl"
    with ErpProcess.start(journal=file) as erp, httpx.Client(base_url=erp.url) as http:
        http.get("/inventory/items/000001")
        http.post("/soap/procurement", content=ORDER.format("Ä-1"), headers={"content-type": "application/soap+xml"})
        assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == erp.journal()
        assert len(erp.journal()) == 2


def test_a_bounded_journal_keeps_counting():
    journal = Journal(limit=2)
    for _ in range(5):
        journal.add(service="s", operation="o", outcome="read", reason="", request={}, raw=b"\xff", headers=[], answer=b"")
    assert [entry["seq"] for entry in journal.since()] == [4, 5]
    assert [entry["seq"] for entry in journal.since(4)] == [5]


def test_since_must_be_a_number(http):
    assert http.get("/journal?since=x").status_code == 400
