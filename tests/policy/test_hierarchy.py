from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.hierarchy import MAX_LINKS, chain_findings, closure


def test_links_of_two_tenants_make_no_circle() -> None:
    assert chain_findings([("a", "b", "one", 1), ("b", "a", "two", 2)]) == []


def test_every_circle_is_found_once() -> None:
    found = chain_findings(
        [("a", "b", "*", 1), ("b", "a", "*", 2), ("c", "d", "one", 3), ("d", "c", "*", 4), ("x", "a", "one", 5)]
    )
    assert len(found) == 2
    assert {line for line, _, _ in found} <= {1, 2, 3, 4}


def chain(links: int) -> list[tuple[str, str, str, int]]:
    return [(f"r{number}", f"r{number + 1}", "one" if number % 2 else "*", number + 1) for number in range(links)]


def test_a_chain_may_be_as_long_as_casbin_follows() -> None:
    assert chain_findings(chain(MAX_LINKS)) == []


def test_a_longer_chain_is_refused_at_its_start() -> None:
    assert [(line, what) for line, what, _ in chain_findings(chain(MAX_LINKS + 3))] == [
        (3, "a chain of 10 memberships starts at 'r2'")
    ]


names = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(names, names, st.sampled_from(["*", "one", "two"])), max_size=20, unique=True))
def test_agrees_with_a_plain_search(triples: list[tuple[str, str, str]]) -> None:
    links = [(member, role, tenant, line) for line, (member, role, tenant) in enumerate(triples)]

    def circular(tenant: str) -> bool:
        edges = {(member, role) for member, role, where, _ in links if where in (tenant, "*")}
        reach = set(edges)
        while grown := {(a, d) for a, b in reach for c, d in edges if b == c} - reach:
            reach |= grown
        return any(a == b for a, b in reach)

    found = [what for _, what, _ in chain_findings(links) if "circle" in what]
    assert bool(found) == any(circular(tenant) for tenant in ("*", "one", "two"))


def test_names_lead_on_by_any_link_nearest_first_and_once() -> None:
    one, two = {"a": ["b"], "b": ["c"]}, {"a": ["c", "d"], "d": ["a", "e"]}
    assert closure(("a",), one, two) == ["a", "b", "c", "d", "e"]
    assert closure(("c", "b", "c"), one) == ["c", "b"]
    assert closure((), one, two) == []
