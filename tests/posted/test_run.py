"""What becomes of posted reviews when callers, workers and processes come and go."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from reviewer.core.events import ReviewStarted
from reviewer.grace import beside
from reviewer.store.database import Database
from reviewer.store.feed import Filter
from tests.pull_requests import Desk, desk, opened
from webhooks.boundary import MOST_RUNS
from webhooks.lease import LeasedFeed, LeaseLost, PostedLease
from webhooks.posted import attendance
from webhooks.posted.attendance import Attendance
from webhooks.posted.reviews import Post, Posted, end_posted
from webhooks.posted.run import PostedReviews
from webhooks.records import begin_run, put_off
from webhooks.review_run import Means

PATIENCE = 30.0
EVENT = ReviewStarted(engine="analyzers")


POST = Post(
    review="",
    api_key="ci",
    pays=None,
    repository="posted",
    title="Posted diff",
    head_sha=None,
    attended=True,
    idempotency_key=None,
    digest=b"a made-up digest",
    diff=zlib.compress(b""),
    model="a-model",
    bytes_per_token=3.0,
)


@dataclass(frozen=True)
class Counter:
    """Where diffs are handed in."""

    desk: Desk
    posted: Posted

    @property
    def database(self) -> Database:
        return self.desk.database

    async def post(self, **changes: Any) -> str:
        """Post a diff; gives the review, be it an earlier one."""
        post = replace(POST, review=uuid4().hex, **changes)
        async with self.database.connection() as connection:
            earlier = await self.posted.store(connection, post)
            if earlier is not None:
                return earlier.review
            await self.posted.announce(connection, post)
        return post.review

    async def cancel(self, review: str | None) -> str | None:
        assert review is not None
        async with self.database.connection() as connection:
            return await self.posted.cancel(connection, review, "ada")

    async def unheard(self) -> list[str]:
        async with self.database.connection() as connection:
            return await self.posted.cancel_unheard(connection)

    async def begin(self, review: str) -> PostedLease:
        """The right of a new run."""
        async with self.database.connection() as connection:
            return PostedLease(review, await begin_run(connection, review))

    async def say(self, lease: PostedLease) -> None:
        """Append an event as a run does."""
        feed = LeasedFeed(self.database, self.desk.feed, lease, lambda _: None)
        await feed.append(replace(POST, review=lease.review).subject, [EVENT])

    async def end(self, review: str) -> None:
        lease = await self.begin(review)
        async with self.database.connection() as connection:
            await lease.hold(connection)
            await end_posted(connection, review, lease.run)

    async def dispatch(self) -> list[str]:
        """Give jobs; the locks of those that wait."""
        async with self.database.connection() as connection:
            await self.desk.jobs.dispatch(connection)
        return await self.desk.waiting()

    async def ended(self, review: str) -> None:
        """Wait until a review has ended."""
        async with asyncio.timeout(PATIENCE):
            while not await self.desk.rows(  # noqa: ASYNC110 - the database tells nobody
                "SELECT 1 FROM reviews WHERE id = %(id)s AND closed_at IS NOT NULL", id=review
            ):
                await asyncio.sleep(0.02)

    async def reasons(self, review: str) -> list[str]:
        """Why it was cancelled, each time it was told."""
        found = await self.desk.feed.read(0, Filter(review=review))
        return [entry.data["reason"] for entry in found if entry.type == "review.cancelled"]

    async def listen(self, place: Attendance, review: str) -> UUID:
        async with self.database.connection() as connection:
            listener = await place.enter(connection, review, POST.api_key)
        place.stay(listener)
        return listener

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[Attendance]:
        """One that keeps its listeners while the block runs."""
        place = Attendance(self.database, self.posted)
        async with beside(place.run(), "attendance"):
            yield place


@pytest.fixture(name="counter")
async def counter_(database) -> AsyncIterator[Counter]:
    async with desk(database) as found:
        yield Counter(found, Posted(found.feed, found.jobs))


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr(attendance, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(attendance, "ATTEND_SECONDS", 0.5)


async def test_a_review_that_has_not_begun_is_cancelled_at_once_and_gets_no_job(counter):
    review = await counter.post()

    assert await counter.cancel(review) == "stopped by ada"
    assert await counter.desk.events(review) == ["review.queued", "review.cancelled"]
    assert await counter.reasons(review) == ["stopped by ada"]
    assert await counter.dispatch() == []


async def test_cancelling_has_what_runs_aborted_and_lets_it_say_no_more(counter):
    review = await counter.post()
    await counter.dispatch()
    await counter.desk.rows("UPDATE procrastinate_jobs SET status = 'doing'")
    lease = await counter.begin(review)
    await counter.say(lease)
    await counter.cancel(review)

    with pytest.raises(LeaseLost):
        await counter.say(lease)
    assert await counter.desk.events(review) == ["review.queued", "review.started", "review.cancelled"]
    assert await counter.desk.rows("SELECT abort_requested FROM procrastinate_jobs") == [(True,)]


async def test_what_has_ended_is_not_cancelled_and_a_pull_request_not_by_this_door(counter):
    review = await counter.post()
    await counter.end(review)
    of_pull_request = (await counter.desk.tell(opened())).review

    assert await counter.cancel(review) is None
    assert await counter.cancel(of_pull_request) is None
    assert await counter.cancel("no such review") is None
    assert await counter.reasons(review) == []
    assert await counter.desk.events(of_pull_request) == ["review.queued"]


async def test_a_run_that_was_taken_over_says_nothing_and_the_new_one_does(counter):
    review = await counter.post()
    old = await counter.begin(review)
    new = await counter.begin(review)

    with pytest.raises(LeaseLost):
        await counter.say(old)
    await counter.say(new)
    assert await counter.desk.events(review) == ["review.queued", "review.started"]


@pytest.mark.usefixtures("hurry")
async def test_while_a_process_answers_its_caller_the_review_goes_on_and_ends_when_it_dies(counter):
    review, alone = await counter.post(), await counter.post(attended=False)
    async with counter.process():
        async with counter.process() as dying:
            await counter.listen(dying, review)
            await asyncio.sleep(1.5)  # three times what silence is allowed
            assert await counter.reasons(review) == []
        await counter.ended(review)
        await asyncio.sleep(0.2)

    assert await counter.reasons(review) == ["the caller left"]
    assert await counter.reasons(alone) == []


async def test_of_listeners_in_two_processes_the_last_ends_the_review(counter):
    one, two = (Attendance(counter.database, counter.posted) for _ in range(2))
    review, alone = await counter.post(), await counter.post(attended=False)
    first, second = await counter.listen(one, review), await counter.listen(two, review)
    only = await counter.listen(one, alone)

    await one.leave(first)
    await one.leave(only)
    assert await counter.reasons(review) == []
    await two.leave(second)
    assert await counter.reasons(review) == ["the caller left"]
    assert await counter.reasons(alone) == []
    assert await counter.desk.rows("SELECT 1 FROM listeners") == []


async def test_only_who_posted_a_review_is_taken_for_its_listener(counter):
    place = Attendance(counter.database, counter.posted)
    review = await counter.post()
    async with counter.database.connection() as connection:
        await place.enter(connection, review, "another")

    assert await counter.desk.rows("SELECT 1 FROM listeners") == []
    assert await counter.unheard() == [review]


async def test_of_a_review_that_ends_no_listener_is_left(counter):
    place = Attendance(counter.database, counter.posted)
    done, stopped = await counter.post(), await counter.post()
    for review in (done, stopped):
        await counter.listen(place, review)
    await counter.end(done)
    await counter.cancel(stopped)

    assert await counter.desk.rows("SELECT 1 FROM listeners") == []


async def test_a_leave_is_noted_though_who_notes_it_is_cancelled(counter):
    place = Attendance(counter.database, counter.posted)
    review = await counter.post()
    listener = await counter.listen(place, review)
    leaving = asyncio.create_task(place.leave(listener))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    assert await counter.reasons(review) == ["the caller left"]


async def test_who_begins_to_listen_while_nobody_does_keeps_the_review_or_finds_it_ended(counter):
    place = Attendance(counter.database, counter.posted)
    review = await counter.post()
    async with counter.database.connection() as connection:
        await place.enter(connection, review, POST.api_key)
        ending = asyncio.create_task(counter.unheard())
        await waits_for_a_lock(counter.desk)
    assert await ending == []
    assert await counter.reasons(review) == []


async def waits_for_a_lock(desk: Desk) -> None:
    """Return once somebody's statement waits for somebody else."""
    async with asyncio.timeout(PATIENCE):
        while not await desk.rows(  # noqa: ASYNC110 - PostgreSQL tells nobody
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


async def test_a_key_stands_for_a_day_for_what_was_posted_with_it_and_for_one_poster(counter):
    review = await counter.post(idempotency_key="k")

    assert await counter.post(idempotency_key="k") == review
    assert await counter.post(idempotency_key="k", api_key="another") != review
    await counter.desk.rows("UPDATE posted SET posted_at = posted_at - interval '23 hours'")
    assert await counter.post(idempotency_key="k") == review
    await counter.desk.rows("UPDATE posted SET posted_at = posted_at - interval '2 hours'")
    assert await counter.post(idempotency_key="k") != review


async def test_a_key_is_free_again_when_its_caller_left_and_not_when_somebody_stopped_the_review(counter):
    left = await counter.post(idempotency_key="left")
    assert await counter.unheard() == [left]
    stopped = await counter.post(idempotency_key="stopped")
    await counter.cancel(stopped)

    assert await counter.post(idempotency_key="left") != left
    assert await counter.post(idempotency_key="stopped") == stopped


async def test_who_posts_again_while_the_review_ends_that_nobody_heard_begins_a_new_one(counter):
    review = await counter.post(idempotency_key="k")
    async with counter.database.connection() as connection:
        assert await counter.posted.cancel_unheard(connection) == [review]
        again = asyncio.create_task(counter.post(idempotency_key="k"))
        await waits_for_a_lock(counter.desk)

    assert await again != review


async def test_who_posts_again_just_before_it_ends_keeps_it_and_waits_for_nobody_in_a_ring(counter):
    place = Attendance(counter.database, counter.posted)
    review = await counter.post(idempotency_key="k")
    async with counter.database.connection() as connection:
        assert await counter.posted.earlier(connection, "ci", "k") is not None
        ending = asyncio.create_task(counter.unheard())
        await waits_for_a_lock(counter.desk)
        await counter.posted.leave_alone(connection, review)
        await place.enter(connection, review, POST.api_key)

    assert await ending == []
    assert await counter.reasons(review) == []


async def test_a_review_that_was_put_off_gets_a_job_when_its_time_has_come(counter):
    review = await counter.post()
    async with counter.database.connection() as connection:
        await put_off(connection, review, 600.0)
    assert await counter.dispatch() == []
    await counter.desk.rows("UPDATE reviews SET not_before = now()")
    assert await counter.dispatch() == [f"posted {review}"]


@pytest.mark.parametrize("broken", ["runs", "diff", "code"])
async def test_a_review_that_can_not_be_done_fails_and_gets_no_more_jobs(counter, broken):
    review = await counter.post()
    if broken == "runs":
        await counter.desk.rows("UPDATE reviews SET run = %(runs)s", runs=MOST_RUNS)
    if broken == "diff":
        await counter.desk.rows("DELETE FROM diffs")
    means = SimpleNamespace(database=counter.database, feed=counter.desk.feed)  # and nothing to review with
    await PostedReviews(cast("Means", means)).run(review)

    (failed,) = [
        entry.data
        for entry in await counter.desk.feed.read(0, Filter(review=review))
        if entry.type == "review.failed"
    ]
    said = {"runs": "again and again", "diff": "no longer kept", "code": "AttributeError"}
    assert said[broken] in failed["reason"]
    assert await counter.dispatch() == []


async def test_a_review_that_has_ended_is_not_run_again(counter):
    review = await counter.post()
    await counter.cancel(review)
    await PostedReviews(cast("Means", SimpleNamespace(database=counter.database))).run(review)

    assert await counter.desk.events(review) == ["review.queued", "review.cancelled"]
