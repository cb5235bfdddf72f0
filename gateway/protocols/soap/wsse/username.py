"""UsernameToken (Web Services Security Username Token Profile 1.1), made by zeep.

Import it only where a user name is configured: zeep takes a tenth of a second and more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from zeep.wsse.username import UsernameToken

from gateway.protocols.soap.wsse.dress import Random


@dataclass(frozen=True, slots=True)
class Username:
    """Implements ``gateway.protocols.soap.wsse.dress.Token``. With ``digest`` the password itself does not travel."""

    name: str
    password: str = field(repr=False)
    digest: bool = False

    def apply(self, root: Any, now: float, random: Random) -> None:
        token = UsernameToken(  # type: ignore[no-untyped-call]
            self.name,
            self.password,
            use_digest=self.digest,
            nonce=random(16).hex(),
            created=datetime.fromtimestamp(int(now), UTC),
            zulu_timestamp=True,
        )
        token.apply(root, {})  # type: ignore[no-untyped-call]
