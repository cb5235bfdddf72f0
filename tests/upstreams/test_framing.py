from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.upstreams.framing import (
    OWNED,
    AnswerParser,
    FramingError,
    check_request_line,
    plain_head,
    request_framing,
    request_head,
    sendable,
)

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def parser(*, head_only=False, answer_limit=10_000, head_limit=4096):
    return AnswerParser(head_only=head_only, answer_limit=answer_limit, head_limit=head_limit)


def pieces(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if data[a:b]]


def read(data, cuts=(), **settings):
    """What the parser makes of an answer delivered in pieces; the end of the connection follows."""
    answer = parser(**settings)
    body = b""
    for piece in pieces(data, cuts):
        answer.feed(piece)
        body += answer.take()
    answer.feed_eof()
    return answer.status, answer.headers, body, answer.reusable


cuts = st.lists(st.integers(0, 10_000), max_size=12)
bodies = st.binary(max_size=500)


@given(bodies, cuts, st.sampled_from([b"", b"\r\n", b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]))
def test_length_framing_survives_any_cut(body, cuts, excess):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX: y \r\n\r\n" % len(body)
    headers = [(b"content-length", b"%d" % len(body)), (b"x", b"y")]
    assert read(head + body + excess, cuts) == (200, headers, body, not excess)


@given(
    st.lists(st.binary(min_size=1, max_size=100), max_size=6),
    cuts,
    st.sampled_from([b"", b"\r\n", b"x", CHUNKED + b"1\r\nz\r\n0\r\n\r\n"]),
)
def test_chunked_framing_survives_any_cut(chunks, cuts, excess):
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    status, headers, body, reusable = read(CHUNKED + coded + excess, cuts)
    assert (status, headers, body) == (200, [], b"".join(chunks))
    assert reusable == (not excess)


@given(st.binary(max_size=400), cuts)
def test_noise_never_ends_in_anything_but_a_framing_error(noise, cuts):
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n", CHUNKED):
        try:
            status, _, _, _ = read(prefix + noise, cuts)
        except FramingError:
            continue
        assert prefix
        assert status == 200


@given(cuts)
def test_junk_without_an_end_is_refused_at_once(cuts):
    for junk in (b"HTTP/1.1 200 OK\ncontent", b"SSH-2.0", b"\x16\x03\x01", b"\r\n", b"HTTP/2"):
        with pytest.raises(FramingError, match=r"not HTTP/1\.1"):
            read(junk, cuts)


def test_an_answer_to_head_or_without_content_ends_with_its_head():
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    assert read(head, head_only=True)[2:] == (b"", True)
    assert read(head + b"x", head_only=True)[2:] == (b"", False)
    assert read(b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n")[2:] == (b"", True)
    assert read(b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n")[2:] == (b"", True)


def test_interim_answers_are_passed_over_but_counted():
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
    assert read(interim * 8 + final) == (200, [(b"content-length", b"1")], b"x", True)
    with pytest.raises(FramingError, match="status"):
        read(interim * 9 + final)


def test_chunks_may_not_cost_more_than_they_carry():
    with pytest.raises(FramingError, match="larger"):
        read(CHUNKED + b"1;" + b"e" * 3000 + b"\r\nx\r\n" + b"1;" + b"e" * 3000 + b"\r\nx\r\n")
    with pytest.raises(FramingError, match="larger"):
        read(CHUNKED + b"0\r\n" + b"t: x\r\n" * 2000 + b"\r\n")
    assert read(CHUNKED + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n")[2] == b"x" * 5000


def test_a_second_answer_adds_nothing_to_the_first():
    answer = parser()
    answer.feed(CHUNKED + b"1\r\na\r\n0\r\n\r\n" + CHUNKED + b"4\r\nevil\r\n0\r\n\r\n")
    assert answer.complete
    assert answer.take() == b"a"
    assert not answer.reusable
    answer.feed(b"more")
    assert answer.take() == b""


ORDINARY = [
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: a/b\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n",
    b"HTTP/1.1 404 \r\ncontent-length: 007\r\nKeep-Alive: timeout=5\r\nConnection: Keep-Alive\r\nX_~!: a, b: c\r\n\r\n",
    b"HTTP/1.1 599 Not: so good\r\nA: b\r\nA: c\r\nCONTENT-LENGTH: 0\r\n\r\n",
]
# Lines by which heads differ from an ordinary one, some of them right and none of them plain.
ODD = [
    b"Transfer-Encoding: chunked", b"Connection: close", b"Connection: keep-alive, x", b"Connection: upgrade", b"Upgrade: h2c",
    b"Proxy-Connection: keep-alive", b"Trailer: x", b"TE: trailers", b"Content-Length: 12", b"content-length: 5",
    b"Content-Length: +1", b"Content-Length: 1,1", b"X:y", b"X: ", b"X:", b"X:  y", b"X: y ", b"X: y\t", b"X: a\tb", b"X: \xe4",
    b"X : y", b" X: y", b"\tX: y", b"X", b": y", b"X: a\0", b"X: a\x7f", b"X\xe4: y", b"X: a\rb", b"X: a\nb: c", b"X: a\n b",
]  # fmt: skip


def judged(head):
    """What is read of a head with httptools; None when it is refused."""
    answer = parser()
    try:
        answer._judge_head(head)
    except FramingError:
        return None
    return (answer.status, answer.headers, answer._remaining, answer.complete, answer.reusable) if answer.head_done else None


def assert_read_alike(head):
    """Whether a head is plain; if so, httptools reads the same in it and it leaves the connection open."""
    plain = plain_head(head)
    if plain is None:
        return False
    assert judged(head) == (*plain, not plain[2], True)
    answer = parser()
    answer.feed(head)
    assert (answer.status, answer.headers, answer._remaining, answer.complete, answer.reusable) == judged(head)
    return True


@pytest.mark.parametrize("head", ORDINARY)
def test_an_ordinary_head_is_plain(head):
    assert assert_read_alike(head)


@pytest.mark.parametrize("line", ODD)
@pytest.mark.parametrize("head", ORDINARY)
def test_one_odd_line_leaves_the_head_to_httptools(head, line):
    first, *rest = head.split(b"\r\n")
    for place in range(len(rest) - 1):
        assert plain_head(b"\r\n".join([first, *rest[:place], line, *rest[place:]])) is None


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 304 No", b"HTTP/1.1 100 C", b"HTTP/1.1 600 X", b"HTTP/1.1 2000 X",
     b"HTTP/1.1 200", b"HTTP/1.1  200 OK", b"http/1.1 200 OK", b"HTTP/1.1 200 O\tK", b"HTTP/1.1 200 O\nK", b"HTTP/1.1 200 \xc3"],
)  # fmt: skip
def test_an_odd_status_line_leaves_the_head_to_httptools(first):
    assert plain_head(first + b"\r\ncontent-length: 3\r\n\r\n") is None


def test_a_head_without_one_length_is_not_plain():
    assert plain_head(b"HTTP/1.1 200 OK\r\n\r\n") is None
    assert plain_head(b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n") is None
    assert plain_head(b"HTTP/1.1 200 OK\r\ncontent-length: %b\r\n\r\n" % (b"1" * 19)) is None


edits = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(0, 3),
        st.sampled_from(
            [b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b": ", b"0", b"1", b",", b"\0", b"\x7f", b"\x80", b"\xff"]
        )
        | st.sampled_from(ODD).map(lambda line: b"\r\n" + line)
        | st.binary(max_size=3),
    ),
    max_size=4,
)


@given(st.sampled_from(ORDINARY), edits)
@example(ORDINARY[0], [(61, 0, b" ")])
def test_what_is_plain_is_read_as_httptools_reads_it(head, edits):
    for place, length, text in edits:
        head = head[:place] + text + head[place + length :]
    end = head.find(b"\r\n\r\n")
    if end >= 0:
        assert_read_alike(head[: end + 4])


def test_a_plain_head_obeys_the_limit_and_the_request():
    with pytest.raises(FramingError, match="larger"):
        read(ORDINARY[0], answer_limit=11)
    assert read(ORDINARY[0], head_only=True)[2:] == (b"", True)


def test_headers_are_the_requests_business_only_so_far():
    given = [
        (b"accept", b"a\tb \xe4"),
        (b"host", b"x"),
        (b"te", b"trailers"),
        (b"content-length", b"1"),
        (b"expect", b"100-continue"),
    ]
    assert sendable(given) == [(b"accept", b"a\tb \xe4")]
    assert sendable([]) == []


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_header_stays_one_header(name, value):
    try:
        headers = sendable([(name, value)])
    except BadRequest:
        return
    head = request_head("GET", "/", b"erp", None, headers)
    assert head.count(b"\n") == head.count(b"\r\n") == 3 + len(headers)
    assert b"\0" not in head


names = st.sampled_from([*sorted(OWNED), b"accept", b"x_~", b"", b"a b", b"a:", b"\xe4", b"a\r\nb"]) | st.binary(max_size=4)
values = st.sampled_from([b"", b"a\tb", b"\xe4", b"a\0", b"a\x7f", b"a\r\nb: c"]) | st.binary(max_size=4)
TEXT = {9, *range(32, 127), *range(128, 256)}
TOKEN = set(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@given(st.lists(st.tuples(names, values), max_size=4), st.sampled_from([None, (b"content-length", b"7")]))
def test_a_head_says_what_it_was_given_or_nothing(headers, framing):
    kept = [(name, value) for name, value in headers if name not in OWNED]
    lines = [b"GET /a HTTP/1.1", b"host: erp", *(b"%b: %b" % header for header in kept)]
    if framing is not None:
        lines.append(b"content-length: 7")
    if all(name and TOKEN.issuperset(name) and TEXT.issuperset(value) for name, value in kept):
        assert request_head("GET", "/a", b"erp", framing, headers) == b"\r\n".join([*lines, b"", b""])
        assert sendable(headers) == kept
        return
    for write in (lambda: request_head("GET", "/a", b"erp", framing, headers), lambda: sendable(headers)):
        with pytest.raises(BadRequest):
            write()


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_request_line_stays_one_line(method, target):
    try:
        check_request_line(method, target)
    except BadRequest:
        return
    assert request_head(method, target, b"erp", None, []).split(b"\r\n")[0].split(b" ") == [
        method.encode(),
        target.encode(),
        b"HTTP/1.1",
    ]


def test_framing_of_requests():
    async def stream():
        yield b""

    assert request_framing("GET", b"", []) is None
    assert request_framing("PATCH", b"", []) == (b"content-length", b"0")
    assert request_framing("POST", stream(), []) == (b"transfer-encoding", b"chunked")
    assert request_framing("POST", stream(), [(b"content-length", b"7"), (b"content-length", b"7")]) == (b"content-length", b"7")
