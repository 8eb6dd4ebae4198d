"""What is measured: the engine and the pipeline, put together here and nowhere else in this benchmark."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from reviewer import pipeline
from reviewer.claude.client import Client, request
from reviewer.claude.engine import ClaudeEngine
from reviewer.claude.models import MODELS as MODELS_KNOWN
from reviewer.claude.models import Catalogue
from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.budget import Amount, Caps, Payer
from reviewer.core.events import Subject
from reviewer.core.plan import Limits, plan
from reviewer.core.policy import Policy
from reviewer.core.prompt import build
from reviewer.core.routing import Models, Route
from reviewer.job import Job, Ports
from reviewer.local import LocalBudgets, LocalRates, NoFiles, NoLedger, SystemClock
from reviewer.ports import CallRecord, Engine, EngineNews, Feed, Reported, Reservation, Task
from tests.benchmarks.streaming import material

LIMITS = Limits(64_000)
MAX_TOKENS = 16_000
MODELS = Models(material.MODEL)


class NoCaps:
    """A purse that is never empty."""

    async def reserve(self, amount: Amount) -> Reservation:
        return Reservation(0, Payer("bench"), amount)

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        pass

    def abandon(self, reservation: Reservation) -> None:
        pass


@asynccontextmanager
async def open_engine(url: str) -> AsyncGenerator[ClaudeEngine]:
    """The engine, to ask a server."""
    client = Client(api_key="sk-ant-made-up", base_url=url, read_seconds=600)
    try:
        yield ClaudeEngine(client, Catalogue(), max_tokens=MAX_TOKENS)
    finally:
        await client.aclose()


def batch() -> Batch:
    """The one batch of the change that stream 0 is about."""
    (found,) = plan(diff.parse(material.change(0)), Policy(), LIMITS, MODELS).batches
    return Batch(found.id, found.chunks, Route(material.MODEL, "measured"))


def sent(asked: Batch) -> dict[str, Any]:
    """The request that the engine sends for it."""
    return request(material.MODEL, MODELS_KNOWN[material.MODEL], build(asked), MAX_TOKENS)


async def ask(engine: Engine, asked: Batch) -> int:
    """One call for the batch; gives the findings it told."""
    told = 0

    async def tell(news: EngineNews) -> None:
        nonlocal told
        told += isinstance(news, Reported)

    done = await engine.review(Task(asked, None, NoFiles(), NoCaps(), "octo/bench"), tell)
    if done.failed:
        raise next(iter(done.failed.values()))
    return told


async def review(number: int, engine: Engine, feed: Feed) -> int:
    """The whole review of the change that stream `number` is about; gives the findings that stand."""
    subject = Subject(review=f"r{number}", repository="octo/bench")
    changes = diff.parse(material.change(number))
    job = Job(subject, changes, NoFiles(), LIMITS, MODELS, Payer(subject.review))
    ports = Ports(engine, NoLedger(), feed, LocalRates(), LocalBudgets(Caps()), SystemClock())
    outcome = await pipeline.review(job, ports)
    if outcome.errors:
        raise next(iter(outcome.errors.values()))
    return len(outcome.findings)
