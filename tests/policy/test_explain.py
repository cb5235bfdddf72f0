from gateway.exchange import Principal
from gateway.policy.explain import Explanation
from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy

LI = Principal("li", "demo")


def explain(*rows: str, who: Principal = LI, operation: str = "pay.create", version: str = "v1") -> Explanation:
    file = read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode())
    return compile_policy(file).explain(who, operation, version)


def test_an_allowed_call_shows_the_way_from_caller_to_row() -> None:
    found = explain("p, boss, demo, pay.all, allow", "g, clerk, boss, *", "g, li, clerk, demo", "g2, pay.create@v1, pay.all")
    (reason,) = found.reasons
    assert found.decision.allowed
    assert (reason.place, reason.member) == ("policy.csv:1", "li")
    assert [link.line for link in reason.roles] == [3, 2]
    assert [link.line for link in reason.groups] == [4]
    assert found.lines() == [
        "li of tenant demo may call pay.create@v1.",
        "policy.csv:1 allows boss in tenant demo pay.all, of which pay.create@v1 is part (line 4):"
        " li → clerk (line 3) → boss (line 2).",
    ]


def test_a_role_of_the_credential_is_where_its_way_begins() -> None:
    found = explain("p, boss, demo, pay.create, allow", "g, lead, boss, demo", who=Principal("li", "demo", ("lead",)))
    assert found.reasons[0].member == "lead"


def test_an_explicit_deny_comes_first_and_no_near_miss_is_offered() -> None:
    found = explain("p, li, demo, pay.create, allow", "p, li, *, pay.create, deny")
    assert not found.decision.allowed
    assert found.decision.rows == ("policy.csv:2",)
    assert [reason.row.effect for reason in found.reasons] == ["deny", "allow"]
    assert found.nearest == ()


def test_nothing_matched_offers_the_rows_that_lack_least() -> None:
    found = explain(
        "p, boss, other, pay.create@v2, allow",
        "p, boss, other, pay.create, allow",
        "p, boss, demo, pay.create, allow",
        "p, li, demo, pay.create@v2, allow",
        "p, li, demo, pay.create, deny",
        "p, li, demo, stock.get, allow",
        version="v1",
        who=Principal("wu", "demo"),
    )
    assert [near.place for near in found.nearest] == ["policy.csv:3", "policy.csv:2", "policy.csv:4"]
    assert found.lines()[1] == "No row matches."
    assert found.nearest[0].missing == ("wu does not hold the role boss in tenant demo",)
    assert "it is for tenant other" in found.nearest[1].missing
    assert "it is for pay.create@v2 only" in found.nearest[2].missing


def test_a_group_row_is_a_near_miss_of_its_operations() -> None:
    found = explain("p, boss, demo, pay.all, allow", "g2, pay.create, pay.all")
    assert [near.place for near in found.nearest] == ["policy.csv:1"]


def test_with_no_row_about_the_operation_there_is_no_near_miss() -> None:
    assert explain("p, li, demo, stock.get, allow").nearest == ()
