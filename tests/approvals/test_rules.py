"""Which documents wait, and the reasons they are given."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.approvals.facts import Facts, Line, facts_of
from gateway.approvals.file import Rule
from gateway.approvals.rules import Reason, Sibling, evaluate, from_json, to_json

RULE = Rule.model_validate(
    {"amount": "$.amount", "currency": "$.currency", "entity": "$.entity", "payee": "$.account", "approvers": "finance-approver"}
    | {"over": {"CNY": 500000, "JPY": 0}, "entities": {"2000": {"CNY": 200000}}, "window": "24h"}
)
BATCH = RULE.model_copy(update={"lines": ("lines",)})
DAY = 86400.0


def paid(amount: str, currency: str = "CNY", entity: str = "1000", account: str = "6222") -> Facts:
    body = {"amount": amount, "currency": currency, "entity": entity, "account": account}
    return facts_of(RULE, body, "erp")


def batch(*lines: tuple[str, str], currency: str = "CNY") -> Facts:
    items = [{"account": account, "amount": amount} for account, amount in lines]
    return facts_of(BATCH, {"currency": currency, "entity": "1000", "lines": items}, "erp")


def sibling(document: str, amount: str, currency: str = "CNY", payee: str = "6222", at: float = 0.0) -> Sibling:
    return Sibling(document, payee, Decimal(amount), currency, at)


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


def test_exactly_the_threshold_passes_and_a_cent_more_is_held() -> None:
    assert evaluate(RULE, paid("500000")) == ()
    assert evaluate(RULE, paid("500000.00")) == ()
    (reason,) = evaluate(RULE, paid("500000.01"))
    assert reason == Reason("over_threshold", {"amount": "500000.01", "currency": "CNY", "entity": "1000", "threshold": "500000"})
    assert str(reason) == "500000.01 CNY is over 500000 CNY."


def test_a_legal_entity_has_its_own_threshold_however_it_is_spelled() -> None:
    assert evaluate(RULE, paid("200000", entity="2000")) == ()
    for entity in ("2000", "２０００", " 2000"):
        assert codes(evaluate(RULE, paid("200000.01", entity=entity))) == ["over_threshold"]
    assert codes(evaluate(RULE, paid("1", "JPY", entity="2000"))) == ["no_threshold"]


def test_a_currency_without_a_threshold_is_held_never_passed() -> None:
    (reason,) = evaluate(RULE, paid("0.01", "USD"))
    assert to_json([reason]) == [{"code": "no_threshold", "currency": "USD", "entity": "1000"}]
    assert str(reason) == "There is no threshold for USD."


def test_a_threshold_of_zero_holds_everything() -> None:
    assert codes(evaluate(RULE, paid("1", "JPY"))) == ["over_threshold"]


def test_the_third_of_three_payments_to_one_account_is_held_with_its_siblings() -> None:
    one, two = sibling("doc-9", "200000", at=1.0), sibling("doc-2", "200000", at=2.0)
    assert evaluate(RULE, paid("200000")) == ()
    assert evaluate(RULE, paid("200000"), [one]) == ()
    (reason,) = evaluate(RULE, paid("200000"), [two, one])
    assert reason.code == "window_total"
    assert reason.parameters["siblings"] == ["doc-9", "doc-2"]
    assert (reason.parameters["total"], reason.parameters["threshold"]) == ("600000", "500000")
    assert str(reason) == "Payments to the same account within 24 hours come to 600000 CNY, over 500000 CNY."


def test_a_total_of_exactly_the_threshold_passes() -> None:
    assert evaluate(RULE, paid("300000.00"), [sibling("doc-1", "200000.00")]) == ()
    assert codes(evaluate(RULE, paid("300000.01"), [sibling("doc-1", "200000.00")])) == ["window_total"]


def test_a_rule_without_a_window_counts_each_alone() -> None:
    alone = RULE.model_copy(update={"window": None})
    assert evaluate(alone, paid("400000"), [sibling("doc-1", "400000")]) == ()


def test_siblings_in_another_currency_cannot_be_added_and_hold() -> None:
    (reason,) = evaluate(RULE, paid("1"), [sibling("doc-1", "600000", "USD")])
    assert (reason.code, reason.parameters["siblings"]) == ("mixed_window", ["doc-1"])
    both = evaluate(RULE, paid("400000"), [sibling("doc-1", "1", "USD"), sibling("doc-2", "400000")])
    assert codes(both) == ["window_total", "mixed_window"]


def test_payments_to_another_account_are_no_siblings() -> None:
    assert evaluate(RULE, paid("400000"), [sibling("doc-1", "400000", payee="other")]) == ()


def test_the_total_of_a_batch_triggers() -> None:
    assert evaluate(BATCH, batch(("a", "250000"), ("b", "250000"))) == ()
    (reason,) = evaluate(BATCH, batch(("a", "250000"), ("b", "250000.01")))
    assert (reason.code, reason.parameters["amount"]) == ("over_threshold", "500000.01")


def test_the_largest_line_of_a_batch_triggers() -> None:
    reasons = evaluate(BATCH, batch(("a", "1"), ("b", "500000.01"), ("c", "500000.01")))
    assert codes(reasons) == ["over_threshold", "line_over_threshold"]
    assert (reasons[1].parameters["line"], reasons[1].parameters["amount"]) == (2, "500000.01")
    assert codes(evaluate(BATCH, batch(("a", "1"), ("b", "500000")))) == ["over_threshold"]
    assert str(reasons[1]) == "Line 2 of 500000.01 CNY is over 500000 CNY."


def test_each_payee_of_a_batch_has_its_own_window() -> None:
    siblings = [sibling("doc-1", "450000", payee="a"), sibling("doc-2", "10", payee="b"), sibling("doc-3", "1", "USD", payee="c")]
    reasons = evaluate(BATCH, batch(("a", "30000"), ("b", "1"), ("A ", "30000"), ("c", "1")), siblings)
    assert codes(reasons) == ["window_total", "mixed_window"]
    assert (reasons[0].parameters["lines"], reasons[0].parameters["siblings"]) == ([1, 3], ["doc-1"])
    assert reasons[0].parameters["total"] == "510000"
    assert (reasons[1].parameters["lines"], reasons[1].parameters["siblings"]) == ([4], ["doc-3"])


def test_no_reason_tells_an_account() -> None:
    facts = batch(("6222020200112233", "500000.01"))
    reasons = evaluate(BATCH, facts, [sibling("d", "1", payee="6222020200112233"), sibling("e", "1", "USD", "6222020200112233")])
    assert len(reasons) == 4
    assert "6222020200112233" not in json.dumps(to_json(reasons)) + "".join(map(str, reasons))


def test_a_reason_nobody_gives_is_refused() -> None:
    for value in ({"code": "because"}, {}, {"code": None}):
        with pytest.raises(ValueError, match="no reason for a hold"):
            from_json([value])


# --- properties ------------------------------------------------------------------------------------------------------

cents = st.integers(1, 10**9)
currencies = st.sampled_from(["CNY", "CNY", "CNY", "JPY", "USD"])
payees = st.sampled_from(["a", "b", "c"])


def money(cents: int) -> Decimal:
    return Decimal(f"{cents // 100}.{cents % 100:02}")


lines = st.lists(st.tuples(payees, cents), min_size=1, max_size=5)
others = st.lists(st.tuples(payees, cents, currencies), max_size=5)


@given(lines, currencies, st.sampled_from(["1000", "2000"]), others)
def test_what_passes_is_below_every_limit_in_whole_cents(
    given_lines: list[tuple[str, int]], currency: str, entity: str, given_siblings: list[tuple[str, int, str]]
) -> None:
    """The model counts in whole cents and knows the limits by heart."""
    items = tuple(Line(money(amount), payee, payee) for payee, amount in given_lines)
    facts = Facts(items, currency, entity, "erp", lines_at=("lines",))
    siblings = [Sibling(str(n), payee, money(amount), kind, 0.0) for n, (payee, amount, kind) in enumerate(given_siblings)]
    limits: dict[Any, int] = {("1000", "CNY"): 50_000_000, ("1000", "JPY"): 0, ("2000", "CNY"): 20_000_000}
    limit = limits.get((entity, currency))
    passes = limit is not None and sum(amount for _, amount in given_lines) <= limit
    for payee in {payee for payee, _ in given_lines}:
        ours = sum(amount for to, amount in given_lines if to == payee)
        theirs = [(amount, kind) for to, amount, kind in given_siblings if to == payee]
        passes = passes and all(kind == currency for _, kind in theirs)
        passes = passes and limit is not None and ours + sum(amount for amount, _ in theirs) <= limit
    reasons = evaluate(BATCH, facts, siblings)
    assert (not reasons) == passes
    assert from_json(json.loads(json.dumps(to_json(reasons)))) == reasons
    assert all(str(reason).endswith(".") for reason in reasons)


@given(cents, st.lists(cents, max_size=6), cents)
def test_more_money_never_passes_where_less_was_held(amount: int, before: list[int], more: int) -> None:
    siblings = [sibling(str(n), str(money(other))) for n, other in enumerate(before)]
    if evaluate(RULE, paid(str(money(amount))), siblings):
        assert evaluate(RULE, paid(str(money(amount + more))), siblings)
        assert evaluate(RULE, paid(str(money(amount))), [*siblings, sibling("new", str(money(more)))])


@given(st.integers(50_000_001, 10**10), st.integers(2, 9))
def test_splitting_a_payment_does_not_help(amount: int, parts: int) -> None:
    """Handed in one after the other within the window, at least one of the parts waits."""
    sizes = [amount // parts + (part < amount % parts) for part in range(parts)]
    siblings: list[Sibling] = []
    held = []
    for number, size in enumerate(sizes):
        if evaluate(RULE, paid(str(money(size))), siblings):
            held.append(number)
        siblings.append(sibling(str(number), str(money(size)), at=float(number)))
    assert held
    passed = sum(size for number, size in enumerate(sizes) if number not in held)
    assert passed <= 50_000_000
