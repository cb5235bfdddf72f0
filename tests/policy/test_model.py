from pathlib import Path

import casbin
import pytest

from gateway.errors import ConfigError
from gateway.policy.model import SHAPE, read_model

EXAMPLE = Path(__file__).parents[2] / "policies" / "model.conf"
TEXT = EXAMPLE.read_text("utf-8")


def findings(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read_model("model.conf", text.encode())
    return [str(finding) for finding in refused.value.findings]


def test_the_example_is_of_the_one_shape() -> None:
    assert read_model("model.conf", TEXT.encode()) == TEXT


def test_casbin_reads_the_example_as_it_is_meant() -> None:
    model = casbin.Enforcer.new_model(text=TEXT)
    for (_, key), value in SHAPE.items():
        assert model[key[0]][key].value == value.replace("r.", "r_").replace("p.", "p_")


def test_layout_and_comments_do_not_count() -> None:
    loose = TEXT.replace(", ", " ,  ").replace("[matchers]", "\n; note\n  [matchers]").replace("r = ", "r=")
    assert "[matchers]" in read_model("model.conf", loose.encode())
    assert casbin.Enforcer.new_model(text=loose)["m"]["m"].tokens == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("!some(where (p.eft == deny))", "some(where (p.eft == deny))", "'e' is of another shape"),
        ("some(where (p.eft == allow)) && ", "", "'e' is of another shape"),
        ("(p.eft == allow)", "(p.eft==allow)", "'e' is of another shape"),
        ('p.tenant == "*"', 'p.tenant == "all"', "'m' is of another shape"),
        ("p.tenant == r.tenant", "p.ten ant == r.tenant", "'m' is of another shape"),
        ("g2(r.versioned, p.operation))", "g2(r.versioned, p.operation)) || true", "'m' is of another shape"),
        ("g2(r.versioned, p.operation))", "g2(r.versioned, p.operation)) # all", "'m' is of another shape"),
        ("p = role, tenant, operation, eft", "p = role, operation, eft", "'p' is of another shape"),
        ("g2 = _, _\n", "", "model.conf: 'g2' is missing in [role_definition]"),
        ("g2 = _, _", "g2 = _, _\ng3 = _, _", "'g3 = _, _' does not belong"),
        ("g2 = _, _", "g2 = _, _\ng2 = _, _", "'g2' twice"),
        ("[matchers]", "[matcher]", "unknown section [matcher]"),
        ("[policy_effect]", "[policy_effect]\nnonsense", "'nonsense' does not belong"),
        ("r = subject", "R = subject", "'R = subject"),
    ],
)
def test_another_shape_is_refused(old: str, new: str, what: str) -> None:
    assert old in TEXT.partition("[request_definition]")[2] or old.startswith("[")
    before, section, after = TEXT.partition("[request_definition]")
    changed = before + (section + after).replace(old, new, 1)
    assert any(what in finding for finding in findings(changed))


def test_every_difference_is_reported() -> None:
    assert len(findings("")) == len(SHAPE)


def test_truncated_at_every_byte_it_is_refused_or_the_same_model() -> None:
    data = TEXT.encode()
    for length in range(len(data) - 1):
        with pytest.raises(ConfigError):
            read_model("model.conf", data[:length])


def test_a_byte_order_mark_is_refused() -> None:
    assert "byte order mark" in findings("\ufeff" + TEXT)[0]
