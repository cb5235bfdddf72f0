"""What one list of satellites says otherwise than another, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.identity.changes import changes
from gateway.identity.hashes import ScryptHash
from gateway.identity.satellites import Callback, Satellite, Satellites
from gateway.ports import Limit

OA = Satellite("oa", "Office", "demo", api_keys=(b"key",), vouches_for_initiator=True)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (OA, []),
        (replace(OA, name="Office automation"), []),
        (replace(OA, tenant="two"), ["oa belongs to tenant two instead of demo: it has the rights it has there"]),
        (replace(OA, secret=ScryptHash(15, 8, 1, b"", b"")), ["oa proves itself by another secret"]),
        (replace(OA, api_keys=()), ["oa proves itself by other API keys"]),
        (replace(OA, limits=(Limit("satellite", 1, 1, 1),)), ["oa may call more or less often"]),
        (
            replace(OA, callback=Callback("https://oa", b"")),
            ["oa is told elsewhere, or signed otherwise, what becomes of its documents"],
        ),
        (
            replace(OA, vouches_for_initiator=False),
            ["oa no longer vouches for initiators: whom it names as the one who asks is not kept from approving"],
        ),
    ],
)
def test_says_what_a_satellite_has_otherwise(now: Satellite, said: list[str]) -> None:
    assert changes(Satellites([OA]), Satellites([now])) == said


def test_says_which_are_new_and_which_are_gone() -> None:
    vouches = "oa vouches for initiators: the person it names as the one who asks cannot approve"
    assert changes(Satellites(), Satellites([OA])) == ["oa is new, in tenant demo", vouches]
    assert changes(Satellites([OA]), Satellites()) == ["oa is gone: its calls are refused"]
    plain = replace(OA, vouches_for_initiator=False)
    assert changes(Satellites([plain]), Satellites([OA])) == [
        "oa vouches for initiators now: the person it names as the one who asks cannot approve"
    ]
