from __future__ import annotations

import asyncio

from reviewer.core.tokens import Calibration, Family
from reviewer.ports import Sample
from reviewer.store.rates import PostgresRates

SAMPLE = Sample(Family.CLAUDE_5, size=100_000, tokens=40_000)


async def test_before_any_call_the_first_rate_holds(database):
    assert await PostgresRates(database).read(Family.CLAUDE_5) == Calibration.first(Family.CLAUDE_5)


async def test_what_workers_learn_at_the_same_time_is_kept_by_family(database):
    workers = [PostgresRates(database) for _ in range(8)]

    await asyncio.gather(*(worker.learn(SAMPLE) for worker in workers for _ in range(5)))

    known = await workers[0].read(Family.CLAUDE_5)
    assert known.samples == 40
    assert known.mean == 2.5
    assert await workers[0].read(Family.OTHER) == Calibration.first(Family.OTHER)
