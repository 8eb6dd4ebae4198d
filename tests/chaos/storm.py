"""A storm from its first push to the silence after it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos import evidence, history, plan
from tests.chaos.people import People
from tests.chaos.postgres import Postgres
from tests.chaos.record import Record
from tests.chaos.scene import STALLED_SECONDS, Scene, opened
from tests.chaos.weather import Trouble, Weather, usual
from tests.chaos.workers import Worker

_DOWN_SECONDS = (0.3, 2.0)
_LONGER_THAN_STALLED = (1.0, 3.0)
_VICTIM_SECONDS = 3.0
_LOOK_SECONDS = 0.05
_QUIET_LOOK_SECONDS = 0.5
_QUIET_LOOKS = 4


@dataclass(frozen=True, slots=True)
class Script:
    """What is to happen.

    Attributes:
        kills, stops: how often a worker is killed, or stopped for longer than the stalled limit.
        restarts: how often the database is restarted, if it is one that can be.
        quiet_seconds: how long the workers get for the rest when nothing goes wrong any more.
        rates, eager: the chance of each trouble at one call, and what is added to it until it comes.
    """

    seed: int
    sizes: plan.Sizes
    kills: int
    stops: int
    restarts: int = 0
    quiet_seconds: float = 60.0
    rates: Mapping[Trouble, float] = field(default_factory=usual)
    eager: float = 0.0


@dataclass
class _Storm:
    """A storm under way; whoever disturbs a worker has it alone."""

    scene: Scene
    postgres: Postgres | None
    dice: random.Random
    _disturbed: set[str] = field(default_factory=set[str])

    async def kill(self) -> None:
        """kill -9 in the midst of work, and a new start on the same port."""
        async with self._victim() as victim:
            await victim.kill()
            await asyncio.sleep(self.dice.uniform(*_DOWN_SECONDS))
            await victim.start()

    async def keep(self) -> None:
        """Workers that end of themselves are started again, for ever."""
        while True:
            for worker in self.scene.workers:
                if worker.name not in self._disturbed:
                    await worker.keep()
            await asyncio.sleep(_QUIET_LOOK_SECONDS)

    async def stop(self) -> None:
        """SIGSTOP in the midst of work, until others must have taken it over."""
        async with self._victim() as victim:
            await victim.pause(STALLED_SECONDS + self.dice.uniform(*_LONGER_THAN_STALLED))

    async def restart(self) -> None:
        """A database that is away for a moment."""
        if self.postgres is not None:
            mode = self.dice.choice(("fast", "immediate"))
            await self.postgres.restart(mode, away=self.dice.uniform(0.5, 2.0))

    @asynccontextmanager
    async def _victim(self) -> AsyncGenerator[Worker]:
        """A worker that is in the midst of a call, or any if none is for a while."""
        victim, until = None, time.monotonic() + _VICTIM_SECONDS
        while victim is None:
            await asyncio.sleep(_LOOK_SECONDS)
            free = [worker for worker in self.scene.workers if worker.name not in self._disturbed]
            victim = next((worker for worker in free if self._is_in_a_call(worker)), None)
            if victim is None and free and time.monotonic() > until:
                victim = self.dice.choice(free)
        self._disturbed.add(victim.name)
        try:
            yield victim
        finally:
            self._disturbed.discard(victim.name)

    def _is_in_a_call(self, worker: Worker) -> bool:
        return any(
            asked.worker == worker.name and time.time() - asked.at < 1 and asked.answer.ended_at is None
            for asked in self.scene.model.asked[-8:]
        )


async def rage(script: Script, *, folder: Path, url: str, postgres: Postgres | None = None) -> Record:
    """Let a storm happen, wait until all is quiet, and give what is known of it.

    Args:
        script: what is to happen.
        folder: takes repositories, data and logs.
        url: of the database; `postgres` is its server, if that is to be restarted.
    """
    began = time.time()
    pulls = plan.make(script.seed, script.sizes)
    written = await asyncio.to_thread(history.write, folder, pulls)
    async with opened(folder, url, Weather(script.seed, script.rates, script.eager)) as scene:
        people = People(scene.sandbox, written)
        storm = _Storm(scene, postgres, random.Random(script.seed + 1))
        keeping = asyncio.create_task(storm.keep())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(people.act(pulls))
                for at, disturbance in _disturbances(storm, script):
                    tasks.create_task(_after(at, disturbance))
            scene.weather.calm()
            rages = time.time() - began
            sources = evidence.Sources(scene, people, pulls, postgres)
            record = await _when_quiet(sources, script.quiet_seconds)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
    return evidence.with_figures(sources, record, rages=rages, seconds=time.time() - began)


def _disturbances(storm: _Storm, script: Script) -> Iterator[tuple[float, Coroutine[Any, Any, None]]]:
    """Each at its time: spread evenly, with some chance."""
    kinds = [storm.kill] * script.kills + [storm.stop] * script.stops + [storm.restart] * script.restarts
    storm.dice.shuffle(kinds)
    for number, kind in enumerate(kinds):
        place = (number + storm.dice.uniform(0.3, 0.9)) / len(kinds)
        yield place * script.sizes.seconds, kind()


async def _after(seconds: float, act: Coroutine[Any, Any, None]) -> None:
    await asyncio.sleep(seconds)
    await act


async def _when_quiet(sources: evidence.Sources, seconds: float) -> Record:
    """What is known when nothing is open any more for some looks, or when the time is over."""
    until, quiet = time.monotonic() + seconds, 0
    while True:
        try:
            record = await evidence.gather(sources)
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(_QUIET_LOOK_SECONDS)
            continue
        quiet = 0 if record.open_matters else quiet + 1
        if quiet == _QUIET_LOOKS or time.monotonic() > until:
            return record
        await asyncio.sleep(_QUIET_LOOK_SECONDS)
