"""What GitHub could not tell us: failed deliveries are asked for again, changes of a downtime are read.

All processes on one database share the work: who begins first does it, and the others see that it is done.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import structlog

from reviewer.errors import ForgeError, ForgeRefused, InstallationLost, SluiceError, StoreUnavailable
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.github.app import AppRoutes, DeliveryItem, Installation
from webhooks.github.pulls import Pulls
from webhooks.news import PullRequestChanged
from webhooks.wishes import Wishes

MARGIN = timedelta(minutes=5)
"""How far a sweep looks back behind the one before: GitHub lists a delivery some time after it was made."""
KEPT = timedelta(days=3)
"""How long GitHub can deliver again: https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks"""
DOWNTIME = timedelta(seconds=60)
"""A shorter absence leaves failed deliveries only, and those come again."""

_REDELIVERY, _ALIVE = "redelivery", "alive"
_ALIVE_SECONDS = 20.0
_AGAIN_SECONDS = 30.0
_SQL = ("webhooks.sql", "sweeps.sql")

_log = structlog.get_logger("sluice.sweeps")


class Sweeps:
    """The periodic looks at GitHub."""

    def __init__(
        self, database: Database, *, app: AppRoutes, pulls: Pulls, wishes: Wishes, every: float
    ) -> None:
        self._database = database
        self._app = app
        self._pulls = pulls
        self._wishes = wishes
        self._every = every

    async def run(self) -> None:
        """Reconcile once, and sweep every so often, until cancelled."""
        down_since = await self._down_since()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._catch_up(down_since))
            tasks.create_task(self._sweep_for_ever())

    async def redeliver(self) -> int:
        """Ask again for every delivery that failed since the last sweep, each once; how many there were."""
        began = datetime.now(UTC)
        since = await self._reached(_REDELIVERY)
        floor = began - KEPT
        since = floor if since is None else max(since - MARGIN, floor)
        attempts: defaultdict[str, list[DeliveryItem]] = defaultdict(list)
        async for item in self._app.deliveries(since):
            attempts[item.guid].append(item)
        failed = {
            guid: items[0]
            for guid, items in attempts.items()
            if not any(each.status == "OK" for each in items)
        }
        wanted = await self._not_taken(list(failed))
        for guid in wanted:
            await self._ask_again(failed[guid])
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "reach"), {"name": _REDELIVERY, "at": began})
        if wanted:
            _log.info("deliveries asked for again", count=len(wanted))
        return len(wanted)

    async def reconcile(self, since: datetime) -> int:
        """Take in every open pull request that changed since; how many there were.

        Raises:
            ForgeError: something of it could not be read for now; all else is taken in.
        """
        count = 0
        failed: ForgeError | None = None
        for installation in await self._app.installations():
            if installation.suspended:
                continue
            try:
                count += await self._reconcile(installation, since)
            except ForgeError as error:
                _log.warning("not reconciled", installation=installation.id, reason=str(error))
                failed = error if error.retryable else failed
        if failed is not None:
            raise failed
        return count

    async def _reconcile(self, installation: Installation, since: datetime) -> int:
        count = 0
        for _, repository, archived in await self._app.repositories(installation.id):
            if archived:
                continue
            try:
                pulls = await self._pulls.open_since(installation.id, repository, since)
            except InstallationLost:
                raise
            except ForgeRefused as error:  # what keeps one back keeps no other
                _log.warning("not reconciled", repository=repository, reason=str(error))
                continue
            for pull in pulls:
                async with self._database.connection() as connection:
                    await self._wishes.take(connection, [PullRequestChanged("reconciled", pull, read=True)])
                count += 1
        return count

    async def _ask_again(self, item: DeliveryItem) -> None:
        try:
            await self._app.redeliver(item.id)
        except ForgeRefused as error:
            _log.warning("a delivery can't be had again", delivery=item.guid, reason=str(error))
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "asked"), {"guid": item.guid})

    async def _not_taken(self, guids: list[str]) -> list[str]:
        """Those that were neither taken nor asked for again."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "not_taken"), {"guids": guids})
            return [row[0] for row in await cursor.fetchall()]

    async def _sweep_for_ever(self) -> None:
        while True:
            await self._guarded(self._sweep())
            await asyncio.sleep(self._every)

    async def _sweep(self) -> None:
        if await self._begins(_REDELIVERY, self._every / 2):
            await self.redeliver()

    async def _reconcile_since(self, since: datetime | None) -> None:
        if since is None or datetime.now(UTC) - since < DOWNTIME:
            return
        count = await self.reconcile(since - MARGIN)
        _log.info("reconciled after a downtime", since=since.isoformat(), pull_requests=count)

    async def _catch_up(self, down_since: datetime | None) -> None:
        """Reconcile, and count as alive from then on: a start before that has as much to catch up on."""
        while not await self._guarded(  # noqa: ASYNC110 - GitHub tells nobody that it is back
            self._reconcile_since(down_since)
        ):
            await asyncio.sleep(_AGAIN_SECONDS)
        while True:
            await self._guarded(self._note_alive())
            await asyncio.sleep(_ALIVE_SECONDS)

    async def _note_alive(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "reach"), {"name": _ALIVE, "at": datetime.now(UTC)})

    async def _down_since(self) -> datetime | None:
        """When a process was last alive; None before the first start, which has nothing to catch up on."""
        while True:
            try:
                return await self._reached(_ALIVE)
            except StoreUnavailable as error:
                _log.warning("the database is away", reason=str(error))
                await asyncio.sleep(1.0)

    async def _begins(self, name: str, seconds: float) -> bool:
        """Whether this process is the one that does it now."""
        async with self._database.connection() as connection:
            values = {"name": name, "seconds": seconds}
            cursor = await connection.execute(query(*_SQL, "begin"), values)
            return await cursor.fetchone() is not None

    async def _reached(self, name: str) -> datetime | None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "reached"), {"name": name})
            row = await cursor.fetchone()
        return row[0] if row else None

    async def _guarded(self, work: Awaitable[None]) -> bool:
        """Whether it was finished; what was not is tried again later."""
        try:
            await work
        except SluiceError as error:
            _log.warning("a sweep was not finished", reason=str(error))
            return False
        return True
