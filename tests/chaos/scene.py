"""The scene of a storm: everything that runs, opened and closed in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from reviewer.store.database import migrate, open_database
from tests.chaos import books
from tests.chaos.front import Front
from tests.chaos.gate import Gate
from tests.chaos.model import Model
from tests.chaos.weather import Weather
from tests.chaos.workers import Worker
from webhooks.job_schema import apply_job_schema
from webhooks.sandbox import Sandbox, running
from webhooks.wiring import MIGRATIONS

STALLED_SECONDS = 3.0
CAPS: Mapping[str, tuple[int | None, int | None]] = {
    "review": (300_000, 3_000_000),
    "installation": (20_000_000, 50_000_000),
}
"""Tokens and millionths of a dollar by account; what dies in mid-call stays charged."""

_WORKERS = ("east", "west")
_SECRET = "a made-up webhook secret"
_TOKEN = "a made-up access token"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that runs in a storm."""

    database_url: str
    sandbox: Sandbox
    weather: Weather
    model: Model
    gate: Gate
    front: Front
    workers: Sequence[Worker]


@asynccontextmanager
async def opened(folder: Path, database_url: str, weather: Weather) -> AsyncGenerator[Scene]:
    """Start everything on a database that may be empty; `folder` takes data and logs of the workers."""
    await _prepare(database_url, folder)
    sandbox = Sandbox.create(webhook_secret=_SECRET, webhook_url=None)
    model, workers = Model(weather), list[Worker]()
    front = Front(lambda: _in_turn(workers, weather), weather)
    async with AsyncExitStack() as stack:
        gate = Gate(await stack.enter_async_context(running(sandbox)), weather)
        await stack.enter_async_context(gate.running())
        await stack.enter_async_context(front.running())
        sandbox.state.url, sandbox.state.webhook_url = gate.url, front.url
        for name in _WORKERS:
            door = await stack.enter_async_context(model.door(name))
            settings = _settings(sandbox, gate.url, door.url, database_url)
            worker = Worker(name, folder, {**settings, "SLUICE_DATA_DIR": str(folder / f"data-{name}")})
            stack.push_async_callback(worker.stop)
            workers.append(worker)
        for worker in workers:
            await worker.start()
        await asyncio.gather(*(worker.answers() for worker in workers))
        yield Scene(database_url, sandbox, weather, model, gate, front, workers)


async def _prepare(url: str, folder: Path) -> None:
    async with open_database(url, folder) as database:
        await migrate(database, MIGRATIONS)
        await apply_job_schema(database)
    await books.watch(url)


def _in_turn(workers: Sequence[Worker], weather: Weather) -> list[str]:
    """Where a delivery is tried; a stopped worker is alive to a load balancer until it does not answer."""
    living = [worker.url for worker in workers if worker.alive]
    return living[::-1] if weather.between(0, 1) < 0.5 else living


def _settings(sandbox: Sandbox, github: str, claude: str, database_url: str) -> dict[str, str]:
    """The environment of a worker: everything waits a short time only."""
    state = sandbox.state
    return {
        "DATABASE_URL": database_url,
        "GITHUB_API_URL": github,
        "GITHUB_CLIENT_ID": state.client_id,
        "GITHUB_PRIVATE_KEY": state.private_key_pem,
        "GITHUB_WEBHOOK_SECRET": _SECRET,
        "GITHUB_WRITE_SECONDS": "0.05",
        "SLUICE_TOKEN": _TOKEN,
        "SLUICE_STALLED_SECONDS": str(STALLED_SECONDS),
        "SLUICE_POSTPONE_SECONDS": "1",
        "SLUICE_DRAIN_SECONDS": "2",
        "SLUICE_SWEEP_SECONDS": "2",
        "ANTHROPIC_API_KEY": "sk-ant-made-up",
        "ANTHROPIC_BASE_URL": claude,
        "LLM_BATCH_TOKENS": "0",
        "LLM_MAX_TOKENS": "4000",
        "LLM_FIRST_TOKEN_SECONDS": "5",
        "LLM_IDLE_SECONDS": "3",
        "LLM_TOTAL_SECONDS": "30",
        "LLM_LONGEST_WAIT_SECONDS": "5",
        "BUDGET_REVIEW_TOKENS": str(CAPS["review"][0]),
        "BUDGET_REVIEW_USD": "3",
        "BUDGET_INSTALLATION_DAY_TOKENS": str(CAPS["installation"][0]),
        "BUDGET_INSTALLATION_DAY_USD": "50",
    }
