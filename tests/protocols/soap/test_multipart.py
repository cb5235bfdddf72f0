"""Multiparts byte by byte: what RFC 2046 allows is read, what is ambiguous or cut is refused, and nothing takes long."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadAnswer
from gateway.protocols.soap.multipart import MAX_HEAD, MAX_PARTS, media_type, read_package

KIND = media_type('Multipart/Related; boundary="b"')


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("latin-1")


def ids(kind: str, data: bytes) -> list[tuple[str, bytes]]:
    root, others = read_package(media_type(kind), data)
    return [(part.id, part.content) for part in (root, *others)]


def refused(data: bytes, kind: str = "multipart/related; boundary=b") -> str:
    with pytest.raises(BadAnswer) as caught:
        read_package(media_type(kind), data)
    return caught.value.detail


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("text/xml", "text/xml", {}),
        (" Text/XML ;Charset=UTF-8", "text/xml", {"charset": "UTF-8"}),
        ("Multipart/Related; boundary=MIME_boundary; type=text/xml;", None, {"boundary": "MIME_boundary", "type": "text/xml"}),
        ('a/b; x="q\\"; y=1"; z=<a@b>', "a/b", {"x": 'q"; y=1', "z": "<a@b>"}),
        ('a/b; x=""', "a/b", {"x": ""}),
    ],
)
def test_a_media_type(text: str, name: str | None, parameters: dict[str, str]) -> None:
    found = media_type(text)
    assert (found.name, found.parameters) == (name or "multipart/related", parameters)


@pytest.mark.parametrize("text", ["", "xml", "a/b; x", 'a/b; x="', "a/b; x=1; X=2", "a/b x=1", 'a/b; x="\r\n"', "a/b; =1"])
def test_what_is_no_media_type(text: str) -> None:
    with pytest.raises(BadAnswer, match="media type"):
        media_type(text)


WHOLE = """preamble
--b
Content-Type: text/xml; charset=utf-8
Content-ID: <root@x>
X-Other: 1
 folded

<x/>
--b \t
Content-ID: plain
content-type: Image/TIFF;
\tname="a.tif"
Content-Transfer-Encoding: Binary

\x00\xff
--bb is content

--b--
epilogue --b
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_package(newline: str) -> None:
    data = WHOLE.replace("\n", newline).encode("latin-1")
    root, (image,) = read_package(KIND, data)
    assert (root.id, root.type.name, root.content) == ("root@x", "text/xml", b"<x/>")
    assert (image.id, image.type.name, image.type.parameters) == ("plain", "image/tiff", {"name": "a.tif"})
    assert image.content == f"\x00\xff{newline}--bb is content{newline}".encode("latin-1")


def test_a_part_without_header_and_one_without_content() -> None:
    assert ids(
        "multipart/related; boundary=b", crlf("--b\n\nx\n--b\nContent-ID: <e>\n\n\n--b\n\n--b\nContent-ID: <h>\n--b--")
    ) == [
        ("", b"x"),
        ("e", b""),
        ("", b""),
        ("h", b""),
    ]


def test_the_root_is_what_start_names() -> None:
    data = crlf("--b\nContent-ID: <one>\n\n1\n--b\nContent-ID: <two>\n\n2\n--b--")
    assert ids('multipart/related; boundary=b; start="<two>"', data) == [("two", b"2"), ("one", b"1")]
    assert ids("multipart/related; boundary=b; start=two", data) == [("two", b"2"), ("one", b"1")]
    assert "begins with a part that is not there" in refused(data, "multipart/related; boundary=b; start=three")


def test_a_line_ends_as_the_first_delimiter_does() -> None:
    """A binary part may hold what would be a delimiter under the other convention."""
    assert ids("multipart/related; boundary=b", b"--b\r\n\r\nx\n--b\ny\r\n--b--\r\n") == [("", b"x\n--b\ny")]
    assert ids("multipart/related; boundary=b", b"--b\n\nx\r\n--b--") == [("", b"x\r")]


def test_a_multipart_within_a_part_is_content() -> None:
    inner = "--bb\n\nx\n--bb--\n"
    data = crlf(f"--b\n\n<x/>\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n{inner}\n--b--\n")
    assert ids("multipart/related; boundary=b", data)[1] == ("", crlf(inner))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"--b",
        b"--b\r\n",
        b"--b\r\n\r\nx",
        b"--b\r\n\r\nx\r\n--b",
        b"--b\r\n\r\nx\r\n--b-",
        b"--b\r\n\r\nx\r\n--b\r\n",
        b"x--b--",
    ],
)
def test_what_has_no_end_was_cut_short(data: bytes) -> None:
    assert refused(data) == "the answer's multipart is cut short"


@pytest.mark.parametrize("cut", range(0, len(crlf(WHOLE)) - len("\r\nepilogue --b\r\n") - 1, 7))
def test_a_truncated_package_is_refused(cut: int) -> None:
    assert "cut short" in refused(crlf(WHOLE)[:cut])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("--b--", "has no part"),
        ("--b\nContent-ID: <a>\n\n\n--b\nContent-ID: a\n\n\n--b--", "the same Content-ID"),
        ("--b\nContent-ID: <a>\ncontent-id: <b>\n\n\n--b--", "header of a part"),
        ("--b\nno field\n\n--b--", "header of a part"),
        ("--b\n: x\n\n--b--", "header of a part"),
        ("--b\nContent-Type: what\n\n--b--", "media type"),
        ("--b\nContent-Transfer-Encoding: x-uuencode\n\n--b--", "transfer encoding that is not known"),
        ("--b\nContent-Transfer-Encoding: base64\n\nAAA\n--b--", "not valid base64"),
        ("--b\nContent-Transfer-Encoding: base64\n\nAA==AA==\n--b--", "not valid base64"),
        ("--b\nX: " + MAX_HEAD * "x" + "\n\n\n--b--", "too long a header"),
        (MAX_PARTS * "--b\n\n\n" + "--b\n\n\n--b--", f"more than {MAX_PARTS} parts"),
    ],
)
def test_what_is_refused(data: str, what: str) -> None:
    assert what in refused(crlf(data))


@pytest.mark.parametrize("boundary", ['""', '"b "', '"' + 71 * "b" + '"', '"b\x7f"', '"\xe9"'])
def test_boundaries_that_are_none(boundary: str) -> None:
    assert refused(b"--b--", f"multipart/related; boundary={boundary}") == "the answer's multipart has no usable boundary"
    assert refused(b"--b--", "multipart/related; type=text/xml") == "the answer's multipart has no usable boundary"


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("", bytes),
        ("7bit", bytes),
        ("8BIT", bytes),
        ("binary", bytes),
        ("base64", base64.encodebytes),
        ("Base64", base64.b64encode),
        ("quoted-printable", quopri.encodestring),
    ],
)
@given(content=st.binary(max_size=200))
def test_transfer_encodings(encoding: str, encode: object, content: bytes) -> None:
    assert callable(encode)
    content = content.replace(b"\r", b"").replace(b"\n", b"") if encoding == "quoted-printable" else content
    field = f"Content-Transfer-Encoding: {encoding}\r\n".encode() if encoding else b""
    data = b"--=B=\r\n" + field + b"\r\n" + encode(content) + b"\r\n--=B=--"
    assert ids("multipart/related; boundary==B=", data)[0][1] == content


@given(
    contents=st.lists(st.binary(max_size=60), min_size=1, max_size=5), junk=st.sampled_from([b"", b"--b", b"\r\n--", b"\n--b\n"])
)
def test_whatever_the_parts_hold_they_come_back(contents: list[bytes], junk: bytes) -> None:
    boundary = b"b'()+_,-./:=?"
    contents = [content + junk for content in contents]
    data = b"".join(b"\r\n--" + boundary + b"\r\n\r\n" + content for content in contents) + b"\r\n--" + boundary + b"--"
    assert [content for _, content in ids(f'multipart/related; boundary="{boundary.decode()}"', data)] == contents


@given(data=st.lists(st.sampled_from([b"--b", b"--", b"\r\n", b"\n", b":", b" ", b"x", b"Content-ID", b"<", b">"]), max_size=30))
def test_noise_is_read_or_refused_and_nothing_else(data: list[bytes]) -> None:
    try:
        read_package(KIND, b"".join(data))
    except BadAnswer as problem:
        assert problem.detail  # noqa: PT017


@pytest.mark.parametrize(
    "piece",
    [b"--b", b"\r\n--b", b"\r\n--bx", b"\r\n--b ", b"\r\n--b\t\t", b"\n--b--x", b"--b--", b"-", b"\r\n--b x\r\n", b"\r\n--"],
)
def test_two_megabytes_of_one_piece_are_refused(piece: bytes) -> None:
    data = b"--b\r\n\r\n" + piece * (2_000_000 // len(piece))
    assert refused(data)


def test_long_headers_are_refused() -> None:
    with pytest.raises(BadAnswer):
        media_type("a/b" + 200_000 * "; " + "x")
    with pytest.raises(BadAnswer):
        media_type('a/b; x="' + 200_000 * "\\x")
    assert refused(b"--b\r\n" + 100_000 * b"X\r\n \r\n" + b"--b--")
