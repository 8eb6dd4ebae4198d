"""CPU time of a client for 1,000 deltas: ours next to the SDK's bare stream and its helper.

Each begins with the same batch, whose prompt it builds, and ends with the stream.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import anthropic
import httpx2

from tests.benchmarks.streaming import material, ours

ROUNDS = 9
_DELTAS_A_ROUND = 10_000  # less would be lost in the noise
_HELPER_ROUNDS = 3  # it takes long, and nothing is judged by it

Call = Callable[[], Awaitable[int]]
"""Takes in the stream once; gives how many events, or findings, it saw."""


@dataclass(frozen=True)
class Costs:
    """Milliseconds of CPU for 1,000 deltas, and how many times the bare stream's the others are."""

    size: int
    deltas: int
    raw: float
    ours: float
    helper: float
    ours_to_raw: float
    helper_to_raw: float


async def measure(url: str, size: int) -> Costs:
    """The three ways over one stream of so many characters, taking turns."""
    deltas = material.deltas(size)
    samples: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        ways = await _ways(f"{url}/replay/{size}", stack)
        least = {"raw": deltas, "ours": len(material.findings(size)), "helper": deltas}
        for name, call in ways.items():
            if await call() < least[name]:
                raise AssertionError(f"{name} has not seen the whole stream")
        gc.collect()
        gc.freeze()  # as a serving process does once it is up
        for turn in range(ROUNDS):
            taking_part = {
                name: call for name, call in ways.items() if name != "helper" or turn < _HELPER_ROUNDS
            }
            for name, cost in (await _round(taking_part, deltas)).items():
                samples.setdefault(name, []).append(cost)
    raw, own, helper = (samples[name] for name in ("raw", "ours", "helper"))
    return Costs(
        size,
        deltas,
        *map(median, (raw, own, helper)),
        ours_to_raw=median(one / other for one, other in zip(own, raw, strict=True)),
        helper_to_raw=median(one / other for one, other in zip(helper, raw, strict=False)),
    )


async def _round(ways: dict[str, Call], deltas: int) -> dict[str, float]:
    """Milliseconds of this process for 1,000 deltas, by way; they take turns call by call."""
    spent = dict.fromkeys(ways, 0.0)
    calls = max(round(_DELTAS_A_ROUND / deltas), 1)
    for _ in range(calls):
        for name, call in ways.items():
            began = time.process_time()
            await call()
            spent[name] += time.process_time() - began
    return {name: seconds * 1e6 / (calls * deltas) for name, seconds in spent.items()}


async def _ways(url: str, stack: AsyncExitStack) -> dict[str, Call]:
    timeout = httpx2.Timeout(120.0, connect=10.0)
    client = await stack.enter_async_context(
        anthropic.AsyncAnthropic(
            api_key="sk-ant-made-up",
            base_url=url,
            max_retries=0,
            open_telemetry=False,
            timeout=timeout,
            http_client=anthropic.DefaultAioHttpClient(timeout=timeout),
        )
    )
    engine = await stack.enter_async_context(ours.open_engine(url))
    asked = ours.batch()
    create: Any = client.messages.create

    async def raw() -> int:
        seen = 0
        async with await create(**ours.sent(asked), stream=True) as stream:
            async for _ in stream:
                seen += 1
        return seen

    async def helper() -> int:
        seen = 0
        async with client.messages.stream(**ours.sent(asked)) as stream:
            async for _ in stream:
                seen += 1
        return seen

    async def own() -> int:
        return await ours.ask(engine, asked)

    return {"raw": raw, "ours": own, "helper": helper}
