import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.names import name_fault


@pytest.mark.parametrize(
    "name",
    [
        "oa",
        "finance-approver",
        "li.wei@example.com",
        "urn:corp:role_1",
        "8421",
        "财务审批",
        "财务-cfo",
        "仓库2",
        "ユーザー",
        "재무",
        "Müller",
        "бухгалтер",
        "लेखा",
    ],
)
def test_names_of_one_script_are_fine(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ｏａ", "full-width"),
        ("财务２", "full-width"),
        ("ﬁnance", "compatibility"),
        ("Mu\u0308ller", "normal form C"),
        ("оa", "mixes the scripts CYRILLIC, LATIN"),
        ("αдмин", "mixes the scripts"),
        ("оа", "looks like 'oa'"),
        ("рау-1", "looks like 'pay-1'"),
        ("Ασ", None),
        ("ΟΑ", "looks like 'OA'"),
        ("ad\u0131m", "looks like 'adim'"),
        ("o\u200ba", "U+200B"),
        ("财\ufe00务", "mixes"),
        ("ᅟ재무", "U+115F"),
        ("１", "full-width"),
        ("٣", "U+0663"),
        ("€", "€"),
        ("-oa", "is not a name"),
        (".", "is not a name"),
        ("-财务", "is not a name"),
        ("ि", "is not a name"),
        ("a b", "a space"),
        ("a*", "'*'"),
        ("x" * 129, "129 characters"),
    ],
)
def test_names_that_could_be_mistaken_are_not(name: str, what: str | None) -> None:
    fault = name_fault(name)
    if what is None:
        assert fault is None
    else:
        assert fault is not None
        assert what in fault[0]
        assert fault[1]


@given(st.text(min_size=1, max_size=12))
def test_a_good_name_is_stable_under_normalisation_and_visible(name: str) -> None:
    if name_fault(name) is None:
        assert unicodedata.normalize("NFKC", name) == name
        assert name.isprintable()
        assert not set(name) & set(" ,*#;\"'/")
