"""Files as people write them, and as accidents leave them: every error has a line and a remedy, no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, model_validator

from gateway.config.source import MAX_BYTES, Source, literal_secrets, parse_source, read_source, validate
from gateway.config.values import Section, wrong
from gateway.errors import ConfigError


class Store(Section):
    url: str = "memory:"

    @model_validator(mode="after")
    def _known(self) -> Store:
        if not self.url.startswith("memory:"):
            raise wrong(f"has the URL {self.url!r}", "use memory:")
        return self


class Part(Section):
    name: str
    mode: str = Field("a", pattern="^[a-z]$")
    key: SecretStr | None = None
    count: int = Field(1, ge=1)
    ratio: float = 1.0
    on: bool = False


class Root(Section):
    parts: dict[str, Part] = Field({})
    named: dict[str, SecretStr] = Field({})
    keys: list[SecretStr] = Field([])
    numbers: list[int] = Field([])
    store: Store = Store()


def parse(text: str | bytes, folder: Path = Path()) -> Source:
    return parse_source(text.encode() if isinstance(text, str) else text, name="f.yaml", folder=folder)


def refused(text: str | bytes, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, folder)
    return [str(finding) for finding in caught.value.findings]


def invalid(text: str) -> list[str]:
    source = parse(text)
    with pytest.raises(ConfigError) as caught:
        validate(source, Root)
    return [str(finding) for finding in caught.value.findings]


def test_values_have_the_types_yaml_1_2_gives_them() -> None:
    source = parse("a: [1, 0x1F, 0o17, 0b11, 017, 1_000, -5, 1.5, true, FALSE, null, ~, yes, 2026-01-01, '007', =]")
    assert source.data == {"a": [1, 31, 15, 3, 17, 1000, -5, 1.5, True, False, None, None, "yes", "2026-01-01", "007", "="]}


def test_every_value_keeps_its_line() -> None:
    source = parse("a:\n  - 1\n  - x: 2\nb: 3\n")
    assert source.line(()) == 1
    assert source.line(("a", 1, "x")) == 3
    assert source.line(("b",)) == 4
    assert source.line(("a", 0, "not", "there")) == 2
    assert Source("f", None).line(("a",)) == 0


def test_a_file_is_taken_apart_again_when_it_may_mean_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: [1, 2]\n")
    first = read_source(path, name="a.yaml")
    assert read_source(path, name="a.yaml") is first
    assert read_source(path, name="b.yaml").path == "b.yaml"
    path.write_text("a: [1, 3]\n")
    assert read_source(path, name="a.yaml").data == {"a": [1, 3]}
    path.write_text("a: ${env:SOMETHING}\n")
    for value in ("x", "y"):
        monkeypatch.setenv("SOMETHING", value)
        assert read_source(path, name="a.yaml").data == {"a": value}
    path.write_text("a: [\n")
    for _ in range(2):
        with pytest.raises(ConfigError):
            read_source(path, name="a.yaml")


def test_few_files_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.config.source.MAX_KEPT", 2)
    paths = [tmp_path / f"{n}.yaml" for n in range(3)]
    for path in paths:
        path.write_text("a: 1\n")
    sources = [read_source(path) for path in paths]
    assert read_source(paths[2]) is sources[2]
    assert read_source(paths[0]) is not sources[0]


def test_an_empty_file_is_no_value() -> None:
    assert parse("").data is None
    assert parse("# nothing\n").data is None
    assert validate(parse(""), Root) == Root()


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse(b"\xef\xbb\xbfa: 1").data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: &x 1\nb: *x", "f.yaml:1: uses a YAML anchor or alias; write the value out where it is needed"),
        ("a: 1\nb: &x [*x]", "f.yaml:2: uses a YAML anchor or alias; write the value out where it is needed"),
        ("&k a: 1", "f.yaml:1: has a key that is no plain text; use a plain key"),
        ("a: 1\n[b]: 2", "f.yaml:2: has a key that is no plain text; use a plain key"),
        ('"a\\0": 2', "f.yaml:1: has a key that is no plain text; use a plain key"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3: has the key 'a' twice; keep one of the two"),
        ("a: !secret x", "f.yaml:1: uses the YAML tag !secret; remove the tag"),
        ("a: !thing {}", "f.yaml:1: uses the YAML tag !thing; remove the tag"),
        ("a: !thing []", "f.yaml:1: uses the YAML tag !thing; remove the tag"),
        ("a: !!set {b}", "f.yaml:1: uses the YAML tag tag:yaml.org,2002:set; remove the tag"),
        ("a: !!bool yes", "f.yaml:1: uses the YAML tag tag:yaml.org,2002:bool; remove the tag"),
        ("a: !!int abc", "f.yaml:1: holds a number that is none; write it in plain digits, or in quotes if it is text"),
        ("a: .nan", "f.yaml:1: holds a number that is none; write it in plain digits, or in quotes if it is text"),
        ("a: 1e999", "f.yaml:1: holds a number that is none; write it in plain digits, or in quotes if it is text"),
        ("%YAML 1.1\n---\na: yes", "f.yaml:1: has a YAML directive; remove the line that begins with %"),
        ("# hello\n\n%TAG ! x:\n---\na: !y 1", "f.yaml:3: has a YAML directive; remove the line that begins with %"),
        ("a: 1\nb: x\x00y", "f.yaml:2: holds a control character; remove it"),
        ('a: 1\nb: "x\\0y"', "f.yaml:2: holds a control character; remove it"),
        ('a: "\\ud800"', "f.yaml:1: holds a control character; remove it"),
        ('a: "\\UFFFFFFFF"', 'f.yaml: is not valid YAML; look for a broken escape such as "\\U…"'),
        (b"a: 1\nb: \xff", "f.yaml:2: is not UTF-8; save the file as UTF-8"),
        (b"\xff\xfea\x00", "f.yaml:1: is not UTF-8; save the file as UTF-8"),
        ("[" * 5000, "f.yaml: is nested too deeply; nest fewer levels"),
        ("- " * 5000, "f.yaml: is nested too deeply; nest fewer levels"),
        ("a: ${ENV}", "f.yaml:1: holds a '${' that is no reference; write ${env:NAME}, ${env:NAME:-default} or ${file:path}"),
        ("a: ${env:}", "f.yaml:1: holds a '${' that is no reference; write ${env:NAME}, ${env:NAME:-default} or ${file:path}"),
    ],
)
def test_a_file_means_what_it_shows(text: str | bytes, finding: str) -> None:
    assert refused(text) == [finding]


@pytest.mark.parametrize("text", ["a: 'x", "a: b: c", "a: *x", "---\n---\n", "a:\n\t- b", "{a: 1", "? - :\n -"])
def test_broken_yaml_has_a_line_and_a_remedy(text: str) -> None:
    (finding,) = refused(text)
    assert finding.startswith("f.yaml:")
    assert "is not valid YAML" in finding
    assert finding.endswith("mend the YAML syntax here or just above")


def test_findings_of_one_file_come_together() -> None:
    assert len(refused("a: !x 1\nb: 1\nb: 2\nc: ${env:NOT_THERE_AT_ALL}\nd: ${file:nor/this}\n")) == 4
    assert len(refused("a: !x 1\nb: &y 2\n")) == 2


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than"):
        read_source(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"routes/x.yaml: cannot be read \(No such file or directory\); put the file there"):
        read_source(tmp_path / "x.yaml", name="routes/x.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_source(tmp_path)


def test_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PART", "one")
    monkeypatch.delenv("MISSING", raising=False)
    (tmp_path / "secret").write_text("two\n")
    path = tmp_path / "f.yaml"
    path.write_text("a: x${env:PART}y${file:secret}\nb: ${env:MISSING:-three}\nc: ${env:MISSING:-}\nd: '${file:none:-$}'")
    source = read_source(path)
    assert source.data == {"a": "xoneytwo", "b": "three", "c": "", "d": "$"}
    assert set(source.references) == {("a",), ("b",), ("c",), ("d",)}


def test_a_reference_is_expanded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNER", "${env:HOME}")
    assert parse("a: ${env:INNER}").data == {"a": "${env:HOME}"}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: ${env:NONE}", "f.yaml:1: refers to ${env:NONE}, which is not there; set the environment variable NONE"),
        ("a: ${file:none}", "f.yaml:1: refers to ${file:none}, which is not there; create the file none beside f.yaml"),
        ("a: ${file:.}", "f.yaml:1: refers to ${file:.}, which is not there; create the file . beside f.yaml"),
        ("a: ${env:BAD}", "f.yaml:1: refers to ${env:BAD}, which is no plain UTF-8 text; remove what is no text from it"),
        ("a: ${file:latin}", "f.yaml:1: refers to ${file:latin}, which is not there; create the file latin beside f.yaml"),
    ],
)
def test_references_that_lead_nowhere(text: str, finding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NONE", raising=False)
    monkeypatch.setenv("BAD", "a\udcffb")
    (tmp_path / "latin").write_bytes(b"\xff")
    assert refused(text, tmp_path) == [finding]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("part: {}", "f.yaml:1: unknown key 'part'; did you mean 'parts'?"),
        ("zzz: {}", "f.yaml:1: unknown key 'zzz'; known here: parts, named, keys, numbers, store"),
        ("parts:\n  a:\n    name: b\n    cuont: 3", "f.yaml:4: unknown key 'cuont'; did you mean 'count'?"),
        ("parts:\n  a: {}", "f.yaml:2: the key 'name' is missing; add 'name:'"),
        ("parts: {a: {name: 007}}", "f.yaml:1: 'name' is 7, not text; put it in quotes: \"7\""),
        ("parts: {a: {name: true}}", "f.yaml:1: 'name' is true, not text; put it in quotes: \"true\""),
        ("parts: {a: {name: }}", "f.yaml:1: 'name' is empty, not text; write text, in quotes"),
        ("parts: {a: {name: []}}", "f.yaml:1: 'name' is a list, not text; write text, in quotes"),
        ("parts: {a: {name: b, mode: BB}}", "f.yaml:1: 'mode' is 'BB'; it must match ^[a-z]$"),
        ("parts: {a: {name: b, on: yes}}", "f.yaml:1: 'on' is 'yes'; write true or false"),
        ("parts: {a: {name: b, count: '1'}}", "f.yaml:1: 'count' is '1'; write a whole number"),
        ("parts: {a: {name: b, count: true}}", "f.yaml:1: 'count' is true; write a whole number"),
        ("parts: {a: {name: b, count: 0}}", "f.yaml:1: 'count' is 0; input should be greater than or equal to 1"),
        ("parts: {a: {name: b, ratio: x}}", "f.yaml:1: 'ratio' is 'x'; write a number"),
        ("parts: []", "f.yaml:1: 'parts' is a list; write keys and values"),
        ("parts: {a: x}", "f.yaml:1: 'a' is 'x'; write keys and values"),
        ("numbers: {}", "f.yaml:1: 'numbers' is a table; write a list"),
        ("numbers:\n  - 1\n  - x", "f.yaml:3: item 2 of 'numbers' is 'x'; write a whole number"),
        ("- 1", "f.yaml:1: the file is a list; write keys and values"),
        ("store: {url: 'x:'}", "f.yaml:1: 'store' has the URL 'x:'; use memory:"),
        ("numbers: ['" + "x" * 200 + "']", f"f.yaml:1: item 1 of 'numbers' is '{'x' * 78}…; write a whole number"),
    ],
)
def test_values_that_do_not_fit(text: str, finding: str) -> None:
    assert invalid(text) == [finding]


def test_all_errors_of_a_file_come_together_in_order() -> None:
    findings = invalid("parts:\n  a:\n    name: 1\n  b:\n    nam: x\nstor: 1\n")
    assert [finding.partition(" ")[0] for finding in findings] == ["f.yaml:3:", "f.yaml:4:", "f.yaml:5:", "f.yaml:6:"]


@pytest.mark.parametrize(
    "text",
    [
        "parts: {a: {name: x, key: 77001122}}",
        "parts: {a: {name: x, key: [77001122]}}",
        "named: {token: 77001122}",
        "keys: [77001122]",
        "parts: {a: {name: x, mode: '${env:SECRET}'}}",
        "parts: {a: {name: x, count: '${env:SECRET}'}}",
        "store: {url: 'redis://:${env:SECRET}@host'}",
        "store: {url: 'redis://user:77001122@host'}",
        "parts: {'${env:SECRET:-77001122}': x}",
        "numbers: ['${env:MISSING:-77001122}']",
    ],
)
def test_no_message_shows_a_secret(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "77001122")
    findings = invalid(text)
    assert findings
    assert "77001122" not in "".join(findings).replace("'${env:SECRET:-77001122}'", "")


def test_secrets_in_the_file_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "77001122")
    source = parse(
        "parts:\n  a:\n    name: x\n    key: 'here'\n  b: {name: y, key: '${env:SECRET}'}\n"
        "named: {c: 'there'}\nkeys:\n  - 'x'\n  - ${env:SECRET}\n  - ${env:SECRET:-literal}\n  - ${env:SECRET:-}\n"
    )
    warnings = [str(finding) for finding in literal_secrets(source, validate(source, Root))]
    assert warnings == [
        "f.yaml:4: 'key' is a secret written into the file; use ${env:NAME} or ${file:path}",
        "f.yaml:6: 'c' is a secret written into the file; use ${env:NAME} or ${file:path}",
        "f.yaml:8: item 1 of 'keys' is a secret written into the file; use ${env:NAME} or ${file:path}",
        "f.yaml:10: item 3 of 'keys' is a secret written into the file; use ${env:NAME} or ${file:path}",
    ]


def test_a_default_secret_that_the_file_does_not_hold_is_not_warned_of() -> None:
    class Defaulted(Section):
        key: SecretStr = SecretStr("x")

    source = parse("")
    assert list(literal_secrets(source, validate(source, Defaulted))) == []


@given(st.binary(max_size=200))
@example(b'"\\U00110000"')
@example(b"%")
@example(b"? ")
@example(b"{{}: ,}")
@example(b"a: \xc2\x85b")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        validate(parse(data), Root)
    except ConfigError as error:
        findings = error.findings
    else:
        return
    assert findings


YAML_LIKE = st.lists(
    st.sampled_from(
        ["a", "b", ": ", "- ", "\n", "  ", "{", "}", "[", "]", ",", "&x ", "*x", "!!int ", "!t ", "|", ">", "'", '"', "\\U",
         "\\x", "?", "%", "#", "0b", "0o", "9", ".", "e", "_", "~", "\t", "\r", "---",
         "...", "<<", "=", "${env:A}", "${", "@", "`"]
    ),
    max_size=30,
)  # fmt: skip


@example(["&x ", ": ", "&x "])
@given(YAML_LIKE)
def test_anything_like_yaml_is_read_or_refused(parts: list[str]) -> None:
    try:
        validate(parse("".join(parts)), Root)
    except ConfigError as error:
        findings = error.findings
    else:
        return
    assert findings
