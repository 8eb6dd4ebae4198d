"""What a review does, as events: how it begins, what it plans, and each chunk's begin and end."""

from __future__ import annotations

from typing import Literal

from reviewer.core.chunks import Chunk
from reviewer.core.diff import readable
from reviewer.core.events import (
    ChunkCompleted,
    ChunkFailed,
    ChunkStarted,
    PlannedChunk,
    ReviewPlanned,
    ReviewStarted,
    SkippedFile,
)
from reviewer.core.plan import Plan
from reviewer.core.routing import Route
from reviewer.errors import EngineError
from reviewer.job import Job
from reviewer.ports import BatchDone, Engine


def beginning(job: Job, engine: Engine) -> ReviewStarted:
    """The review begins."""
    models = job.models
    return ReviewStarted(
        engine=engine.name,
        notice=job.notice,
        prompt=engine.version,
        model=models.main,
        small_model=models.small,
        fallback_model=models.fallback,
    )


def announcement(planned: Plan, engine: Engine) -> ReviewPlanned:
    """What will be looked at."""
    routes = {chunk.id: batch.route for batch in planned.batches for chunk in batch.chunks}
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
                model=routes[chunk.id].model,
                route=routes[chunk.id].reason,
            )
            for chunk in planned.chunks
        ],
        changed_lines=planned.diff.changed_lines,
        estimated_tokens=planned.tokens,
        estimated_cost=price(planned, engine),
        skipped=[
            SkippedFile(path=readable(f.file.path), reason=f.skipped) for f in planned.files if f.skipped
        ],
    )


def price(planned: Plan, engine: Engine) -> float | None:
    """What the input of all batches is estimated to cost in USD, or None where nothing is bought."""
    prices = [engine.price(batch.route.model, planned.tokens_of(batch)) for batch in planned.batches]
    known = [price for price in prices if price is not None]
    return sum(known) if known else None


def started(chunk: Chunk, route: Route, version: str) -> ChunkStarted:
    """An engine begins to read a chunk."""
    return ChunkStarted(
        chunk=chunk.id,
        path=readable(chunk.path),
        part=chunk.part,
        parts=chunk.parts,
        lines=chunk.span,
        model=route.model,
        route=route.reason,
        prompt=version,
    )


def failed(chunk: Chunk, route: Route, version: str, share: BatchDone, error: EngineError) -> ChunkFailed:
    """A chunk could not be reviewed, at a cost all the same."""
    return ChunkFailed(
        chunk=chunk.id,
        path=readable(chunk.path),
        reason=str(error),
        model=route.model,
        prompt=version,
        usage=share.usage,
        cost=share.cost,
    )


def completed(
    chunk: Chunk,
    route: Route,
    version: str,
    share: BatchDone,
    *,
    source: Literal["engine", "ledger"],
    standing: int,
    dropped: int = 0,
    seconds: float = 0.0,
) -> ChunkCompleted:
    """A chunk has been read to its end, now or before; `standing` of its findings stand."""
    return ChunkCompleted(
        chunk=chunk.id,
        path=readable(chunk.path),
        source=source,
        model=route.model,
        prompt=version,
        findings=standing,
        dropped=dropped,
        usage=share.usage,
        cost=share.cost,
        time_to_first_token=share.time_to_first_token,
        seconds=seconds,
        notes=list(share.notes),
    )
