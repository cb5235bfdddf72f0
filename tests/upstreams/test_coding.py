from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadAnswer
from gateway.upstreams.coding import codings, decode, decoded

CODERS = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
}


def raw_deflate(body):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(body) + deflater.flush()


@given(st.binary(max_size=2000), st.lists(st.sampled_from(sorted(CODERS)), max_size=4))
def test_codings_are_undone_last_first(body, applied):
    coded = body
    for coding in applied:
        coded = CODERS[coding](coded)
    assert decode(coded, applied, 10_000) == body


@given(st.binary(max_size=2000))
def test_a_bare_deflate_stream_is_understood(body):
    assert decode(raw_deflate(body), [b"deflate"], 10_000) == body


@given(st.binary(min_size=1, max_size=500), st.sampled_from(sorted(CODERS)), st.data())
def test_a_cut_body_is_never_returned(body, coding, data):
    coded = CODERS[coding](body)
    cut = data.draw(st.integers(1, len(coded) - 1))
    with pytest.raises(BadAnswer):
        decode(coded[:cut], [coding], 10_000)


@given(st.binary(max_size=300), st.sampled_from(sorted(CODERS)))
def test_noise_ends_in_bad_answer_or_bytes(noise, coding):
    try:
        body = decode(noise, [coding], 10_000)
    except BadAnswer:
        return
    assert isinstance(body, bytes)


@pytest.mark.parametrize("coding", sorted(CODERS))
def test_the_limit_is_exact(coding):
    coded = CODERS[coding](b"x" * 1000)
    assert decode(coded, [coding], 1000) == b"x" * 1000
    with pytest.raises(BadAnswer, match="larger"):
        decode(coded, [coding], 999)
    assert decode(CODERS[coding](b""), [coding], 0) == b""


def test_members_share_one_limit():
    members = gzip.compress(b"ab") + gzip.compress(b"") + gzip.compress(b"cd")
    assert decode(members, [b"gzip"], 4) == b"abcd"
    with pytest.raises(BadAnswer, match="larger"):
        decode(members, [b"gzip"], 3)
    with pytest.raises(BadAnswer, match="damaged"):
        decode(members + b"garbage", [b"gzip"], 100)


def test_bytes_after_deflate_are_refused():
    with pytest.raises(BadAnswer, match="damaged"):
        decode(zlib.compress(b"ab") + b"x", [b"deflate"], 100)


def test_a_bomb_takes_no_memory():
    bomb = gzip.compress(bytes(315_000_000), 9)
    assert len(bomb) < 310_000
    tracemalloc.start()
    with pytest.raises(BadAnswer, match="larger"):
        decode(bomb, [b"gzip"], 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip;q=1"])
def test_unknown_codings_are_refused(coding):
    with pytest.raises(BadAnswer):
        decode(b"abc", [coding], 100)


def test_too_many_codings_are_refused():
    with pytest.raises(BadAnswer, match="too many"):
        decode(b"abc", [b"gzip"] * 5, 100)


def test_codings_come_from_all_fields_in_order():
    headers = [(b"content-encoding", b"Deflate , identity"), (b"x", b"y"), (b"content-encoding", b",GZIP")]
    assert codings(headers) == [b"deflate", b"gzip"]
    assert codings([(b"x", b"y")]) == []


def test_headers_describe_the_decoded_body():
    headers = [(b"content-encoding", b"gzip"), (b"content-length", b"22"), (b"etag", b'"1"')]
    assert decoded(gzip.compress(b"ab"), headers, 100) == (b"ab", [(b"etag", b'"1"')])
    assert decoded(b"", headers, 100) == (b"", [(b"etag", b'"1"')])
    assert decoded(b"ab", headers[1:], 100) == (b"ab", headers[1:])
