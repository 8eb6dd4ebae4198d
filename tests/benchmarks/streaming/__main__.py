"""What our path costs next to the SDK's bare stream, and how soon a finding stands in the feed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

from tests.benchmarks.machine import machine
from tests.benchmarks.streaming import cpu, delay, material, server

KILOBYTES = (4, 40, 200)
MOST_OF_RAW = 1.25
"""Our path may take so many times the CPU of the SDK's bare stream."""

HALF_WITHIN = 5.0
"""Milliseconds within which half of all findings stand in the feed."""

ALMOST_ALL_WITHIN = 25.0
"""Milliseconds for 99 of 100."""

_console = Console(highlight=False, width=140)


@contextmanager
def serving() -> Iterator[str]:
    """The server, in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "tests.benchmarks.streaming.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def compare(url: str) -> bool:
    """Print what each way costs; whether the target holds."""
    table = Table(box=None, pad_edge=False)
    for name in ("tool JSON", "deltas", "bare", "sluice", "helper", "sluice / bare", "helper / bare"):
        table.add_column(name, justify="right")
    good = True
    for kilobytes in KILOBYTES:
        costs = asyncio.run(cpu.measure(url, kilobytes * 1_000))
        good &= costs.ours_to_raw <= MOST_OF_RAW
        spent = (f"{it:.1f}" for it in (costs.raw, costs.ours, costs.helper))
        ratios = (f"{it:.2f}" for it in (costs.ours_to_raw, costs.helper_to_raw))
        table.add_row(f"{kilobytes} KB", f"{costs.deltas:,}", *spent, *ratios)
    _console.print(table)
    _console.print(
        f"CPU of the client in ms for 1,000 deltas of {material.CHARS} characters, medians of {cpu.ROUNDS} "
        f"rounds in which all take turns, each from the same batch on; sluice / bare at most {MOST_OF_RAW}.\n"
    )
    return good


def watch(url: str) -> bool:
    """Print how soon findings stand in the feed; whether the targets hold."""
    delays = asyncio.run(delay.measure(url))
    table = Table(box=None, pad_edge=False)
    for name in ("ms from the closing delta to", "p50", "p99", "most"):
        table.add_column(name, justify="left" if name.startswith("ms") else "right")
    for name, seen in (
        ("the feed's append being called", delays.given),
        ("the event being in the feed", delays.appended),
        ("a reader of the feed", delays.tailed),
    ):
        half, almost_all = (delay.percentile(seen, percent) for percent in (50, 99))
        table.add_row(name, *(f"{it:.1f}" for it in (half, almost_all, max(seen))))
    _console.print(table)
    _console.print(
        f"{delay.STREAMS} reviews at once, {delays.findings:,} findings in {delays.seconds:.0f} s, "
        f"{server.DELTAS_A_SECOND:.0f} deltas a second in each stream; in the feed p50 at most "
        f"{HALF_WITHIN:.0f} ms and p99 {ALMOST_ALL_WITHIN:.0f} ms."
    )
    half, almost_all = (delay.percentile(delays.appended, percent) for percent in (50, 99))
    return half <= HALF_WITHIN and almost_all <= ALMOST_ALL_WITHIN


def main() -> int:
    """Run both; 0 if every target holds."""
    _console.print(
        f"Our path through one streamed call, next to anthropic {version('anthropic')} on the same bytes.\n"
        f"{machine()}.\n"
    )
    with serving() as url:
        good = compare(url)
        good &= watch(url)
    _console.print("every target holds" if good else "a target is missed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
