"""What is seen of a value, and what may be set in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scope.fields import DROP, KEEP, Fields, Path, has_field, parse_field, shown_schema, tree


def masked(*hidden: str, show: tuple[str, ...] | None = None) -> Fields:
    seen = tree(map(parse_field, hidden), None if show is None else map(parse_field, show))
    return Fields(seen, seen)


ORDER = {"number": "1", "total": "9.90", "lines": [{"sku": "a", "unitPrice": "9.90"}, {"sku": "b", "unitPrice": None}]}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("total", ("total",)),
        ("lines[].unitPrice", ("lines", "unitPrice")),
        ("Order.@currency", ("Order", "@currency")),
        ("{urn:a.b/c}Order.Total", ("{urn:a.b/c}Order", "Total")),
        ("Amount.$value", ("Amount", "$value")),
        ("单价", ("单价",)),
    ],
)
def test_reads_paths(text: str, path: Path) -> None:
    assert parse_field(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", "a..b", "a[0]", "[]", "a b", "-a", "*", ".".join("a" * 33), "a\n"])
def test_refuses_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_field(text)
    assert len(refused.value.args) == 2


def test_a_hidden_field_is_gone_in_every_item_of_every_list() -> None:
    expected = {"number": "1", "lines": [{"sku": "a"}, {"sku": "b"}]}
    assert masked("total", "lines[].unitPrice").shown(ORDER) == expected
    assert masked("total", "lines.unitPrice").shown([ORDER, ORDER]) == [expected, expected]


def test_only_what_is_shown_is_there_and_hiding_wins() -> None:
    fields = masked("lines[].unitPrice", show=("number", "lines[]"))
    assert fields.shown(ORDER) == {"number": "1", "lines": [{"sku": "a"}, {"sku": "b"}]}
    assert masked(show=("lines[].sku",)).shown({**ORDER, "new": 1}) == {"lines": [{"sku": "a"}, {"sku": "b"}]}
    assert masked(show=("lines[].sku",)).shown("text") is None
    assert masked("number", show=("number",)).shown(ORDER) == {}


def test_ordered_content_is_looked_through_and_raw_xml_is_not_shown() -> None:
    fields = masked("Order.Price")
    assert fields.shown({"Order": {"$items": [{"Price": "1"}, {"Sku": "a"}]}}) == {"Order": {"$items": [{}, {"Sku": "a"}]}}
    assert fields.shown({"Order": {"$xml": "<Price>1</Price>", "Sku": "a"}}) == {"Order": {"Sku": "a"}}
    assert fields.shown({"Order": {"{urn:x}Price": "1", "{urn:x}Sku": "a"}}) == {"Order": {"{urn:x}Sku": "a"}}


def test_nothing_hidden_is_the_very_value() -> None:
    assert Fields().shown(ORDER) is ORDER
    assert not Fields().masks
    assert masked("total").masks


def test_what_is_touched_is_named_by_pointer() -> None:
    locked = parse_field("payee.account")
    fields = Fields(tree([parse_field("total")]), tree([parse_field("total"), locked]))
    value = {"total": 1, "payee": {"account": "1", "name": "x"}, "lines": [1]}
    assert fields.touched(value, writes=True) == ["/total", "/payee/account"]
    assert fields.touched(value, writes=False) == ["/total"]
    assert fields.touched({"payee": None}, writes=True) == ["/payee"]
    assert masked("lines[].a").touched({"lines": [{"x": 1}, {"a": 1}]}, writes=True) == ["/lines/1/a"]


def test_a_pointer_says_whether_its_field_is_seen() -> None:
    fields = masked("lines[].unitPrice")
    assert fields.view("/lines/0/unitPrice") is DROP
    assert fields.view("/lines/0/sku") is KEEP
    assert fields.view("query/total") is KEEP
    assert fields.view("/lines/0") not in (KEEP, DROP)
    assert fields.sees(("lines", "sku"))
    assert not fields.sees(("lines",))


names = st.sampled_from(["a", "b", "c", "d"])
values = st.recursive(
    st.one_of(st.integers(), st.none(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=20,
)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)


def present(value: object, path: Path) -> bool:
    """Whether anything stands at a path, found in another way than the mask does."""
    if isinstance(value, list):
        return any(present(item, path) for item in value)
    if not path:
        return True
    return isinstance(value, dict) and path[0] in value and present(value[path[0]], path[1:])


@given(values, st.lists(paths, max_size=4), st.none() | st.lists(paths, min_size=1, max_size=4))
def test_what_is_hidden_is_nowhere_and_what_is_left_was_there(
    value: object, hidden: list[Path], shown: list[Path] | None
) -> None:
    fields = Fields(tree(hidden, shown), tree(hidden, shown))
    left = fields.shown(value)
    assert not any(present(left, path) for path in hidden)
    assert fields.shown(left) == left
    if shown is None and not hidden:
        assert left == value
    if not fields.touched(value, writes=True):
        assert left == value or left is None


# --- JSON Schema -----------------------------------------------------------------------------------------------------

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["number", "total"],
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "string"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "parent": {"$ref": "#"},
    },
    "$defs": {
        "Line": {"type": "object", "required": ["unitPrice"], "properties": {"sku": {}, "unitPrice": {"$ref": "#/$defs/Price"}}},
        "Price": {"type": "string", "description": "unitPrice"},
    },
}


def test_a_schema_loses_what_is_hidden_and_the_definitions_only_that_used() -> None:
    shown = shown_schema(SCHEMA, masked("total", "lines[].unitPrice", "parent").seen)
    assert shown is not None
    assert shown["required"] == ["number"]
    assert set(shown["properties"]) == {"number", "lines"}
    assert shown["properties"]["lines"]["items"] == {"type": "object", "required": [], "properties": {"sku": {}}}
    assert "unitPrice" not in str(shown)


def test_a_schema_that_refers_to_itself_is_unfolded_as_deep_as_the_path() -> None:
    shown = shown_schema(SCHEMA, masked("parent.parent.total").seen)
    assert shown is not None
    inner = shown["properties"]["parent"]["properties"]["parent"]
    assert "total" not in inner["properties"]
    assert "total" in shown["properties"]["parent"]["properties"]


def test_a_schema_says_which_fields_there_are() -> None:
    for text in ("total", "lines.unitPrice", "lines[].sku", "parent.parent.lines.sku"):
        assert has_field(SCHEMA, parse_field(text)), text
    for text in ("totals", "lines.price", "total.x", "parent.price"):
        assert not has_field(SCHEMA, parse_field(text)), text
    assert has_field({}, ("anything", "at", "all"))
    assert has_field({"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, ("b",))
    assert has_field({"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {}}}}, ("key", "x"))
