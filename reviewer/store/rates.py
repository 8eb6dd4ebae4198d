"""What finished calls have taught about tokens, shared by all workers and kept over restarts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from reviewer.core.tokens import Calibration, Family
from reviewer.ports import Sample
from reviewer.store.database import Database
from reviewer.store.queries import query

_SQL = "reviewer.store.sql"


class PostgresRates:
    """The calibrations of all families of tokenizers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, family: Family) -> Calibration:
        """What is known; before any call, the first rate."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "rates.sql", "find"), {"family": family})
            return _calibration(family, await cursor.fetchone())

    async def learn(self, sample: Sample) -> None:
        """Take in one more call; calls of other workers at the same time wait for it, none is lost."""
        family = sample.family
        async with self._database.connection() as connection:
            await connection.execute(query(_SQL, "rates.sql", "begin"), asdict(Calibration.first(family)))
            cursor = await connection.execute(query(_SQL, "rates.sql", "lock"), {"family": family})
            learned = _calibration(family, await cursor.fetchone()).learn(sample.size, sample.tokens)
            await connection.execute(query(_SQL, "rates.sql", "store"), asdict(learned))


def _calibration(family: Family, row: tuple[Any, ...] | None) -> Calibration:
    if row is None:
        return Calibration.first(family)
    mean, deviation, samples = row
    return Calibration(family, mean, deviation, samples)
