"""Dates between ISO 8601 and whatever form an ERP writes, with the real calendar checked in both directions.

A form is made of the tokens YYYY MM DD HH mm ss and separators. An ERP's empty or all-zero date means "no date".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from gateway.config.values import wrong
from gateway.exchange import ABSENT
from gateway.mapping.wrong import Wrong

Convert = Callable[[object], object]

_TOKEN = re.compile(r"YYYY|MM|DD|HH|mm|ss|[A-Za-z]")
_NEEDED = {"date": ("YYYY", "MM", "DD"), "datetime": ("YYYY", "MM", "DD", "HH", "mm")}
_SLICES = {"YYYY": (0, 4), "MM": (5, 7), "DD": (8, 10), "HH": (11, 13), "mm": (14, 16), "ss": (17, 19)}
_TIME = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_LOCAL = re.compile(_TIME + ")")
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
_LEXICAL = re.compile(rf"{_TIME}(?:\.[0-9]+)?|24:00:00(?:\.0+)?){_ZONE}")
_XS_DATE = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_ZONE}")

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
LOCAL_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$"
LEXICAL_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$"

_NO_DATE = "is no date of the calendar; write it as YYYY-MM-DD"
_NO_LOCAL = "is no time of the calendar; write it as YYYY-MM-DDTHH:mm:ss, without a zone"
_NO_TIME = "is no time of the calendar; write it as YYYY-MM-DDTHH:mm:ss, with a zone such as +08:00 where it is known"


def check_form(form: str, kind: str) -> None:
    """Raises a pydantic error with a remedy when a form names no whole date or time, or something twice."""
    tokens = _TOKEN.findall(form)
    needed = _NEEDED[kind]
    allowed = needed if kind == "date" else (*needed, "ss")
    odd = next((token for token in tokens if token not in allowed), None)
    if odd and not (kind == "datetime" and odd == "T"):
        raise wrong(f"has erp_form {form!r} with {odd!r}", f"use each of {', '.join(allowed)} and separators")
    if any(tokens.count(token) != 1 for token in needed) or tokens.count("ss") > 1 or re.search(r"[0-9{}]", form):
        raise wrong(f"has erp_form {form!r}", f"use each of {', '.join(needed)} exactly once, and separators such as / or .")


def _is_day(text: str) -> bool:
    if len(text) != 10 or text[4] != "-" or text[7] != "-" or not text.isascii():
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_local(text: str) -> bool:
    return len(text) == 19 and text[10] == "T" and _is_day(text[:10]) and _LOCAL.fullmatch(text, 11) is not None


def _is_lexical(text: str) -> bool:
    return text[10:11] == "T" and _is_day(text[:10]) and _LEXICAL.fullmatch(text, 11) is not None


def _is_nothing(value: object) -> bool:
    return value == "" or (type(value) is str and "0" in value and not value.strip("0 /.:-T"))


def date_request(form: str | None) -> Convert:
    """``2026-05-31`` as the ERP writes it."""
    build = _template(form or "YYYY-MM-DD", "date")[0]

    def convert(value: object) -> object:
        if type(value) is str and _is_day(value):
            return build(value)
        raise Wrong(_NO_DATE)

    return convert


def date_answer(form: str | None) -> Convert:
    """What the ERP writes as ``2026-05-31``. Without a form the ERP writes xs:date, whose zone is left out."""
    if form is None:
        return _from_xs_date
    build, slices = _template(form, "date")
    year, month, day = slices["YYYY"], slices["MM"], slices["DD"]

    def convert(value: object) -> object:
        if type(value) is str and len(value) == len(form):
            text = f"{value[year]}-{value[month]}-{value[day]}"
            if _is_day(text) and build(text) == value:
                return text
        if _is_nothing(value):
            return ABSENT
        raise Wrong(f"is no date of the form {form}")

    return convert


def _from_xs_date(value: object) -> object:
    if _is_nothing(value):
        return ABSENT
    if type(value) is str and _XS_DATE.fullmatch(value) and _is_day(value[:10]):
        return value[:10]
    raise Wrong("is no date of the form YYYY-MM-DD")


def datetime_request(form: str | None) -> Convert:
    """``2026-05-31T09:30:00`` as the ERP writes it; without a form the text itself, fraction and zone included."""
    if form is None:
        return _to_lexical
    build = _template(form, "datetime")[0]
    seconds = "ss" in form

    def convert(value: object) -> object:
        if type(value) is not str or not _is_local(value):
            raise Wrong(_NO_LOCAL)
        if not seconds and value[17:] != "00":
            raise Wrong("has seconds, which the ERP does not keep; write :00")
        return build(value)

    return convert


def _to_lexical(value: object) -> object:
    if type(value) is str and _is_lexical(value):
        return value
    raise Wrong(_NO_TIME)


def datetime_answer(form: str | None) -> Convert:
    """The other direction."""
    if form is None:
        return _from_lexical
    build, at = _template(form, "datetime")

    def convert(value: object) -> object:
        if _is_nothing(value):
            return ABSENT
        if type(value) is str and len(value) == len(form):
            seconds = value[at["ss"]] if "ss" in at else "00"
            text = f"{value[at['YYYY']]}-{value[at['MM']]}-{value[at['DD']]}T{value[at['HH']]}:{value[at['mm']]}:{seconds}"
            if _is_local(text) and build(text) == value:
                return text
        raise Wrong(f"is no time of the form {form}")

    return convert


def _from_lexical(value: object) -> object:
    if _is_nothing(value):
        return ABSENT
    if type(value) is str and _is_lexical(value):
        return value
    raise Wrong("is no time of the form YYYY-MM-DDTHH:mm:ss")


def _template(form: str, kind: str) -> tuple[Callable[[str], str], dict[str, slice]]:
    """How to write an ISO text in the form, and where each token stands in the form."""
    tokens = [(m[0], m.span()) for m in re.finditer("YYYY|MM|DD" if kind == "date" else "YYYY|MM|DD|HH|mm|ss", form)]
    parts: list[str | slice] = []
    done = 0
    for token, (start, end) in tokens:
        parts += [form[done:start], slice(*_SLICES[token])]
        done = end
    parts = [part for part in [*parts, form[done:]] if part != ""]
    if form == "YYYY-MM-DD":
        return str, {token: slice(*span) for token, span in tokens}

    def build(text: str) -> str:
        return "".join([part if type(part) is str else text[part] for part in parts])  # type: ignore[index]

    return build, {token: slice(*span) for token, span in tokens}
