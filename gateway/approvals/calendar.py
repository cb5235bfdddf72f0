"""Business time: how much of it lies between two moments, on working days within hours.

A day's hours are local wall-clock times, turned into moments one day at a time, so that a change of the clocks makes that day
shorter or longer and nothing else. Public holidays, and working weekends where a country has them, come from the library
``holidays``. The work is bounded whatever is asked: no deadline lies more than ten years away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holidays import country_holidays

DAY = 86400.0
HORIZON = 3653
"""Days looked at, some ten years. A rule's longest duration is a year, which eight-hour days stretch to four and a half."""

_FARTHEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Calendar:
    """Immutable.

    :param zone: whose wall clock ``hours`` are.
    :param hours: first and last minute of a working day, counted from midnight, such as ``(540, 1080)``.
    :param country: ISO 3166 code whose public holidays count; without it every Monday to Friday is a working day.
    :param closed: days off beside the holidays.
    :param opened: working days in spite of a weekend or holiday.
    """

    zone: ZoneInfo
    hours: tuple[int, int] = (0, 24 * 60)
    country: str | None = None
    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()

    def working(self, day: date) -> bool:
        if day in self.opened or day in self.closed:
            return day not in self.closed
        return day.timetuple().tm_yday in _working_days(self.country, day.year)

    def after(self, start: float, seconds: float) -> float:
        """The first moment by which ``seconds`` of business time have passed since ``start``; both moments are Unix seconds.
        ``start`` itself when there is nothing to wait for, and ten years later when that much would take longer."""
        if not 0 <= start < _FARTHEST:
            raise ValueError(f"{start} is no moment a document can be handed in")
        if seconds <= 0:
            return start
        # One day earlier: where a zone skipped a day, that day's hours fall into the next.
        day = datetime.fromtimestamp(start, self.zone).date() - timedelta(days=1)
        left, reached = seconds, start
        for _ in range(HORIZON):
            if self.working(day):
                opens, closes = (self._moment(day, minutes) for minutes in self.hours)
                # What an earlier day already counted is not counted again: a zone can skip a whole day.
                reached = max(reached, opens)
                if closes - reached >= left:
                    return reached + left
                if closes > reached:
                    left -= closes - reached
                    reached = closes
            day += timedelta(days=1)
        return start + HORIZON * DAY

    def _moment(self, day: date, minutes: int) -> float:
        wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
        return wall.replace(tzinfo=self.zone).timestamp()


@lru_cache(maxsize=256)
def _working_days(country: str | None, year: int) -> frozenset[int]:
    """The working days of a year, each as its number in the year."""
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range(366)]
    known = None if country is None else country_holidays(country, years=year)
    return frozenset(
        day.timetuple().tm_yday
        for day in days
        if day.year == year and (day.weekday() < 5 if known is None else known.is_working_day(day))
    )
