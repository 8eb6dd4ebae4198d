from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo
from psycopg.sql import SQL

from reviewer.core.audience import EVERYTHING, Audience, Sight
from reviewer.core.events import ChunkFailed, FindingMade, ReviewQueued, ReviewStarted, Subject, load
from reviewer.core.findings import Finding
from reviewer.store import database as store
from reviewer.store.database import Database, open_database
from reviewer.store.entries import Entry, Filter
from reviewer.store.feed import PAGE, PostgresFeed, Tail, reading
from reviewer.store.hub import Hub, Ring
from tests.test_jobs import cut_off

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


async def test_news_is_given_at_once_to_who_takes_it_and_wakes_who_does_not(feed):
    given: list[str] = []

    def accept(entries: Sequence[Entry]) -> bool:
        given.extend(entry.data["finding"]["id"] for entry in entries)
        return given[-1] != "refused"

    with feed.follow(0, Filter(review="r1")) as tail:
        await settled(tail)
        assert not await tail.read()
        tail.take = accept
        pausing = asyncio.create_task(tail.pause())
        async with asyncio.timeout(10):
            for number in range(3):
                await feed.append(ONE, [finding(str(number))])
                await feed.append(TWO, [finding("of another review")])
                while len(given) <= number:  # noqa: ASYNC110 - nothing else tells of it
                    await asyncio.sleep(0.01)
            assert not pausing.done()
            await feed.append(ONE, [finding("refused")])
            await pausing
        assert given == ["0", "1", "2", "refused"]
        assert [entry.data["finding"]["id"] for entry in await tail.read()] == ["refused"]


async def test_a_tail_goes_on_after_its_listener_lost_the_database(feed, postgres, database_url):
    await feed.append(ONE, [ReviewQueued()])
    tail = feed.tail(0, Filter())
    await take(tail, 1)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE '%%feed_changes%%' AND pid <> pg_backend_pid() AND datname = %s",
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


MINE = Subject(review="m", repository="a/mine", audience=Audience(installation=1, repository_id=10))
THEIRS = Subject(review="t", repository="b/theirs", audience=Audience(installation=2, repository_id=20))
POSTED = Subject(review="p", repository="posted", audience=Audience(api_key="k"))
NOBODYS = Subject(review="n", repository="c/nobodys")
SIGHTS = {
    Sight(installations=frozenset({1})): ["m"],
    Sight(repository_ids=frozenset({20})): ["t"],
    Sight(api_keys=frozenset({"k"})): ["p"],
    Sight(installations=frozenset({1}), repository_ids=frozenset({10, 20})): ["m", "t"],
    Sight(installations=frozenset({9})): [],
    Sight(): [],
    EVERYTHING: ["m", "n", "p", "t"],
}


@pytest.mark.parametrize("live", [False, True], ids=["replayed", "live"])
@pytest.mark.parametrize("sight", SIGHTS, ids=str)
async def test_everybody_reads_what_is_in_their_sight_and_nothing_else(feed, sight, live):
    async def write() -> None:
        for subject in (MINE, THEIRS, POSTED, NOBODYS):
            await feed.append(subject, [ReviewQueued()])
        await feed.append(END, [ReviewQueued()])

    async def follow() -> list[str]:
        seen: set[str] = set()
        with feed.follow(0, Filter(sight=sight)) as tail:
            if live:
                await settled(tail)
                await write()
            while tail.position < await feed.newest():
                seen |= {entry.review for entry in await tail.read()}
                await asyncio.sleep(0.01)
        return sorted(seen - {"end"})

    if not live:
        await write()
    async with asyncio.timeout(10):
        assert await follow() == SIGHTS[sight]


END = Subject(review="end", repository="x/y")


async def settled(tail: Tail) -> None:
    """Wait until a tail reads from memory."""
    while not tail.in_memory:
        await tail.read()
        await asyncio.sleep(0.01)


ONES = Sight(installations=frozenset({1}))
REPLAYS = {
    "installation": Filter(sight=ONES),
    "repositories and key": Filter(
        sight=Sight(repository_ids=frozenset({10, 11}), api_keys=frozenset({"k"}))
    ),
    "repository and type": Filter(sight=ONES, repository="a/mine", types=frozenset({"finding"})),
    "severity": Filter(sight=ONES, severities=frozenset({"high"})),
    "their review": Filter(sight=ONES, review="theirs"),
    "one's review": Filter(sight=ONES, review="m"),
}


async def test_a_replay_never_walks_through_what_others_said(feed, database):
    await feed.append(MINE, [ReviewQueued(), finding("1")])
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO events (position, review, repository, installation, repository_id, type, data)"
            " SELECT nextval('event_positions'), 'theirs', 'b/theirs', 2, 20, 'review.queued', '{}'"
            " FROM generate_series(1, 100000)"
        )
    await feed.append(MINE, [finding("2")])
    touched: dict[str, int] = {}
    async with database.connection() as connection:
        await connection.execute("ANALYZE events")
        for name, wanted in REPLAYS.items():
            statement, values = reading(0, wanted, PAGE)
            explain = SQL("EXPLAIN (ANALYZE, FORMAT JSON) {}").format(statement)
            ((plan,),) = await (await connection.execute(explain, values)).fetchall()
            nodes = list(walk(plan[0]["Plan"]))
            assert "Seq Scan" not in {node["Node Type"] for node in nodes}
            touched[name] = max(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                for node in nodes
            )

    assert all(rows <= 10 for rows in touched.values()), touched


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", []):
        yield from walk(each)


async def test_a_transferred_repository_is_not_shown_to_its_former_installation_from_any_memory(
    feed, database
):
    former = Filter(sight=Sight(installations=frozenset({1})))
    async with Hub(database.url) as hub:
        elsewhere = PostgresFeed(database, hub)
        with elsewhere.follow(0, former) as late, elsewhere.follow(0, Filter()) as all_of_it:
            await settled(all_of_it)
            await feed.append(MINE, [ReviewQueued()])
            async with asyncio.timeout(10):
                while not await all_of_it.read():
                    await all_of_it.pause()
            late.position = hub.ring.newest - 1
            assert late.in_memory
            async with database.connection() as connection:
                await feed.move(connection, 10, 3)
            async with asyncio.timeout(10):
                while late.in_memory:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            assert list(await late.read()) == []

    await feed.append(MINE, [finding("1")])  # by a run that began before the move
    assert await feed.read(0, former) == []
    assert len(await feed.read(0, Filter(sight=Sight(installations=frozenset({3}))))) == 2


def test_a_ring_keeps_the_newest_within_its_bounds_and_knows_what_it_lacks():
    ring = Ring(most=10, most_characters=1_000)
    assert not ring.holds(0)
    ring.start(100)
    ring.add([entry(position) for position in range(101, 131)])

    assert not ring.holds(100)
    assert ring.holds(130)
    oldest = next(position for position in range(100, 131) if ring.holds(position))
    assert 121 <= oldest <= 122
    found, reached = ring.after(oldest, Filter(), 500)
    assert ([each.position for each in found], reached) == (list(range(oldest + 1, 131)), 130)
    assert ring.after(125, Filter(review="other"), 500) == ([], 130)
    assert [each.position for each in ring.after(125, Filter(), 2)[0]] == [126, 127]

    ring.add([entry(131, "x" * 990)])
    assert not ring.holds(129)


def entry(position: int, text: str = "{}") -> Entry:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Entry(position, "finding", at, "r1", "octo/shop", 1, "low", Audience(), text)


async def test_a_tail_that_lags_behind_the_ring_misses_nothing(database):
    async with Hub(database.url, Ring(most=5)) as hub:
        feed = PostgresFeed(database, hub)
        await feed.append(ONE, [ReviewQueued()])
        tail = feed.tail(0, Filter())
        await take(tail, 1)
        for number in range(50):
            await feed.append(ONE, [finding(str(number))])

        found = await take(tail, 50)

    assert [each.data["finding"]["id"] for each in found] == [str(number) for number in range(50)]


async def test_a_tail_goes_on_after_the_database_was_away(database_url, postgres, monkeypatch):
    monkeypatch.setattr(store, "CONNECT_SECONDS", 1.0)
    async with open_database(database_url, Path("unused")) as database, Hub(database.url) as hub:
        feed = PostgresFeed(database, hub)
        await feed.append(ONE, [ReviewQueued()])
        tail = feed.tail(0, Filter())
        await take(tail, 1)
        waiting = asyncio.create_task(take(tail, 1))
        await cut_off(postgres, database_url, 1.5)
        await feed.append(ONE, [finding("1")])
        assert [each.type for each in await waiting] == ["finding"]


async def test_old_reviews_expire_whole_and_those_that_run_do_not(feed, database):
    await feed.append(ONE, [ReviewQueued()])
    await feed.append(TWO, [ReviewQueued()])
    await feed.append(MINE, [ReviewQueued()])
    old = await feed.newest()
    async with database.connection() as connection:
        await connection.execute("UPDATE events SET at = now() - interval '40 days'")
    await feed.append(MINE, [finding("1")])

    assert await feed.expire(30, ["r2"]) == 1

    assert {each.review for each in await feed.read(0, Filter())} == {"r2", "m"}
    assert await feed.floor() == old
    assert await feed.expire(30, ["r2"]) == 0


async def test_the_newest_that_one_sees_says_nothing_of_what_others_said(feed):
    mine = Sight(installations=frozenset({1}), repository_ids=frozenset({10}))
    await feed.append(MINE, [ReviewQueued()])
    newest = await feed.newest(mine)
    await feed.append(THEIRS, [ReviewQueued()])

    assert await feed.newest(mine) == newest < await feed.newest()
    assert await feed.newest(Sight(api_keys=frozenset({"none"}))) == 0
