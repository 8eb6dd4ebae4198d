"""How soon a delivery is acknowledged, for good; and how soon a review that it asks for reaches the model."""

from __future__ import annotations

import asyncio
import os
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.benchmarks.deliveries import bursts, calls, material, service
from tests.benchmarks.deliveries.bursts import Beside
from tests.benchmarks.deliveries.calls import Timing
from tests.benchmarks.deliveries.sender import Answers, percentile, told
from tests.benchmarks.deliveries.service import Postgres
from tests.benchmarks.machine import machine

ALMOST_ALL_WITHIN = 25.0
"""Milliseconds in which 99 of 100 deliveries are acknowledged, at `bursts.RATE` a second."""

MODEL_WITHIN = 50.0
"""Milliseconds from a delivery's answer to the model's first call, for half of all reviews."""

WRITE_SECONDS = 1.0

_console = Console(highlight=False, width=140)


async def burst(postgres: Postgres) -> bool:
    """Print how soon deliveries are acknowledged; whether the targets hold."""
    taken: dict[str, tuple[Answers, int]] = {}
    async with bursts.receiving(postgres) as receiver:
        for name, repeated in (("all distinct", 0.0), ("half of them redelivered", 0.5)):
            answers = await receiver.take(rate=bursts.RATE, seconds=bursts.SECONDS, repeated=repeated)
            taken[name] = (answers, await receiver.missing(answers))
        highest = await receiver.highest_rate(ALMOST_ALL_WITHIN)
        beside = await receiver.beside()
    _console.print(_answers(taken))
    _console.print(_explained(postgres, beside, highest))
    return beside.failed == 0 and all(
        not missing
        and len(answers.acknowledged) == len(answers.all)
        and answers.percentile(99) <= ALMOST_ALL_WITHIN
        for answers, missing in taken.values()
    )


def _answers(taken: dict[str, tuple[Answers, int]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{bursts.RATE:.0f} deliveries a second for {bursts.SECONDS:.0f} s")
    for name in taken:
        table.add_column(name, justify="right")
    rows = {
        "sent": lambda it, _: f"{len(it.all):,}",
        "acknowledged": lambda it, _: f"{len(it.acknowledged):,}",
        "acknowledged a second": lambda it, _: f"{it.a_second:.0f}",
        "p50 of the answer, ms": lambda it, _: told(it.percentile(50)),
        "p99": lambda it, _: told(it.percentile(99)),
        "p99 of the sender's own lateness, in the above": lambda it, _: f"{it.late:.1f}",
        "acknowledged, but not in the database": lambda _, missing: f"{missing:,}",
    }
    for name, tell in rows.items():
        table.add_row(name, *(tell(*one) for one in taken.values()))
    return table


def _explained(postgres: Postgres, beside: Beside, highest: float) -> str:
    return (
        f"Times from when each was to be sent, at random moments fixed before; p99 at most "
        f"{ALMOST_ALL_WITHIN:.0f} ms. {material.PULLS} pull requests of {material.INSTALLATIONS}\n"
        f"installations, payloads of 19 to 24 KB. `sluice serve` in one process, sender and PostgreSQL in "
        f"others on the same cores.\nPostgreSQL at its durable defaults: {postgres.promise}.\n"
        f"Beside it the worker of the same process: all the reviews that may run at once, which wait for a "
        f"GitHub that is silent\n({beside.held} requests held; {beside.waiting} jobs waited in the end, "
        f"{beside.failed} reviews failed). Reviews that compute would take from the same cores.\n"
        f"Highest rate at which p99 holds, in trials of {bursts.TRIAL_SECONDS:.0f} s up to "
        f"{bursts.MOST_RATE:,.0f}: {highest:,.0f} a second.\n"
    )


async def first_call(postgres: Postgres) -> bool:
    """Print how soon the model is called; whether the target holds."""
    timings = await calls.measure(postgres, write_seconds=WRITE_SECONDS)
    table = Table(box=None, pad_edge=False)
    for name in ("ms from the delivery's answer to", "p50", "p99", "most", "reviews"):
        table.add_column(name, justify="left" if name.startswith("ms") else "right")
    seen = {name: [t.steps[name] for t in timings if name in t.steps] for name in _steps(timings)}
    seen["the model's first call"] = [timing.model for timing in timings]
    for name, times in seen.items():
        figures = (f"{it:.1f}" for it in (median(times), percentile(times, 99), max(times)))
        table.add_row(name, *figures, str(len(times)))
    _console.print(table)
    _console.print(
        f"{len(timings)} reviews of one installation, one after the other; GITHUB_WRITE_SECONDS is "
        f"{WRITE_SECONDS:.0f}. GitHub and Claude are\nstand-ins on loopback: the real GitHub adds a round "
        "trip for each of its calls. Above are only steps that\nbegan before the model's call. "
        f"p50 of that at most {MODEL_WITHIN:.0f} ms.\n"
    )
    return median(timing.model for timing in timings) <= MODEL_WITHIN


def _steps(timings: list[Timing]) -> list[str]:
    """The names of all steps, in the order in which they are usually taken."""
    names = {name for timing in timings for name in timing.steps}
    return sorted(names, key=lambda name: median(t.steps[name] for t in timings if name in t.steps))


async def run() -> bool:
    """Run both; whether every target holds."""
    async with service.postgres() as postgres:
        good = await burst(postgres)
        return await first_call(postgres) and good


def main() -> int:
    """0 if every target holds."""
    load = os.getloadavg()[0]
    _console.print(
        "GitHub's deliveries: how soon they are answered, and how soon the model is called.\n"
        f"{machine()}; load of the machine before: {load:.1f}.\n"
    )
    good = asyncio.run(run())
    _console.print("every target holds" if good else "a target is missed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
