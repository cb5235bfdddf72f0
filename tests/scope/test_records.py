"""Which records are seen."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scope.records import Place, Records, Who, holds, permitted, seen_of

WHO = Who("shop", "2000")
PLACES = {
    "entity": Place(("entity",)),
    "cost-centre": Place(("lines", "costCentre")),
    "satellite": Place(("createdBy",)),
    "amount-up-to": Place(("total",), currency=("currency",)),
}


def good(name: str, record: object, *values: str) -> bool:
    return holds(name, frozenset(values), record, PLACES[name], WHO)


def test_own_is_the_callers_tenant_or_name() -> None:
    assert permitted("entity", frozenset({"own", "1000"}), WHO) == {"2000", "1000"}
    assert permitted("satellite", frozenset({"own"}), WHO) == {"shop"}
    assert permitted("cost-centre", frozenset({"own"}), WHO) == {"own"}


@pytest.mark.parametrize("record", [{}, {"entity": None}, {"entity": True}, {"entity": ["2000", "1000"]}, "2000", None, []])
def test_a_record_that_does_not_say_or_says_two_things_is_not_seen(record: object) -> None:
    assert not good("entity", record, "2000")


def test_all_values_a_record_carries_must_be_permitted() -> None:
    assert good("cost-centre", {"lines": [{"costCentre": "a"}, {"costCentre": "b"}]}, "a", "b")
    assert not good("cost-centre", {"lines": [{"costCentre": "a"}, {"costCentre": "c"}]}, "a", "b")
    assert good("entity", {"entity": 2000}, "2000")


@pytest.mark.parametrize(
    ("record", "seen"),
    [
        ({"total": "50000.00", "currency": "CNY"}, True),
        ({"total": 50000, "currency": "CNY"}, True),
        ({"total": "50000.01", "currency": "CNY"}, False),
        ({"total": "-50000.01", "currency": "CNY"}, False),
        ({"total": "1", "currency": "USD"}, False),
        ({"total": "1"}, False),
        ({"total": "1e3", "currency": "CNY"}, False),
        ({"total": True, "currency": "CNY"}, False),
        ({"total": None, "currency": "CNY"}, False),
    ],
)
def test_an_amount_counts_in_its_currency(record: object, seen: bool) -> None:
    assert good("amount-up-to", record, "50000.00 CNY", "10 CNY", "7 EUR") is seen


def entities(answer: Any, within: tuple[str, ...] = (), **places: Place) -> tuple[object, bool]:
    return seen_of({"entity": frozenset({"own"})}, answer, Records(within, places or PLACES), WHO)


def test_a_list_is_filtered_and_a_single_record_seen_or_not() -> None:
    mine, other = {"entity": "2000"}, {"entity": "1000"}
    assert entities([mine, other]) == ([mine], True)
    assert entities({"items": [mine, other], "more": 1}, ("items",)) == ({"items": [mine], "more": 1}, True)
    assert entities({"data": {"items": [other]}}, ("data", "items")) == ({"data": {"items": []}}, True)
    assert entities(mine) == (mine, True)
    assert entities(other)[1] is False
    assert entities({"items": other}, ("items",))[0] == {"items": None}
    assert entities({"more": 1}, ("items",)) == ({"more": 1}, True)


def test_what_the_backend_filters_is_trusted_and_what_nobody_can_judge_is_not_seen() -> None:
    assert entities([{"x": 1}], entity=Place(filter="entity")) == ([{"x": 1}], True)
    assert entities([{"x": 1}], entity=Place()) == ([], True)
    assert entities([{"entity": "2000"}], satellite=Place(("x",))) == ([], True)


@given(st.lists(st.sampled_from(["1000", "2000"]), max_size=8))
def test_how_many_records_others_have_is_not_told(entities_: list[str]) -> None:
    items = [{"entity": entity} for entity in entities_]
    answer = {"items": items, "total": len(items), "page": {"number": 1, "of": [{"pages": len(items), "size": 10}]}}
    records = Records(("items",), PLACES, counts=(("total",), ("page", "of", "pages"), ("page", "none"), ("items", "0", "x")))
    told, seen = seen_of({"entity": frozenset({"own"})}, answer, records, WHO)
    mine = [item for item in items if item["entity"] == "2000"]
    assert (told, seen) == ({"items": mine, "page": {"number": 1, "of": [{"size": 10}]}}, True)
    assert answer["total"] == len(items)
