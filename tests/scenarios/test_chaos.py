"""A short storm: two real workers, one killed and one stopped, while GitHub, Claude and the deliveries fail.

The long one is `make soak`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.chaos.invariants import broken
from tests.chaos.plan import Sizes
from tests.chaos.report import render
from tests.chaos.storm import Script, rage
from tests.chaos.weather import Trouble, usual

# A limit in disguise names no wait, so a minute is waited: too long for a short storm
RATES = {kind: rate for kind, rate in usual(1.5).items() if kind is not Trouble.DISGUISED}
SCRIPT = Script(
    seed=5,
    sizes=Sizes(installations=2, repositories=1, pulls=4, pushes=(1, 2), seconds=6),
    kills=1,
    stops=1,
    quiet_seconds=120,
    rates=RATES,
    eager=0.05,
)


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="sl"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def test_nothing_is_lost_or_doubled_when_workers_die(database_url, folder):
    record = await rage(SCRIPT, folder=folder, url=database_url)

    found = broken(record)
    _tell_what_happened(record, found, folder)
    assert record.open_matters == []
    assert {name for name, examples in found.items() if examples} == set()
    assert record.figures["kills"] == SCRIPT.kills
    assert record.figures["stops"] == SCRIPT.stops


def _tell_what_happened(record, found, folder):
    """For the one who has to read a failure: pytest shows it then, and only then."""
    sys.stdout.write(f"{render(record, found)}\n")
    for log in sorted(folder.glob("*.log")):
        end = log.read_text(errors="replace")[-4_000:]
        sys.stdout.write(f"--- the end of {log.name}\n{end}\n")
