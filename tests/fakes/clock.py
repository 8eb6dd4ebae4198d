"""An event loop whose clock jumps over waits, so that hours of them take no time and are seen exactly.

`loop.time()` begins at 0 and stands still while anything runs. Once nothing is ready and only timers wait, it
is set to the next timer. Sockets are real, but whoever is at the other end must live on this loop: another
process does not get its time to answer. Work in an executor's threads is waited for, and takes no time.

`@jumping` runs one async test on such a loop. Async fixtures would live on
another; a folder whose tests need them has `pytest_asyncio_loop_factories` in its conftest give this one.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""The time of day, as `LoopClock` has it, at which every loop begins."""

_GRACE_SECONDS = 0.002
"""Real time for what is under way on loopback or from a thread, granted twice before each jump."""
_PATIENCE_SECONDS = 30.0
"""Real time after which a loop on which nothing can happen any more is a test that hangs."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._at_work = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._seconds

    @property
    def threads_at_work(self) -> bool:
        """Whether anything runs in an executor."""
        return self._at_work > 0

    def jump(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        # A sum of floats would be seen; the loop takes a timer for due that is off by less than this
        self._seconds = round(self._seconds + seconds, 9)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._at_work += 1
        future.add_done_callback(self._worked)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the loop's own
        # Threads end in real time: a time-out of this loop's would always be too short
        await super().shutdown_default_executor()

    def _worked(self, _: asyncio.Future[Any]) -> None:
        self._at_work -= 1


class _JumpingSelector(selectors.BaseSelector):
    """A selector that jumps instead of waiting."""

    def __init__(self, loop: JumpingLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._real.select(0)
        if timeout is None or self._loop.threads_at_work:
            ready = self._real.select(_PATIENCE_SECONDS)
            if not ready:
                raise RuntimeError("nothing has happened on the loop for too long")
            return ready
        ready = self._real.select(_GRACE_SECONDS) or self._real.select(_GRACE_SECONDS)
        if not ready:
            self._loop.jump(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class LoopClock:
    """The running loop's time as the `Clock` that the pipeline asks for."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine gives, run on a loop of its own."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)


def jumping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make of an async test a plain one that runs on a jumping loop; fixtures and parameters stay."""

    @functools.wraps(test)
    def plain(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return plain
