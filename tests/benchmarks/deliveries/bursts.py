"""Bursts at the receiver: how soon deliveries are acknowledged, and whether what was acknowledged is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from psycopg import AsyncConnection

from tests.benchmarks.deliveries import github, sender, service
from tests.benchmarks.deliveries.schedule import Burst
from tests.benchmarks.deliveries.search import highest
from tests.benchmarks.deliveries.sender import Answers
from tests.benchmarks.deliveries.service import Postgres

RATE = 200.0
SECONDS = 10.0
WARM_UP_SECONDS = 3.0
TRIAL_SECONDS = 4.0
FIRST_RATE, MOST_RATE = 12.5, 3_200.0


@dataclass(frozen=True, slots=True)
class Beside:
    """What was there when all bursts were over: GitHub's held requests, waiting jobs and failed reviews."""

    held: int
    waiting: int
    failed: int


class Receiver:
    """A running app whose reviews stand still, since its GitHub is silent."""

    path = "/webhooks/github"

    def __init__(self, url: str, database: str, stand_in: github.GitHub) -> None:
        self._url = url
        self._database = database
        self._github = stand_in
        self._runs = count(1)

    async def take(self, *, rate: float, seconds: float, repeated: float = 0.0) -> Answers:
        """A burst of deliveries that it has not seen; nothing of it is left for the next one to wait for."""
        burst = Burst(next(self._runs), rate, seconds, repeated)
        answers = await sender.send(self._url + self.path, burst)
        await service.settle(f"{self._url}/livez")
        return answers

    async def missing(self, answers: Answers) -> int:
        """Acknowledged deliveries that are not in the database."""
        guids = [delivery.guid for delivery in answers.deliveries]
        async with await AsyncConnection.connect(self._database) as connection:
            rows = await connection.execute("SELECT guid FROM deliveries WHERE guid = ANY(%s)", (guids,))
            return len(set(guids) - {guid for (guid,) in await rows.fetchall()})

    async def beside(self) -> Beside:
        """What runs beside it."""
        jobs = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'review'"
        ended = "SELECT count(*) FROM events WHERE type IN ('review.failed', 'review.postponed')"
        async with await AsyncConnection.connect(self._database) as connection:
            counts = [await (await connection.execute(query)).fetchone() for query in (jobs, ended)]
        waiting, failed = (row[0] if row else 0 for row in counts)
        return Beside(self._github.held, waiting, failed)

    async def highest_rate(self, most: float) -> float:
        """Deliveries a second at which p99 is still at most so many milliseconds."""

        async def holds(rate: float) -> bool:
            return (await self.take(rate=rate, seconds=TRIAL_SECONDS)).percentile(99) <= most

        return await highest(holds, first=FIRST_RATE, most=MOST_RATE)


@asynccontextmanager
async def receiving(postgres: Postgres) -> AsyncGenerator[Receiver]:
    """An app on a new database, warmed up."""
    database = await asyncio.to_thread(postgres.create_database)
    async with (
        github.running() as stand_in,
        service.sluice(database, stand_in.url, postgres.folder) as server,
    ):
        receiver = Receiver(server.url, database, stand_in)
        await receiver.take(rate=RATE / 2, seconds=WARM_UP_SECONDS)
        yield receiver
