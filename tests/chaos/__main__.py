"""The long storm: `python -m tests.chaos`. Prints its figures; exit 1 when an invariant is broken."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.chaos.invariants import broken
from tests.chaos.plan import Sizes
from tests.chaos.postgres import Postgres
from tests.chaos.record import Record
from tests.chaos.report import render
from tests.chaos.storm import Script, rage
from tests.chaos.weather import usual


def main(
    seed: Annotated[int, typer.Option(help="What happens, and when.")] = 1,
    minutes: Annotated[float, typer.Option(help="How long people push and things fail.")] = 3.0,
    installations: Annotated[int, typer.Option(min=1)] = 4,
    repositories: Annotated[int, typer.Option(min=1, help="Of each installation.")] = 3,
    pulls: Annotated[int, typer.Option(min=1, help="Pull requests in all.")] = 40,
    most_pushes: Annotated[int, typer.Option(min=2, help="To one pull request; the fewest are two.")] = 4,
    kills: Annotated[int, typer.Option(help="Of workers, with kill -9.")] = 6,
    stops: Annotated[int, typer.Option(help="Of workers, with SIGSTOP and SIGCONT.")] = 4,
    restarts: Annotated[int, typer.Option(help="Of PostgreSQL.")] = 1,
    trouble: Annotated[float, typer.Option(help="Factor to the usual rates of faults; 0: none.")] = 1.0,
    quiet: Annotated[float, typer.Option(help="Seconds that the workers get for the rest.")] = 120.0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the workers' logs, and say where.")] = False,
) -> None:
    """Let a storm rage over two workers, and hold the invariants against what is left."""
    sizes = Sizes(installations, repositories, pulls, (2, most_pushes), minutes * 60)
    script = Script(seed, sizes, kills, stops, restarts, quiet, usual(trouble))
    # A socket's path must be short
    folder = Path(tempfile.mkdtemp(prefix="sl"))
    try:
        record = _run(script, folder)
    finally:
        if keep:
            sys.stderr.write(f"logs of the workers: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    found = broken(record)
    sys.stdout.write(f"The storm of seed {seed}\n{render(record, found)}\n")
    raise typer.Exit(1 if any(found.values()) else 0)


def _run(script: Script, folder: Path) -> Record:
    postgres = Postgres.start(folder / "postgres")
    try:
        return asyncio.run(rage(script, folder=folder, url=postgres.url, postgres=postgres))
    finally:
        postgres.embedded.stop()


if __name__ == "__main__":
    typer.run(main)
