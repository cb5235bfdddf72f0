import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.rate import PERIODS, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/s", (100, 1.0)), ("10/min", (10, 60.0)), (" 1000 / h ", (1000, 3600.0)), ("5000/d", (5000, 86400.0))],
)
def test_reads_calls_per_period(text: str, rate: tuple[int, float]) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "100", "/s", "-1/s", "1.5/s", "1e3/s", "100/S", "100 per s", "9999999999/s", "１０/s", "1/s\n2/s"]
)
def test_refuses_what_is_no_rate_with_an_example_of_one(text: str) -> None:
    with pytest.raises(ValueError, match="such as 100/s"):
        parse_rate(text)


def test_refuses_an_unknown_period_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'fortnight' is no period; use s, min, h or d"):
        parse_rate("10/fortnight")


def test_refuses_zero() -> None:
    with pytest.raises(ValueError, match="deny it in the policy"):
        parse_rate("0/s")


@given(st.integers(1, 999_999_999), st.sampled_from(sorted(PERIODS)))
def test_every_rate_reads_back(count: int, period: str) -> None:
    assert parse_rate(f"{count}/{period}") == (count, PERIODS[period])
