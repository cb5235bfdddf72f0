"""Notice that a file of the deployment changed, and reload. SIGHUP does the same at once."""

from __future__ import annotations

import asyncio

import structlog
from watchfiles import Change, awatch

from gateway.live import Live

log = structlog.get_logger()

KINDS = (".yaml", ".csv", ".conf", ".py", ".wsdl", ".xsd", ".pem", ".crt", ".cer", ".key")


def _relevant(_: Change, path: str) -> bool:
    return path.endswith(KINDS)


async def watch(live: Live, stop: asyncio.Event, *, debounce: int = 200) -> None:
    """Reload on every change until ``stop``. ``debounce``, in milliseconds, gathers the files of one save."""
    while not stop.is_set():
        folders = [folder for folder in live.snapshot.deployment.watched() if folder.is_dir()]
        changes = awatch(*folders, watch_filter=_relevant, debounce=debounce, step=50, stop_event=stop, recursive=False)
        async for _ in changes:
            await live.reload()
            if [folder for folder in live.snapshot.deployment.watched() if folder.is_dir()] != folders:
                break
