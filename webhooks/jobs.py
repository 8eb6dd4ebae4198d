"""The queue: one job a pull request runs, at most one waits, and the waiting one reads the newest head."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from psycopg import AsyncConnection

from reviewer.store.ledger import PostgresLedger
from reviewer.store.queries import query, text
from webhooks.attempts import Again, Attempt, Waits
from webhooks.pull_review import PullReviews

if TYPE_CHECKING:
    from procrastinate.job_context import JobContext

_POLL_SECONDS = 0.5  # a job that waits for its pull request's lock is not notified when the lock is freed
_STALLED_SECONDS = 30.0  # without a heartbeat a worker is taken for dead

_SQL = ("webhooks.sql", "jobs.sql")
_log = structlog.get_logger("sluice.jobs")


class Jobs:
    """The procrastinate app and its tasks, which are thin: the work is in `PullReviews`."""

    def __init__(
        self, database_url: str, reviews: PullReviews, *, ledger: PostgresLedger, ledger_days: int
    ) -> None:
        connector = procrastinate.PsycopgConnector(conninfo=database_url)
        self.app = procrastinate.App(connector=connector)

        @self.app.task(name="review", retry=Waits(), pass_context=True)
        async def review(context: JobContext, *, repository: str, number: int) -> None:
            await self._let_next_wait(context)
            try:
                await reviews.run(repository, number, Attempt(context.job.attempts))
            except Again:
                if not await self._next_waits(context):
                    raise

        @self.app.periodic(cron="* * * * *")
        @self.app.task(name="take_over", queueing_lock="take_over", pass_context=True)
        async def take_over(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - procrastinate gives it
            manager = context.app.job_manager
            await manager.connector.execute_query_async(text(*_SQL, "drop_blocking"))
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
                _log.warning("taking over the job of a dead worker", job=job.id)
                try:
                    await manager.retry_job(job)
                except ConnectorException:  # the next job waits already, and does its work; or it is no more
                    with suppress(ConnectorException):
                        await manager.finish_job(job, status=Status.FAILED, delete_job=False)

        @self.app.periodic(cron="17 3 * * *")
        @self.app.task(name="expire", queueing_lock="expire")
        async def expire(timestamp: int) -> None:  # noqa: ARG001 - procrastinate gives it
            gone = await ledger.expire(ledger_days)
            _log.info("ledger entries expired", entries=gone, days=ledger_days)

        self._review = review

    async def _let_next_wait(self, context: JobContext) -> None:
        """A job that runs gives up its place in the queue: should it come back, another may wait there.

        What is left of it, its lock, lets the two run one after the other.
        """
        connector = context.app.job_manager.connector
        await connector.execute_query_async(text(*_SQL, "give_up_place"), id=context.job.id)

    async def _next_waits(self, context: JobContext) -> bool:
        """Whether another job of the pull request waits: it reviews the newest head, and at once."""
        connector = context.app.job_manager.connector
        row = await connector.execute_query_one_async(text(*_SQL, "next_waits"), lock=context.job.lock)
        return bool(row["waits"])

    async def want_review(self, connection: AsyncConnection, repository: str, number: int) -> None:
        """Defer a review on the caller's transaction; one that waits for its turn already is enough.

        One that waits for the model is replaced: what is wanted now is wanted at once, with all its attempts.
        """
        key = f"{repository}#{number}"
        await connection.execute(query(*_SQL, "drop_postponed"), {"key": key})
        deferrer = self._review.configure(lock=key, queueing_lock=key, connection=connection)
        with suppress(AlreadyEnqueued):
            async with connection.transaction():  # the refusal must not undo what the caller has done
                await deferrer.defer_async(repository=repository, number=number)

    async def work(self, concurrency: int) -> None:
        """Run jobs until cancelled."""
        await self.app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs="successful",
        )
