"""The highest rate that still holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

NEAR_ENOUGH = 1.15
"""It is looked for until the lowest rate that fails is so many times as high at most."""

TRIES = 2
"""A machine that did something else for a moment is no failure."""

Holds = Callable[[float], Awaitable[bool]]
"""Whether a target holds at a rate."""


async def highest(holds: Holds, *, first: float, most: float) -> float:
    """By doubling from `first`, then by halving the interval; 0: not even `first` holds."""
    good, bad = 0.0, first
    while bad <= most and await _tried(holds, bad):
        good, bad = bad, bad * 2
    while good > 0 and good * NEAR_ENOUGH < bad <= most:
        middle = (good + bad) / 2
        if await _tried(holds, middle):
            good = middle
        else:
            bad = middle
    return good


async def _tried(holds: Holds, rate: float) -> bool:
    for _ in range(TRIES):
        if await holds(rate):
            return True
    return False
