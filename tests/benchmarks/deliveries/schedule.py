"""When each delivery is sent: fixed before the first, so that a slow server can't slow its sender."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.benchmarks.deliveries.material import Delivery


@dataclass(frozen=True, slots=True)
class Burst:
    """Deliveries at a mean rate, at random times as independent senders give.

    Attributes:
        run: makes other deliveries than any other run.
        rate: a second.
        repeated: the share that are redeliveries of one sent before.
    """

    run: int
    rate: float
    seconds: float
    repeated: float = 0.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One request, `at` seconds after the start."""

    at: float
    delivery: Delivery


def plan(burst: Burst) -> list[Shot]:
    """The shots of a burst in order, always the same ones."""
    dice = random.Random(burst.run)
    count = round(burst.rate * burst.seconds)
    times = sorted(dice.uniform(0, burst.seconds) for _ in range(count))
    shots: list[Shot] = []
    fresh = 0
    for at in times:
        if fresh and dice.random() < burst.repeated:
            shots.append(Shot(at, Delivery(burst.run, dice.randrange(fresh))))
        else:
            shots.append(Shot(at, Delivery(burst.run, fresh)))
            fresh += 1
    return shots
