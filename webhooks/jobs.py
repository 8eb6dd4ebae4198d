"""The queue: who runs, and when. What is to be done stands in the tables of wishes and reviews alone.

A job says only that a pull request or a posted review needs work, so it may be lost or doubled without harm:
whatever needs work and has no job is given one within a second. Each installation, and each key that posts,
has so many jobs in the queue and no more, so that nobody waits behind the five hundred reviews of another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job, Status
from procrastinate.retry import RetryStrategy
from procrastinate.tasks import Task
from procrastinate.types import JSONValue
from procrastinate.worker import Worker
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from reviewer.errors import StoreUnavailable
from reviewer.store.database import Database, reconnecting
from reviewer.store.queries import query

_POLL_SECONDS = 0.3  # a job that waits for its pull request's lock is not notified when the lock is freed
_LOOK_SECONDS = 1.0
_BREATH_SECONDS = 0.02
_BREATHS = 10  # looks take a tenth of the time at most
_RETRY_SECONDS = 60
_MOST_TRIES = 1_000
_SQL = ("webhooks.sql", "jobs.sql")

_log = structlog.get_logger("sluice.jobs")


@dataclass(frozen=True, slots=True)
class Tasks:
    """What jobs do.

    Attributes:
        review: whatever a pull request needs, by its repository's number and its own.
        forget: delete what was kept of an installation, or of some of its repositories, at a time.
        daily: delete what is old.
        posted: bring on a posted review, by its id.
    """

    review: Callable[[int, int], Awaitable[None]]
    forget: Callable[[int, Sequence[int] | None, datetime | None], Awaitable[None]]
    daily: Callable[[], Awaitable[None]]
    posted: Callable[[str], Awaitable[None]]


class Jobs:
    """The procrastinate app and its tasks, which are thin."""

    def __init__(
        self,
        database: Database,
        *,
        per_installation: int,
        stalled_seconds: float,
        drain_seconds: float,
    ) -> None:
        self._database = database
        self._per_installation = per_installation
        self._stalled_seconds = stalled_seconds
        self._drain_seconds = drain_seconds
        self._tasks: Tasks | None = None
        self._running: set[int] = set()
        self._workers: set[int] = set()
        self._news = asyncio.Event()
        self.app = procrastinate.App(connector=_connector(database.url))

        @self.app.task(name="review", pass_context=True)
        async def review(context: JobContext, *, repository_id: int, number: int, installation: int) -> None:
            work = self._known_tasks().review(repository_id, number)
            await self._run(context.job, work, installation=installation)

        @self.app.task(name="posted", pass_context=True)
        async def posted(context: JobContext, *, review: str, api_key: str) -> None:
            await self._run(context.job, self._known_tasks().posted(review), api_key=api_key)

        # Nobody else would ever ask for it again
        @self.app.task(name="forget", retry=RetryStrategy(max_attempts=_MOST_TRIES, wait=_RETRY_SECONDS))
        async def forget(
            *, installation: int, repository_ids: list[int] | None, before: str | None = None
        ) -> None:
            at = None if before is None else datetime.fromisoformat(before)
            await self._known_tasks().forget(installation, repository_ids, at)

        @self.app.periodic(cron="17 3 * * *")
        @self.app.task(name="daily", queueing_lock="daily")
        async def daily(timestamp: int) -> None:  # noqa: ARG001 - procrastinate gives it
            await self._known_tasks().daily()

        self._review_task = review
        self._posted_task = posted
        self._forget_task = forget

    def wake(self) -> None:
        """Have jobs given at once to what has just been committed; else it takes up to a second."""
        self._news.set()

    async def dispatch(
        self,
        connection: AsyncConnection,
        *,
        installation: int | None = None,
        api_key: str | None = None,
        ending: int | None = None,
    ) -> None:
        """Give jobs to what needs work, on the caller's transaction.

        Args:
            connection: of the transaction.
            installation: only for this one; with neither: for all.
            api_key: only for this key's posted reviews.
            ending: a job that is about to end and counts no more.
        """
        await connection.execute(query(*_SQL, "alone"))
        values = {"ending": ending, "per_installation": self._per_installation}
        if api_key is None:
            cursor = await connection.execute(query(*_SQL, "due"), {**values, "installation": installation})
            for repository_id, number, owner in await cursor.fetchall():
                args: dict[str, JSONValue] = {"repository_id": repository_id, "number": number}
                args["installation"] = owner
                await _defer(connection, self._review_task, _lock(repository_id, number), args)
        if installation is None:
            cursor = await connection.execute(query(*_SQL, "due_posted"), {**values, "api_key": api_key})
            for review, key in await cursor.fetchall():
                args = {"review": review, "api_key": key}
                await _defer(connection, self._posted_task, _posted_lock(review), args)

    async def stop_running(self, connection: AsyncConnection, repository_id: int, number: int) -> None:
        """Have what runs for a pull request cancelled, in whichever process, when the caller commits."""
        values = {"lock": _lock(repository_id, number)}
        await connection.execute(query(*_SQL, "stop_running"), values)

    async def stop_posted(self, connection: AsyncConnection, review: str) -> None:
        """The same for a posted review."""
        await connection.execute(query(*_SQL, "stop_running"), {"lock": _posted_lock(review)})

    async def want_forgotten(
        self, connection: AsyncConnection, installation: int, repository_ids: Sequence[int] | None = None
    ) -> None:
        """Have what is kept deleted, once the caller commits; not what is wanted after that, however late
        the job is: who was taken out may be back by then. The caller holds the repositories' locks.
        """
        cursor = await connection.execute("SELECT clock_timestamp()")
        row = await cursor.fetchone()
        before = None if row is None else row[0].isoformat()
        deferrer = self._forget_task.configure(connection=connection)
        wanted: list[JSONValue] | None = None if repository_ids is None else list(repository_ids)
        await deferrer.defer_async(installation=installation, repository_ids=wanted, before=before)

    async def work(self, tasks: Tasks, concurrency: int) -> None:
        """Run jobs until cancelled, or until the database is lost: whoever called calls again.

        When cancelled, it lets what runs end for a while, and hands back the rest.
        """
        self._tasks = tasks
        try:
            await self._worker(concurrency).run()
        except (ConnectorException, psycopg.Error) as error:
            _log.warning("the worker lost the database", reason=str(error).strip())

    async def look_after(self) -> None:
        """See to it that nothing is forgotten, whatever became of the jobs; until cancelled."""
        looked = breath = 0.0
        unknown: set[int] = set()
        while True:
            await self._next_look(breath)
            began = time.monotonic()
            try:
                async with self._database.connection() as connection:
                    await connection.execute(query(*_SQL, "hasty"))
                    await self.dispatch(connection)
                if time.monotonic() - looked > self._stalled_seconds / 6:
                    looked = time.monotonic()
                    await self._take_over()
                    unknown = await self._end_unknown(unknown)
            except (StoreUnavailable, ConnectorException, psycopg.Error) as error:
                _log.warning("jobs can't be looked after", reason=str(error).strip())
            # In a burst of news one look does for many, the more the longer it takes
            breath = max(_BREATH_SECONDS, (time.monotonic() - began) * _BREATHS)

    async def _next_look(self, breath: float) -> None:
        """Wait until there is something to do, or may be."""
        await asyncio.sleep(min(breath, _LOOK_SECONDS))
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._news.wait()
        self._news.clear()

    def _worker(self, concurrency: int) -> Worker:
        return Worker(
            app=self.app,
            concurrency=concurrency,
            install_signal_handlers=False,
            fetch_job_polling_interval=_POLL_SECONDS,
            abort_job_polling_interval=_LOOK_SECONDS,
            shutdown_graceful_timeout=self._drain_seconds,
            delete_jobs="always",
            update_heartbeat_interval=self._stalled_seconds / 3,
            # Jobs of dead workers are found by their workers' old heartbeats; pruned workers have none
            stalled_worker_timeout=self._stalled_seconds * 10,
        )

    async def _run(self, job: Job, work: Awaitable[None], **owner: Any) -> None:
        """Do a job's work; `owner` is whose it is, as `dispatch` takes it."""
        if job.id is None:
            raise AssertionError("a job runs that nobody fetched")
        if job.worker_id is not None:
            self._workers.add(job.worker_id)
        self._running.add(job.id)
        try:
            await work
        finally:
            self._running.discard(job.id)
            # Its own, if there is more to do, and one that waited behind it
            with suppress(StoreUnavailable, ConnectorException):
                async with self._database.connection() as connection:
                    await self.dispatch(connection, **owner, ending=job.id)

    def _known_tasks(self) -> Tasks:
        if self._tasks is None:
            raise AssertionError("a job runs in a process that does not work")
        return self._tasks

    async def _take_over(self) -> None:
        """End the reviews of dead workers; the next look gives them new jobs. Other tasks run again."""
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=self._stalled_seconds):
            _log.warning("taking over the job of a dead worker", job=job.id)
            with suppress(ConnectorException):  # somebody else was first
                if job.task_name in {self._review_task.name, self._posted_task.name}:
                    await manager.finish_job(job, status=Status.FAILED, delete_job=True)
                else:
                    await manager.retry_job(job)

    async def _end_unknown(self, before: set[int]) -> set[int]:
        """End jobs that count as run by a worker of this process, though none runs them: twice seen so.

        A database that went away just as a job ended leaves such behind.
        """
        async with self._database.connection() as connection:
            values: dict[str, Any] = {"workers": list(self._workers)}
            cursor = await connection.execute(query(*_SQL, "running_here"), values)
            unknown = {row[0] for row in await cursor.fetchall()} - self._running
        for job in unknown & before:
            _log.warning("ending a job that nobody runs", job=job)
            with suppress(ConnectorException):
                await self.app.job_manager.finish_job_by_id_async(job, Status.FAILED, delete_job=True)
        return unknown - before


def _connector(url: str) -> procrastinate.PsycopgConnector:
    return procrastinate.PsycopgConnector(conninfo=_hasty(url), **reconnecting())


def _hasty(url: str) -> str:
    """The database for what may be lost when the machine fails: no job waits for its disk."""
    options = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{options} -c synchronous_commit=off".strip())


async def _defer(
    connection: AsyncConnection, task: Task[..., Any, Any], lock: str, args: dict[str, JSONValue]
) -> None:
    deferrer = task.configure(lock=lock, queueing_lock=lock, connection=connection)
    with suppress(AlreadyEnqueued):
        async with connection.transaction():  # the refusal must not undo what the caller has done
            await deferrer.defer_async(**args)


def _lock(repository_id: int, number: int) -> str:
    return f"{repository_id}#{number}"


def _posted_lock(review: str) -> str:
    return f"posted {review}"
