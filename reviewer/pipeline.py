"""Review one diff, from top to bottom. This is the file to read first.

The diff is planned, the plan announced, and its batches reviewed side by side. A chunk that the ledger knows
is not bought again. A finding is anchored, redacted, made safe and appended to the feed the moment its engine
has finished writing it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from reviewer.context import Context
from reviewer.core.batches import Batch
from reviewer.core.chunks import Chunk
from reviewer.core.coverage import Coverage, Reason
from reviewer.core.diff import Diff, readable
from reviewer.core.events import (
    ChunkCompleted,
    ChunkFailed,
    ChunkProgress,
    ChunkRetrying,
    ChunkStarted,
    Event,
    FindingMade,
    PlannedChunk,
    ReviewCompleted,
    ReviewPlanned,
    ReviewStarted,
    SkippedFile,
    Subject,
    Usage,
)
from reviewer.core.findings import Finding, ReportedFinding, Severity
from reviewer.core.merge import Findings
from reviewer.core.plan import Limits, Plan, plan
from reviewer.core.policy import Policy
from reviewer.core.tokens import Estimator, plausible
from reviewer.errors import EngineError
from reviewer.ports import (
    BatchDone,
    Clock,
    Engine,
    EngineNews,
    Feed,
    Ledger,
    LedgerEntry,
    Malformed,
    Progress,
    Rates,
    Reported,
    Retrying,
    Sources,
)

OFF_SCHEMA = "off the schema"
MOST_COUNTS = 20
"""Files of one review whose tokens are counted by the server at most."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters a review works through."""

    engine: Engine
    ledger: Ledger
    feed: Feed
    rates: Rates
    clock: Clock


@dataclass(frozen=True, slots=True)
class Job:
    """What to review, and within which bounds.

    Attributes:
        notice: what the reader must know about the engine, such as that no model is configured.
        concurrency: batches under review at once.
    """

    subject: Subject
    diff: Diff
    sources: Sources
    limits: Limits
    policy: Policy = field(default_factory=Policy)
    notice: str | None = None
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """A review that ran to its end, though single chunks may have failed.

    Attributes:
        errors: by chunk id, why an engine gave up on it.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    dropped: dict[str, int]
    errors: dict[str, EngineError]
    coverage: Coverage
    usage: Usage
    cost: float | None
    seconds: float
    notes: tuple[str, ...]

    @property
    def failed(self) -> dict[str, str]:
        """By chunk id, why it was not reviewed, in words for people."""
        return {chunk: str(error) for chunk, error in self.errors.items()}

    @property
    def unreviewed(self) -> EngineError | None:
        """The reason, if there were chunks and none of them could be reviewed."""
        if not self.errors or len(self.errors) < len(self.plan.chunks):
            return None
        return next(iter(self.errors.values()))

    def completed(self) -> ReviewCompleted:
        """The event that ends the review."""
        counts = {severity.value: 0 for severity in Severity}
        for finding in self.findings:
            counts[finding.severity] += 1
        return ReviewCompleted(
            findings=len(self.findings),
            by_severity=counts,
            dropped=self.dropped,
            coverage=self.coverage,
            usage=self.usage,
            cost=self.cost,
            seconds=self.seconds,
        )


async def review(job: Job, ports: Ports) -> Outcome:
    """Review a diff and append everything that happens to the feed, but for the event that ends the review.

    Chunks whose engine fails are reported as such; the rest of the review goes on.
    """
    began = ports.clock.monotonic()
    await ports.feed.append(job.subject, [ReviewStarted(engine=ports.engine.name, notice=job.notice)])
    planned = await prepare(job.diff, job.policy, job.limits, ports.engine)
    async with Context(job.sources, job.limits) as context:
        run = _Run(job, ports, planned, began, context)
        await run.say(await asyncio.to_thread(_announcement, planned, ports.engine))
        waiting = iter(planned.batches)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(job.concurrency):
                tasks.create_task(run.review_each(waiting))
    return await asyncio.to_thread(run.outcome)  # many files make many rows


async def prepare(diff: Diff, policy: Policy, limits: Limits, engine: Engine) -> Plan:
    """Plan a review. Where an estimate is too near to the limit to trust, the engine is asked to count."""
    planned = await asyncio.to_thread(plan, diff, policy, limits)
    doubtful = await asyncio.to_thread(planned.doubtful)
    asked = list(islice(doubtful.items(), MOST_COUNTS))
    counts = await asyncio.gather(*(engine.count(whole) for _, whole in asked))
    estimators = {
        position: Estimator((_size(whole) + limits.overhead + limits.frame) / counted)
        for (position, whole), counted in zip(asked, counts, strict=True)
        if counted and plausible(_size(whole), counted)
    }
    return await asyncio.to_thread(planned.recut, estimators) if estimators else planned


def _size(batch: Batch) -> int:
    return sum(piece.size for chunk in batch.chunks for piece in chunk.pieces)


def ledger_key(chunk: Chunk, job: Job, engine: Engine) -> str:
    """What a chunk's answer depends on: the same key would be answered the same."""
    head = job.subject.head_sha if engine.reads_files else None
    parts = (engine.name, engine.model, engine.version, job.policy.digest, head, chunk.path, chunk.text())
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()


def _announcement(planned: Plan, engine: Engine) -> ReviewPlanned:
    return ReviewPlanned(
        files=len(planned.files),
        chunks=[
            PlannedChunk(
                id=chunk.id,
                path=readable(chunk.path),
                part=chunk.part,
                parts=chunk.parts,
                lines=chunk.span,
                tokens=chunk.tokens,
            )
            for chunk in planned.chunks
        ],
        changed_lines=planned.diff.changed_lines,
        estimated_tokens=planned.tokens,
        estimated_cost=engine.price(planned.tokens),
        skipped=[
            SkippedFile(path=readable(f.file.path), reason=f.skipped) for f in planned.files if f.skipped
        ],
    )


@dataclass(slots=True)
class _Heard:
    """What an engine has said about one chunk so far."""

    reported: list[ReportedFinding] = field(default_factory=list[ReportedFinding])
    malformed: int = 0
    standing: int = 0


class _Run:
    """The state of one review."""

    def __init__(self, job: Job, ports: Ports, planned: Plan, began: float, context: Context) -> None:
        self.plan = planned
        self._job = job
        self._ports = ports
        self._began = began
        self._context = context
        self._placing = asyncio.Lock()
        self._findings = Findings(job.subject.review, job.diff, least_severity=job.policy.least_severity)
        self._reviewed: set[str] = set()
        self._failures: dict[str, EngineError] = {}
        self._usage = Usage()
        self._costs: list[float] = []
        self._notes: dict[str, None] = {}

    async def say(self, *events: Event) -> None:
        await self._ports.feed.append(self._job.subject, events)

    async def review_each(self, waiting: Iterator[Batch]) -> None:
        """Review one batch after the other; several of these share what is waiting."""
        for batch in waiting:
            wanted: list[Chunk] = []
            for chunk in await self._surrounded(batch):
                entry = await self._ports.ledger.find(self._key(chunk))
                if entry is None:
                    wanted.append(chunk)
                else:
                    await self._recall(chunk, entry)
            if wanted:
                await self._buy(Batch(batch.id, tuple(wanted)))

    async def _surrounded(self, batch: Batch) -> Sequence[Chunk]:
        """The chunks as they are sent: an engine that reads whole files needs to be shown no more of them."""
        if self._ports.engine.reads_files:
            return batch.chunks
        return await asyncio.gather(*map(self._context.around, batch.chunks))

    def outcome(self) -> Outcome:
        return Outcome(
            plan=self.plan,
            findings=self._findings.standing,
            dropped=dict(self._findings.dropped),
            errors=self._failures,
            coverage=self.plan.coverage(self._reviewed, dict.fromkeys(self._failures, Reason.ENGINE_FAILED)),
            usage=self._usage,
            cost=sum(self._costs) if self._costs else None,
            seconds=round(self._ports.clock.monotonic() - self._began, 3),
            notes=tuple(self._notes),
        )

    def _key(self, chunk: Chunk) -> str:
        return ledger_key(chunk, self._job, self._ports.engine)

    async def _recall(self, chunk: Chunk, entry: LedgerEntry) -> None:
        """A chunk that was finished before: nothing is bought."""
        heard = _Heard(malformed=entry.malformed)
        if entry.malformed:
            self._findings.dropped[OFF_SCHEMA] += entry.malformed
        for reported in entry.findings:
            await self._stand(chunk, heard, reported)
        self._note(entry.notes)
        await self._finish(chunk, heard, BatchDone(notes=entry.notes), seconds=0.0, from_ledger=True)

    async def _buy(self, batch: Batch) -> None:
        began = self._ports.clock.monotonic()
        heard = {chunk.id: _Heard() for chunk in batch.chunks}
        model = self._ports.engine.model
        await self.say(*(_started(chunk, model) for chunk in batch.chunks))

        async def tell(news: EngineNews) -> None:
            await self._hear(batch, heard, news)

        try:
            done = await self._ports.engine.review(batch, self._job.sources, tell)
        except EngineError as error:
            for chunk in batch.chunks:
                self._failures[chunk.id] = error
            await self.say(
                *(
                    ChunkFailed(chunk=chunk.id, path=readable(chunk.path), reason=str(error))
                    for chunk in batch.chunks
                )
            )
            return
        self._note(done.notes)
        if done.sample is not None:
            await self._ports.rates.learn(done.sample)
        self._usage += done.usage
        if done.cost is not None:
            self._costs.append(done.cost)
        seconds = round(self._ports.clock.monotonic() - began, 3)
        for chunk, share in zip(batch.chunks, _shares(done, batch.chunks), strict=True):
            said = heard[chunk.id]
            entry = LedgerEntry(tuple(said.reported), said.malformed, share.usage, share.cost, done.notes)
            await self._ports.ledger.store(self._key(chunk), entry, self._job.subject)
            await self._finish(chunk, said, share, seconds=seconds, from_ledger=False)

    async def _hear(self, batch: Batch, heard: dict[str, _Heard], news: EngineNews) -> None:
        first = batch.chunks[0]
        match news:
            case Reported(finding):
                chunk = _chunk_of(batch, finding)
                heard[chunk.id].reported.append(finding)
                await self._stand(chunk, heard[chunk.id], finding)
            case Malformed():
                heard[first.id].malformed += 1
                self._findings.dropped[OFF_SCHEMA] += 1
            case Progress(tokens):
                await self.say(ChunkProgress(chunk=first.id, output_tokens=tokens))
            case Retrying(attempt, wait, reason):
                await self.say(ChunkRetrying(chunk=first.id, attempt=attempt, wait=wait, reason=reason))

    async def _stand(self, chunk: Chunk, heard: _Heard, reported: ReportedFinding) -> None:
        async with self._placing:
            heavy = self._findings.is_heavy(reported)
            place = self._findings.place
            placed = await asyncio.to_thread(place, reported) if heavy else place(reported)
        finding = self._findings.add(reported, chunk=chunk.id, source=self._ports.engine.model, placed=placed)
        if finding is not None:
            heard.standing += 1
            await self.say(FindingMade(finding=finding))

    async def _finish(
        self, chunk: Chunk, heard: _Heard, done: BatchDone, *, seconds: float, from_ledger: bool
    ) -> None:
        self._reviewed.add(chunk.id)
        await self.say(
            ChunkCompleted(
                chunk=chunk.id,
                path=readable(chunk.path),
                source="ledger" if from_ledger else "engine",
                findings=heard.standing,
                dropped=len(heard.reported) + heard.malformed - heard.standing if not from_ledger else 0,
                usage=done.usage,
                cost=done.cost,
                time_to_first_token=done.time_to_first_token,
                seconds=seconds,
                notes=list(done.notes),
            )
        )

    def _note(self, notes: Sequence[str]) -> None:
        self._notes.update(dict.fromkeys(notes))


def _started(chunk: Chunk, model: str) -> ChunkStarted:
    return ChunkStarted(
        chunk=chunk.id,
        path=readable(chunk.path),
        part=chunk.part,
        parts=chunk.parts,
        lines=chunk.span,
        model=model,
    )


def _chunk_of(batch: Batch, finding: ReportedFinding) -> Chunk:
    """The chunk a finding is about: of its file, the one that shows its line, else the first."""
    same_file = [chunk for chunk in batch.chunks if chunk.path == finding.path]
    for chunk in same_file:
        if chunk.span[0] <= finding.line <= chunk.span[1]:
            return chunk
    return (same_file or list(batch.chunks))[0]


def _shares(done: BatchDone, chunks: Sequence[Chunk]) -> list[BatchDone]:
    """What a batch used, split over its chunks by their size; the last takes what rounding leaves."""
    total = sum(chunk.tokens for chunk in chunks) or 1
    rest, rest_cost = done.usage, done.cost
    shares: list[BatchDone] = []
    for chunk in chunks[:-1]:
        part = chunk.tokens / total
        usage = Usage(**{name: int(count * part) for name, count in done.usage.model_dump().items()})
        cost = None if done.cost is None else done.cost * part
        rest = Usage(**{name: count - getattr(usage, name) for name, count in rest.model_dump().items()})
        rest_cost = None if rest_cost is None or cost is None else rest_cost - cost
        shares.append(BatchDone(usage, cost, done.time_to_first_token, done.notes))
    return [*shares, BatchDone(rest, rest_cost, done.time_to_first_token, done.notes)]
