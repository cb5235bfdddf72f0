"""Two versions of a contract: what differs, and whether a caller of the old one may fail."""

from __future__ import annotations

import pytest

from gateway.contracts.diff import Change, compare, words
from gateway.protocols.soap import Contract
from tests.protocols.soap.wsdls import contract, read, root, schema, wsdl


def of(*elements: str, more: str = "") -> Contract:
    return contract(root(f"<xs:sequence>{''.join(elements)}</xs:sequence>") + more)


def element(name: str, type: str = "xs:string", more: str = 'minOccurs="0"') -> str:
    return f'<xs:element name="{name}" type="{type}" {more}/>'


def changes(old: Contract, new: Contract) -> list[tuple[str, str, str, bool]]:
    return [(c.direction, c.path, c.kind, c.breaks) for c in compare(old, new).fields]


def test_the_same_contract_has_no_difference() -> None:
    found = compare(of(element("a")), of(element("a")))
    assert (found.added, found.removed, found.changed, found.fields, found.reasons) == ((), (), (), (), {})


def test_operations_come_and_go() -> None:
    old, new = of(element("a")), read(wsdl(schema(root("<xs:sequence/>"))).replace('"echo"', '"say"'))
    found = compare(old, new)
    assert (found.added, found.removed) == (("say",), ("echo",))


def test_an_operation_that_cannot_be_offered_any_more_says_why() -> None:
    found = compare(of(element("a")), of(element("a", "t:Gone")))
    assert found.removed == ("echo",)
    assert "{urn:t}Gone is not in the contract" in found.reasons["echo"]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ([element("a")], [], [("a", "removed", True, True)]),
        ([], [element("a")], [("a", "added", False, False)]),
        ([], [element("a", more="")], [("a", "added", True, False)]),
        ([element("a")], [element("a", "xs:int")], [("a", "retyped", True, True)]),
        ([element("a")], [element("a", more='minOccurs="0" maxOccurs="9"')], [("a", "retyped", True, True)]),
    ],
)
def test_fields(was: list[str], now: list[str], expected: list[tuple[str, str, bool, bool]]) -> None:
    keep = element("keep")
    found = changes(of(keep, *was), of(keep, *now))
    for path, kind, breaks_request, breaks_answer in expected:
        assert found == [("request", path, kind, breaks_request), ("answer", path, kind, breaks_answer)]


def test_a_demand_breaks_requests_and_a_promise_dropped_breaks_answers() -> None:
    free, needed = of(element("a")), of(element("a", more=""))
    assert changes(free, needed) == [("request", "a", "retyped", True), ("answer", "a", "retyped", False)]
    assert changes(needed, free) == [("request", "a", "retyped", False), ("answer", "a", "retyped", True)]
    assert words(compare(free, needed).fields[0]) == "a was xs:string, is xs:string, required"


def test_what_no_path_reaches_is_compared_whole() -> None:
    mixed = '<xs:complexType name="T" mixed="true"><xs:sequence>{}</xs:sequence></xs:complexType>'
    old = of(element("a", "t:T"), more=mixed.format(element("x")))
    new = of(element("a", "t:T"), more=mixed.format(element("x", "xs:int")))
    assert changes(old, new) == [("request", "", "retyped", True), ("answer", "", "retyped", True)]
    assert words(Change("echo", "request", "", "retyped", "", "", True)) == "the message has another structure"
