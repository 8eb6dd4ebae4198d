"""From a diff to chunks: speed and memory next to plain unidiff, and how long the event loop stands still."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.chunking.loop import longest_stop
from tests.benchmarks.chunking.material import joined, one_new_file
from tests.benchmarks.chunking.measure import RUNS
from tests.benchmarks.machine import machine
from tests.corpus import DATA

MEGABYTES = (1, 10, 40)
MOST_OF_UNIDIFF = 1.5
"""Diff to chunks may take so many times unidiff's own parse."""

MOST_GROWTH = 1.25
"""The time per megabyte may grow by so much from the smallest to the largest: linear, but for caches."""

LONGEST_STOP = 0.050
"""Seconds that the event loop may stand still."""


def measured(what: str, path: Path) -> dict[str, Any]:
    """A measurement in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.chunking.measure", what, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def compare(folder: Path) -> bool:
    """Print times and memory; whether the targets hold."""
    table = Table(box=None, pad_edge=False)
    heads = (
        "diff",
        "files",
        "chunks",
        "unidiff MB/s",
        "sluice MB/s",
        "ratio",
        "unidiff memory",
        "sluice memory",
    )
    for name in heads:
        table.add_column(name, justify="left" if name == "diff" else "right")
    good = True
    rates: list[float] = []
    for name, raw in _diffs():
        path = folder / "a.diff"
        path.write_bytes(raw)
        bare, theirs, ours = (measured(what, path) for what in ("nothing", "unidiff", "sluice"))
        megabytes = len(raw) / 1e6
        ratio = ours["seconds"] / theirs["seconds"]
        good &= ratio <= MOST_OF_UNIDIFF and ours["changed"] == ours["accounted"]
        if name.startswith("joined"):
            rates.append(ours["seconds"] / megabytes)
        memory = (f"{(it['peak'] - bare['peak']) / len(raw):.1f}x" for it in (theirs, ours))
        speeds = (f"{megabytes / it['seconds']:.1f}" for it in (theirs, ours))
        counts = (f"{ours['files']:,}", f"{ours['chunks']:,}")
        table.add_row(f"{name}, {megabytes:.1f} MB", *counts, *speeds, f"{ratio:.2f}", *memory)
    console = Console(highlight=False, width=140)
    console.print(table)
    growth = rates[-1] / rates[0]
    console.print(
        f"ratio: sluice's time over unidiff's, at most {MOST_OF_UNIDIFF}. Time per MB grows {growth:.2f}x "
        f"from {MEGABYTES[0]} to {MEGABYTES[-1]} MB, {MOST_GROWTH} at most."
    )
    return good and growth <= MOST_GROWTH


def _diffs() -> list[tuple[str, bytes]]:
    made = [("joined", joined(size * 1_000_000)) for size in MEGABYTES]
    return [*made, ("one new file", one_new_file(MEGABYTES[-1] * 1_000_000))]


def watch_loop() -> bool:
    """Print how long the event loop stood still; whether the target holds."""
    console = Console(highlight=False, width=140)
    good = True
    for name, raw in _diffs()[-2:]:
        stop, took = asyncio.run(longest_stop(raw))
        good &= stop <= LONGEST_STOP
        console.print(
            f"{name}, {len(raw) / 1e6:.1f} MB, reviewed in {took:.1f} s by an engine that takes no time: the "
            f"event loop stood still for {stop * 1000:.0f} ms at most ({LONGEST_STOP * 1000:.0f} ms allowed)"
        )
    return good


def main() -> int:
    """Run both; 0 if every target holds."""
    console = Console(highlight=False, width=140)
    if not DATA.is_dir():
        console.print(
            "the shared data folder with real diffs is not beside this checkout: nothing to measure"
        )
        return 0
    console.print(
        f"From a diff to chunks, next to unidiff {version('unidiff')} on the same bytes; best of {RUNS}.\n"
        "Memory: peak of a process of its own in multiples of the diff, less one that only holds it.\n"
        f"{machine()}.\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        good = compare(Path(folder))
    good &= watch_loop()
    console.print("every target holds" if good else "a target is missed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
