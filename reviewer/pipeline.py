"""Review one diff, from top to bottom. This is the file to read first.

The diff is planned, the plan announced, and its batches reviewed side by side. A chunk that the ledger knows
is not bought again. A finding is anchored, redacted, made safe and appended to the feed the moment its engine
has finished writing it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import cast

from reviewer import telling
from reviewer.context import Context
from reviewer.core import recall
from reviewer.core.batches import Batch
from reviewer.core.chunks import Chunk
from reviewer.core.coverage import Reason
from reviewer.core.events import (
    ChunkProgress,
    ChunkRetrying,
    Event,
    FindingMade,
    Usage,
)
from reviewer.core.findings import ReportedFinding
from reviewer.core.merge import Findings
from reviewer.core.plan import Plan, plan
from reviewer.core.prompt import build
from reviewer.core.routing import Route
from reviewer.core.tokens import Estimator, plausible
from reviewer.errors import AnswerUnfinished, EngineError, EngineRefused, OverBudget
from reviewer.job import Job, Outcome, Ports
from reviewer.ports import (
    BatchDone,
    Engine,
    EngineNews,
    LedgerEntry,
    Malformed,
    Progress,
    Reported,
    Retrying,
    Task,
    Tell,
)
from reviewer.spending import ReviewPurse

OFF_SCHEMA = "off the schema"
MOST_COUNTS = 20
"""Files of one review whose tokens are counted by the server at most."""


async def review(job: Job, ports: Ports) -> Outcome:
    """Review a diff and append everything that happens to the feed, but for the event that ends the review.

    Chunks whose engine fails are reported as such; the rest of the review goes on.
    """
    began = ports.clock.monotonic()
    await ports.feed.append(job.subject, [telling.beginning(job, ports.engine)])
    planned = await prepare(job, ports.engine)
    async with Context(job.sources, job.limits, ports.spare) as context:
        run = _Run(job, ports, planned, began, context)
        await run.say(await asyncio.to_thread(telling.announcement, planned, ports.engine))
        waiting = iter(planned.batches)
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(job.concurrency):
                    tasks.create_task(run.review_each(waiting))
        except ExceptionGroup as group:
            raise _first(group) from group
    return await asyncio.to_thread(run.outcome)  # many files make many rows


async def prepare(job: Job, engine: Engine) -> Plan:
    """Plan a review. Where an estimate is too near to the limit to trust, the engine is asked to count."""
    planned = await asyncio.to_thread(plan, job.diff, job.policy, job.limits, job.models)
    doubtful = await asyncio.to_thread(planned.doubtful)
    asked = list(islice(doubtful.items(), MOST_COUNTS))
    counts = await asyncio.gather(*(engine.count(whole) for _, whole in asked))
    sizes = await asyncio.to_thread(lambda: [build(whole).size for _, whole in asked])
    estimators = {
        position: Estimator(size / counted)
        for (position, _), size, counted in zip(asked, sizes, counts, strict=True)
        if counted and plausible(size, counted)
    }
    return await asyncio.to_thread(planned.recut, estimators) if estimators else planned


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """What went wrong first: callers know errors, not groups of them."""
    first = group.exceptions[0]
    return _first(cast("ExceptionGroup[Exception]", first)) if isinstance(first, ExceptionGroup) else first


def ledger_key(chunk: Chunk, job: Job, engine: Engine, model: str, *, only_here: bool = False) -> str:
    """What a chunk's answer depends on: the same key would be answered the same, wherever the chunk stands.

    Args:
        chunk: as it is sent.
        job: whose policy and head count.
        engine: who answers.
        model: that it was routed to.
        only_here: the answer holds for this review alone, since the model that was wanted did not give it.
    """
    head = job.subject.head_sha if engine.reads_files else None
    review_ = job.payer.review if only_here else None
    asked = (engine.name, model, engine.version, job.policy.digest)
    parts = (*asked, head, review_, chunk.path, chunk.file.status, recall.stable_text(chunk))
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()


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
        self._version = ports.engine.version
        self._purse = ReviewPurse(ports.budgets, job.payer)
        self._placing = asyncio.Lock()
        self._findings = Findings(job.subject.review, job.diff, least_severity=job.policy.least_severity)
        self._reviewed: set[str] = set()
        self._failures: dict[str, EngineError] = {}
        self._first_token: float | None = None
        self._notes: dict[str, None] = {}

    async def say(self, *events: Event) -> None:
        await self._ports.feed.append(self._job.subject, events)

    async def review_each(self, waiting: Iterator[Batch]) -> None:
        """Review one batch after the other; several of these share what is waiting."""
        for batch in waiting:
            wanted: list[Chunk] = []
            for chunk in await self._surrounded(batch):
                entry = await self._known(chunk, batch.route.model)
                if entry is None:
                    wanted.append(chunk)
                else:
                    await self._recall(chunk, batch.route, entry)
            if wanted:
                await self._buy(replace(batch, chunks=tuple(wanted)))

    def outcome(self) -> Outcome:
        failed = {chunk: _reason(error) for chunk, error in self._failures.items()}
        return Outcome(
            plan=self.plan,
            findings=self._findings.standing,
            dropped=dict(self._findings.dropped),
            errors=self._failures,
            coverage=self.plan.coverage(self._reviewed, failed),
            usage=self._purse.usage,
            cost=self._purse.cost,
            calls=self._purse.calls,
            time_to_first_token=self._first_token,
            seconds=round(self._ports.clock.monotonic() - self._began, 3),
            notes=(*self._notes, *self._context.notes),
        )

    async def _surrounded(self, batch: Batch) -> Sequence[Chunk]:
        """The chunks as they are sent: an engine that reads whole files needs to be shown no more of them."""
        if self._ports.engine.reads_files:
            return batch.chunks
        return await asyncio.gather(*map(self._context.around, batch.chunks))

    async def _known(self, chunk: Chunk, model: str) -> LedgerEntry | None:
        """What the wanted model has said of the chunk, or the fallback in an earlier run of this review."""
        keys = (self._key(chunk, model, only_here=False),)
        if self._job.models.fallback not in {None, model}:
            keys += (self._key(chunk, model, only_here=True),)
        return await self._ports.ledger.find(keys, self._job.payer)

    def _key(self, chunk: Chunk, model: str, *, only_here: bool) -> str:
        return ledger_key(chunk, self._job, self._ports.engine, model, only_here=only_here)

    async def _recall(self, chunk: Chunk, route: Route, entry: LedgerEntry) -> None:
        """A chunk that was finished before: nothing is bought, and its findings go where it stands now."""
        heard = _Heard()
        for remembered in entry.findings:
            await self._stand(chunk, heard, recall.recall(chunk, remembered), route.model)
        self._note(entry.notes)
        self._reviewed.add(chunk.id)
        share = BatchDone(notes=entry.notes)
        event = telling.completed(
            chunk, route, self._version, share, source="ledger", standing=heard.standing
        )
        await self.say(event)

    async def _buy(self, batch: Batch) -> None:
        began = self._ports.clock.monotonic()
        heard = {chunk.id: _Heard() for chunk in batch.chunks}
        await self.say(*(telling.started(chunk, batch.route, self._version) for chunk in batch.chunks))

        async def tell(news: EngineNews) -> None:
            await self._hear(batch, heard, news)

        done = await self._done(batch, tell)
        self._note(done.notes)
        for sample in done.samples:
            await self._ports.rates.learn(sample)
        if done.time_to_first_token is not None and self._first_token is None:
            self._first_token = round(began - self._began + done.time_to_first_token, 3)
        seconds = round(self._ports.clock.monotonic() - began, 3)
        for chunk, share in zip(batch.chunks, _shares(done, batch.chunks), strict=True):
            if chunk.id in done.failed:
                await self._fail(chunk, batch.route, share)
                continue
            if not any(said.malformed for said in heard.values()):
                await self._remember(chunk, batch.route, heard[chunk.id], share)
            await self._finish(chunk, batch.route, heard[chunk.id], share, seconds)

    async def _done(self, batch: Batch, tell: Tell) -> BatchDone:
        subject = self._job.subject
        task = Task(
            batch=batch,
            fallback=self._job.models.fallback,
            sources=self._job.sources,
            purse=self._purse,
            repository=subject.repository,
        )
        try:
            return await self._ports.engine.review(task, tell)
        except EngineError as error:
            return BatchDone(failed={chunk.id: error for chunk in batch.chunks})

    async def _remember(self, chunk: Chunk, route: Route, said: _Heard, share: BatchDone) -> None:
        """Keep a chunk of an answer that could be read in whole; another may be better next time."""
        findings = tuple(recall.remember(chunk, reported) for reported in said.reported)
        entry = LedgerEntry(findings, share.usage, share.cost, share.notes)
        key = self._key(chunk, route.model, only_here=chunk.id in share.by_fallback)
        await self._ports.ledger.store(key, entry, self._job.payer, self._job.subject.repository)

    async def _finish(
        self, chunk: Chunk, route: Route, said: _Heard, share: BatchDone, seconds: float
    ) -> None:
        self._reviewed.add(chunk.id)
        dropped = len(said.reported) + said.malformed - said.standing
        event = telling.completed(
            chunk,
            route,
            self._version,
            share,
            source="engine",
            standing=said.standing,
            dropped=dropped,
            seconds=seconds,
        )
        await self.say(event)

    async def _fail(self, chunk: Chunk, route: Route, share: BatchDone) -> None:
        error = self._failures[chunk.id] = share.failed[chunk.id]
        await self.say(telling.failed(chunk, route, self._version, share, error))

    async def _hear(self, batch: Batch, heard: dict[str, _Heard], news: EngineNews) -> None:
        first = batch.chunks[0]
        match news:
            case Reported(finding, source):
                chunk = _chunk_of(batch, finding)
                heard[chunk.id].reported.append(finding)
                await self._stand(chunk, heard[chunk.id], finding, source)
            case Malformed():
                heard[first.id].malformed += 1
                self._findings.dropped[OFF_SCHEMA] += 1
            case Progress(tokens):
                await self.say(ChunkProgress(chunk=first.id, output_tokens=tokens))
            case Retrying(attempt, wait, reason, model):
                event = ChunkRetrying(chunk=first.id, attempt=attempt, wait=wait, reason=reason, model=model)
                await self.say(event)

    async def _stand(self, chunk: Chunk, heard: _Heard, reported: ReportedFinding, source: str) -> None:
        async with self._placing:
            heavy = self._findings.is_heavy(reported)
            place = self._findings.place
            placed = await asyncio.to_thread(place, reported) if heavy else place(reported)
        finding = self._findings.add(reported, chunk=chunk.id, source=source, placed=placed)
        if finding is not None:
            heard.standing += 1
            await self.say(FindingMade(finding=finding, prompt=self._version))

    def _note(self, notes: Sequence[str]) -> None:
        self._notes.update(dict.fromkeys(notes))


def _reason(error: EngineError) -> Reason:
    match error:
        case OverBudget():
            return Reason.OVER_BUDGET
        case EngineRefused():
            return Reason.REFUSED
        case AnswerUnfinished():
            return Reason.UNFINISHED
        case _:
            return Reason.ENGINE_FAILED


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
        shares.append(replace(done, usage=usage, cost=cost))
    return [*shares, replace(done, usage=rest, cost=rest_cost)]
