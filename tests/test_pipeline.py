from __future__ import annotations

from collections.abc import Sequence

import pytest

from reviewer import pipeline
from reviewer.core import diff
from reviewer.core.chunks import Batch
from reviewer.core.events import ChunkCompleted, ChunkFailed, Event, FindingMade, Subject, Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.plan import Limits
from reviewer.errors import EngineUnavailable
from reviewer.local import NoFiles, SystemClock
from reviewer.pipeline import Job, Outcome, Ports
from reviewer.ports import BatchDone, LedgerEntry, Malformed, Reported, Sources, Tell
from tests.core.test_stream import finding

ONE = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1,2 @@\n+first line\n+second line\n"
SUBJECT = Subject(review="r", repository="octo/shop", head_sha="a" * 40)


class Scripted:
    """An engine that reports one finding a chunk, and fails on paths it is told to."""

    name = "scripted"
    model = "scripted-1"
    version = "1"
    reads_files = False

    def __init__(self, *, fails_on: str = "") -> None:
        self.fails_on = fails_on
        self.bought: list[str] = []

    def price(self, tokens: int) -> float | None:
        return tokens / 1000

    async def review(self, batch: Batch, sources: Sources, tell: Tell) -> BatchDone:
        for chunk in batch.chunks:
            if chunk.path == self.fails_on:
                raise EngineUnavailable("overloaded")
            self.bought.append(chunk.path)
            said = finding(f"in {chunk.path}", path=chunk.path, line=2, quote="second line")
            await tell(Reported(ReportedFinding.model_validate(said)))
        await tell(Malformed("off the schema"))
        return BatchDone(Usage(input=101, output=11), 0.5, 0.1)


class Memory:
    """A ledger and a feed in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, LedgerEntry] = {}
        self.said: list[Event] = []

    async def find(self, key: str) -> LedgerEntry | None:
        return self.entries.get(key)

    async def store(self, key: str, entry: LedgerEntry, subject: Subject) -> None:
        self.entries[key] = entry

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        self.said += events


async def review(engine: Scripted, memory: Memory, *paths: str) -> Outcome:
    job = Job(
        subject=SUBJECT,
        diff=diff.parse("".join(ONE.format(path) for path in paths)),
        sources=NoFiles(),
        limits=Limits(8_000, batch=30),
    )
    return await pipeline.review(job, Ports(engine, memory, memory, SystemClock()))


async def test_a_finished_chunk_is_read_from_the_ledger_and_not_bought_again():
    engine, memory = Scripted(), Memory()
    first = await review(engine, memory, "a.py", "b.py")
    memory.said.clear()

    second = await review(engine, memory, "a.py", "b.py", "c.py")

    assert sorted(engine.bought) == ["a.py", "b.py", "c.py"]
    assert len(first.findings) == 2
    assert len(second.findings) == 3
    sources = {event.path: event.source for event in memory.said if isinstance(event, ChunkCompleted)}
    assert sources == {"a.py": "ledger", "b.py": "ledger", "c.py": "engine"}
    assert second.cost == 0.5


async def test_a_chunk_whose_engine_fails_is_named_and_the_rest_is_reviewed():
    memory = Memory()
    outcome = await review(Scripted(fails_on="b.py"), memory, "a.py", "b.py")

    assert [finding.path for finding in outcome.findings] == ["a.py"]
    assert [event.path for event in memory.said if isinstance(event, ChunkFailed)] == ["b.py"]
    assert outcome.coverage.reviewed == 2
    assert outcome.coverage.not_reviewed == {"the engine failed": 2}
    assert outcome.unreviewed is None


async def test_a_review_of_which_nothing_was_read_says_why():
    outcome = await review(Scripted(fails_on="a.py"), Memory(), "a.py")

    assert outcome.unreviewed is not None
    assert outcome.unreviewed.retryable


async def test_what_a_batch_used_is_split_over_its_chunks_without_loss():
    memory = Memory()
    job = Job(
        subject=SUBJECT,
        diff=diff.parse("".join(ONE.format(path) for path in ("a.py", "b.py", "c.py"))),
        sources=NoFiles(),
        limits=Limits(8_000),
    )
    outcome = await pipeline.review(job, Ports(Scripted(), memory, memory, SystemClock()))

    done = [event for event in memory.said if isinstance(event, ChunkCompleted)]
    assert sum((event.usage for event in done), Usage()) == outcome.usage == Usage(input=101, output=11)
    assert sum(event.cost or 0 for event in done) == pytest.approx(0.5)
    assert outcome.dropped == {"off the schema": 1}
    assert len([event for event in memory.said if isinstance(event, FindingMade)]) == 3
