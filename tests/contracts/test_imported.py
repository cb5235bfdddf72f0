"""Which port is taken, and what the texts of a resource say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.contracts import imported
from gateway.contracts.imported import choose, is_read, make
from gateway.contracts.inspect import contract_of
from gateway.errors import ConfigError
from gateway.protocols.soap import Contract
from tests.contracts.bundles import bundle
from tests.protocols.soap.wsdls import contract, root, schema, wsdl

FIELD = root('<xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence>')
PORT = '<port name="{}" binding="w:B"><soap:address location="{}"/></port>'


def several(ports: str, services: str = "") -> Contract:
    text = wsdl(schema(FIELD)).replace("</port></service>", f"</port>{ports}</service>{services}")
    return contract_of(bundle(text))


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("GetOrder", True),
        ("getPOList", True),
        ("FIND_CUSTOMER", True),
        ("ListItems", True),
        ("CreateList", False),
        ("GetOrCreateOrder", False),
        ("ReadAndDelete", False),
        ("Getaway", False),
        ("UpdatePriceList", False),
        ("查询", False),
    ],
)
def test_a_name_that_says_read(name: str, reads: bool) -> None:
    assert is_read(name) == reads


def test_the_first_port_of_those_that_offer_most_is_taken() -> None:
    known = several(PORT.format("Other", "http://127.0.0.1/o"))
    assert choose(known, "x").port == "Port"
    assert choose(known, "x", port="Other").port == "Other"


def test_several_services_have_to_be_told_apart() -> None:
    known = several("", f'<service name="S2">{PORT.format("P2", "http://127.0.0.1/2")}</service>')
    with pytest.raises(ConfigError, match="has 2 services; choose one with --service: S, S2"):
        choose(known, "x")
    assert choose(known, "x", service="S2").port == "P2"


def test_an_unknown_port_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="there are: S Port"):
        choose(contract(FIELD), "x", port="Prot")


def test_a_contract_that_offers_nothing() -> None:
    with pytest.raises(ConfigError, match="wsdl inspect"):
        choose(contract(root('<xs:sequence><xs:element name="a" type="t:Gone"/></xs:sequence>')), "x")


@pytest.mark.parametrize("address", ["", "REPLACE_WITH_ACTUAL_URL", "http://user:secret@erp/", "${env:HOME}", "jms:queue"])
def test_an_address_that_cannot_be_used_is_not_written(address: str) -> None:
    known = contract_of(bundle(wsdl(schema(FIELD)).replace("http://127.0.0.1/s", address)))
    made = make(known, choose(known, "x"), "contracts/s/s.wsdl", "s")
    data = parse_source(made.upstream.encode(), name="u", folder=Path()).data
    assert data == {"s": {"wsdl": "contracts/s/s.wsdl", "service": "S", "port": "Port", "url": "http://127.0.0.1:9"}}
    assert any("no usable address" in notice for notice in made.notices)


def test_names_that_become_one_slug_are_told_apart() -> None:
    text = wsdl(schema(FIELD))
    operation = text[text.index('<operation name="echo"><doc') : text.index("</portType>")]
    bound = text[text.index('<operation name="echo"><soap') : text.index("</binding>")]
    for block in (operation, bound):
        text = text.replace(block, block + block.replace('"echo"', '"Echo"'))
    known = contract_of(bundle(text))
    made = make(known, choose(known, "x"), "contracts/s/s.wsdl", "s")
    assert made.operations == ("s.echo", "s.echo-2")
    assert 'post: "/s/Echo"' in made.routes


def test_many_operations_get_shorter_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imported, "MOST_ROWS", 2)
    monkeypatch.setattr(imported, "FEWEST", 1)
    inner = '<xs:complexType><xs:sequence><xs:element name="b" type="xs:string"/></xs:sequence></xs:complexType>'
    known = contract(root(f'<xs:sequence><xs:element name="a">{inner}</xs:element></xs:sequence>'))
    made = make(known, choose(known, "x"), "contracts/s/s.wsdl", "s")
    assert "{rest: a, erp: a, type: any, required: true}" in made.transformers[0]
    assert "a.b" not in made.transformers[0]


def test_long_tables_go_on_in_a_second_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imported, "PART", 300)
    known = contract(FIELD)
    made = make(known, choose(known, "x"), "contracts/s/s.wsdl", "s")
    assert len(made.transformers) == 2
    assert all(text.count("tables:\n") == 1 for text in made.transformers)
