from __future__ import annotations

from collections.abc import Sequence

import pytest

from reviewer import pipeline
from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.coverage import Reason
from reviewer.core.events import ChunkCompleted, ChunkFailed, Event, FindingMade, Subject, Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.plan import Limits
from reviewer.core.tokens import Family
from reviewer.errors import EngineUnavailable
from reviewer.local import LocalRates, NoFiles, SystemClock
from reviewer.pipeline import Job, Outcome, Ports
from reviewer.ports import BatchDone, LedgerEntry, Malformed, Reported, Sample, Sources, Tell
from tests.core.test_stream import finding

ONE = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1,2 @@\n+first line\n+second line\n"
SUBJECT = Subject(review="r", repository="octo/shop", head_sha="a" * 40)


class Scripted:
    """An engine that reports one finding a chunk, and fails on paths it is told to."""

    name = "scripted"
    model = "scripted-1"
    version = "1"
    reads_files = False

    def __init__(self, *, fails_on: str = "", counts: int | None = None) -> None:
        self.fails_on = fails_on
        self.counts = counts
        self.bought: list[str] = []
        self.counted: list[str] = []
        self.sent: list[Batch] = []

    def price(self, tokens: int) -> float | None:
        return tokens / 1000

    async def count(self, batch: Batch) -> int | None:
        self.counted += [chunk.path for chunk in batch.chunks]
        return self.counts

    async def review(self, batch: Batch, sources: Sources, tell: Tell) -> BatchDone:
        self.sent.append(batch)
        for chunk in batch.chunks:
            if chunk.path == self.fails_on:
                raise EngineUnavailable("overloaded")
            self.bought.append(chunk.path)
            said = finding(f"in {chunk.path}", path=chunk.path, line=2, quote="second line")
            await tell(Reported(ReportedFinding.model_validate(said)))
        await tell(Malformed("off the schema"))
        return BatchDone(Usage(input=101, output=11), 0.5, 0.1, sample=Sample(10_000, 4_000))


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
    return await pipeline.review(job, Ports(engine, memory, memory, LocalRates(Family.OTHER), SystemClock()))


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
    assert outcome.coverage.not_reviewed == {Reason.ENGINE_FAILED: 2}
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
    outcome = await pipeline.review(
        job, Ports(Scripted(), memory, memory, LocalRates(Family.OTHER), SystemClock())
    )

    done = [event for event in memory.said if isinstance(event, ChunkCompleted)]
    assert sum((event.usage for event in done), Usage()) == outcome.usage == Usage(input=101, output=11)
    assert sum(event.cost or 0 for event in done) == pytest.approx(0.5)
    assert outcome.dropped == {"off the schema": 1}
    assert len([event for event in memory.said if isinstance(event, FindingMade)]) == 3


def long_file(path: str, lines: int) -> str:
    """A new file of so many rows of 29 bytes each, as the reviewer is shown them."""
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return head + f"@@ -0,0 +1,{lines} @@\n" + f"+{'x' * 20}\n" * lines


async def run(engine: Scripted, text: str, limits: Limits) -> tuple[Outcome, Memory, LocalRates]:
    memory, rates = Memory(), LocalRates(Family.CLAUDE_5)
    job = Job(subject=SUBJECT, diff=diff.parse(text), sources=NoFiles(), limits=limits)
    return await pipeline.review(job, Ports(engine, memory, memory, rates, SystemClock())), memory, rates


@pytest.mark.parametrize(("counts", "chunks"), [(3_700, 1), (4_400, 2), (None, 2)])
async def test_a_file_near_the_limit_is_counted_by_the_model_and_cut_as_that_says(counts, chunks):
    engine = Scripted(counts=counts)
    text = long_file("near.py", 310) + long_file("far.py", 100) + long_file("beyond.py", 900)

    outcome, _, _ = await run(engine, text, Limits(8_000))  # 4,000 tokens a chunk; near.py is some 4,090

    assert engine.counted == ["near.py"]
    assert len([chunk for chunk in outcome.plan.chunks if chunk.path == "near.py"]) == chunks
    assert outcome.coverage.reviewed == 1_310


async def test_every_call_teaches_the_rate_of_tokens():
    _, _, rates = await run(Scripted(), ONE.format("a.py") + ONE.format("b.py"), Limits(8_000, batch=0))

    assert (await rates.read()).samples == 2
    assert (await rates.read()).mean == 2.5


async def test_turned_off_every_chunk_is_sent_alone():
    engine = Scripted()
    await run(engine, "".join(ONE.format(path) for path in ("a.py", "b.py", "c.py")), Limits(8_000, batch=0))

    assert [len(batch.chunks) for batch in engine.sent] == [1, 1, 1]


async def test_the_last_event_tells_the_coverage_of_each_file():
    lock = long_file("yarn.lock", 3)
    outcome, _, _ = await run(
        Scripted(fails_on="b.py"), ONE.format("a.py") + ONE.format("b.py") + lock, Limits(8_000, batch=0)
    )

    told = outcome.completed().coverage
    assert {file.path: (file.reviewed, file.changed_lines) for file in told.files} == {
        "a.py": (2, 2),
        "b.py": (0, 2),
        "yarn.lock": (0, 3),
    }
    assert {file.path: file.not_reviewed for file in told.gaps} == {
        "b.py": {Reason.ENGINE_FAILED: 2},
        "yarn.lock": {Reason.GENERATED: 3},
    }


async def test_a_finding_in_a_big_file_stands_as_in_a_small_one():
    text = long_file("big.py", 20_000).replace(f"+{'x' * 20}\n+", "+first\n+second line\n+", 1)
    outcome, _, _ = await run(Scripted(), text.replace("+1,20000", "+1,20001"), Limits(64_000))

    assert [(finding.path, finding.line, finding.verified) for finding in outcome.findings] == [
        ("big.py", 2, True)
    ]
