"""The same deliveries to PR-Agent's server and to ours: how soon they answer, and what a promise is worth.

    python -m tests.benchmarks.peers.deliveries PYTHON

where PYTHON is that of an environment with PR-Agent in it. Prints a table; there is no target.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.deliveries import bursts, github, material, sender, service
from tests.benchmarks.deliveries.schedule import Burst
from tests.benchmarks.deliveries.search import highest
from tests.benchmarks.deliveries.sender import Answers
from tests.benchmarks.machine import machine
from tests.benchmarks.peers.servers import COMMAND_SECONDS, PEER_PATIENCE, Candidate, PrAgent, Sluice

SOON = 1_000.0
"""Milliseconds in which 99 of 100 are answered at the highest rate that is looked for."""

KILL_RATE, KILL_SECONDS = 10.0, 15.0
"""A burst that both can take: what is counted after it is not who was faster."""

MATTER = """\
Deliveries to the GitHub App server of PR-Agent {pr_agent} and to `sluice serve`, by the same sender:
{rate:.0f} a second for {seconds:.0f} s at random moments fixed before, payloads of 19 to 24 KB, {pulls} pull
requests. Times count from those moments. Then, started anew, each is killed (kill -9, all its processes)
right after {kill_rate:.0f} a second for {kill_seconds:.0f} s, and started again.

Two different promises are compared. Sluice answers when the delivery and the review's job are on disk:
{promise}.
PR-Agent answers when it has read the delivery, and goes on in a task in memory: it waits for no disk.

PR-Agent runs under gunicorn with its own configuration (two workers on two cores), Sluice in one process,
with PostgreSQL in others. Both write their logs to files, at their default levels. Settings of PR-Agent
besides its defaults: a made-up webhook secret, and handle_push_trigger = true, without which it does
nothing on a push. Its model and its calls of GitHub are stubs: each command waits for {command:.0f} s and
does nothing else, so what real ones block of its event loop is not in the table. Sluice's reviews wait for
a GitHub that is silent until the restart.

"worked on" are pull requests of which a command ended before the kill or began after the restart, watched
for {patience:.0f} s (PR-Agent); of which a review began after the restart (Sluice).
{machine}; load of the machine before: {load:.1f}.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One server's figures.

    Attributes:
        rate: the highest at which it answers `SOON`.
        promised: pull requests acknowledged right before the kill; `kept` of them are worked on.
        seconds: from the restart until that stood.
    """

    burst: Answers
    rate: float
    promised: int
    kept: int
    seconds: float


async def measure(speed: Candidate, kill: Candidate) -> Result:
    """All figures of one server: how fast it is on the first of two equal ones, the kill on the second."""
    burst, rate = await _speed(speed)
    runs = count(1)
    async with kill.started() as server:
        url = server.url + kill.path
        await sender.send(url, Burst(next(runs), KILL_RATE, bursts.WARM_UP_SECONDS))
        last = await sender.send(url, Burst(next(runs), KILL_RATE, KILL_SECONDS))
        server.kill()
        await server.process.wait()
    kill.go_on()
    promised = {(each.pull.repository, each.pull.number) for each in last.deliveries}
    began = time.monotonic()
    async with kill.started():
        while True:
            kept, seconds = promised & kill.worked_on(), time.monotonic() - began
            if kept == promised or seconds > kill.patience:
                return Result(burst, rate, len(promised), len(kept), seconds)
            await asyncio.sleep(0.2)


async def _speed(candidate: Candidate) -> tuple[Answers, float]:
    runs = count(1)
    async with candidate.started() as server:
        url = server.url + candidate.path

        async def holds(rate: float) -> bool:
            answers = await sender.send(url, Burst(next(runs), rate, bursts.TRIAL_SECONDS))
            await service.settle(server.url + candidate.ready)
            return answers.percentile(99) <= SOON

        await sender.send(url, Burst(next(runs), KILL_RATE, bursts.WARM_UP_SECONDS))
        rate = await highest(holds, first=bursts.FIRST_RATE, most=bursts.MOST_RATE)
        return await sender.send(url, Burst(next(runs), bursts.RATE, bursts.SECONDS)), rate


async def run(python: Path, console: Console) -> None:
    """Measure both, one after the other."""
    load = os.getloadavg()[0]
    async with service.postgres() as postgres, github.running() as stand_in:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            peer = await measure(PrAgent(python, Path(one)), PrAgent(python, Path(other)))
        ours = await measure(Sluice(postgres, stand_in), Sluice(postgres, stand_in))
    matter = MATTER.format(
        pr_agent=_version(python),
        rate=bursts.RATE,
        seconds=bursts.SECONDS,
        pulls=material.PULLS,
        kill_rate=KILL_RATE,
        kill_seconds=KILL_SECONDS,
        promise=postgres.promise,
        command=COMMAND_SECONDS,
        patience=PEER_PATIENCE,
        machine=machine(),
        load=load,
    )
    console.print(matter, markup=False)
    console.print(_table(peer, ours))


def _version(python: Path) -> str:
    asked = "import importlib.metadata as m; print(m.version('pr-agent'))"
    done = subprocess.run([str(python), "-I", "-c", asked], capture_output=True, check=True, text=True)
    return done.stdout.strip()


def _table(*results: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "PR-Agent", "Sluice"):
        table.add_column(name, justify="right" if name else "left")
    rows = {
        "sent": lambda it: f"{len(it.burst.all):,}",
        "acknowledged": lambda it: f"{len(it.burst.acknowledged):,}",
        "acknowledged a second": lambda it: f"{it.burst.a_second:.0f}",
        "p50 of the answer, ms": lambda it: sender.told(it.burst.percentile(50)),
        "p99": lambda it: sender.told(it.burst.percentile(99)),
        "p99 of the sender's own lateness, in the above": lambda it: f"{it.burst.late:.1f}",
        f"highest rate with p99 within {SOON:,.0f} ms": lambda it: f"{it.rate:,.0f}/s",
        "pull requests acknowledged before the kill": lambda it: f"{it.promised:,}",
        "of them worked on after the restart": lambda it: f"{it.kept:,}",
        "seconds until that stood": lambda it: f"{it.seconds:.0f}",
    }
    for name, tell in rows.items():
        table.add_row(name, *map(tell, results))
    return table


def main() -> None:
    """Print the comparison, or why there is none."""
    console = Console(width=140, highlight=False)
    python = Path(sys.argv[1]).absolute()
    if python.exists():
        asyncio.run(run(python, console))
    else:
        console.print(f"deliveries skipped: no PR-Agent ({sys.argv[1]})", markup=False)


if __name__ == "__main__":
    main()
