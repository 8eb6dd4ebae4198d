"""How soon an event is with 1,000 subscribers of one process, and what a subscriber costs it."""

from __future__ import annotations

import asyncio
import sys

from rich.console import Console
from rich.table import Table

from tests.benchmarks.deliveries import service
from tests.benchmarks.machine import machine
from tests.benchmarks.subscribers.rounds import EVENTS_A_ROUND, RATE, TOKEN, Found, bare, load, ours

SUBSCRIBERS = 1_000
ROUNDS = 3

HALF_WITHIN = 15.0
"""Milliseconds from just before an event is appended until it is with half of the subscribers."""

ALMOST_ALL_WITHIN = 100.0
"""Milliseconds for 99 of 100."""

HALF_OF_ANOTHER_PROCESS_WITHIN = 20.0
"""Milliseconds for half of the events, with one subscriber, appended in another process."""

_SETTINGS = {
    "SLUICE_TOKEN": TOKEN,
    "SLUICE_STREAMS_PER_CALLER": str(2 * SUBSCRIBERS),
    "SLUICE_REQUESTS_PER_MINUTE": "0",
}

_console = Console(highlight=False, width=130)


async def measure() -> tuple[Found, Found, Found]:
    """Ours with one subscriber; then ours with all and the bare server, which take turns."""
    async with service.postgres() as postgres:
        database = postgres.create_database()
        async with service.sluice(database, "http://127.0.0.1:1", postgres.folder, **_SETTINGS) as server:
            async with ours(database, server, 1) as fan:
                await fan.warm_up()
                await fan.round()
                one = await fan.end()
            await service.settle(server.url + "/readyz")
            async with ours(database, server, SUBSCRIBERS) as fan, bare(SUBSCRIBERS) as least:
                for each in (fan, least):
                    await each.warm_up()
                for _ in range(ROUNDS):
                    await fan.round()
                    await least.round()
                return one, await fan.end(), await least.end()


def main() -> int:
    """Measure; 0 if every target holds."""
    before = load()
    one, many, least = asyncio.run(measure())
    table = Table(box=None, pad_edge=False)
    table.add_column("ms from just before the append to the bytes at a subscriber")
    for name in ("p50", "p99", "most", "µs of the server", "of the readers", "KB"):
        table.add_column(name, justify="right")
    for name, found in (
        ("one subscriber, appended in another process", one),
        (f"{SUBSCRIBERS:,} subscribers of one process", many),
        ("a bare server that writes the same bytes", least),
    ):
        delays = (found.percentile(50), found.percentile(99), found.delays[-1])
        costs = (f"{it:.1f}" for it in (found.server, found.readers)) if found is not one else ("", "")
        memory = f"{found.kilobytes:.0f}" if found is not one else ""
        table.add_row(name, *(f"{it:.1f}" for it in delays), *costs, memory)
    _console.print(f"{machine()}; load {before} before, {load()} after.\n")
    _console.print(table)
    _console.print(
        f"{ROUNDS} rounds of {EVENTS_A_ROUND} events, {RATE}/s, in turns with the bare server. µs: of CPU "
        f"for each event and subscriber. KB: of the server's memory for each subscriber. Ours / bare: "
        f"{many.percentile(50) / least.percentile(50):.1f} at p50, {many.server / least.server:.1f} in CPU."
    )
    return 0 if _judged(one, many) else 1


def _judged(one: Found, many: Found) -> bool:
    good = True
    for name, value, most in (
        (f"p50 of {SUBSCRIBERS:,}", many.percentile(50), HALF_WITHIN),
        (f"p99 of {SUBSCRIBERS:,}", many.percentile(99), ALMOST_ALL_WITHIN),
        ("p50 of one, from another process", one.percentile(50), HALF_OF_ANOTHER_PROCESS_WITHIN),
    ):
        if value > most:
            good = False
            _console.print(f"missed: {name} is {value:.1f} ms, and should be {most:.0f} at most")
    if good:
        _console.print("every target holds")
    return good


if __name__ == "__main__":
    sys.exit(main())
