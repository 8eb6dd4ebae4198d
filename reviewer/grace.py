"""What a cancelled task still brings to its end: short work that nobody else will do, such as booking a call.

Whoever cancels waits for that, so it is bounded; and it survives a further cancellation, as by a worker that
shuts down just after a push has cancelled a review.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

DEAF_SECONDS = 5.0
"""After so long without an end a cancellation was not heard."""

GRACE_SECONDS = 3.0
"""How long it may take; a database that does not answer by then is not waited for."""


async def outlast(work: Coroutine[Any, Any, T]) -> T:
    """What comes of work that ends, within the grace, before a cancellation of its caller goes up."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await finish(task)
        raise
    return task.result()


async def finish(task: asyncio.Task[Any]) -> BaseException | None:
    """Wait for a task within the grace, however often the caller is cancelled; for one that is already.

    Returns:
        Why the task did not end well; a task that took too long is cancelled, and left to itself.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE_SECONDS
    while not task.done() and (left := deadline - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=left)
    if task.done():
        return asyncio.CancelledError() if task.cancelled() else task.exception()
    task.add_done_callback(_heard)
    task.cancel()
    return TimeoutError(f"it took more than {GRACE_SECONDS:g} s")


async def stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and again where that was not heard, until it has ended; how it ended is not told.

    Before Python 3.12 `asyncio.wait_for`, by which pools hand out connections, may swallow a cancellation.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=DEAF_SECONDS)
    _heard(task)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], name: str) -> AsyncGenerator[None]:
    """Let work go on while the block runs, and no longer."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        await stop(task)


def _heard(task: asyncio.Task[Any]) -> None:
    """Take note of how it ended, else the loop complains that nobody has."""
    if not task.cancelled():
        task.exception()
