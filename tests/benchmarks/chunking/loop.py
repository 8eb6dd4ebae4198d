"""How long the event loop stands still while a big diff is reviewed."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence

from reviewer import pipeline
from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.budget import Caps, Payer
from reviewer.core.events import Event, Subject
from reviewer.core.findings import Category, ReportedFinding, Severity
from reviewer.core.plan import Limits
from reviewer.core.routing import Models
from reviewer.job import Job, Ports
from reviewer.local import LocalBudgets, LocalRates, NoFiles, NoLedger, SystemClock
from reviewer.ports import BatchDone, Health, Reported, Task, Tell

_PULSE = 0.001  # seconds between two looks at the clock


class Quick:
    """An engine that reports the last line of each batch's first chunk at once."""

    name = "quick"
    model = "quick-1"
    version = "1"
    reads_files = False

    def health(self) -> Health:
        return Health("ok")

    def price(self, model: str, tokens: int) -> float | None:
        return None

    async def count(self, batch: Batch) -> int | None:
        return None

    async def review(self, task: Task, tell: Tell) -> BatchDone:
        chunk = task.batch.chunks[0]
        finding = ReportedFinding(
            path=diff.readable(chunk.path),
            line=max(chunk.span[1], 1),
            quote="a quote that stands nowhere in this diff, so that all of it is searched",
            severity=Severity.LOW,
            category=Category.BUG,
            title="Made up",
            message="Made up.",
        )
        await tell(Reported(finding, "quick"))
        return BatchDone()


class Nowhere:
    """A feed that keeps nothing."""

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        await asyncio.sleep(0)


async def _watch(gaps: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(_PULSE)
        now = time.perf_counter()
        gaps.append(now - last - _PULSE)
        last = now


async def longest_stop(raw: bytes) -> tuple[float, float]:
    """Seconds that the loop stood still at most, and that the whole review took, from bytes to outcome."""
    gaps: list[float] = []
    gc.freeze()  # as a serving process does once it is up
    watch = asyncio.create_task(_watch(gaps))
    await asyncio.sleep(0.05)
    gaps.clear()
    began = time.perf_counter()
    parsed = await asyncio.to_thread(diff.parse, raw)
    subject = Subject(review="r", repository="bench")
    job = Job(subject, parsed, NoFiles(), Limits(64_000), Models("quick"), Payer("r"))
    ports = Ports(Quick(), NoLedger(), Nowhere(), LocalRates(), LocalBudgets(Caps()), SystemClock())
    outcome = await pipeline.review(job, ports)
    took = time.perf_counter() - began
    watch.cancel()
    if outcome.coverage.reviewed + sum(outcome.coverage.not_reviewed.values()) != parsed.changed_lines:
        raise AssertionError("the coverage does not add up")
    return max(gaps), took
