"""Keys as element names: always a name, never the same for two keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.protocols.facade.names import element_path, ncname


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("number", "number"),
        ("order-date.v1", "order-date.v1"),
        ("订单号", "订单号"),
        ("a b", "a_x0020_b"),
        ("@id", "_x0040_id"),
        ("$value", "_x0024_value"),
        ("{urn:a}b", "_x007B_urn_x003A_a_x007D_b"),
        ("1st", "_x0031_st"),
        ("-", "_x002D_"),
        ("_x0041_", "_x005F_x0041_"),
        ("a_x0041_", "a_x005F_x0041_"),
        ("😀", "_x0001F600_"),
        ("", "_x_"),
    ],
)
def test_names(key: str, name: str) -> None:
    assert ncname(key) == name


@given(st.text(max_size=8), st.text(max_size=8))
def test_every_key_has_a_name_of_its_own(first: str, second: str) -> None:
    assert etree.fromstring(f"<{ncname(first)}/>".encode()).tag == ncname(first)
    assert (ncname(first) == ncname(second)) == (first == second)


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("", ""),
        ("/lines/0/sku", "lines[1]/sku"),
        ("/payee/a~1b c", "payee/a_x002F_b_x0020_c"),
        ("/lines/12", "lines[13]"),
        ("path/number", "number"),
        ("query/from", "from"),
        ("/0", "_x0030_"),
    ],
)
def test_places_are_told_as_elements(pointer: str, path: str) -> None:
    assert element_path(pointer) == path
