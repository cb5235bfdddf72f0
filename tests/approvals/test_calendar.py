"""Business time: hours, weekends, holidays, changes of the clocks, and absurd questions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.approvals.calendar import HORIZON, Calendar

HOUR = 3600.0
SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NINE_TO_SIX = (9 * 60, 18 * 60)
CHINA = Calendar(SHANGHAI, NINE_TO_SIX, "CN")


def at(text: str, zone: ZoneInfo = SHANGHAI) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def shown(moment: float, zone: ZoneInfo = SHANGHAI) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-23 10:00", 4, "2026-11-23 14:00"),  # a Monday
        ("2026-11-23 16:00", 4, "2026-11-24 11:00"),  # over night
        ("2026-11-23 03:00", 1, "2026-11-23 10:00"),  # before work begins
        ("2026-11-23 22:00", 1, "2026-11-24 10:00"),  # after it ended
        ("2026-11-23 09:00", 9, "2026-11-23 18:00"),  # to the end of the day, not to the next morning
        ("2026-11-27 17:00", 2, "2026-11-30 10:00"),  # over a weekend
        ("2026-09-30 17:00", 2, "2026-10-08 10:00"),  # over the National Day holidays
        ("2026-02-13 17:00", 2, "2026-02-14 10:00"),  # a Saturday worked for Spring Festival
        ("2026-11-23 10:00", 0, "2026-11-23 10:00"),
        ("2026-11-22 10:00", 0, "2026-11-22 10:00"),  # nothing to wait for, even on a Sunday
        ("2026-11-23 09:00", 24, "2026-11-25 15:00"),
    ],
)
def test_working_hours_in_china(start: str, hours: float, end: str) -> None:
    assert shown(CHINA.after(at(start), hours * HOUR)) == end


def test_the_company_closes_and_opens_on_days_of_its_own() -> None:
    calendar = Calendar(SHANGHAI, NINE_TO_SIX, "CN", frozenset({date(2026, 11, 24)}), frozenset({date(2026, 11, 28)}))
    assert shown(calendar.after(at("2026-11-23 17:00"), 2 * HOUR)) == "2026-11-25 10:00"
    assert shown(calendar.after(at("2026-11-27 17:00"), 2 * HOUR)) == "2026-11-28 10:00"
    assert calendar.working(date(2026, 11, 28))
    assert not calendar.working(date(2026, 11, 24))
    assert not calendar.working(date(2026, 11, 29))


def test_without_a_country_monday_to_friday_work() -> None:
    calendar = Calendar(SHANGHAI)
    week = [calendar.working(date(2026, 10, day)) for day in range(1, 8)]  # Thursday to Wednesday
    assert week == [True, True, False, False, True, True, True]


def test_a_day_is_as_long_as_its_clocks_make_it() -> None:
    everyday = Calendar(BERLIN, opened=frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(365)))
    # Clocks go forward at 02:00 on 29 March and back at 03:00 on 25 October 2026.
    assert shown(everyday.after(at("2026-03-29 00:00", BERLIN), 24 * HOUR), BERLIN) == "2026-03-30 01:00"
    assert shown(everyday.after(at("2026-10-25 00:00", BERLIN), 24 * HOUR), BERLIN) == "2026-10-25 23:00"
    night = Calendar(BERLIN, (60, 240), None, frozenset(), everyday.opened)
    assert shown(night.after(at("2026-03-29 00:00", BERLIN), 2 * HOUR), BERLIN) == "2026-03-29 04:00"
    assert shown(night.after(at("2026-10-25 00:00", BERLIN), 4 * HOUR), BERLIN) == "2026-10-25 04:00"


def test_a_day_that_a_zone_skipped_is_not_counted_twice() -> None:
    apia = ZoneInfo("Pacific/Apia")
    # Friday 30 December 2011 did not happen in Samoa; Saturday is worked here.
    calendar = Calendar(apia, NINE_TO_SIX, None, frozenset(), frozenset({date(2011, 12, 31)}))
    assert shown(calendar.after(at("2011-12-29 17:00", apia), 10 * HOUR), apia) == "2011-12-31 18:00"
    assert shown(calendar.after(at("2011-12-29 17:00", apia), 11 * HOUR), apia) == "2012-01-02 10:00"
    weekdays = Calendar(apia, NINE_TO_SIX)
    middle = weekdays.after(at("2011-12-29 17:00", apia), 2 * HOUR)
    assert weekdays.after(middle, HOUR) == weekdays.after(at("2011-12-29 17:00", apia), 3 * HOUR)


@pytest.mark.parametrize("seconds", [1e9, 1e300, float("inf"), float("nan")])
def test_absurd_waits_end_after_ten_years_and_take_little_work(seconds: float) -> None:
    start = at("2026-11-23 10:00")
    assert CHINA.after(start, seconds) == start + HORIZON * 86400


def test_a_calendar_that_is_always_closed_ends_too() -> None:
    days = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(5000))
    start = at("2026-11-23 10:00")
    assert Calendar(SHANGHAI, closed=days).after(start, 1) == start + HORIZON * 86400


@pytest.mark.parametrize("start", [-1.0, 1e18, float("nan"), float("inf")])
def test_moments_that_are_none(start: float) -> None:
    with pytest.raises(ValueError, match="no moment"):
        CHINA.after(start, 1)


CALENDARS = [
    CHINA,
    Calendar(BERLIN, (0, 1440), "DE"),
    # Where a working day begins or ends in an hour that comes twice, never, or half.
    Calendar(ZoneInfo("America/Havana"), (30, 600)),
    Calendar(ZoneInfo("Pacific/Apia"), NINE_TO_SIX),
    Calendar(ZoneInfo("Australia/Lord_Howe"), (0, 121)),
]
starts = st.integers(int(datetime(2011, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()))
waits = st.integers(0, 30 * 86400)


@given(st.sampled_from(CALENDARS[:2]), starts, waits)
@settings(deadline=None)
def test_business_time_is_what_a_stopwatch_counts(calendar: Calendar, start: int, seconds: int) -> None:
    """The model: look at every minute from start to end and count those whose local clock and day are working time."""
    seconds = seconds // 60 % (40 * 60) * 60
    start -= start % 60
    end = calendar.after(start, seconds)
    counted, moment = 0, start
    opens, closes = calendar.hours
    while moment < end:
        local = datetime.fromtimestamp(moment, calendar.zone)
        counted += 60 * (calendar.working(local.date()) and opens <= local.hour * 60 + local.minute < closes)
        moment += 60
    assert counted == seconds


@given(st.sampled_from(CALENDARS), starts, waits, waits)
@settings(deadline=None)
def test_waits_add_up_and_never_end_before_they_began(calendar: Calendar, start: int, first: int, second: int) -> None:
    middle = calendar.after(start, first)
    end = calendar.after(middle, second)
    assert start + first <= middle <= end
    assert end == calendar.after(start, first + second)
