from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy


def unknown(*rows: str, known: set[str]) -> list[str]:
    file = read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode())
    return [str(finding) for finding in compile_policy(file).unknown_operations(known)]


def test_a_slip_of_the_pen_is_found_with_what_was_meant() -> None:
    assert unknown("p, a, demo, payment.create, deny", known={"payments.create@v1"}) == [
        "policy.csv:1: no route has the operation 'payment.create'; did you mean 'payments.create'?"
    ]


def test_a_version_no_route_has_is_found() -> None:
    assert unknown("p, a, demo, pay.get@v2, allow", "p, a, demo, pay.get, allow", known={"pay.get@v1"})[0].startswith(
        "policy.csv:1"
    )


def test_any_version_goes_where_a_route_has_none() -> None:
    assert unknown("p, a, demo, pay.get@v2, allow", known={"pay.get"}) == []


def test_group_members_are_operations_too() -> None:
    assert len(unknown("p, a, demo, grp, allow", "g2, zzz, grp", "g2, pay.get, grp", known={"pay.get@v1"})) == 1


def test_a_group_nobody_filled_is_no_operation() -> None:
    assert "no route has the operation 'qqq'; name an operation" in unknown("p, a, demo, qqq, allow", known={"pay.get@v1"})[0]


def test_a_group_may_not_be_called_like_an_operation() -> None:
    found = unknown("p, a, demo, pay.get, allow", "g2, pay.list, pay.get", known={"pay.get@v1", "pay.list@v1"})
    assert found == ["policy.csv:2: the group 'pay.get' has the name of an operation; give the group a name of its own"]
