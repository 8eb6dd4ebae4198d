from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import conninfo

from reviewer.core.events import ChunkFailed, FindingMade, ReviewQueued, ReviewStarted, Subject, load
from reviewer.core.findings import Finding
from reviewer.store.database import Database
from reviewer.store.feed import Entry, Filter, Hub, PostgresFeed

ONE = Subject(review="r1", repository="octo/shop", pull_request=1, head_sha="a" * 40)
TWO = Subject(review="r2", repository="octo/other", pull_request=2, head_sha="b" * 40)


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[PostgresFeed]:
    async with Hub(database.url) as hub:
        yield PostgresFeed(database, hub)


def finding(id_: str, severity: str = "high") -> FindingMade:
    return FindingMade(
        finding=Finding.model_validate(
            {
                "id": id_,
                "fingerprint": "f",
                "chunk": "c",
                "source": "test",
                "verified": True,
                "path": "x.py",
                "line": 1,
                "quote": "x",
                "severity": severity,
                "category": "bug",
                "title": "t",
                "message": "m",
            }
        )
    )


async def take(tail: AsyncIterator[Entry], count: int) -> list[Entry]:
    async with asyncio.timeout(10):
        return [await anext(tail) for _ in range(count)]


async def test_events_come_back_in_order_with_their_subject(feed):
    await feed.append(ONE, [ReviewQueued(), ReviewStarted(engine="claude")])

    first, second = await feed.read(0, Filter())

    assert [first.type, second.type] == ["review.queued", "review.started"]
    assert first.position < second.position == await feed.newest()
    assert second.data["repository"] == "octo/shop"
    assert second.data["at"].endswith("Z")
    assert load(second.type, second.data) == ReviewStarted(engine="claude")


async def test_reading_on_from_a_position_misses_nothing_of_writers_side_by_side(feed):
    async def write(number: int) -> None:
        for step in range(20):
            await feed.append(ONE, [ChunkFailed(chunk=f"{number}-{step}", path="x", reason="r")])

    seen: list[str] = []

    async def follow() -> None:
        async for entry in feed.tail(0, Filter()):
            seen.append(entry.data["chunk"])
            if len(seen) == 160:
                return

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        for number in range(8):
            tasks.create_task(write(number))

    assert len(set(seen)) == 160


async def test_a_finding_is_said_once(feed):
    await feed.append(ONE, [finding("1")])
    await feed.append(ONE, [finding("1"), finding("2")])

    assert [entry.data["finding"]["id"] for entry in await feed.read(0, Filter())] == ["1", "2"]


async def test_filters_choose_by_review_repository_type_and_severity(feed):
    await feed.append(ONE, [ReviewQueued(), finding("1", "low"), finding("2", "critical")])
    await feed.append(TWO, [ReviewQueued()])

    async def count(wanted: Filter) -> int:
        return len(await feed.read(0, wanted))

    assert await count(Filter(review="r1")) == 3
    assert await count(Filter(repository="octo/other")) == 1
    assert await count(Filter(pull_request=1, types=frozenset({"finding"}))) == 2
    assert await count(Filter(severities=frozenset({"critical"}))) == 3


async def test_a_tail_hears_what_another_process_appends(feed, database):
    tail = feed.tail(await feed.newest(), Filter())
    waiting = asyncio.create_task(take(tail, 1))
    await asyncio.sleep(0.1)

    async with Hub(database.url) as other:
        await PostgresFeed(database, other).append(ONE, [ReviewQueued()])

    assert [entry.type for entry in await waiting] == ["review.queued"]


async def test_a_tail_goes_on_after_its_listener_lost_the_database(feed, postgres, database_url):
    await feed.append(ONE, [ReviewQueued()])
    tail = feed.tail(0, Filter())
    await take(tail, 1)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'LISTEN%%' AND datname = %s",
            (conninfo.conninfo_to_dict(database_url)["dbname"],),
        )

    await feed.append(ONE, [ReviewStarted(engine="claude")])

    assert [entry.type for entry in await take(tail, 1)] == ["review.started"]


async def test_the_events_of_some_reviews_are_forgotten_and_no_others(feed):
    await feed.append(ONE, [ReviewQueued(), finding("1")])
    await feed.append(TWO, [ReviewQueued()])
    newest = await feed.newest()
    await feed.append(ONE, [ReviewStarted(engine="claude")])

    assert await feed.forget(["r1", "unknown"]) == 3

    assert [entry.data["review"] for entry in await feed.read(0, Filter())] == ["r2"]
    assert await feed.forget([]) == 0
    await feed.append(ONE, [ReviewQueued()])
    assert [entry.data["review"] for entry in await feed.read(newest, Filter())] == ["r1"]
