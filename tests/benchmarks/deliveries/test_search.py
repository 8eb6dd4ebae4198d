from __future__ import annotations

import pytest

from tests.benchmarks.deliveries.search import NEAR_ENOUGH, highest


async def found(limit: float, *, hiccups: int = 0) -> tuple[float, list[float]]:
    """The highest rate of a server that holds up to `limit`, but for its first trials; and what was tried."""
    tried: list[float] = []

    async def holds(rate: float) -> bool:
        tried.append(rate)
        return len(tried) > hiccups and rate <= limit

    return await highest(holds, first=50, most=800), tried


@pytest.mark.parametrize("limit", [50, 51, 99, 130, 333, 799])
async def test_the_rate_found_holds_and_little_more_does_not(limit: float):
    rate, _ = await found(limit)

    assert rate <= limit < rate * NEAR_ENOUGH


async def test_a_server_that_is_too_slow_for_the_first_rate_has_none():
    assert (await found(49))[0] == 0


async def test_nothing_over_the_bound_is_tried():
    rate, tried = await found(10_000)

    assert rate == max(tried) == 800


async def test_one_hiccup_is_not_taken_for_the_limit():
    assert (await found(800, hiccups=1))[0] == 800
