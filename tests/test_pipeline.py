from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from reviewer import pipeline
from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.budget import Amount, Caps, Payer
from reviewer.core.coverage import Reason
from reviewer.core.events import (
    ChunkCompleted,
    ChunkFailed,
    ChunkRetrying,
    ChunkStarted,
    Event,
    FindingMade,
    ReviewPlanned,
    ReviewStarted,
    Subject,
    Usage,
)
from reviewer.core.findings import ReportedFinding
from reviewer.core.plan import Limits
from reviewer.core.routing import Models
from reviewer.core.tokens import Family
from reviewer.errors import (
    AnswerUnfinished,
    EngineError,
    EngineRefused,
    EngineUnavailable,
    OverBudget,
    SpendLimitReached,
    StoreUnavailable,
    StreamCut,
)
from reviewer.job import Job, Outcome, Ports
from reviewer.local import LocalBudgets, LocalRates, NoFiles, SystemClock
from reviewer.ports import BatchDone, Health, LedgerEntry, Malformed, Reported, Retrying, Sample, Task, Tell
from reviewer.store.budgets import PostgresBudgets
from tests.claude.stories import engine, until
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.work import MODEL, MODELS, PAYER

ONE = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1,2 @@\n+first line\n+second line\n"
SUBJECT = Subject(review="r", repository="octo/shop", head_sha="a" * 40)


class Scripted:
    """An engine that reports one finding a chunk, and fails on paths it is told to."""

    name = "scripted"
    version = "v1-of-the-prompt"
    reads_files = False

    def __init__(
        self,
        *,
        fails_on: str = "",
        error: EngineError | None = None,
        counts: int | None = None,
        malformed: bool = False,
        by_fallback: bool = False,
    ) -> None:
        self.fails_on = fails_on
        self.error = error or EngineUnavailable("overloaded")
        self.counts = counts
        self.malformed = malformed
        self.by_fallback = by_fallback
        self.bought: list[str] = []
        self.counted: list[str] = []
        self.sent: list[Batch] = []

    def health(self) -> Health:
        return Health("ok")

    def price(self, model: str, tokens: int) -> float | None:
        return tokens / 1000

    async def count(self, batch: Batch) -> int | None:
        self.counted += [chunk.path for chunk in batch.chunks]
        return self.counts

    async def review(self, task: Task, tell: Tell) -> BatchDone:
        self.sent.append(task.batch)
        failed: dict[str, EngineError] = {}
        for chunk in task.batch.chunks:
            if chunk.path == self.fails_on:
                failed[chunk.id] = self.error
                continue
            self.bought.append(chunk.path)
            said = finding(f"in {chunk.path}", path=chunk.path, line=chunk.span[1], quote="second line")
            await tell(Reported(ReportedFinding.model_validate(said), "who-said-it"))
        if self.malformed:
            await tell(Malformed("off the schema"))
        usage, samples = Usage(input=101, output=11), (Sample(Family.CLAUDE_5, 10_000, 4_000),)
        answered = frozenset(chunk.id for chunk in task.batch.chunks if self.by_fallback)
        return BatchDone(usage, 0.5, 0.1, samples=samples, failed=failed, by_fallback=answered)


class Memory:
    """A ledger and a feed in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, int | None], LedgerEntry] = {}
        self.said: list[Event] = []
        self.sought: list[tuple[str, ...]] = []

    async def find(self, keys: tuple[str, ...], payer: Payer) -> LedgerEntry | None:
        self.sought.append(keys)
        found = (self.entries.get((key, payer.installation)) for key in keys)
        return next((entry for entry in found if entry is not None), None)

    async def store(self, key: str, entry: LedgerEntry, payer: Payer, repository: str) -> None:
        self.entries[key, payer.installation] = entry

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        self.said += events

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.said if isinstance(event, kind)]


def job(text: str, limits: Limits, *, models: Models = MODELS, payer: Payer = PAYER) -> Job:
    return Job(
        subject=SUBJECT, diff=diff.parse(text), sources=NoFiles(), limits=limits, models=models, payer=payer
    )


async def run(
    engine: Scripted,
    text: str,
    limits: Limits,
    memory: Memory | None = None,
    **options: Any,
) -> tuple[Outcome, Memory, LocalRates]:
    memory, rates = memory or Memory(), LocalRates()
    ports = Ports(engine, memory, memory, rates, LocalBudgets(Caps()), SystemClock())
    return await pipeline.review(job(text, limits, **options), ports), memory, rates


async def review(engine: Scripted, memory: Memory, *paths: str, **options: Any) -> Outcome:
    text = "".join(ONE.format(path) for path in paths)
    outcome, _, _ = await run(engine, text, Limits(8_000, batch=30), memory, **options)
    return outcome


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
    text = "".join(ONE.format(path) for path in ("a.py", "b.py", "c.py"))
    outcome, memory, _ = await run(Scripted(malformed=True), text, Limits(8_000))

    done = [event for event in memory.said if isinstance(event, ChunkCompleted)]
    assert sum((event.usage for event in done), Usage()) == Usage(input=101, output=11)
    assert sum(event.cost or 0 for event in done) == pytest.approx(0.5)
    assert outcome.dropped == {"off the schema": 1}
    assert len([event for event in memory.said if isinstance(event, FindingMade)]) == 3


@pytest.mark.parametrize(
    ("error", "reason", "later"),
    [
        (EngineUnavailable("down", retry_after=7), Reason.ENGINE_FAILED, True),
        (StreamCut("cut"), Reason.ENGINE_FAILED, True),
        (SpendLimitReached("spent"), Reason.ENGINE_FAILED, False),
        (OverBudget("over", scope="one review"), Reason.OVER_BUDGET, False),
        (EngineRefused("no"), Reason.REFUSED, False),
        (AnswerUnfinished("never"), Reason.UNFINISHED, False),
    ],
)
async def test_what_is_not_reviewed_is_named_with_its_reason_and_whether_later_helps(error, reason, later):
    engine = Scripted(fails_on="b.py", error=error)
    outcome, memory, _ = await run(engine, ONE.format("a.py") + ONE.format("b.py"), Limits(8_000))

    assert outcome.coverage.not_reviewed == {reason: 2}
    assert outcome.coverage.reviewed == 2
    assert outcome.unfinished is (error if later else None)
    (failed,) = memory.heard(ChunkFailed)
    assert isinstance(failed, ChunkFailed)
    assert (failed.reason, failed.cost) == (str(error), pytest.approx(0.25))


MOVED = """diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -{0},3 +{0},4 @@ def pay(order):
 before
-    gone
+first line
+second line
 after
"""


async def test_a_hunk_that_only_moved_is_not_bought_again_and_its_finding_moves_with_it():
    engine, memory = Scripted(), Memory()
    first, _, _ = await run(engine, MOVED.format(10), Limits(8_000), memory)
    engine_again = Scripted()
    second, _, _ = await run(engine_again, MOVED.format(48), Limits(8_000), memory, payer=Payer("r2", 1))

    assert engine_again.sent == []
    assert [finding.line for finding in first.findings] == [12]
    assert [finding.line for finding in second.findings] == [50]
    assert second.findings[0].verified
    assert second.findings[0].fingerprint == first.findings[0].fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"text": MOVED.replace("def pay", "def refund").format(10)},
        {"text": MOVED.replace("second", "other").format(10)},
        {"text": MOVED.replace("a.py", "b.py").format(10)},
        {"models": Models("another-model")},
        {"payer": Payer("r", installation=2)},
    ],
    ids=["section", "text", "path", "model", "tenant"],
)
async def test_what_an_answer_depends_on_is_part_of_its_key(other):
    memory = Memory()
    await run(Scripted(), MOVED.format(10), Limits(8_000), memory)
    engine = Scripted()
    text = other.pop("text", MOVED.format(10))
    await run(engine, text, Limits(8_000), memory, **other)

    assert len(engine.sent) == 1


async def test_an_answer_in_other_words_of_the_prompt_is_another_answer():
    memory = Memory()
    await run(Scripted(), MOVED.format(10), Limits(8_000), memory)
    engine = Scripted()
    engine.version = "v2"
    await run(engine, MOVED.format(10), Limits(8_000), memory)

    assert len(engine.sent) == 1


async def test_an_answer_of_which_a_part_could_not_be_read_is_not_kept():
    memory = Memory()
    await review(Scripted(malformed=True), memory, "a.py")

    assert memory.entries == {}


async def test_no_chunk_is_kept_of_a_batch_of_which_a_part_could_not_be_read():
    memory = Memory()
    await run(Scripted(malformed=True), ONE.format("a.py") + ONE.format("b.py"), Limits(8_000), memory)

    assert memory.entries == {}


async def test_an_error_of_a_port_comes_through_as_itself():
    class Broken(Memory):
        async def store(self, key: str, entry: LedgerEntry, payer: Payer, repository: str) -> None:
            raise StoreUnavailable("the database is gone for a while")

    with pytest.raises(StoreUnavailable):
        await review(Scripted(), Broken(), "a.py")


async def test_a_chunk_that_failed_is_not_kept_and_its_fellow_is():
    memory, again = Memory(), Scripted()
    text = ONE.format("a.py") + ONE.format("b.py")
    await run(Scripted(fails_on="b.py"), text, Limits(8_000), memory)
    await run(again, text, Limits(8_000), memory)

    assert again.bought == ["b.py"]


async def test_what_the_fallback_answered_holds_for_this_review_alone():
    memory, again, another = Memory(), Scripted(), Scripted()
    models = Models(MODEL, fallback="other")
    await review(Scripted(by_fallback=True), memory, "a.py", models=models)
    await review(again, memory, "a.py", models=models)
    other = Payer("another review", PAYER.installation)
    await review(another, memory, "a.py", models=models, payer=other)

    assert again.bought == []
    assert another.bought == ["a.py"]


async def test_what_the_wanted_model_answered_goes_before_what_the_fallback_did():
    memory, models = Memory(), Models(MODEL, fallback="other")
    await review(Scripted(by_fallback=True), memory, "a.py", models=models)
    ((fallbacks, _),) = memory.entries
    await review(Scripted(), memory, "a.py", models=models, payer=Payer("another review", PAYER.installation))
    memory.entries[fallbacks, PAYER.installation] = LedgerEntry((), Usage(), None)

    outcome = await review(Scripted(), memory, "a.py", models=models)

    assert len(outcome.findings) == 1


@pytest.mark.parametrize(("fallback", "keys"), [(None, 1), ("other", 2)])
async def test_the_ledger_is_asked_once_for_each_chunk(fallback, keys):
    memory = Memory()
    await review(Scripted(), memory, "a.py", "b.py", models=Models(MODEL, fallback=fallback))

    assert [len(each) for each in memory.sought] == [keys, keys]


async def test_events_tell_model_route_prompt_and_source():
    engine, memory = Scripted(), Memory()
    models = Models("big", small="small", fallback="other")
    code = ONE.format("a.py").replace("first line", "return 1")
    await run(engine, code + ONE.format("notes.md"), Limits(8_000), memory, models=models)

    (started,) = memory.heard(ReviewStarted)
    assert isinstance(started, ReviewStarted)
    assert (started.model, started.small_model, started.fallback_model) == ("big", "small", "other")
    assert started.prompt == engine.version
    (planned,) = memory.heard(ReviewPlanned)
    assert isinstance(planned, ReviewPlanned)
    assert {chunk.path: chunk.model for chunk in planned.chunks} == {"a.py": "big", "notes.md": "small"}
    chunks = [event for event in memory.said if isinstance(event, ChunkStarted)]
    assert [(event.path, event.model, event.prompt) for event in chunks] == [
        ("a.py", "big", engine.version),
        ("notes.md", "small", engine.version),
    ]
    assert all(event.route for event in chunks)
    found = [event for event in memory.said if isinstance(event, FindingMade)]
    assert [event.finding.source for event in found] == ["who-said-it"] * 2
    assert {event.prompt for event in found} == {engine.version}


async def test_a_try_that_did_not_do_is_told_with_the_model_asked_next():
    class Trying(Scripted):
        async def review(self, task: Task, tell: Tell) -> BatchDone:
            await tell(Retrying(1, 2.5, "overloaded", "other"))
            return await super().review(task, tell)

    memory = Memory()
    await review(Trying(), memory, "a.py")

    (told,) = memory.heard(ChunkRetrying)
    assert isinstance(told, ChunkRetrying)
    assert (told.attempt, told.wait, told.reason, told.model) == (1, 2.5, "overloaded", "other")


@pytest.mark.parametrize("after", [0, 0.02, 0.2])
async def test_a_review_that_is_cancelled_settles_all_its_calls_and_leaves_nothing_set_aside(database, after):
    memory, budgets = Memory(), PostgresBudgets(database, Caps(), SystemClock())
    text = "".join(ONE.format(f"{number}.py") for number in range(12))
    answers = Answer.findings(finding("a"), finding("b", line=2), delay=0.02)
    async with ScriptedClaude(lambda _: answers) as server, engine(server) as claude:
        ports = Ports(claude, memory, memory, LocalRates(), budgets, SystemClock())
        wanted = replace(job(text, Limits(8_000, batch=0)), concurrency=6)
        review = asyncio.create_task(pipeline.review(wanted, ports))
        async with asyncio.timeout(30):
            await until(lambda: len(server.requests) >= 3)
            await asyncio.sleep(after)
            review.cancel()
            with pytest.raises(asyncio.CancelledError):
                await review
            asked = len(server.requests)
            await until(lambda: all(request.cut_at or request.ended_at for request in server.requests))

    async with database.connection() as connection:
        cursor = await connection.execute("SELECT error, input + output + cached + cache_writes FROM calls")
        calls = await cursor.fetchall()
        left = await (await connection.execute("SELECT * FROM reservations")).fetchall()
    assert left == []
    assert len(calls) >= asked >= 3
    assert "cancelled" in {error for error, _ in calls}
    spent = sum(tokens for _, tokens in calls)
    assert {(each.spent.tokens, each.reserved) for each in await budgets.standing(PAYER)} == {
        (spent, Amount())
    }


def long_file(path: str, lines: int) -> str:
    """A new file of so many rows of 29 bytes each, as the reviewer is shown them."""
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return head + f"@@ -0,0 +1,{lines} @@\n" + f"+{'x' * 20}\n" * lines


@pytest.mark.parametrize(("counts", "chunks"), [(6_000, 1), (9_000, 2), (None, 2)])
async def test_a_file_near_the_limit_is_counted_by_the_model_and_cut_as_that_says(counts, chunks):
    engine = Scripted(counts=counts)
    text = long_file("near.py", 310) + long_file("far.py", 100) + long_file("beyond.py", 900)

    outcome, _, _ = await run(engine, text, Limits(8_000))  # 4,000 tokens a chunk; near.py is some 4,090

    assert engine.counted == ["near.py"]
    assert len([chunk for chunk in outcome.plan.chunks if chunk.path == "near.py"]) == chunks
    assert outcome.coverage.reviewed == 1_310


async def test_every_call_teaches_the_rate_of_tokens():
    _, _, rates = await run(Scripted(), ONE.format("a.py") + ONE.format("b.py"), Limits(8_000, batch=0))

    assert (await rates.read(Family.CLAUDE_5)).samples == 2
    assert (await rates.read(Family.CLAUDE_5)).mean == 2.5


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
