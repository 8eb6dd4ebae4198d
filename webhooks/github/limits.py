"""The gate of each installation: what GitHub's limits let through, and when.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and, for one write at a time,
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from reviewer.errors import ForgeRateLimited

LONGEST_WAIT_SECONDS = 30.0
"""A request that would wait longer is refused at once, so that its job is put off and no worker held."""
FIRST_PENALTY_SECONDS = 60.0
"""After a limit that does not say how long; doubled each time it is met again."""
LONGEST_PENALTY_SECONDS = 1_800.0

REQUESTS_AT_ONCE = 10
POINTS_A_MINUTE = 900
READ_POINTS = 1
WRITE_POINTS = 5
WRITES_A_MINUTE = 80
WRITES_AN_HOUR = 500

_MINUTE = 60.0
_HOUR = 3_600.0


class Pacing(Protocol):
    """When an installation may be written to, and whether anything may be sent to it at all.

    Whoever shares an installation's limits shares its pacing, other processes too.
    """

    async def turn(self, installation: int) -> float:
        """Seconds until this caller's next write may begin; reserves it.

        A turn further away than `LONGEST_WAIT_SECONDS` is told but not reserved: the caller gives up.
        """
        ...

    async def close(self, installation: int, seconds: float) -> None:
        """Nothing is sent for so long; a shorter time does not cut a longer one."""
        ...

    async def closed(self, installation: int) -> float:
        """Seconds for which nothing may be sent; 0: it is open."""
        ...


class LocalPacing:
    """Pacing of one process."""

    def __init__(
        self,
        write_seconds: float = 1.0,
        *,
        writes_a_minute: int = WRITES_A_MINUTE,
        writes_an_hour: int = WRITES_AN_HOUR,
    ) -> None:
        self._write_seconds = write_seconds
        self._windows = ((writes_a_minute, _MINUTE), (writes_an_hour, _HOUR))
        most = max(writes_a_minute, writes_an_hour)
        self._turns: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=most))
        self._opens: dict[int, float] = {}

    async def turn(self, installation: int) -> float:
        """See `Pacing`."""
        now, turns = _now(), self._turns[installation]
        begins = max(now, turns[-1] + self._write_seconds) if turns else now
        for most, seconds in self._windows:
            if len(turns) >= most:
                begins = max(begins, turns[-most] + seconds)
        if begins - now <= LONGEST_WAIT_SECONDS:
            turns.append(begins)
        return begins - now

    async def close(self, installation: int, seconds: float) -> None:
        """See `Pacing`."""
        self._opens[installation] = max(self._opens.get(installation, 0.0), _now() + seconds)

    async def closed(self, installation: int) -> float:
        """See `Pacing`."""
        return max(self._opens.get(installation, 0.0) - _now(), 0.0)


class Unpaced(LocalPacing):
    """Closes as GitHub says, but spaces no writes: for a sandbox, not for GitHub."""

    def __init__(self) -> None:
        super().__init__(0.0, writes_a_minute=1_000_000, writes_an_hour=1_000_000)


@dataclass(slots=True)
class _Gate:
    """What is under way for one installation."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REQUESTS_AT_ONCE))
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    points: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    penalties: int = 0
    penalised_at: float = -1.0
    penalised_write: bool = False

    def busy(self, *, write: bool) -> bool:
        """Whether a request would have to wait for others to end."""
        return self.slots.locked() or (write and self.writing.locked())

    def spend(self, points: int) -> float:
        """Spend points of the last minute, or tell the seconds until there are enough."""
        now = _now()
        while self.points and self.points[0][0] <= now - _MINUTE:
            self.points.popleft()
        over = sum(spent for _, spent in self.points) + points - POINTS_A_MINUTE
        for moment, spent in self.points:
            if over <= 0:
                break
            over -= spent
            if over <= 0:
                return moment + _MINUTE - now
        self.points.append((now, points))
        return 0.0


class Passage:
    """A request that was let through; who sent it tells how that ended."""

    def __init__(self, gate: _Gate, pacing: Pacing, installation: int, *, write: bool) -> None:
        self._gate = gate
        self._pacing = pacing
        self._installation = installation
        self._write = write
        self._began = _now()

    @property
    def penalty(self) -> float:
        """Seconds to wait after a limit that names none."""
        return min(FIRST_PENALTY_SECONDS * 2**self._gate.penalties, LONGEST_PENALTY_SECONDS)

    async def limited(self, seconds: float, *, named: bool) -> None:
        """GitHub answered that a limit is reached; `named`: it said for how long."""
        # Requests that were under way together meet one limit together
        if not named and self._began > self._gate.penalised_at:
            self._gate.penalties += 1
            self._gate.penalised_at = _now()
            self._gate.penalised_write = self._write
        await self._pacing.close(self._installation, seconds)

    async def done(self, spent_for: float | None = None) -> None:
        """GitHub did what was asked; `spent_for`: that was the last request for so many seconds."""
        if self._began > self._gate.penalised_at and (self._write or not self._gate.penalised_write):
            self._gate.penalties = 0
        if spent_for is not None:
            await self._pacing.close(self._installation, spent_for)


class Gates:
    """A gate for each installation; what happens to one slows no other."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._gates: defaultdict[int, _Gate] = defaultdict(_Gate)

    @asynccontextmanager
    async def passing(
        self, installation: int, *, points: int = READ_POINTS, write: bool = False
    ) -> AsyncGenerator[Passage]:
        """Wait until a request may be sent, and hold its place while it is.

        Raises:
            ForgeRateLimited: it would wait over `LONGEST_WAIT_SECONDS`.
        """
        gate = self._gates[installation]
        async with AsyncExitStack() as stack:
            if gate.busy(write=write):
                await self._until_open(installation)
            if write:
                await stack.enter_async_context(gate.writing)
            await stack.enter_async_context(gate.slots)
            await self._until_open(installation)
            await self._until_points(gate, points)
            if write:
                await _wait(await self._pacing.turn(installation), "its writes are paced")
                await self._until_open(installation)
            yield Passage(gate, self._pacing, installation, write=write)

    async def _until_open(self, installation: int) -> None:
        while (seconds := await self._pacing.closed(installation)) > 0:
            await _wait(seconds, "GitHub asked to wait")

    async def _until_points(self, gate: _Gate, points: int) -> None:
        while (seconds := gate.spend(points)) > 0:
            await _wait(seconds, "its requests of the last minute are spent")


async def _wait(seconds: float, reason: str) -> None:
    if seconds > LONGEST_WAIT_SECONDS:
        raise ForgeRateLimited(
            f"nothing is sent to GitHub for this installation for {seconds:.0f} s: {reason}",
            status=429,
            retry_after=seconds,
        )
    await asyncio.sleep(seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
