"""What a review has drawn, its models and the limits of its plan; it keeps both over all its runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reviewer.core.plan import Limits
from reviewer.core.routing import Models
from reviewer.core.tokens import Estimator
from reviewer.ports import Rates
from reviewer.store.database import Database
from reviewer.wiring import Reviewer
from webhooks.records import settle_model, settle_rate


@dataclass(frozen=True, slots=True)
class Drawn:
    """By which models a review is done, and the limits its plan keeps to."""

    models: Models
    limits: Limits


class Draws:
    """Draws for reviews."""

    def __init__(self, database: Database, reviewer: Reviewer, rates: Rates) -> None:
        self._database = database
        self._reviewer = reviewer
        self._rates = rates

    async def fresh(self, review: str) -> Drawn:
        """What a review that is not stored yet will draw, at the rate that calls so far have taught."""
        return await self._drawn(self._reviewer.models(review))

    async def settled(self, review: str) -> Drawn:
        """What a stored review draws: the same as its first run did."""
        drawn = self._reviewer.models(review).main
        async with self._database.connection() as connection:
            models = self._reviewer.with_main(await settle_model(connection, review, drawn))
        fresh = await self._drawn(models)
        async with self._database.connection() as connection:
            rate = await settle_rate(connection, review, fresh.limits.estimator.bytes_per_token)
        return Drawn(models, replace(fresh.limits, estimator=Estimator(rate)))

    async def _drawn(self, models: Models) -> Drawn:
        known = await self._rates.read(self._reviewer.family(models.main))
        return Drawn(models, replace(self._reviewer.limits, estimator=known.estimator))
