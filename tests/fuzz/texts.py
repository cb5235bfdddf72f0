"""Simple types for random schemas, each with a maker of texts that are valid for it.

Texts of strings never look like numbers or truth values, so that two documents can be compared without their schema: what looks
like a number may be spelt differently, space may change beside a ``¤``, everything else must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Make = Callable[[Random], str]


@dataclass(frozen=True, slots=True)
class Simple:
    """``xsd`` is the content of a ``simpleType``; ``builtin`` names a type that needs none."""

    make: Make
    builtin: str = ""
    xsd: str = ""

    @property
    def qualified(self) -> bool:
        return self.builtin == "QName"


STRINGS = ["x", "x y", "x<&>\"'", "é漢𝄞", "]]>x", "x-1", "x;y,z", "a%20b", "{urn:a}b", "x\u00a0y"]
PRESERVED = [*STRINGS, "", " x ", "x  y", "x\ty", "x\nz\n", "x\rz", "\u0085x", " "]
ZONES = ["", "", "Z", "+08:00", "-11:30", "+14:00"]
NAMES = ["x", "_a", "a-b.c", "Zürich", "n1"]


def one_of(*texts: str) -> Make:
    return lambda r: r.choice(texts)


def integer(low: int, high: int) -> Make:
    edges = [low, high, max(low, 0), min(high, 1), low + 1, high - 1]
    edges = [edge for edge in edges if low <= edge <= high]
    return lambda r: str(r.choice(edges) if r.random() < 0.3 else r.randint(low, high))


def spelt(make: Make) -> Make:
    """The same numbers, sometimes with a sign, leading zeros or spaces."""

    def text(r: Random) -> str:
        found = make(r)
        style = r.random()
        if style < 0.1 and found[0] != "-":
            return f"+{found}"
        if style < 0.2:
            return f" {found}\n"
        return found if style < 0.9 or found[0] == "-" else f"00{found}"

    return text


def decimal(r: Random) -> str:
    whole = str(r.randrange(10 ** r.randint(1, 28)))
    sign = r.choice(["", "-", "+"])
    return sign + whole + (f".{r.randrange(10**9):09d}"[: r.randint(2, 10)] if r.random() < 0.7 else "")


def floating(r: Random) -> str:
    return r.choice(["INF", "-INF", "NaN", "0", "-0.0", "1E5", "1.5e-7", str(r.uniform(-1e6, 1e6)), repr(r.gauss(0, 1))])


def day(r: Random) -> str:
    year = r.choice(["2026", "-0044", "12026", "1900", "0001"])
    return f"{year}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"


def clock(r: Random) -> str:
    fraction = r.choice(["", ".5", ".123456789", ".000"])
    if r.random() < 0.1:
        return "24:00:00"
    return f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:{r.randint(0, 59):02d}{fraction}"


def zoned(make: Make) -> Make:
    return lambda r: make(r) + r.choice(ZONES)


BUILTINS = [
    Simple(one_of(*PRESERVED), "string"),
    Simple(one_of(*PRESERVED), "string"),
    Simple(one_of(*STRINGS, " x ", "x  y", "¤x\ty"), "normalizedString"),
    Simple(one_of(*STRINGS, " ¤x\t y "), "token"),
    Simple(one_of("true", "false", "1", "0", " true "), "boolean"),
    Simple(spelt(integer(-128, 127)), "byte"),
    Simple(spelt(integer(-(2**15), 2**15 - 1)), "short"),
    Simple(spelt(integer(-(2**31), 2**31 - 1)), "int"),
    Simple(spelt(integer(-(2**63), 2**63 - 1)), "long"),
    Simple(spelt(integer(0, 255)), "unsignedByte"),
    Simple(spelt(integer(0, 2**16 - 1)), "unsignedShort"),
    Simple(spelt(integer(0, 2**32 - 1)), "unsignedInt"),
    Simple(spelt(integer(0, 2**64 - 1)), "unsignedLong"),
    Simple(spelt(integer(-(10**30), 10**30)), "integer"),
    Simple(spelt(integer(0, 10**20)), "nonNegativeInteger"),
    Simple(spelt(integer(1, 10**20)), "positiveInteger"),
    Simple(integer(-(10**20), 0), "nonPositiveInteger"),
    Simple(integer(-(10**20), -1), "negativeInteger"),
    Simple(decimal, "decimal"),
    Simple(floating, "float"),
    Simple(floating, "double"),
    Simple(zoned(day), "date"),
    Simple(zoned(clock), "time"),
    Simple(zoned(lambda r: f"{day(r)}T{clock(r)}"), "dateTime"),
    Simple(zoned(one_of("2026", "-0044", "12345")), "gYear"),
    Simple(zoned(one_of("2026-02", "-0044-12")), "gYearMonth"),
    Simple(zoned(one_of("--02", "--12")), "gMonth"),
    Simple(zoned(one_of("--02-29", "--12-31")), "gMonthDay"),
    Simple(zoned(one_of("---01", "---31")), "gDay"),
    Simple(one_of("P1Y", "-P3DT4H5M6.789S", "PT0S", "P1Y2M3DT4H5M6S", "PT36H"), "duration"),
    Simple(one_of("", "AAAA", "/+8=", "QQ==", "QUJDREVG"), "base64Binary"),
    Simple(one_of("", "00", "0FB7", "deadBEEF"), "hexBinary"),
    Simple(one_of("urn:x", "http://example.org/?a=b&c=d", "../x", "#y"), "anyURI"),
    Simple(one_of("t:x", "u:Zürich", "u:n-1"), "QName"),
    Simple(one_of("en", "zh-CN", "de-1996"), "language"),
    Simple(one_of(*NAMES, "-x", ".a:b"), "NMTOKEN"),
    Simple(one_of(*NAMES, "a:b"), "Name"),
    Simple(one_of(*NAMES), "NCName"),
    Simple(one_of("x", "x y", "a-b _c"), "NMTOKENS"),
]


def restricted(base: str, facets: str, make: Make) -> Simple:
    return Simple(make, xsd=f'<xs:restriction base="xs:{base}">{facets}</xs:restriction>')


def facet(name: str, value: str) -> str:
    return f'<xs:{name} value="{value}"/>'


FACETED = [
    restricted("string", facet("maxLength", "5"), one_of("", "x", "xé漢𝄞y", "x<&> ")),
    restricted("string", facet("minLength", "2") + facet("maxLength", "3"), one_of("xy", "𝄞𝄞", " x ")),
    restricted("token", facet("length", "4"), one_of("abcd", "a b-")),
    restricted("string", facet("pattern", "[A-Z]{3}-[0-9]{4}"), one_of("ABC-0000", "XYZ-9999")),
    restricted("string", facet("pattern", "\\i\\c*") + facet("maxLength", "9"), one_of("x", "_a-b.c", "é:b")),
    restricted("string", facet("pattern", "[a-z-[aeiou]]+|\\p{Lu}{2}"), one_of("xyz", "ÄÖ", "XY")),
    restricted(
        "string",
        facet("enumeration", "A&amp;B") + facet("enumeration", "") + facet("enumeration", "x y"),
        one_of("A&B", "", "x y"),
    ),
    restricted("NMTOKEN", facet("enumeration", "CNY") + facet("enumeration", "EUR"), one_of("CNY", "EUR")),
    restricted("int", facet("enumeration", "1") + facet("enumeration", "7"), one_of("1", "7")),
    restricted("decimal", facet("totalDigits", "9") + facet("fractionDigits", "2"), one_of("0", "-1.50", "1234567.89", "+3.1")),
    restricted("decimal", facet("minInclusive", "0") + facet("maxExclusive", "100"), one_of("0", "0.00", "99.999999", "17.5")),
    restricted("decimal", facet("minExclusive", "-1.5"), one_of("0", "-1.49", "12345678901234567890")),
    restricted("integer", facet("minInclusive", "1") + facet("maxExclusive", "100"), integer(1, 99)),
    restricted("long", facet("totalDigits", "4"), integer(-9999, 9999)),
    restricted("double", facet("maxInclusive", "10.5"), one_of("10.5", "-INF", "0", "1e0")),
    restricted("date", facet("minInclusive", "2000-01-01"), one_of("2000-01-01", "2026-12-31")),
    restricted("string", facet("whiteSpace", "collapse"), one_of(" ¤x ", "¤x   y", "¤x\n\ty")),
    restricted("string", facet("whiteSpace", "replace"), one_of(" x ", "¤x\ty")),
    restricted("base64Binary", facet("maxLength", "3"), one_of("", "QQ==", "QUJD")),
    restricted("hexBinary", facet("length", "2"), one_of("00FF", "abcd")),
    Simple(one_of("1", "1 2", " -3   4\n", ""), xsd='<xs:list itemType="xs:int"/>'),
    Simple(one_of("true", "false true"), xsd='<xs:list itemType="xs:boolean"/>'),
    Simple(one_of("2026-01-31", "x", "-y"), xsd='<xs:union memberTypes="xs:date xs:NMTOKEN"/>'),
    Simple(one_of("x", "_b", "unbounded"), xsd='<xs:union memberTypes="xs:int xs:NCName"/>'),
]
