"""How long a finding takes from the delta that closes it to the feed, and to one who reads the feed."""

from __future__ import annotations

import asyncio
import gc
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from reviewer.core.events import Event, FindingMade, Subject
from reviewer.store.database import migrate, open_database
from reviewer.store.feed import Filter, PostgresFeed, open_feed
from tests.benchmarks.streaming import ours
from webhooks.wiring import MIGRATIONS

STREAMS = 32
_SETTLE_SECONDS = 1.0
_WRITTEN = re.compile(r"written at (\d+)")


@dataclass
class Delays:
    """Milliseconds since the closing delta was written, for each finding."""

    given: list[float] = field(default_factory=list[float])
    appended: list[float] = field(default_factory=list[float])
    tailed: list[float] = field(default_factory=list[float])
    findings: int = 0
    seconds: float = 0.0


def percentile(delays: list[float], percent: int) -> float:
    """The delay that so many percent of the findings do not exceed."""
    return quantiles(delays, n=100, method="inclusive")[percent - 1]


def _since(title: str) -> float:
    written = _WRITTEN.search(title)
    if written is None:
        raise AssertionError(f"the title has lost its time: {title}")
    return time.monotonic() * 1e3 - int(written[1]) / 1e3


class _Timed:
    """The feed, and when each finding is given to it and stands in it."""

    def __init__(self, feed: PostgresFeed, delays: Delays) -> None:
        self._feed = feed
        self._delays = delays

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        titles = [event.finding.title for event in events if isinstance(event, FindingMade)]
        self._delays.given += map(_since, titles)
        await self._feed.append(subject, events)
        self._delays.appended += map(_since, titles)


async def _watch(feed: PostgresFeed, after: int, delays: Delays) -> None:
    async for entry in feed.tail(after, Filter(types=frozenset({"finding"}))):
        delays.tailed.append(_since(entry.data["finding"]["title"]))


async def measure(url: str) -> Delays:
    """Many reviews at once, each with the pipeline, the engine and the database of a running service."""
    delays = Delays()
    # A socket's path must be short
    with tempfile.TemporaryDirectory(prefix="sl") as folder:
        async with open_database(None, Path(folder)) as database, open_feed(database) as feed:
            await migrate(database, MIGRATIONS)
            async with ours.open_engine(f"{url}/replay/4000") as engine:
                await ours.review(0, engine, feed)  # imports, templates and connections are made only once
            watch = asyncio.create_task(_watch(feed, await feed.newest(), delays))
            gc.collect()
            gc.freeze()  # as a serving process does once it is up
            began = time.monotonic()
            async with ours.open_engine(f"{url}/paced") as engine:
                reviews = (
                    ours.review(number, engine, _Timed(feed, delays)) for number in range(1, STREAMS + 1)
                )
                delays.findings = sum(await asyncio.gather(*reviews))
            delays.seconds = time.monotonic() - began
            await asyncio.sleep(_SETTLE_SECONDS)
            watch.cancel()
    if not delays.findings == len(delays.appended) == len(delays.tailed):
        raise AssertionError("findings were lost between the engine, the feed and its reader")
    return delays
