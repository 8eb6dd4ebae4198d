"""Ports for one process without a database."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from reviewer.core.events import Subject
from reviewer.core.tokens import Calibration, Family
from reviewer.ports import LedgerEntry, Sample


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()


class NoLedger:
    """Remembers nothing: on the command line every run is the first."""

    async def find(self, key: str) -> LedgerEntry | None:  # noqa: ARG002 - the port's signature
        """None."""
        return None

    async def store(self, key: str, entry: LedgerEntry, subject: Subject) -> None:
        """Let it go."""


class LocalRates:
    """Remembers as long as the process lives."""

    def __init__(self, family: Family) -> None:
        self._known = Calibration.first(family)

    async def read(self) -> Calibration:
        """What this process has seen."""
        return self._known

    async def learn(self, sample: Sample) -> None:
        """Take in one more call."""
        self._known = self._known.learn(sample.size, sample.tokens)


class NoFiles:
    """A diff of which only the text is known."""

    cheap_reads = 0

    async def read(self, path: str) -> bytes | None:  # noqa: ARG002 - the port's signature
        """None."""
        return None
