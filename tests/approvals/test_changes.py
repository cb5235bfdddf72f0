"""What one approvals file says otherwise than another, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.approvals.changes import Told, changes
from gateway.approvals.file import Approvals, read_approvals
from gateway.config.source import parse_source

RULE = """\
approvals:
  payments.create:
    amount: $.amount
    currency: $.currency
    entity: $.entity
    payee: $.payee
    over: {CNY: 500, EUR: 60}
    entities: {"2000": {CNY: 200}}
    window: 24h
    approvers: finance
    escalate: {to: cfo, after: 24h}
"""


def approvals(text: str) -> Approvals:
    return read_approvals(parse_source(text.encode(), name="approvals.yaml", folder=Path()))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("CNY: 500,", "CNY: 800,", ["has its threshold raised from 500 to 800 CNY: less waits"]),
        ("EUR: 60", "EUR: 6", ["has its threshold lowered from 60 to 6 EUR: more waits"]),
        (", EUR: 60", "", ["has no threshold in EUR any more, where it was 60: every amount waits"]),
        ("EUR: 60", "EUR: 60, USD: 70", ["has a threshold of 70 USD, where every amount waited: less waits"]),
        (
            "CNY: 200}",
            "CNY: 300}",
            ["has its threshold for entity 2000 raised from 200 to 300 CNY: less waits"],
        ),
        (
            '    entities: {"2000": {CNY: 200}}\n',
            "",
            [
                "has its threshold for entity 2000 raised from 200 to 500 CNY: less waits",
                "has a threshold for entity 2000 of 60 EUR, where every amount waited: less waits",
            ],
        ),
        ("    approvers: finance", "    required: 3\n    approvers: finance", ["needs 3 people instead of 2"]),
        ("approvers: finance", "approvers: heads", ["is decided by heads instead of finance"]),
        ("    escalate: {to: cfo, after: 24h}\n", "", ["never escalates instead of escalates to cfo after 24h"]),
        ("window: 24h", "window: 90m", ["has 'window' 1.5h instead of 24h"]),
        ("    window: 24h\n", "", ["has 'window' none instead of 24h"]),
        ("    window: 24h\n", "    window: 24h\n    remind: 30m\n", ["has 'remind' 30m instead of 4h"]),
        ("payee: $.payee", "payee: $.payee.account", ["has 'payee' $.payee.account instead of $.payee"]),
        ("    payee: $.payee", "    initiator: $.who\n    payee: $.payee", ["has 'initiator' $.who instead of none"]),
    ],
)
def test_says_what_a_rule_has_otherwise(old: str, new: str, said: list[str]) -> None:
    assert old in RULE
    found = changes(approvals(RULE), approvals(RULE.replace(old, new)))
    assert found == [Told(f"payments.create {sentence}", "approvals.yaml:2") for sentence in said]


def test_says_which_rules_are_new_and_which_are_gone() -> None:
    none = approvals("approvals: {}")
    assert changes(none, none) == []
    assert changes(none, approvals(RULE)) == [
        Told("payments.create waits for people now: 2 of finance over 500 CNY, 60 EUR", "approvals.yaml:2")
    ]
    assert changes(approvals(RULE), none) == [Told("payments.create no longer waits for anybody", "approvals.yaml:2")]
    gained = approvals(RULE.replace("    escalate: {to: cfo, after: 24h}\n", ""))
    assert changes(gained, approvals(RULE)) == [Told("payments.create escalates to cfo after 24h", "approvals.yaml:2")]


def test_says_that_time_is_counted_otherwise() -> None:
    calendar = "calendar: {timezone: UTC}\napprovals: {}"
    assert changes(approvals("approvals: {}"), approvals(calendar)) == [
        Told("business time is counted otherwise", "approvals.yaml:1")
    ]
    assert changes(approvals(calendar), approvals("approvals: {}")) == [
        Told("all time counts, not business time", "approvals.yaml")
    ]
