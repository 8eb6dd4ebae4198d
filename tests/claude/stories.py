"""Batches put before a scripted Claude, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from reviewer.claude.client import Client
from reviewer.claude.engine import ClaudeEngine
from reviewer.claude.models import Catalogue
from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.budget import Caps
from reviewer.core.chunks import Measure, split
from reviewer.errors import (
    EngineError,
)
from reviewer.local import LocalBudgets
from reviewer.ports import BatchDone, EngineNews, Reported, Retrying
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.work import ROUTE, task

ONE_LINE = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1 @@\n+x\n"
MAX_TOKENS = 4_000
FALLBACK = "claude-haiku-5-5"
TWO = (finding("first"), finding("second", line=2))


def batch_of(*paths: str) -> Batch:
    files = diff.parse("".join(ONE_LINE.format(path) for path in paths)).files
    return Batch("b", tuple(chunk for file in files for chunk in split(file, Measure(9_000))), ROUTE)


BATCH = batch_of("x.py")


class Told:
    """What an engine has told, and when."""

    def __init__(self) -> None:
        self.news: list[EngineNews] = []
        self.found_at: list[float] = []

    async def __call__(self, news: EngineNews) -> None:
        self.news.append(news)
        if isinstance(news, Reported):
            self.found_at.append(asyncio.get_running_loop().time())

    @property
    def titles(self) -> list[str]:
        return [news.finding.title for news in self.news if isinstance(news, Reported)]

    @property
    def retries(self) -> list[Retrying]:
        return [news for news in self.news if isinstance(news, Retrying)]


@asynccontextmanager
async def engine(
    server: ScriptedClaude, *, capabilities: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[ClaudeEngine]:
    client = Client(api_key="sk-ant-made-up", base_url=server.url, read_seconds=600)
    options.setdefault("max_tokens", MAX_TOKENS)
    try:
        yield ClaudeEngine(client, Catalogue(capabilities), **options)
    finally:
        await client.aclose()


@dataclass
class Story:
    """A batch reviewed to its end."""

    told: Told
    done: BatchDone
    server: ScriptedClaude
    budgets: LocalBudgets = field(default_factory=lambda: LocalBudgets(Caps()))

    @property
    def asked(self) -> list[str]:
        return [request.body["model"] for request in self.server.requests]

    @property
    def waits(self) -> list[float]:
        """Seconds between the tries."""
        times = [request.at for request in self.server.requests]
        return [later - earlier for earlier, later in pairwise(times)]

    @property
    def error(self) -> EngineError | None:
        """Why the batch's first chunk was not reviewed."""
        return next(iter(self.done.failed.values()), None)


async def review(
    script: Sequence[Answer] | Any,
    batch: Batch = BATCH,
    *,
    fallback: str | None = None,
    caps: Caps | None = None,
    **options: Any,
) -> Story:
    told, budgets = Told(), LocalBudgets(caps or Caps())
    async with ScriptedClaude(script) as server, engine(server, **options) as reviewer:
        done = await reviewer.review(task(batch, fallback=fallback, budgets=budgets), told)
    return Story(told, done, server, budgets)


def by_model(**answers: list[Answer]) -> Any:
    """A script for each model; the last answer again when it runs out."""
    left = {name.replace("_", "-"): list(script) for name, script in answers.items()}

    def choose(body: dict[str, Any]) -> Answer:
        script = left[body["model"]]
        return script.pop(0) if len(script) > 1 else script[0]

    return choose


def cut(failure: str, **options: Any) -> Answer:
    return Answer.findings(*TWO, fail_after=300, failure=failure, **options)


def big_batch(size: int) -> Batch:
    """A batch whose diff has so many bytes."""
    line = f"+{'x' * 99}\n"
    head = f"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,{size // 100} @@\n"
    file = diff.parse(head + line * (size // 100)).files[0]
    return Batch("b", split(file, Measure(1_000_000)), ROUTE)


async def test_a_call_far_from_the_window_is_sent_without_counting():
    async with ScriptedClaude([Answer()], count=lambda _: 1) as server, engine(server) as reviewer:
        await reviewer.review(task(big_batch(20_000)), Told())

    assert server.counted == []
    assert server.requests[0].body["max_tokens"] == 4000


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what another task or the server will do."""
    while not happened():  # noqa: ASYNC110 - what is waited for is seen from outside
        await asyncio.sleep(0.01)
