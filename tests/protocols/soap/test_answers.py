"""Answers: no document type gets in, however it is encoded; honest encodings do."""

from __future__ import annotations

import pytest

from gateway.errors import BadAnswer
from gateway.protocols.soap.answers import tree, tree_with_namespaces

BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
READERS = (tree, tree_with_namespaces)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "data",
    [
        BOMB.encode(),
        b"\xef\xbb\xbf" + BOMB.encode(),
        BOMB.encode("utf-16"),
        BOMB.encode("utf-16-le"),
        BOMB.encode("utf-16-be"),
        BOMB.encode("utf-32"),
        b'<?xml version="1.0" encoding="utf-16"?>' + BOMB.encode("utf-16-le"),
        b'<?xml version="1.0" encoding="cp037"?>' + BOMB.encode("cp037"),
        b'<?xml version="1.0" encoding="utf-7"?>' + BOMB.replace("<", "+ADw-").encode(),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b'<?xml version="1.0" encoding="UTF-8"?>' + BOMB.encode(),
        b'<?xml version="1.0"?><!-- <a> -->' + BOMB.encode(),
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/"><a/>',
        b"<a>&unknown;</a>",
        b"<a>\xff</a>",
        b"<a>\x00</a>",
        b"\xff\xfe<\x00a",
        b"",
    ],
)
def test_refused(read: object, data: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(data)  # type: ignore[operator]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<a>é漢</a>".encode(), "é漢"),
        (b"\xef\xbb\xbf<a>x</a>", "x"),
        ("<?xml version='1.0' encoding='utf-16'?><a>漢</a>".encode("utf-16"), "漢"),
        ("<a>漢</a>".encode("utf-16-be"), "漢"),
        ("<?xml version='1.0' encoding='GB2312'?><a>汉</a>".encode("gb2312"), "汉"),
        ("<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>".encode("latin-1"), "é"),
        ('<?xml version="1.0" encoding="utf-8" standalone="yes"?><a>é</a>'.encode(), "é"),
        (b"<a><![CDATA[<!DOCTYPE html>]]></a>", "<!DOCTYPE html>"),
        (b"<!-- <!DOCTYPE a> --><a>x</a>", "x"),
    ],
)
def test_read(read: object, data: bytes, text: str) -> None:
    assert read(data).text == text  # type: ignore[operator]
