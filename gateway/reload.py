"""Notice that a file of the deployment changed, and reload. SIGHUP does the same at once.

The system tells of a change at once, on most file systems; looking at the files from time to time tells the truth on all of them.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from watchfiles import Change, awatch

from gateway.live import Live

log = structlog.get_logger()

POLL_SECONDS = 30.0
AGAIN_SECONDS = 5.0
"""After folders that could not be watched."""
KINDS = (".yaml", ".csv", ".conf", ".py", ".wsdl", ".xsd", ".pem", ".crt", ".cer", ".key")


def _relevant(_: Change, path: str) -> bool:
    return path.endswith(KINDS)


async def watch(live: Live, stop: asyncio.Event, *, debounce: int = 200) -> None:
    """Reload on every change until ``stop``. ``debounce``, in milliseconds, gathers the files of one save."""
    while not stop.is_set():
        try:
            await _watch(live, stop, debounce)
        except Exception as error:
            # A folder that is gone between two looks, or that may not be looked into: no reason to stop serving.
            log.error("files.unwatched", exc_info=error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN_SECONDS)


async def _watch(live: Live, stop: asyncio.Event, debounce: int) -> None:
    """Until ``stop``, or until other folders are to be watched."""
    folders = [folder for folder in live.snapshot.deployment.watched() if folder.is_dir()]
    changes = awatch(*folders, watch_filter=_relevant, debounce=debounce, step=50, stop_event=stop, recursive=False)
    async for _ in changes:
        await live.reload()
        if [folder for folder in live.snapshot.deployment.watched() if folder.is_dir()] != folders:
            break


async def poll(live: Live, stop: asyncio.Event, *, every: float = POLL_SECONDS) -> None:
    """Reload when the files say something else than when they were last read, until ``stop``."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
            return
        try:
            changed = await asyncio.to_thread(live.stale)
            if changed:
                await live.reload()
        except OSError as error:
            log.warning("files.unreadable", error=str(error))
        except Exception as error:
            log.error("files.unwatched", exc_info=error)
