"""What one list of satellites says otherwise than another, in sentences. Secrets are compared and never told."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.identity.satellites import Satellite, Satellites


def changes(old: Satellites, new: Satellites) -> list[str]:
    """One sentence for each difference that matters to what the systems may do, or to how they prove themselves."""
    before, after = ({satellite.client: satellite for satellite in satellites} for satellites in (old, new))
    found = []
    for client, satellite in after.items():
        was = before.get(client)
        if was is None:
            found.append(f"{client} is new, in tenant {satellite.tenant}")
            if satellite.vouches_for_initiator:
                found.append(f"{client} vouches for initiators: the person it names as the one who asks cannot approve")
        else:
            found += [f"{client} {sentence}" for sentence in _changed(was, satellite)]
    return found + [f"{client} is gone: its calls are refused" for client in before if client not in after]


def _changed(old: Satellite, new: Satellite) -> Iterator[str]:
    if old.tenant != new.tenant:
        yield f"belongs to tenant {new.tenant} instead of {old.tenant}: it has the rights it has there"
    if old.vouches_for_initiator != new.vouches_for_initiator:
        if new.vouches_for_initiator:
            yield "vouches for initiators now: the person it names as the one who asks cannot approve"
        else:
            yield "no longer vouches for initiators: whom it names as the one who asks is not kept from approving"
    if (old.secret, old.demo_secret) != (new.secret, new.demo_secret):
        yield "proves itself by another secret"
    if old.api_keys != new.api_keys:
        yield "proves itself by other API keys"
    if old.limits != new.limits:
        yield "may call more or less often"
    if old.callback != new.callback:
        yield "is told elsewhere, or signed otherwise, what becomes of its documents"
