"""``approvals.yaml``: what it gives, and every way it can be wrong, with its line."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.approvals.file import Approvals, ApprovalsFile, read_approvals
from gateway.config.source import parse_source, read_source
from gateway.errors import ConfigError
from tests.support import ROOT

RULE = "amount: $.amount, currency: $.currency, payee: $.payee.account, approvers: finance-approver"


def read(text: str) -> Approvals:
    return read_approvals(parse_source(text.encode(), name="approvals.yaml", folder=ROOT))


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [str(finding) for finding in caught.value.findings]


def rule_error(keys: str) -> str:
    (found,) = errors(f"approvals:\n  payments.create: {{{RULE}, {keys}}}\n")
    return found


def test_a_short_rule_has_sane_defaults() -> None:
    approvals = read(f"approvals:\n  payments.create: {{{RULE}, over: {{CNY: 500000}}, escalate: {{to: cfo}}}}\n")
    rule = approvals.rules["payments.create"]
    assert (rule.amount, rule.currency, rule.payee) == (("amount",), ("currency",), ("payee", "account"))
    assert (rule.required, rule.approvers) == (2, "finance-approver")
    assert (rule.remind, rule.expires, rule.execute_within, rule.window) == (14400, 259200, 86400, None)
    assert rule.escalate is not None
    assert (rule.escalate.to, rule.escalate.after) == ("cfo", 86400)
    assert rule.threshold("1000", "CNY") == Decimal(500000)
    assert rule.threshold("1000", "USD") is None
    assert approvals.calendar is None
    assert approvals.after(1000.5, 60) == 1060.5


def test_the_example_of_this_repository() -> None:
    source = read_source(ROOT / "policies" / "approvals.yaml")
    rule = read_approvals(source).rules["payments.create"]
    assert rule.threshold("1000", "CNY") == Decimal(500000)
    assert rule.threshold("2000", "CNY") == Decimal(200000)
    assert (rule.required, rule.approvers, rule.window) == (2, "finance-approver", 86400)
    assert rule.escalate is not None
    assert rule.escalate.to == "cfo"
    jsonschema.validate(source.data, ApprovalsFile.model_json_schema())


def test_the_calendar_the_example_shows_is_good() -> None:
    text = (ROOT / "policies" / "approvals.yaml").read_text("utf-8")
    shown = "".join(line[2:] + "\n" for line in text[text.index("# calendar:") :].splitlines())
    approvals = read(text + "\n" + shown)
    assert approvals.calendar is not None
    assert approvals.calendar.country == "CN"
    assert approvals.calendar.hours == (540, 1080)
    assert approvals.calendar.closed == {date(2026, 12, 24)}
    assert approvals.calendar.working(date(2026, 12, 27))
    friday = datetime(2026, 11, 27, 9, tzinfo=UTC).timestamp()  # 17:00 in Shanghai
    assert approvals.after(friday, 2 * 3600) - friday == (7 + 8 + 2 * 24) * 3600 + 2 * 3600


def test_amounts_are_exact() -> None:
    text = f'approvals:\n  a.b: {{{RULE}, over: {{CNY: "500000.01", USD: 0, JPY: 999999999999999999, KWD: "0.001"}}}}\n'
    assert read(text).rules["a.b"].over == {
        "CNY": Decimal("500000.01"),
        "USD": Decimal(0),
        "JPY": Decimal(999999999999999999),
        "KWD": Decimal("0.001"),
    }


NO_AMOUNTS = [
    *(
        "500000.5",
        "5e5",
        ".5",
        "-1",
        '"-1"',
        '"5e5"',
        '"+5"',
        '"1,000"',
        '"５００"',
        '"1 000"',
        '"NaN"',
        '"007"',
        '""',
        "true",
        "~",
    ),
    *("[1]", '"5."', '".5"', "1000000000000000000", '"0.0000000000000000001"', '"1\\n"', "2026-01-01"),
]


@pytest.mark.parametrize("amount", NO_AMOUNTS)
def test_amounts_that_are_none(amount: str) -> None:
    found = rule_error(f"over: {{CNY: {amount}}}")
    assert found.startswith("approvals.yaml:2: 'CNY' ")
    assert "quotes" in found or "plain decimal" in found


def test_a_bare_fraction_is_told_what_to_do() -> None:
    what, _, remedy = rule_error("over: {CNY: 500000.5}").partition("; ")
    assert what == "approvals.yaml:2: 'CNY' is 500000.5, a number with a fraction, which is not exact"
    assert remedy == 'put it in quotes, such as "500000.50"'


@given(st.decimals(min_value=0, max_value=10**12, places=4, allow_nan=False, allow_infinity=False))
def test_every_plain_decimal_is_read_as_it_is(amount: Decimal) -> None:
    over = f'over: {{CNY: "{amount:f}"}}'
    assert read(f"approvals:\n  a.b: {{{RULE}, {over}}}\n").rules["a.b"].over["CNY"] == amount


def test_entities_replace_the_amounts_whatever_their_spelling() -> None:
    entities = 'entity: $.entity, entities: {2000: {CNY: 200000}, "DE 01": {EUR: 5}}'
    rule = read(f"approvals:\n  a.b: {{{RULE}, over: {{CNY: 500000}}, {entities}}}\n").rules["a.b"]
    for entity in ("2000", " 2000", "２０００", "20\u200b00"):
        assert rule.threshold(entity, "CNY") == 200000
    assert rule.threshold("de01", "EUR") == 5
    assert rule.threshold("de01", "CNY") is None
    assert rule.threshold("02000", "CNY") == 500000


@pytest.mark.parametrize(
    ("keys", "what", "remedy"),
    [
        ("over: {CNY: 1}, required: 1", "'required' is 1", "2 to 20"),
        ("over: {CNY: 1}, required: 21", "'required' is 21", "2 to 20"),
        ("over: {CNY: 1}, required: yes", "'required' is 'yes'", "write a whole number"),
        ("over: {}", "'over' is a table", "at least 1"),
        ("over: {CNX: 1}", "the name 'CNX' cannot be used", "ISO 4217"),
        ("over: {cny: 1}", "the name 'cny' cannot be used", "ISO 4217"),
        ("over: {CNY: 1}, entities: {'1': {CNY: 1}}", "has 'entities' and does not say", "add 'entity:'"),
        ("over: {CNY: 1}, entity: $.e, entities: {'1': {CNY: 1}, ' 1': {CNY: 2}}", "names ' 1', which is '1'", "once"),
        ("over: {CNY: 1}, entity: $.e, entities: {' ': {CNY: 1}}", "cannot be seen", "once"),
        ("over: {CNY: 1}, entity: entity", "'entity' is 'entity'", "$.payee.account"),
        ("over: {CNY: 1}, lines: '$.lines[*]'", "'lines' is '$.lines[*]'", "$.payee.account"),
        ("over: {CNY: 1}, payee_name: $..name", "'payee_name' is '$..name'", "$.payee.account"),
        ("over: {CNY: 1}, expires: 24h, escalate: {to: cfo}", "expires before it escalates", "more time"),
        ("over: {CNY: 1}, expires: 4h", "expires before it reminds", "more time"),
        ("over: {CNY: 1}, expires: 0s", "'expires'", "greater than 0"),
        ("over: {CNY: 1}, window: 9999d", "'window'", "less than or equal"),
        ("over: {CNY: 1}, expires: 3", "'expires' is 3", "30s"),
        ("over: {CNY: 1}, aprovers: x", "unknown key 'aprovers'", "did you mean 'approvers'?"),
        ("over: {CNY: 1}, escalate: {after: 1h}", "the key 'to' is missing", "add 'to:'"),
    ],
)
def test_rules_that_cannot_be(keys: str, what: str, remedy: str) -> None:
    found = rule_error(keys)
    assert found.startswith("approvals.yaml:2: ")
    assert what in found.partition("; ")[0]
    assert remedy in found


BAD = """
calendar:
  timezone: China
  hours: 18:00-09:00
  country: ZZ
  closed: [2026-13-01, 2026-12-24]
  open: [24.12.2026]
approvals:
  Payments:
    amount: amount
    currency: $.currency
    payee: $.payee
    over: {CNY: 1e6}
    aprovers: x
    colour: red
"""


def test_all_errors_come_together_each_with_its_line() -> None:
    found = errors(BAD)
    assert [int(line.split(":")[1]) for line in found] == [3, 4, 5, 6, 7, 9, 9, 10, 13, 14, 15]
    assert "Asia/Shanghai" in found[0]
    assert "09:00-18:00" in found[1]
    assert "ISO 3166" in found[2]
    assert "YYYY-MM-DD" in found[3]
    assert "YYYY-MM-DD" in found[4]
    assert all(re.search("; .", line) for line in found)


@pytest.mark.parametrize("zone", ["Asia", "../etc/passwd", "/etc/passwd", "Asia/Shanghai\\0", "", "8", "[]", "~"])
def test_time_zones_that_are_none(zone: str) -> None:
    value = f'"{zone}"' if zone not in ("8", "[]", "~") else zone
    (found,) = errors(f"calendar: {{timezone: {value}}}\napprovals: {{}}\n")
    assert found.startswith("approvals.yaml:1: ")


@pytest.mark.parametrize(
    "hours", ["9:00-18:00", "09:00-09:30", "22:00-06:00", "09:00-25:00", "09:00-24:30", "09:00", "０９:00-18:00"]
)
def test_hours_that_are_none(hours: str) -> None:
    (found,) = errors(f'calendar: {{timezone: Asia/Shanghai, hours: "{hours}"}}\napprovals: {{}}\n')
    assert "begins and ends on one day" in found


def test_a_day_cannot_be_both_open_and_closed() -> None:
    (found,) = errors("calendar: {timezone: UTC, open: [2026-01-03], closed: [2026-01-03]}\napprovals: {}\n")
    assert "has 2026-01-03 both closed and open; keep one of the two" in found


@pytest.mark.parametrize("text", ["", "[]", "approvals: []", "approvals:\n  a.b:\n", "approvals: 1"])
def test_files_that_say_nothing(text: str) -> None:
    assert errors(text)[0].startswith("approvals.yaml")


def test_a_file_without_rules_holds_nothing() -> None:
    assert read("approvals: {}\n").rules == {}
