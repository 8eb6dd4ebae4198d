"""Reviews that wait for their turn are shown as queued, so that nobody wonders whether anything will come."""

from __future__ import annotations

import asyncio

import structlog

from reviewer.errors import SluiceError
from reviewer.store.database import Database
from webhooks.check_run import CheckRuns
from webhooks.lease import Lease, LeaseLost
from webhooks.publish.checks import queued_check
from webhooks.records import Waiting, waiting_reviews

LOOK_SECONDS = 2.0

_log = structlog.get_logger("sluice.announcing")


class Announcer:
    """Opens check runs of reviews that wait: the next few of each installation, whose writes are limited."""

    def __init__(self, database: Database, check_runs: CheckRuns) -> None:
        self._database = database
        self._check_runs = check_runs
        self._refused: set[str] = set()

    async def run(self) -> None:
        """Announce until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.announce()
            except SluiceError as error:
                _log.warning("waiting reviews can't be looked at", reason=str(error))

    async def announce(self) -> None:
        """Open the check runs of those that wait next and have none."""
        async with self._database.connection() as connection:
            waiting = await waiting_reviews(connection)
        fresh = [each for each in waiting if each.review.id not in self._refused]
        self._refused &= {each.review.id for each in waiting}
        # Those of one installation wait for its gate, which is no reason for another's to wait
        await asyncio.gather(*map(self._announce, fresh))

    async def _announce(self, waiting: Waiting) -> None:
        review = waiting.review
        lease = Lease(
            review=review.id,
            repository_id=review.repository_id,
            number=review.pull_request,
            generation=review.generation,
            run=review.run,
        )
        try:
            await self._check_runs.open(lease, review, queued_check(waiting.ahead))
        except LeaseLost:
            return  # it has begun
        except SluiceError as error:
            self._refused.add(review.id)
            _log.info("not announced", review=review.id, reason=str(error))
