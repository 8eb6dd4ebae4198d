"""The queue's own promises, with reviews that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString, cast

from reviewer.store.database import Database
from reviewer.store.ledger import PostgresLedger
from webhooks.attempts import Again, Attempt
from webhooks.jobs import Jobs
from webhooks.pull_review import PullReviews


class Told:
    """Reviews that begin, and end when they are let go."""

    def __init__(self, *, again: float | None = None) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        self._again = again

    async def run(self, repository: str, number: int, attempt: Attempt) -> None:
        self.begun += 1
        await self.go_on.wait()
        if self._again is not None and self.begun == 1:
            raise Again("not now", self._again)

    async def until(self, begun: int) -> None:
        async with asyncio.timeout(15):
            while self.begun < begun:  # noqa: ASYNC110 - what is waited for is seen from outside
                await asyncio.sleep(0.02)


@asynccontextmanager
async def working(database: Database, told: Told) -> AsyncIterator[Jobs]:
    jobs = Jobs(database.url, cast("PullReviews", told), ledger=PostgresLedger(database), ledger_days=30)
    async with jobs.app.open_async():
        worker = asyncio.create_task(jobs.work(4))
        try:
            yield jobs
        finally:
            told.go_on.set()
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker


async def want(database: Database, jobs: Jobs) -> None:
    async with database.connection() as connection:
        await jobs.want_review(connection, "octo/shop", 7)


async def rows(database: Database, statement: LiteralString) -> list[Any]:
    async with database.connection() as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


async def test_a_job_that_has_to_come_back_leaves_the_way_to_the_next_one(database):
    told = Told(again=600)
    async with working(database, told) as jobs:
        await want(database, jobs)
        await told.until(1)
        await want(database, jobs)
        told.go_on.set()
        await told.until(2)


async def test_of_many_wishes_during_a_run_one_job_waits(database):
    told = Told()
    async with working(database, told) as jobs:
        await want(database, jobs)
        await told.until(1)
        for _ in range(5):
            await want(database, jobs)

        (waiting,) = await rows(
            database, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'review' AND status = 'todo'"
        )
        assert waiting == (1,)
