"""The collector rests while a policy is read, and works again afterwards whatever happened."""

import gc

import pytest

from gateway.policy.bulk import uncollected


def test_the_collector_rests_and_works_again() -> None:
    assert uncollected(gc.isenabled)() is False
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        uncollected(lambda: 1 / 0)()
    assert gc.isenabled()


def test_one_that_rested_already_goes_on_resting() -> None:
    gc.disable()
    try:
        uncollected(lambda: None)()
        assert not gc.isenabled()
    finally:
        gc.enable()
