"""What runs while the database is away can be stopped, and goes on soon when it is back."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from reviewer.errors import StoreUnavailable
from reviewer.store import database as store
from reviewer.store.database import Database, migrate, open_database
from reviewer.store.feed import Hub
from tests.chaos.postgres import Postgres
from tests.pull_requests import REPOSITORY_ID, desk, opened
from tests.test_jobs import PATIENCE, Crew, cut_off
from webhooks.background import running
from webhooks.check_run import CheckRuns, LiveCheck
from webhooks.intake import Intake
from webhooks.intents import Intents
from webhooks.records import Delivery, pull_request
from webhooks.wiring import MIGRATIONS
from webhooks.wishes import Wishes


async def _answers(database: Database) -> bool:
    try:
        async with database.connection() as connection:
            await connection.execute("SELECT 1")
    except StoreUnavailable:
        return False
    return True


@asynccontextmanager
async def away(
    database: Database, database_url: str, server: str, *, seconds: float = 10 * PATIENCE
) -> AsyncGenerator[asyncio.Task[None]]:
    """The database is away from before the block on."""
    outage = asyncio.create_task(cut_off(server, database_url, seconds))
    try:
        async with asyncio.timeout(PATIENCE):
            while await _answers(database):  # noqa: ASYNC110 - it is seen from outside
                await asyncio.sleep(0.02)
        yield outage
    finally:
        outage.cancel()
        with suppress(asyncio.CancelledError):
            await outage


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a connection."""
    monkeypatch.setattr(store, "CONNECT_SECONDS", 2.0)


async def test_a_worker_hears_a_stop(database_url, postgres):
    async with open_database(database_url, Path("unused")) as database, desk(database) as found:
        stop, one = asyncio.Event(), Crew(found)

        async def work() -> None:
            async with running({"worker": lambda: found.jobs.work(one.tasks, 2)}):
                await stop.wait()

        working = asyncio.create_task(work())
        async with asyncio.timeout(PATIENCE):
            while not await found.rows("SELECT 1 FROM procrastinate_workers"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        async with away(database, database_url, postgres):
            stop.set()
            _, left = await asyncio.wait({working}, timeout=2 * PATIENCE)
            working.cancel()

    assert not left


class SilentChecks:
    """Never gets as far as sending anything."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def create(self, *_: Any, **__: Any) -> int:
        self.asked.set()
        await asyncio.Event().wait()
        return 0


async def test_a_check_run_that_is_about_to_be_opened_holds_no_review_up(database_url, postgres):
    async with open_database(database_url, Path("unused")) as database, desk(database) as found:
        lease = await found.lease((await found.tell(opened())).review)
        async with database.connection() as connection:
            _, (review,) = await pull_request(connection, REPOSITORY_ID, 1)
        checks: Any = SilentChecks()
        live = LiveCheck(CheckRuns(database, Intents(database), checks, public_url=None), lease, review)
        await live.__aenter__()
        await checks.asked.wait()
        async with away(database, database_url, postgres):
            leaving = asyncio.create_task(live.__aexit__())
            _, left = await asyncio.wait({leaving}, timeout=PATIENCE)
            leaving.cancel()

    assert not left


async def test_a_database_that_was_away_for_long_is_found_soon(database_url, postgres):
    async with (
        open_database(database_url, Path("unused")) as database,
        away(database, database_url, postgres, seconds=9.0) as outage,
    ):
        # Tries that doubled their pauses would be made 7 and 15 seconds after the first
        while not outage.done():
            await _answers(database)
        assert await _answers(database)


async def test_connections_that_a_restart_has_ended_are_given_to_nobody(database_url, postgres):
    async with open_database(database_url, Path("unused")) as database:
        async with database.connection(), database.connection(), database.connection():
            pass
        await cut_off(postgres, database_url, 0.0)
        assert [await _answers(database) for _ in range(5)] == [True] * 5


async def test_deliveries_wait_for_a_database_that_is_away_together(database_url, postgres):
    async with open_database(database_url, Path("unused")) as database, desk(database) as found:
        intake = Intake(database, found.wishes, found.jobs)
        async with away(database, database_url, postgres):
            taking = [
                asyncio.create_task(
                    intake.take(Delivery(f"g{number}", "pull_request", "x", 7, b"{}"), opened(number=number))
                )
                for number in range(1, 41)
            ]
            done, left = await asyncio.wait(taking, timeout=PATIENCE)
            for each in left:
                each.cancel()

    assert not left
    assert {type(each.exception()) for each in done} == {StoreUnavailable}


@pytest.mark.parametrize(
    ("setting", "pause"),
    [
        ("SET TRANSACTION READ ONLY", 0.0),
        ("SET LOCAL idle_in_transaction_session_timeout = 50", 0.3),
    ],
    ids=["takes nothing in for now", "has given up a process that was stopped"],
)
async def test_a_database_counts_as_away_that(database_url, setting, pause):
    async def take(database: Database, wishes: Wishes) -> None:
        async with database.connection() as connection:
            await connection.execute(setting)
            await asyncio.sleep(pause)
            await wishes.take(connection, [opened()])

    async with open_database(database_url, Path("unused")) as database, desk(database) as found:
        with pytest.raises(StoreUnavailable):
            await take(database, found.wishes)


async def heard(hub: Hub) -> None:
    with hub.bell() as bell:
        await bell.wait()


async def test_a_listener_outlives_a_standby_that_takes_over():
    folder = Path(tempfile.mkdtemp(prefix="sl"))
    server = Postgres.start(folder / "postgres")
    async with open_database(server.url, folder) as database:
        await migrate(database, MIGRATIONS)
    await server.stop("fast")
    (folder / "postgres" / "standby.signal").touch()
    await server.go_on()
    try:
        async with Hub(server.url) as hub, await AsyncConnection.connect(server.url, autocommit=True) as asks:
            await asyncio.sleep(0.3)  # it has been refused by then
            await asks.execute("SELECT pg_promote()")
            async with asyncio.timeout(PATIENCE):
                await heard(hub)
    finally:
        server.embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)
