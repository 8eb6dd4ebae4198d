"""Deliveries into the database: those that come together are committed together.

Each waits for a commit of its own no longer than for one that it shares, and the disk is asked once for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg_pool import PoolTimeout

from reviewer.store.database import Database
from webhooks.jobs import Jobs
from webhooks.news import Handled, InstallationGone, PersonGone, PullRequestChanged, RepositoriesGone
from webhooks.records import Delivery, store_delivery
from webhooks.wishes import Answer, Wishes

MOST_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A delivery whose answer somebody waits for; None: it was taken before."""

    delivery: Delivery
    news: Handled
    answer: asyncio.Future[Answer | None]


class Intake:
    """Takes in deliveries."""

    def __init__(self, database: Database, wishes: Wishes, jobs: Jobs) -> None:
        self._database = database
        self._wishes = wishes
        self._jobs = jobs
        self._queue: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def take(self, delivery: Delivery, news: Handled) -> Answer | None:
        """Take one in; when this returns it is durable. None: it was taken before.

        Raises:
            StoreUnavailable: it was not.
        """
        waiting = _Waiting(delivery, news, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="intake")
        return await waiting.answer

    async def _write(self) -> None:
        while self._queue:
            batch = self._queue[:MOST_AT_ONCE]
            del self._queue[:MOST_AT_ONCE]
            # News of many repositories lock them all in their order: not after others have locked some
            many = [each for each in batch if isinstance(each.news, InstallationGone | RepositoriesGone)]
            few = [each for each in batch if each not in many]
            for group in (few, *([each] for each in many)):
                await self._commit(group)

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        """Commit a group; should that fail, its halves, so that none suffers for another."""
        if not group:
            return
        try:
            answers = await self._together(group)
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits: the HTTP boundary
            # Where there is no connection to be had each has waited long, and none will fare better
            if len(group) > 1 and not isinstance(error.__cause__, PoolTimeout):
                half = len(group) // 2
                await self._commit(group[:half])
                await self._commit(group[half:])
                return
            for each in group:
                if not each.answer.done():
                    each.answer.set_exception(error)
            return
        for each, answer in zip(group, answers, strict=True):
            if not each.answer.done():
                each.answer.set_result(answer)

    async def _together(self, group: Sequence[_Waiting]) -> list[Answer | None]:
        # Everybody locks repositories in the same order, so that nobody waits in a ring
        ordered = sorted(group, key=lambda each: _repository(each.news))
        async with self._database.connection() as connection, connection.pipeline() as pipeline:
            stored = [await store_delivery(connection, each.delivery) for each in ordered]
            await pipeline.sync()
            new = [each for each, row in zip(ordered, stored, strict=True) if row.rowcount]
            answers = await self._wishes.take(connection, [each.news for each in new])
            await connection.commit()  # in the same breath: every writer of events waits for it
        self._jobs.wake()
        taken = {id(each): answer for each, answer in zip(new, answers, strict=True)}
        return [taken.get(id(each)) for each in group]


def _repository(news: Handled) -> int:
    match news:
        case InstallationGone() | RepositoriesGone() | PersonGone():
            return 0
        case PullRequestChanged(pull=pull):
            return pull.place.repository_id
        case _:
            return news.place.repository_id
