"""What a body says, what it may not say, and what a vote is bound to."""

from __future__ import annotations

import copy
import hashlib
import json
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.approvals.facts import Facts, facts_of, manifest, manifest_hash, payload_hash
from gateway.approvals.file import Rule
from gateway.errors import Unprocessable

COMMON = {"currency": "$.currency", "entity": "$.entity", "over": {"CNY": 500000}, "approvers": "finance-approver"}
SINGLE = Rule.model_validate(
    COMMON
    | {"amount": "$.amount", "payee": "$.payee.account", "payee_name": "$.payee.name"}
    | {"initiator": "$.initiator", "attachments": "$.files"}
)
BATCH = Rule.model_validate(
    COMMON | {"lines": "$.lines", "amount": "$.amount", "payee": "$.account", "payee_name": "$.name", "initiator": "$.initiator"}
)
TARGET = "finance CreatePayment"


def payment(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "externalNumber": "OA-1",
        "initiator": "li.na",
        "entity": "1000",
        "amount": "500000.01",
        "currency": "CNY",
        "payee": {"code": "4711", "name": "Falkenberg GmbH", "account": "6222 0202 0011 2233"},
    }
    return body | changes


def batch(*amounts: str, **changes: Any) -> dict[str, Any]:
    lines = [{"amount": amount, "account": f"A{number}", "name": f"Name {number}"} for number, amount in enumerate(amounts)]
    return {"initiator": "li.na", "entity": "1000", "currency": "CNY", "lines": lines} | changes


def refused(rule: Rule, value: object) -> dict[str, str]:
    with pytest.raises(Unprocessable) as caught:
        facts_of(rule, value, TARGET)
    return {error.pointer: error.detail for error in caught.value.errors}


# --- facts -----------------------------------------------------------------------------------------------------------


def test_the_facts_of_a_payment() -> None:
    facts = facts_of(SINGLE, payment(files=["invoice.pdf", {"name": "contract.pdf", "size": 7}]), TARGET)
    (line,) = facts.lines
    assert facts.amount == line.amount == Decimal("500000.01")
    assert (line.account, line.key, line.name) == ("6222 0202 0011 2233", "6222020200112233", "Falkenberg GmbH")
    assert (facts.currency, facts.entity, facts.target) == ("CNY", "1000", TARGET)
    assert facts.initiator == "li.na"
    assert facts.attachments == ("invoice.pdf", "contract.pdf")
    assert not facts.batch
    assert facts.payees == {"6222020200112233": Decimal("500000.01")}


def test_the_facts_of_a_batch() -> None:
    body = batch("100.10", "200.20", "300.30")
    body["lines"][2]["account"] = "ａ0"
    facts = facts_of(BATCH, body, TARGET)
    assert facts.batch
    assert facts.amount == Decimal("600.60")
    assert facts.payees == {"a0": Decimal("400.40"), "a1": Decimal("200.20")}


def test_sums_are_exact_whatever_the_context() -> None:
    with localcontext() as context:
        context.prec = 3
        facts = facts_of(BATCH, batch(*["9999999999999999.99"] * 1000), TARGET)
        assert format(facts.amount, "f") == "9999999999999999990.00"
        assert format(sum_of(facts), "f") == "9999999999999999990.00"


def sum_of(facts: Facts) -> Decimal:
    cents = sum(int(format(amount, "f").replace(".", "")) for amount in facts.payees.values())
    return Decimal(f"{cents // 100}.{cents % 100:02}")


@pytest.mark.parametrize(("amount", "exact"), [("12", "12"), ("0.01", "0.01"), (12, "12"), (Decimal("12.50"), "12.50")])
def test_amounts_that_are_taken(amount: object, exact: str) -> None:
    assert str(facts_of(SINGLE, payment(amount=amount), TARGET).amount) == exact


NO_AMOUNTS: list[object] = [
    *(
        "1e5",
        "1E5",
        "+5",
        "-5",
        "-0.01",
        "0",
        "0.00",
        "５００",
        "1,000",
        "1 000",
        " 5",
        "5 ",
        "5\n",
        "NaN",
        "Infinity",
        "",
        "1_000",
    ),
    *(
        ".5",
        "5.",
        "005",
        "0x10",
        "٣",
        "1000000000000000000000.00",
        "1.001",
        "1.010",
        "5元",
        True,
        False,
        12.5,
        5e5,
        0,
        -5,
        10**30,
    ),
    *(Decimal("1E+5"), Decimal("NaN"), Decimal("Infinity"), Decimal("-1"), Decimal("1.005"), [], {}, ["5"], {"value": "5"}),
]


@pytest.mark.parametrize("amount", NO_AMOUNTS)
def test_amounts_that_are_none(amount: object) -> None:
    assert list(refused(SINGLE, payment(amount=amount))) == ["/amount"]


@pytest.mark.parametrize(
    ("currency", "amount", "good"),
    [
        ("JPY", "100", True),
        ("JPY", "100.0", False),
        ("KWD", "1.005", True),
        ("KWD", "1.0055", False),
        ("CNY", "1.005", False),
        ("CLF", "1.0055", True),
        ("XAU", "1.00555", True),
        ("XAU", "1.005555", False),
    ],
)
def test_digits_after_the_point_are_those_of_the_currency(currency: str, amount: str, good: bool) -> None:
    body = payment(currency=currency, amount=amount)
    if good:
        assert facts_of(SINGLE, body, TARGET).amount == Decimal(amount)
    else:
        assert "after the decimal point" in refused(SINGLE, body)["/amount"]


@pytest.mark.parametrize("currency", ["cny", "CNX", "ＣＮＹ", "CNY ", "RMB", "¥", "156", "", 156, None, ["CNY"]])
def test_currencies_that_are_none(currency: object) -> None:
    assert list(refused(SINGLE, payment(currency=currency))) == ["/currency"]


def test_everything_missing_is_told_at_once() -> None:
    assert refused(SINGLE, {}) == {
        "/currency": "is missing",
        "/entity": "is missing",
        "/amount": "is missing",
        "/payee/account": "is missing",
    }
    assert set(refused(SINGLE, payment(payee="6222", amount=None))) == {"/payee/account", "/amount"}
    assert refused(SINGLE, payment(payee={"account": " \u200b"})) == {"/payee/account": "is empty"}
    assert refused(SINGLE, payment(payee={"account": 6222020200112233})) == {"/payee/account": "must be a JSON string"}


@pytest.mark.parametrize("value", [None, [], "text", 5, [payment()]])
def test_bodies_that_are_no_object(value: object) -> None:
    assert len(refused(SINGLE, value)) == 4


def test_the_initiator_and_what_is_only_shown_may_be_missing() -> None:
    body = payment(initiator=None, payee={"account": "1"})
    facts = facts_of(SINGLE, body, TARGET)
    assert (facts.initiator, facts.lines[0].name, facts.attachments) == (None, "", ())
    assert facts_of(SINGLE, payment(initiator=""), TARGET).initiator is None
    assert refused(SINGLE, payment(initiator=7)) == {"/initiator": "must be a JSON string"}


@pytest.mark.parametrize("files", ["a.pdf", [1], [{"title": "a"}], [{"name": 1}], {"name": "a"}])
def test_attachments_without_names(files: object) -> None:
    assert list(refused(SINGLE, payment(files=files))) == ["/files"]


def test_pointers_lead_into_the_lines() -> None:
    body = batch("1", "1e5", "3")
    del body["lines"][2]["account"]
    body["lines"].append("4")
    assert set(refused(BATCH, body)) == {"/lines/1/amount", "/lines/2/account", "/lines/3/amount", "/lines/3/account"}


@pytest.mark.parametrize("lines", [None, [], {}, "1"])
def test_a_batch_has_lines(lines: object) -> None:
    assert refused(BATCH, batch(lines=lines)) == {"/lines": "must be a list with at least one line"}


def test_a_hostile_batch_is_not_read_to_its_end() -> None:
    assert len(refused(BATCH, batch(lines=[1] * 100_000))) <= 101


def test_names_with_slashes_have_pointers() -> None:
    rule = SINGLE.model_copy(update={"amount": ("a/b", "c~d")})
    assert "/a~1b/c~0d" in refused(rule, payment())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.sampled_from(["CNY", "1", {"account": "1"}])
        for name in ("amount", "currency", "entity", "payee", "initiator", "files", "lines")
    },
)


@given(fields, st.sampled_from([SINGLE, BATCH]))
@settings(max_examples=300)
def test_any_body_gives_facts_or_places(value: dict[str, Any], rule: Rule) -> None:
    problem, facts = None, None
    try:
        facts = facts_of(rule, value, TARGET)
    except Unprocessable as raised:
        problem = raised
    if facts is None:
        assert problem is not None
        assert problem.errors
        assert all(error.pointer.startswith("/") for error in problem.errors)
    else:
        assert facts.amount > 0
        assert all(line.key for line in facts.lines)


@given(st.integers(1, 10**17))
def test_every_cent_is_kept(cents: int) -> None:
    facts = facts_of(SINGLE, payment(amount=f"{cents // 100}.{cents % 100:02}"), TARGET)
    assert facts.amount * 100 == cents


# --- the manifest ----------------------------------------------------------------------------------------------------


def hash_of(rule: Rule, body: object, revision: int = 1, target: str = TARGET) -> str:
    return manifest_hash(manifest(facts_of(rule, body, target), body, revision))


def test_the_manifest_shows_what_is_signed() -> None:
    body = payment(files=["invoice.pdf"])
    signed = manifest(facts_of(SINGLE, body, TARGET), body, 3)
    assert signed == {
        "revision": 3,
        "target": TARGET,
        "entity": "1000",
        "currency": "CNY",
        "amount": "500000.01",
        "initiator": "li.na",
        "attachments": ["invoice.pdf"],
        "payload": payload_hash(body),
        "payee": {"account": "6222 0202 0011 2233", "name": "Falkenberg GmbH"},
    }
    # Any RFC 8785 implementation gives the same digest; for these values JSON with sorted keys is one.
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert manifest_hash(signed) == hashlib.sha256(text.encode()).hexdigest()
    assert manifest_hash(json.loads(json.dumps(signed))) == manifest_hash(signed)


def test_the_manifest_of_a_batch_has_the_hash_of_each_line() -> None:
    body = batch("1.00", "2.00")
    signed = manifest(facts_of(BATCH, body, TARGET), body, 1)
    assert signed["lines"] == [
        {"payee": {"account": f"A{n}", "name": f"Name {n}"}, "amount": f"{n + 1}.00", "payload": payload_hash(body["lines"][n])}
        for n in range(2)
    ]


CHANGES: list[dict[str, Any]] = [
    {"amount": "500000.02"},
    {"amount": "500000.1"},
    {"currency": "USD"},
    {"entity": "1001"},
    {"payee": {"code": "4711", "name": "Falkenberg GmbH", "account": "6222020200112233"}},
    {"payee": {"code": "4712", "name": "Falkenberg GmbH", "account": "6222 0202 0011 2233"}},
    {"initiator": "wang.fang"},
    {"externalNumber": "OA-2"},
    {"purpose": None},
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_another_hash(change: dict[str, Any]) -> None:
    assert hash_of(SINGLE, payment(**change)) != hash_of(SINGLE, payment())


def test_another_revision_or_target_is_another_hash() -> None:
    hashes = {hash_of(SINGLE, payment()), hash_of(SINGLE, payment(), 2), hash_of(SINGLE, payment(), target="elsewhere")}
    assert len(hashes) == 3


def test_the_order_of_keys_is_no_change() -> None:
    assert hash_of(SINGLE, dict(reversed(payment().items()))) == hash_of(SINGLE, payment())


def test_swapped_lines_are_a_change() -> None:
    body = batch("1", "2")
    swapped = copy.deepcopy(body)
    swapped["lines"].reverse()
    assert hash_of(BATCH, body) != hash_of(BATCH, swapped)


def test_numbers_that_a_double_cannot_tell_apart_are_told_apart() -> None:
    different: list[Any] = [
        2**53,
        2**53 + 1,
        10**400,
        10**400 + 1,
        Decimal("0.1"),
        Decimal("0.10000000000000000001"),
        0.5,
        "0.5",
        1,
    ]
    different += [1.0, "1", True, None, [], {}, [[]], ["list"], ["number", "1"], [1], ["1"], {"number": "1"}, "", -0.0, 0.0, 0]
    assert len({payload_hash(value) for value in different}) == len(different)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), {1: 2}, {"a": object()}, "\ud800", {"\udc00": 1}, b"x"]
)
def test_what_json_cannot_hold_has_no_hash(value: object) -> None:
    with pytest.raises(Unprocessable):
        payload_hash({"a": [value]})


def nested(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_deep_bodies_end_in_a_problem_not_in_a_crash() -> None:
    assert len(payload_hash(nested(512))) == 64
    for levels in (513, 5000, 100_000):
        with pytest.raises(Unprocessable, match="nested"):
            payload_hash(nested(levels))


exact_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=8,
)


def written(value: object) -> str:
    """A model: a text that says everything about a value, with its type."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{written(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return f"'{value}" if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else repr(value)


@given(exact_values, exact_values)
@settings(max_examples=300)
def test_two_values_share_a_hash_only_when_they_are_the_same(one: object, other: object) -> None:
    assert (payload_hash(one) == payload_hash(other)) == (written(one) == written(other))
    assert payload_hash(one) == payload_hash(copy.deepcopy(one))
