"""Hours of the week and networks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.scope.conditions import parse_hours, parse_network, within


def at(text: str, zone: str = "Asia/Shanghai") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("moment", "good"),
    [
        ("2026-11-20T08:00", True),
        ("2026-11-20T17:59:59", True),
        ("2026-11-20T18:00", False),
        ("2026-11-20T07:59:59", False),
        ("2026-11-21T12:00", False),
    ],
)
def test_office_hours_hold_from_their_start_until_before_their_end(moment: str, good: bool) -> None:
    assert parse_hours("Mon-Fri 08:00-18:00 Asia/Shanghai").hold(at(moment)) is good


def test_hours_over_midnight_belong_to_the_day_they_began() -> None:
    night = parse_hours("Sun 22:00-06:00 Asia/Shanghai")
    assert night.hold(at("2026-11-22T23:00"))
    assert night.hold(at("2026-11-23T05:59"))
    assert not night.hold(at("2026-11-23T06:00"))
    assert not night.hold(at("2026-11-22T05:00"))


def test_days_go_round_the_week_and_no_days_are_all_days() -> None:
    assert parse_hours("Sat-Mon 00:00-24:00 UTC").days == {5, 6, 0}
    assert parse_hours("08:00-09:00 UTC").days == set(range(7))


def test_hours_are_those_of_their_zone_in_summer_too() -> None:
    berlin = parse_hours("08:00-09:00 Europe/Berlin")
    assert berlin.hold(at("2026-07-01T06:30", "UTC"))
    assert not berlin.hold(at("2026-12-01T06:30", "UTC"))


def test_an_address_is_in_its_network_and_in_no_other() -> None:
    networks = [parse_network("10.20.0.0/16"), parse_network("2001:db8::/32"), parse_network("192.0.2.7")]
    for address in ("10.20.255.1", "2001:db8::1", "192.0.2.7", "::ffff:10.20.0.1", "2001:db8::1%eth0"):
        assert within(address, networks), address
    for address in ("10.21.0.1", "2001:db9::1", "192.0.2.8", "::ffff:10.21.0.1", "", "localhost", "10.20.0.0/16"):
        assert not within(address, networks), address
