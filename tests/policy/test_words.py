"""Answers as JSON values and in words."""

from __future__ import annotations

from gateway.exchange import Principal
from gateway.policy.file import read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.questions import Call, explained
from gateway.policy.words import answer, document, in_words, limiting, restrictions

LI = Principal("li", "demo")
CALL = Call("x.y", "v1")


def index(*rows: str) -> PolicyIndex:
    return compile_policy(read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode()))


ROWS = (
    "p, clerk, demo, reads, allow",
    "p2, clerk, demo, x.y, lines[].price, hide",
    "p2, clerk, demo, x.y, name, lock",
    "p2, clerk, demo, x.y, total, hide",
    "p3, clerk, *, x.y, entity, own",
    "p3, clerk, *, x.y, amount-up-to, 50.00 CNY",
    "p4, clerk, demo, reads, network, 10.0.0.0/8",
    "p4, clerk, demo, reads, time, 08:00-18:00 UTC",
    "g2, x.y@v1, reads",
    "g, li, clerk, demo",
)


def test_restrictions_are_put_together_by_what_they_restrict() -> None:
    rows = limiting(explained(index(*ROWS), LI, CALL))
    assert restrictions(rows) == {
        "hidden": ["lines[].price", "total"],
        "locked": ["name"],
        "records": ["entity own", "amount-up-to 50.00 CNY"],
        "network": ["10.0.0.0/8"],
        "time": ["08:00-18:00 UTC"],
    }
    assert in_words(rows) == (
        "hidden: lines[].price, total; locked: name; records: entity own, amount-up-to 50.00 CNY;"
        " network: 10.0.0.0/8; time: 08:00-18:00 UTC"
    )
    shown = limiting(explained(index("p, li, demo, x.y, allow", "p2, li, demo, x.y, name, show"), LI, CALL))
    assert in_words(shown) == "shown only: name"


def test_an_answer_says_whether_by_which_rows_and_what_does_not_hold() -> None:
    told = answer(explained(index(*ROWS), LI, CALL, at=0.0))
    assert (told["operation"], told["version"], told["allowed"], told["rows"]) == ("x.y", "v1", False, ["policy.csv:1"])
    assert told["unmet"] == ["time"]
    assert told["restricted_by"] == [f"policy.csv:{line}" for line in range(2, 9)]


def test_a_document_has_the_way_of_every_row() -> None:
    policy = index(*ROWS)
    told = document(policy.file, explained(policy, LI, CALL))
    (reason,) = told["reasons"]
    assert reason == {
        "place": "policy.csv:1",
        "kind": "p",
        "role": "clerk",
        "tenant": "demo",
        "operation": "reads",
        "effect": "allow",
        "member": "li",
        "roles": [{"role": "clerk", "place": "policy.csv:10"}],
        "groups": [{"group": "reads", "place": "policy.csv:9"}],
    }
    assert (told["limits"][0]["kind"], told["limits"][0]["name"], told["limits"][0]["value"]) == ("p2", "lines[].price", "hide")
    assert told["nearest"] == []


def test_a_document_of_a_denial_has_what_came_nearest() -> None:
    policy = index(*ROWS)
    told = document(policy.file, explained(policy, Principal("wu", "demo"), CALL))
    assert (told["allowed"], told["reasons"]) == (False, [])
    assert told["nearest"][0]["place"] == "policy.csv:1"
    assert told["nearest"][0]["missing"] == ["wu does not hold the role clerk in tenant demo"]
