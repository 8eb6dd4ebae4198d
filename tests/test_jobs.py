"""The queue's promises, with reviews that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from reviewer.errors import StoreUnavailable
from reviewer.store.database import Database, open_database
from tests.pull_requests import INSTALLATION, REPOSITORY_ID, Desk, desk, opened, place_of, pushed
from webhooks.background import running
from webhooks.jobs import Tasks
from webhooks.wishes import postpone

PATIENCE = 30.0

Pull = tuple[int, int]


@dataclass
class Crew:
    """Reviews that begin, and end when they are let go; what a review has ended needs no more.

    Attributes:
        free: whatever begins ends at once.
    """

    desk: Desk
    begun: list[Pull] = field(default_factory=list)
    ended: list[Pull] = field(default_factory=list)
    cancelled: list[Pull] = field(default_factory=list)
    forgotten: list[tuple[int, Sequence[int] | None]] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    let_posts_go: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: dict[Pull, asyncio.Event] = field(default_factory=dict)
    most_at_once: int = 0
    free: bool = False
    postponed: float | None = None
    fault: Exception | None = None

    async def review(self, repository_id: int, number: int) -> None:
        pull = repository_id, number
        heads = await self.desk.rows(
            "SELECT id FROM reviews"
            " WHERE repository_id = %(r)s AND pull_request = %(n)s AND closed_at IS NULL",
            r=repository_id,
            n=number,
        )
        self.begun.append(pull)
        self.under_way[pull] = asyncio.Event()
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        try:
            await (asyncio.sleep(0.01) if self.free else self.under_way[pull].wait())
        except asyncio.CancelledError:
            self.cancelled.append(pull)
            raise
        finally:
            del self.under_way[pull]
        if self.postponed is not None:
            await self._postpone(*pull)
            return
        await self.desk.rows(
            "UPDATE reviews SET ended_at = now(), closed_at = now() WHERE id = ANY(%(ids)s)",
            ids=[each for (each,) in heads],
        )
        self.ended.append(pull)

    async def forget(
        self, installation: int, repository_ids: Sequence[int] | None, before: datetime | None
    ) -> None:
        assert before is not None
        if self.fault is not None:
            raise self.fault
        self.forgotten.append((installation, repository_ids))

    async def posted(self, review: str) -> None:
        self.posts.append(review)
        await self.let_posts_go.wait()
        await self.desk.rows(
            "UPDATE reviews SET ended_at = now(), closed_at = now() WHERE id = %(id)s", id=review
        )

    async def daily(self) -> None:
        raise AssertionError("it is not the time")

    def let_go(self, *pulls: Pull) -> None:
        """Let these end, or all that are under way."""
        for pull in pulls or list(self.under_way):
            self.under_way[pull].set()

    @property
    def tasks(self) -> Tasks:
        return Tasks(review=self.review, forget=self.forget, daily=self.daily, posted=self.posted)

    async def _postpone(self, repository_id: int, number: int) -> None:
        seconds, self.postponed = self.postponed or 0.0, None
        known = await self.desk.known(number)
        async with self.desk.database.connection() as connection:
            await postpone(connection, repository_id, number, known["generation"], seconds)


async def until(what: Callable[[], Any]) -> None:
    """Wait for what others do."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.01)


async def until_rows(desk: Desk, count: int) -> None:
    """Wait until there are so many jobs."""
    async with asyncio.timeout(PATIENCE):
        while len(await desk.rows("SELECT id FROM procrastinate_jobs")) != count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


@asynccontextmanager
async def crew(database: Database, concurrency: int = 4, **options: Any) -> AsyncGenerator[Crew]:
    """A worker; what is under way at the end is let go."""
    async with desk(database, **options) as found:
        made = Crew(found)
        works = {
            "worker": lambda: found.jobs.work(made.tasks, concurrency),
            "look after jobs": found.jobs.look_after,
        }
        async with running(works):
            try:
                yield made
            finally:
                made.free = True
                made.let_go()
                made.let_posts_go.set()


async def flood(desk: Desk, installation: int, count: int) -> None:
    """Many pull requests of one installation that wait for a review."""
    values = {"installation": installation, "repository_id": installation * 10, "count": count}
    await desk.rows(
        "INSERT INTO pull_requests (repository_id, number, installation, repository, head_sha, base_ref,"
        " title, url, told_at, generation)"
        " SELECT %(repository_id)s, n, %(installation)s, 'acme/flood', 'a', 'main', '', '', now(), 1"
        " FROM generate_series(1, %(count)s) AS n",
        **values,
    )
    await desk.rows(
        "INSERT INTO reviews (id, installation, repository_id, repository, pull_request, head_sha,"
        " title, url, generation)"
        " SELECT 'r' || n, %(installation)s, %(repository_id)s, 'acme/flood', n, 'a', '', '', 1"
        " FROM generate_series(1, %(count)s) AS n",
        **values,
    )


async def post(desk: Desk, api_key: str, count: int) -> None:
    """Many posted reviews of one key."""
    await desk.rows(
        "INSERT INTO reviews (id, repository, title, url, api_key, created_at)"
        " SELECT %(key)s || n, 'posted', '', '', %(key)s, clock_timestamp()"
        " FROM generate_series(1, %(count)s) AS n",
        key=api_key,
        count=count,
    )
    await desk.rows(
        "INSERT INTO posted (review, api_key, attended, digest)"
        " SELECT %(key)s || n, %(key)s, false, '' FROM generate_series(1, %(count)s) AS n",
        key=api_key,
        count=count,
    )


async def test_a_pull_request_is_reviewed_and_leaves_no_job(database):
    async with crew(database) as one:
        await one.desk.tell(opened())
        await until(lambda: one.begun)
        one.let_go()
        await until_rows(one.desk, 0)

    assert one.ended == [(REPOSITORY_ID, 1)]


async def test_of_many_pushes_during_a_run_one_job_waits_at_a_time_and_the_run_is_cancelled(database):
    async with crew(database) as one:
        await one.desk.tell(opened("a"))
        await until(lambda: one.begun)
        for at, head in enumerate("bcdef", start=1):
            await one.desk.tell(pushed(head, at=at))
            assert len(await one.desk.waiting()) <= 1
        await until(lambda: one.cancelled and one.under_way)
        one.free = True
        one.let_go()
        await until_rows(one.desk, 0)

        assert one.begun[: len(one.cancelled)] == one.cancelled
        assert len(one.begun) == len(one.cancelled) + len(one.ended)
        assert await one.desk.rows("SELECT 1 FROM reviews WHERE closed_at IS NULL") == []


@pytest.mark.parametrize(("concurrency", "per_installation"), [(2, 2), (4, 2), (4, 4)])
async def test_a_tenant_with_five_hundred_waiting_delays_another_by_one_job_at_most(
    database, concurrency, per_installation
):
    async with desk(database) as before:
        await flood(before, 8, 500)
    async with crew(database, concurrency, per_installation=per_installation) as one:
        await until(lambda: len(one.under_way) == per_installation)
        for _ in range(3):
            begun = len(one.begun)
            one.let_go(next(iter(one.under_way)))
            await until(lambda before=begun: len(one.begun) > before)
        single = place_of(9, 90)
        await one.desk.tell(opened(place=single))
        first = len(one.begun)
        if concurrency == per_installation:
            one.let_go(next(iter(one.under_way)))
        await until(lambda: len(one.begun) > first)

        await until(lambda: (90, 1) in one.begun)
        assert (90, 1) in one.begun[first : first + 2]
        assert one.most_at_once <= concurrency


async def test_a_key_with_many_posted_reviews_delays_neither_another_key_nor_an_installation(database):
    async with desk(database) as before:
        await post(before, "busy", 50)
    async with crew(database, 6, per_installation=2) as one:
        await until(lambda: len(one.posts) == 2)
        await post(one.desk, "calm", 1)
        await one.desk.tell(opened())
        await until(lambda: "calm1" in one.posts and one.begun)

        assert [each for each in one.posts if each.startswith("busy")] == ["busy1", "busy2"]


async def test_a_posted_review_that_ends_makes_room_for_the_next_of_its_key_and_leaves_no_job(database):
    async with crew(database, per_installation=1) as one:
        await post(one.desk, "ci", 3)
        one.let_posts_go.set()
        await until(lambda: len(one.posts) == 3)
        await until_rows(one.desk, 0)

    assert one.posts == ["ci1", "ci2", "ci3"]


async def test_the_posted_review_of_a_dead_worker_is_taken_over(database):
    async with desk(database) as before:
        await post(before, "ci", 1)
        async with database.connection() as connection:
            await before.jobs.dispatch(connection)
        await before.rows(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '2 minutes')"
        )
        await before.rows(
            "UPDATE procrastinate_jobs SET status = 'doing',"
            " worker_id = (SELECT max(id) FROM procrastinate_workers)"
        )
    async with crew(database, stalled_seconds=60.0) as one:
        await until(lambda: one.posts == ["ci1"])


async def test_an_installation_has_so_many_reviews_under_way_over_all_workers(database, database_url):
    async with (
        open_database(database_url, Path("unused")) as other,
        crew(database, per_installation=3) as one,
        crew(other, per_installation=3) as two,
    ):
        await flood(one.desk, 8, 12)
        most = 0
        while len(one.ended) + len(two.ended) < 12:
            left = 12 - len(one.ended + two.ended)
            await until(lambda left=left: len(one.under_way) + len(two.under_way) >= min(3, left))
            most = max(most, len(one.under_way) + len(two.under_way))
            done = len(one.ended) + len(two.ended)
            worker = one if one.under_way else two
            worker.let_go(next(iter(worker.under_way)))
            await until(lambda before=done: len(one.ended) + len(two.ended) > before)

        assert most == 3
        assert sorted(one.begun + two.begun) == [(80, number) for number in range(1, 13)]


async def test_the_job_of_a_dead_worker_is_taken_over_and_one_of_a_living_worker_left_alone(database):
    async with desk(database) as before:
        await before.tell(opened(number=1))
        await before.rows(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '2 minutes')"
        )
        await before.rows(
            "UPDATE procrastinate_jobs SET status = 'doing',"
            " worker_id = (SELECT max(id) FROM procrastinate_workers)"
        )
    async with crew(database, stalled_seconds=60.0) as one:
        await one.desk.tell(opened(number=2))
        await until(lambda: len(one.begun) == 2)
        assert sorted(one.begun) == [(REPOSITORY_ID, 1), (REPOSITORY_ID, 2)]
        one.let_go()
        await until_rows(one.desk, 0)

    assert sorted(one.ended) == sorted(one.begun) == [(REPOSITORY_ID, 1), (REPOSITORY_ID, 2)]


async def test_a_review_longer_than_a_worker_may_be_silent_is_left_alone(database):
    async with crew(database, stalled_seconds=1.0) as one:
        await one.desk.tell(opened())
        await until(lambda: one.begun)
        await asyncio.sleep(2.5)
        one.let_go()
        await until(lambda: one.ended)

    assert (one.begun, one.cancelled) == ([(REPOSITORY_ID, 1)], [])


async def test_a_job_that_was_lost_is_given_anew(database):
    async with desk(database) as before:
        await before.tell(opened())
        await before.rows("DELETE FROM procrastinate_jobs")
    async with crew(database) as one:
        await until(lambda: one.begun)


async def test_a_job_that_counts_as_running_here_though_nobody_runs_it_is_ended(database):
    async with crew(database, stalled_seconds=3.0) as one:
        await one.desk.tell(opened(number=1))
        await until(lambda: one.begun)
        async with database.connection() as connection:
            await one.desk.wishes.take(connection, [opened(number=2)])
            await connection.execute(
                "UPDATE procrastinate_jobs SET status = 'doing',"
                " worker_id = (SELECT max(id) FROM procrastinate_workers) WHERE status = 'todo'"
            )
        await until(lambda: len(one.begun) == 2)
        assert one.cancelled == []


async def tell_patiently(desk: Desk, number: int) -> None:
    """As GitHub does, by and by: what failed is delivered again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await desk.tell(opened(number=number))
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def cut_off(server: str, database_url: str, seconds: float) -> None:
    """End all connections to a database, and let nobody connect for so long."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        if seconds:
            await connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        if seconds:
            await asyncio.sleep(seconds)
            await connection.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["comes back at once", "stays away"])
async def test_a_database_that_goes_away_twice_leaves_a_worker_that_works(
    database, database_url, postgres, seconds
):
    async with crew(database, per_installation=8, stalled_seconds=3.0, drain_seconds=0.5) as one:
        for number in (1, 2):
            await one.desk.tell(opened(number=number))
            await until(lambda number=number: (REPOSITORY_ID, number) in one.under_way)
            await cut_off(postgres, database_url, seconds)
            await tell_patiently(one.desk, number + 10)
            await until(lambda number=number: (REPOSITORY_ID, number + 10) in one.begun)
        one.free = True
        one.let_go()
        await until(lambda: {n for _, n in one.ended} == {1, 2, 11, 12})
        await until_rows(one.desk, 0)


async def test_a_stop_lets_a_review_end_that_ends_soon(database):
    async with desk(database, drain_seconds=PATIENCE) as found:
        one = Crew(found)
        working = asyncio.create_task(found.jobs.work(one.tasks, 2))
        await found.tell(opened())
        await until(lambda: one.begun)
        working.cancel()
        await found.tell(opened(number=2))
        await asyncio.sleep(0.1)
        assert one.under_way
        one.let_go()
        with pytest.raises(asyncio.CancelledError):
            await working

        assert (one.begun, one.ended, one.cancelled) == ([(REPOSITORY_ID, 1)], [(REPOSITORY_ID, 1)], [])


async def test_a_stop_hands_a_long_review_to_another_worker_at_once(database, database_url):
    async with (
        open_database(database_url, Path("unused")) as other,
        crew(other, stalled_seconds=400.0) as two,
        desk(database, drain_seconds=0.1, stalled_seconds=400.0) as found,
    ):
        one = Crew(found)
        worker = asyncio.create_task(found.jobs.work(one.tasks, 4))
        numbers = range(1, 9)
        for number in numbers:
            await found.tell(opened(number=number, place=place_of(number, REPOSITORY_ID + number)))
        await until(lambda: len(one.begun) + len(two.begun) == 8)
        handed = list(one.under_way)
        assert handed
        two.let_go()
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
        assert sorted(one.cancelled) == sorted(handed)
        await until(lambda: set(handed) <= set(two.begun))


async def test_a_postponed_review_runs_when_its_time_has_come_and_not_before(database):
    async with crew(database) as one:
        one.postponed = 600.0
        await one.desk.tell(opened())
        await until(lambda: one.begun)
        one.let_go()
        await until_rows(one.desk, 0)
        async with database.connection() as connection:
            await one.desk.jobs.dispatch(connection)
        assert await one.desk.rows("SELECT id FROM procrastinate_jobs") == []
        assert len(one.begun) == 1

        await one.desk.rows("UPDATE pull_requests SET not_before = now()")
        await until(lambda: len(one.begun) == 2)


async def test_what_is_wanted_while_a_review_is_postponed_runs_at_once(database):
    async with crew(database) as one:
        one.postponed = 600.0
        await one.desk.tell(opened())
        await until(lambda: one.begun)
        one.let_go()
        await until_rows(one.desk, 0)
        await one.desk.tell(pushed("b", "a", at=5))
        await until(lambda: len(one.begun) == 2)


async def test_what_is_older_postpones_nothing_newer(database):
    async with desk(database) as found:
        await found.tell(opened())
        await found.tell(pushed("b", "a", at=5))
        async with database.connection() as connection:
            await postpone(connection, REPOSITORY_ID, 1, 1, 600.0)
        assert (await found.known())["not_before"] is None


async def test_a_pull_request_nobody_knows_is_looked_at_again_until_it_is_known(database):
    async with desk(database) as found:
        await found.rows(
            "INSERT INTO pull_requests (repository_id, number, installation, repository, head_sha, base_ref,"
            " title, url, told_at, unseen) VALUES (70, 1, 7, 'octo/shop', '', '', '', '', 'epoch', true)"
        )
        async with database.connection() as connection:
            await found.jobs.dispatch(connection)
        assert await found.waiting() == ["70#1"]


async def test_giving_jobs_undoes_nothing_of_its_caller_and_gives_none_twice(database):
    async with desk(database) as found:
        await found.tell(opened())
        async with database.connection() as connection:
            await connection.execute("UPDATE procrastinate_jobs SET lock = 'another'")
            await found.jobs.dispatch(connection, installation=INSTALLATION)
        assert await found.waiting() == ["another"]


async def test_what_is_to_be_forgotten_is_forgotten_once_that_is_committed(database):
    async with crew(database) as one:
        async with database.connection() as connection:
            await one.desk.jobs.want_forgotten(connection, 7, [70])
            await one.desk.jobs.want_forgotten(connection, 8)
        await until(lambda: len(one.forgotten) == 2)

    assert sorted(one.forgotten) == [(7, [70]), (8, None)]


async def test_what_could_not_be_forgotten_is_tried_again(database):
    async with crew(database) as one:
        one.fault = StoreUnavailable("the database is away")
        async with database.connection() as connection:
            await one.desk.jobs.want_forgotten(connection, 7)
        async with asyncio.timeout(PATIENCE):
            while not await one.desk.rows(  # noqa: ASYNC110 - as above
                "SELECT 1 FROM procrastinate_jobs WHERE attempts = 1"
            ):
                await asyncio.sleep(0.02)
        one.fault = None
        await one.desk.rows("UPDATE procrastinate_jobs SET scheduled_at = now()")
        await until(lambda: one.forgotten)
