"""Work that goes on as long as the process does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

_RESTART_SECONDS = 1.0

_log = structlog.get_logger("sluice.background")


@asynccontextmanager
async def running(works: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncGenerator[None]:
    """Keep works going, by name, while the block runs; each then has the time it takes to end."""
    tasks = [asyncio.create_task(_keep(name, work), name=name) for name, work in works.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - the jobs' boundary: a process that only receives helps nobody
            _log.exception("began again after a fault", work=name)
        if _is_cancelled():  # what broke while the work was cancelled took the cancellation's place
            raise asyncio.CancelledError
        await asyncio.sleep(_RESTART_SECONDS)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
