"""Ports for one process without a database."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from reviewer.core.events import Subject
from reviewer.ports import LedgerEntry


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


class NoFiles:
    """A diff of which only the text is known."""

    async def read(self, path: str) -> bytes | None:  # noqa: ARG002 - the port's signature
        """None."""
        return None
