"""The strict reader of policy.csv: every way such a file has been seen to go wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError, Finding
from gateway.policy.file import Grant, Grouping, Membership, PolicyFile, read_policy

EXAMPLE = Path(__file__).parents[2] / "policies" / "policy.csv"


def policy(*rows: str, end: str = "# end\n") -> bytes:
    return ("\n".join([*rows, ""]) + end).encode()


def findings(data: bytes) -> tuple[Finding, ...]:
    with pytest.raises(ConfigError) as refused:
        read_policy("policy.csv", data)
    return refused.value.findings


def test_reads_each_kind_of_row_with_its_line() -> None:
    file = read_policy(
        "policy.csv",
        policy("# who may", "p, oa, demo, payments.create@v1, allow", "", "g,li.wei@example.com,oa,*", "  g2 , a.b,  c  "),
    )
    assert file.grants == (Grant(2, "oa", "demo", "payments.create@v1", "allow"),)
    assert file.memberships == (Membership(4, "li.wei@example.com", "oa", "*"),)
    assert file.groupings == (Grouping(5, "a.b", "c"),)
    assert file.place(file.grants[0]) == "policy.csv:2"


def test_reads_restrictions_with_what_their_values_may_have() -> None:
    rows = (
        "p2, wms, demo, a.b, lines[].{urn:x/y}price, hide",
        "p3, wms, demo, a.b, amount-up-to, 50000.00 CNY",
        "p4, wms, *, grp, time, Mon-Fri 22:00-06:00 America/New_York",
        "p4, wms, *, a.b@v1, network, 2001:db8::/32",
    )
    file = read_policy("policy.csv", policy(*rows))
    assert [(row.line, row.kind, row.name, row.value) for row in file.restrictions] == [
        (1, "p2", "lines[].{urn:x/y}price", "hide"),
        (2, "p3", "amount-up-to", "50000.00 CNY"),
        (3, "p4", "time", "Mon-Fri 22:00-06:00 America/New_York"),
        (4, "p4", "network", "2001:db8::/32"),
    ]
    assert file.named_operations() == {"a.b", "grp", "a.b@v1"}


def test_reads_the_example() -> None:
    file = read_policy("policy.csv", EXAMPLE.read_bytes())
    assert len(file.grants) == 22
    assert {row.kind for row in file.restrictions} == {"p2", "p3", "p4"}
    assert len(file.sha256) == 64


def test_a_file_without_rows_denies_everything_and_is_fine() -> None:
    assert read_policy("policy.csv", b"# end\n").grants == ()


@pytest.mark.parametrize("tail", ["# end\n", "# end\r\n", "  # end  \n", "# end\n\n \n"])
def test_the_end_line_may_have_white_space_around_it(tail: str) -> None:
    assert read_policy("policy.csv", policy("p, oa, demo, a.b, deny", end=tail)).grants[0].effect == "deny"


def test_windows_line_ends_are_fine() -> None:
    assert len(read_policy("policy.csv", b"p, oa, demo, a.b, allow\r\ng, x, oa, demo\r\n# end\r\n").memberships) == 1


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_truncated_at_every_byte_it_is_refused_with_a_reason(line_end: bytes) -> None:
    data = EXAMPLE.read_bytes().replace(b"\n", line_end)
    for length in range(len(data)):
        for finding in findings(data[:length]):
            assert finding.what
            assert finding.remedy


@given(st.data())
def test_no_readable_file_has_a_readable_beginning(data: st.DataObject) -> None:
    comments = st.sampled_from(
        [
            "# end of the first part",
            "#end",
            "# ending",
            "",
            "p, a, b, c.d, allow",
            "p2, a, b, c.d, x[].y, hide",
            "p3, a, b, c.d, entity, 1000",
            "p4, a, b, c.d, time, Mon-Fri 08:00-18:00 UTC",
            "p4, a, b, c.d, network, 10.0.0.0/8",
            "g, a, b, *",
            "# x # end",
        ]
    )
    rows = data.draw(st.lists(comments, unique=True, max_size=6))
    whole = policy(*rows)
    read_policy("policy.csv", whole)
    for length in range(len(whole)):
        findings(whole[:length])


TRAPS: list[tuple[bytes, int, str, str]] = [
    (b"", 1, "does not end with the line '# end'", "restore the file"),
    (b"# end", 1, "no line end after '# end'", "restore the file"),
    (policy("p, oa, demo, a.b, allow", end=""), 2, "does not end with the line '# end'", "restore the file"),
    (policy("# end", "p, oa, demo, a.b, deny"), 1, "'# end' before the end", "only the last line"),
    (policy(end="# end\np, oa, demo, a.b, allow\n"), 3, "does not end with", "restore"),
    (b"\xef\xbb\xbf" + policy("p, oa, demo, a.b, allow"), 1, "byte order mark", "UTF-8 without"),
    ("p, oa, demo, a.b, allow\n# end\n".encode("utf-16"), 1, "UTF-16", "UTF-8"),
    ("p, oa, demo, a.b, allow\n# end\n".encode("utf-16-le"), 1, "UTF-16", "UTF-8"),
    ("p, oa, demo, a.b, allow\n# end\n".encode("utf-16-be"), 1, "UTF-16", "UTF-8"),
    ("# 财务\n".encode("gbk") + policy(), 1, "not UTF-8", "UTF-8"),
    (policy("# ok", "p, oa, demo, a\0b, allow"), 2, "NUL", "damaged"),
    (b"p, oa, demo, a.b, allow\r# end\r", 1, "carriage return without", "LF or CRLF"),
    (b"# 1\r\n# 2\rp, oa, demo, a.b, allow\n# end\n", 2, "carriage return without", "LF or CRLF"),
    (policy("p; oa; demo; a.b; allow"), 1, "a semicolon", "comma"),
    (policy("p, oa, demo， a.b, allow"), 1, "a full-width comma", "','"),
    (policy("p, oa、 demo, a.b, allow"), 1, "an ideographic comma", "','"),
    (policy("p, oa, demo,\u3000a.b, allow"), 1, "a full-width space", "plain space"),
    (policy("p, oa, demo,\u00a0a.b, allow"), 1, "a no-break space", "plain space"),
    (policy('p, "oa", demo, a.b, allow'), 1, "a quote", "without quotes"),
    (policy("p, “oa”, demo, a.b, allow"), 1, "a typographic quote", "without quotes"),
    (policy("p, 'oa', demo, a.b, allow"), 1, "a quote", "without quotes"),
    (policy("p,\toa, demo, a.b, allow"), 1, "a tab", "comma"),
    (policy("P, oa, demo, a.b, allow"), 1, "unknown row type 'P'", "'p' in lower case"),
    (policy("G2, a.b, c"), 1, "unknown row type 'G2'", "'g2' in lower case"),
    (policy("p5, oa, demo, a.b, allow"), 1, "unknown row type 'p5'", "p4, g or g2"),
    (policy("P2, oa, demo, a.b, total, hide"), 1, "unknown row type 'P2'", "'p2' in lower case"),
    (policy("role, tenant, operation, effect"), 1, "unknown row type 'role'", "p4, g or g2"),
    (policy("p2, oa, demo, a.b, total"), 1, "5 columns where 'p2' has 6", "p2, role, tenant, operation, field, access"),
    (policy("p2, oa, demo, a.b, total, Hide"), 1, "'Hide' is no access", "'hide' in lower case"),
    (policy("p2, oa, demo, a.b, total, mask"), 1, "'mask' is no access", "hide or lock or show"),
    (policy("p2, oa, demo, a.b, lines[0].price, hide"), 1, "'lines[0].price' is no field", "lines[].unitPrice"),
    (policy("p2, oa, demo, a.b, *, hide"), 1, "'*' is no field", "names joined by dots"),
    (policy("p2, oa, demo, a.b, , hide"), 1, "field: nothing there", "fill"),
    (policy("p2, a, *, a.b, x.y, hide", "p2, a, *, a.b, x[].y, hide"), 2, "the same row as line 1", "keep"),
    (policy("p2, o[a, demo, a.b, total, hide"), 1, "role: 'o[a' is not a name", "letters"),
    (policy("p3, oa, demo, a.b, entity"), 1, "5 columns where 'p3' has 6", "predicate, value"),
    (policy("p3, oa, demo, a.b, Entity, 1000"), 1, "'Entity' is no predicate", "'entity' in lower case"),
    (policy("p3, oa, demo, a.b, region, 1000"), 1, "'region' is no predicate", "cost-centre"),
    (policy("p3, oa, demo, a.b, amount-up-to, 5000"), 1, "'5000' is no amount", "50000.00 CNY"),
    (policy("p3, oa, demo, a.b, satellite, crm"), 1, "'crm' is no satellite", "own"),
    (policy("p3, oa, demo, a.b, entity, １０"), 1, "full-width", "write '10'"),
    (policy("p4, oa, demo, a.b, network, 10.0.0.1/8"), 1, "'10.0.0.1/8' is no network", "10.20.0.0/16"),
    (policy("p4, oa, demo, a.b, network, intranet"), 1, "'intranet' is no network", "10.20.0.0/16"),
    (policy("p4, oa, demo, a.b, time, Mon-Fri 08:00-18:00"), 1, "names no time zone", "Asia/Shanghai"),
    (policy("p4, oa, demo, a.b, time, Mon-Fri 8-18 Asia/Shanghai"), 1, "is no time", "08:00-18:00"),
    (policy("p4, oa, demo, a.b, time, Mon-Fry 08:00-18:00 UTC"), 1, "names no day", "Mon, Tue"),
    (policy("p4, oa, demo, a.b, time, 08:00-24:30 UTC"), 1, "has no hours", "00:00 to 24:00"),
    (policy("p4, oa, demo, a.b, time, 08:00-18:00 Mars/Olympus"), 1, "is no time zone", "Asia/Shanghai"),
    (policy("p4, oa, demo, a.b, day, Mon"), 1, "'day' is no condition", "network or time"),
    (policy("p,oa,demo,a.b,allow,", end="# end,,,,,\n"), 2, "separators after '# end'", "text editor"),
    (policy("p;oa;demo;a.b;allow", end="# end;;;;\n"), 2, "separators after '# end'", "text editor"),
    (policy("p, oa, demo, a.b, Deny"), 1, "effect: 'Deny'", "'deny' in lower case"),
    (policy("p, oa, demo, a.b, ALLOW"), 1, "effect: 'ALLOW'", "'allow' in lower case"),
    (policy("p, oa, demo, a.b, permit"), 1, "effect: 'permit'", "allow or deny"),
    (policy("p, oa, demo, a.b"), 1, "4 columns where 'p' has 5", "p, role, tenant, operation, effect"),
    (policy("p, oa, demo, a.b, allow, x"), 1, "6 columns", "p, role, tenant"),
    (policy("g, oa, demo"), 1, "3 columns where 'g' has 4", "g, member, role, tenant"),
    (policy("g2, a.b, c, demo"), 1, "4 columns where 'g2' has 3", "g2, operation, group"),
    (policy("p, oa, demo, a.b, allow,"), 1, "a comma at the end (a spreadsheet", "p, role, tenant"),
    (policy("p, oa, , a.b, allow"), 1, "tenant: nothing there", "fill"),
    (policy("g, , oa, demo"), 1, "member: nothing there", "fill"),
    (policy("p, oa, demo, a.b, allow # for now"), 1, "a comment after a row", "line of its own"),
    (policy("p, oa, demo, a\x07b, allow"), 1, "the character U+0007", "letters"),
    (policy("p, oa, demo, a\u200bb, allow"), 1, "the character U+200B", "letters"),
    (policy("p, oa, demo, /api/*, allow"), 1, "the character '/' (U+002F)", "letters"),
    (policy("# p, x\u202e, deny"), 1, "the invisible character U+202E in a comment", "remove"),
    (policy("p, *, demo, a.b, allow"), 1, "role: '*' in '*'", "only a tenant"),
    (policy("p, oa, demo, payments.*, allow"), 1, "operation: '*' in", "group"),
    (policy("p, oa, de*, a.b, allow"), 1, "tenant: '*' in", "only a tenant"),
    (policy("p, oa, demo, a.b@v1@v2, allow"), 1, "operation: 'a.b@v1@v2'", "payments.create@v1"),
    (policy("p, oa, demo, a.b@, allow"), 1, "operation: 'a.b@'", "payments.create@v1"),
    (policy("g2, a.b, c@v1"), 1, "group: 'c@v1' has a version", "without '@'"),
    (policy("g, my role, oa, demo"), 1, "member: a space inside 'my role'", "'-' or '_'"),
    (policy("p, ｏａ, demo, a.b, allow"), 1, "full-width", "write 'oa'"),
    (policy("p, оа, demo, a.b, allow"), 1, "looks like 'oa'", "ASCII"),
    (policy("p, oa, demo, a.b, allow", "# x", "p,oa,demo,a.b,allow"), 3, "the same row as line 1", "keep one"),
    (policy("g, x, oa, demo", "g, x, oa, demo"), 2, "the same row as line 1", "keep one"),
    (policy("g2, a.b, c", "g2, a.b, c"), 2, "the same row as line 1", "keep one"),
    (policy("g, a, b, demo", "g, b, a, *"), 2, "in a circle: a → b → a", "remove one"),
    (policy("g, a, a, *"), 1, "in a circle: a → a", "remove one"),
    (policy("g2, a, b", "g2, b, a"), 2, "in a circle", "remove one"),
]


@pytest.mark.parametrize(("data", "line", "what", "remedy"), TRAPS)
def test_refuses_with_line_reason_and_remedy(data: bytes, line: int, what: str, remedy: str) -> None:
    matching = [finding for finding in findings(data) if what in finding.what]
    assert [finding.line for finding in matching] == [line]
    assert remedy in matching[0].remedy
    assert str(matching[0]).startswith(f"policy.csv:{line}: ")


def test_all_findings_come_together_in_order() -> None:
    found = findings(policy("P, a, b, c.d, allow", "p, a, b, c.d, Allow", "ok", "p, a, , *, allow", end=""))
    assert [(finding.line, finding.what) for finding in found] == [
        (1, "unknown row type 'P'"),
        (2, "effect: 'Allow' is no effect"),
        (3, "unknown row type 'ok'"),
        (4, "operation: '*' in '*'"),
        (4, "tenant: nothing there"),
        (5, "the file does not end with the line '# end'"),
    ]


def test_a_hopeless_file_gives_a_hundred_findings_and_the_number_of_the_rest() -> None:
    found = findings(policy(*["p; oa; demo; a.b; allow"] * 250))
    assert len(found) == 101
    assert found[-1].what == "and 150 more findings from here on"


def test_allow_and_deny_for_the_same_thing_are_two_rows() -> None:
    file = read_policy("policy.csv", policy("p, oa, demo, a.b, allow", "p, oa, demo, a.b, deny"))
    assert [row.effect for row in file.grants] == ["allow", "deny"]


def test_a_file_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.text.MAX_BYTES", 20)
    (finding,) = findings(policy("# a comment that is long"))
    assert "larger than 20 bytes" in finding.what


def outcome(data: bytes) -> PolicyFile | tuple[Finding, ...]:
    try:
        return read_policy("policy.csv", data)
    except ConfigError as refused:
        return refused.findings


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_findings(data: bytes) -> None:
    assert outcome(data) != ()


@given(st.text(alphabet="pg234, \n#end*@.ab[]/\r\t;", max_size=120))
def test_whatever_is_read_ends_as_it_must(text: str) -> None:
    if isinstance(outcome(text.encode()), PolicyFile):
        assert text.rstrip().endswith("# end")
        assert text.rstrip(" \t\r") != text.rstrip()


@pytest.mark.parametrize("rows", [10_000, 100_000])
def test_large_files_are_read(rows: int) -> None:
    half = rows // 2
    data = policy(
        *(f"p, role-{number}, demo, resource-{number % 500}.get, allow" for number in range(half)),
        *(f"g, user-{number}, role-{number}, demo" for number in range(half)),
    )
    file = read_policy("policy.csv", data)
    assert (len(file.grants), len(file.memberships)) == (half, half)
