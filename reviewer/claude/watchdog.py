"""Ends a try that stands still: no first token, no further one, or no end in time.

The transport's own time-out is none of these: a server's pings keep it quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reviewer.errors import StreamCut


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds.

    Attributes:
        first_token: from the request to the first token; a model may think before it writes.
        idle: from one event of the stream to the next.
        total: from the request to the end of the answer.
        longest_wait: between two tries at most; a server that asks for more is not asked again.
    """

    first_token: float = 180.0
    idle: float = 60.0
    total: float = 600.0
    longest_wait: float = 60.0


class Watchdog:
    """Told of every event, it looks at the clock by itself: an event costs no timer."""

    def __init__(self, patience: Patience, bound: asyncio.Timeout) -> None:
        self._patience = patience
        self._bound = bound
        self._loop = asyncio.get_running_loop()
        self._allowed = patience.first_token
        self._what = "no first token came"
        self._begun = False
        self._heard = self._loop.time()
        self.verdict = f"the model did not finish within {patience.total:g} s"
        self._timer = self._loop.call_at(self._heard + self._allowed, self._look)

    def heard(self, now: float, *, token: bool) -> None:
        """Something came at `now`, by the loop's clock; before the first token nothing else counts."""
        if not (token or self._begun):
            return
        self._heard = now
        if not self._begun:
            self._begun = True
            self._allowed, self._what = self._patience.idle, "the model's answer stood still"
            self._timer.cancel()
            self._timer = self._loop.call_at(now + self._allowed, self._look)

    def end(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        due = self._heard + self._allowed
        now = self._loop.time()
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
            return
        self.verdict = f"{self._what} for {self._allowed:g} s"
        self._bound.reschedule(now)


@asynccontextmanager
async def watching(patience: Patience) -> AsyncGenerator[Watchdog]:
    """A try within the block.

    Raises:
        StreamCut: it stood still.
    """
    watchdog: Watchdog | None = None
    try:
        async with asyncio.timeout(patience.total) as bound:
            watchdog = Watchdog(patience, bound)
            yield watchdog
    except TimeoutError as error:
        raise StreamCut(watchdog.verdict if watchdog else "the model did not answer in time") from error
    finally:
        if watchdog is not None:
            watchdog.end()
