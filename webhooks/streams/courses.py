"""What one stream tells, and to whom."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from reviewer.core.audience import Audience
from reviewer.errors import StoreUnavailable
from reviewer.store.feed import Filter, Tail
from webhooks.callers import Caller


class Rights(Protocol):
    """What knows callers."""

    async def again(self, caller: Caller) -> Caller | None:
        """The same caller with what they may do by now; None if they may nothing any more."""
        ...


@dataclass(slots=True)
class Course:
    """What one stream tells, and whether it has come to its end.

    Attributes:
        after: the position it begins behind.
        opening: bytes that come first.
        follow: whether it goes on once all that is there has been told.
        audience: of the one review that it tells, with which it ends.
        ended: nobody who leaves now misses anything that they can't come back for.
    """

    caller: Caller
    wanted: Filter
    after: int
    opening: bytes = b""
    follow: bool = True
    audience: Audience | None = None
    ended: bool = False


class Checks:
    """When to look anew at what the caller of one stream may see, and what follows from it."""

    def __init__(self, access: Rights, course: Course, tail: Tail, seconds: float) -> None:
        self.due = False
        self._access = access
        self._course = course
        self._tail = tail
        self._seconds = seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def stop(self) -> None:
        """No further check."""
        self._timer.cancel()

    async def still_allowed(self) -> bool:
        """Narrow, or widen, the stream to what its caller may see by now; False: nothing any more."""
        self.due = False
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ring)
        try:
            caller = await self._access.again(self._course.caller)
        except StoreUnavailable:
            return True  # there is nothing new to be seen either
        audience = self._course.audience
        if caller is None or (audience is not None and not caller.sight.sees(audience)):
            return False
        self._course.caller = caller
        self._tail.wanted = replace(self._tail.wanted, sight=caller.sight)
        return True

    def _ring(self) -> None:
        self.due = True
        self._tail.bell.set()
