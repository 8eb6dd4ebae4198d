"""A run writes while it holds its lease, and not a word after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from reviewer.core.events import Event, ReviewCancelled, ReviewStarted, Subject
from tests.pull_requests import Desk, desk, opened, pushed, stop, told
from webhooks.check_run import verdict_json
from webhooks.intents import Intents, Making
from webhooks.lease import Lease, LeasedFeed, LeaseLost, Permit, PermitExpired
from webhooks.publish import checks
from webhooks.records import close_review, end_review

EVENT = ReviewStarted(engine="analyzers")


@pytest.fixture(name="desk")
async def desk_(database) -> AsyncIterator[Desk]:
    async with desk(database) as found:
        yield found


@pytest.fixture(name="review")
async def review_(desk) -> str:
    review = (await desk.tell(opened())).review
    assert review is not None
    return review


def subject(review: str) -> Subject:
    return Subject(review=review, repository="octo/shop", pull_request=1, head_sha="a")


def leased(desk: Desk, lease: Lease, heard: list[Event]) -> LeasedFeed:
    return LeasedFeed(desk.database, desk.feed, lease, heard.append)


async def end(desk: Desk, lease: Lease) -> None:
    async with desk.database.connection() as connection:
        await lease.hold(connection)
        verdict = verdict_json(checks.cancelled_check("stopped"))
        assert await end_review(connection, lease.review, lease.run, verdict)
        await desk.feed.append_on(connection, subject(lease.review), [ReviewCancelled(reason="stopped")])


async def nothing_can_be_written(desk: Desk, lease: Lease) -> None:
    """Try all that a run writes."""
    before = (
        await desk.events(),
        await desk.rows("SELECT * FROM intents"),
        await desk.rows("SELECT ended_at, verdict FROM reviews"),
    )
    heard: list[Event] = []
    sent: list[Permit] = []

    async def look() -> int | None:
        return None

    async def send(permit: Permit) -> int:
        await permit.use()
        sent.append(permit)
        return 1

    with pytest.raises(LeaseLost):
        await leased(desk, lease, heard).append(subject(lease.review), [EVENT])
    with pytest.raises(LeaseLost):
        await Intents(desk.database).once(lease, Making("wave:1", look, send))
    with pytest.raises(LeaseLost):
        await end(desk, lease)
    assert (heard, sent) == ([], [])
    after = (
        await desk.events(),
        await desk.rows("SELECT * FROM intents"),
        await desk.rows("SELECT ended_at, verdict FROM reviews"),
    )
    assert after == before


async def test_a_run_that_holds_its_lease_writes_and_is_heard(desk, review):
    heard: list[Event] = []
    lease = await desk.lease(review)
    await leased(desk, lease, heard).append(subject(review), [EVENT])
    await end(desk, lease)

    assert heard == [EVENT]
    assert await desk.events(review) == ["review.queued", "review.started", "review.cancelled"]


@pytest.mark.parametrize(
    "news",
    [
        pushed("b", "a", at=5),
        told("closed", at=5, state="closed"),
        told("edited", at=5, base_ref="next"),
        stop(),
    ],
    ids=["push", "close", "base", "stop"],
)
async def test_a_run_of_an_older_generation_writes_nothing(desk, review, news):
    lease = await desk.lease(review)
    await desk.tell(news)

    await nothing_can_be_written(desk, lease)


async def test_a_run_that_was_taken_over_writes_nothing_and_the_new_one_does(desk, review):
    old = await desk.lease(review)
    new = await desk.lease(review)

    await nothing_can_be_written(desk, old)
    await end(desk, new)


async def test_a_run_of_an_ended_review_writes_nothing(desk, review):
    lease = await desk.lease(review)
    await end(desk, lease)

    await nothing_can_be_written(desk, lease)


async def test_a_run_of_a_forgotten_review_writes_nothing(desk, review):
    lease = await desk.lease(review)
    await desk.rows("DELETE FROM reviews")

    await nothing_can_be_written(desk, lease)


async def test_an_older_run_can_t_end_the_review(desk, review):
    old = await desk.lease(review)
    new = await desk.lease(review)
    async with desk.database.connection() as connection:
        assert not await end_review(connection, review, old.run, None)
        assert await end_review(connection, review, new.run, None)
        assert not await end_review(connection, review, new.run, None)


async def test_an_ended_review_is_closed_by_its_run_whatever_is_wanted_since(desk, review):
    lease = (await desk.lease(review)).after_end()
    await desk.tell(pushed("b", "a", at=5))
    async with desk.database.connection() as connection:
        await lease.hold(connection)
    newer = (await desk.lease(review)).after_end()
    async with desk.database.connection() as connection:
        with pytest.raises(LeaseLost):
            await lease.hold(connection)
        await newer.hold(connection)
        await close_review(connection, review)
    async with desk.database.connection() as connection:
        with pytest.raises(LeaseLost):
            await newer.hold(connection)


async def _waits_for_a_lock(desk: Desk) -> None:
    """Return once somebody's statement waits for somebody else."""
    async with asyncio.timeout(10):
        while not await desk.rows(  # noqa: ASYNC110 - PostgreSQL tells nobody
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("news", [pushed("b", "a", at=5), stop()], ids=["push", "stop"])
async def test_news_wait_until_what_a_run_writes_has_committed(desk, review, news):
    lease = await desk.lease(review)
    async with desk.database.connection() as connection:
        await lease.hold(connection)
        coming = asyncio.create_task(desk.tell(news))
        await _waits_for_a_lock(desk)
        await desk.feed.append_on(connection, subject(review), [EVENT])
        assert not coming.done()
    await coming

    types = await desk.events()
    assert types[:2] == ["review.queued", "review.started"]
    assert types[2:] == (["review.queued"] if isinstance(news, type(pushed("b"))) else [])
    await nothing_can_be_written(desk, lease)


async def test_a_write_that_waits_for_a_push_is_refused_once_that_has_committed(desk, review):
    lease = await desk.lease(review)
    async with desk.database.connection() as connection:
        await desk.wishes.take(connection, [pushed("b", "a", at=5)])
        writing = asyncio.create_task(leased(desk, lease, []).append(subject(review), [EVENT]))
        await _waits_for_a_lock(desk)
    with pytest.raises(LeaseLost):
        await writing

    assert await desk.events(review) == ["review.queued"]


async def test_a_write_that_waits_for_a_push_goes_on_when_that_is_undone(desk, review):
    lease = await desk.lease(review)
    async with desk.database.connection() as connection:
        await desk.wishes.take(connection, [pushed("b", "a", at=5)])
        writing = asyncio.create_task(leased(desk, lease, []).append(subject(review), [EVENT]))
        await _waits_for_a_lock(desk)
        await connection.rollback()
    await writing

    assert await desk.events(review) == ["review.queued", "review.started"]


async def test_a_takeover_waits_until_what_the_old_run_writes_has_committed(desk, review):
    old = await desk.lease(review)
    async with desk.database.connection() as connection:
        await old.hold(connection)
        taking = asyncio.create_task(desk.lease(review))
        await _waits_for_a_lock(desk)
        await desk.feed.append_on(connection, subject(review), [EVENT])
        assert not taking.done()
    new = await taking

    assert new.run == old.run + 1
    await nothing_can_be_written(desk, old)


async def test_leave_to_send_is_asked_for_at_the_last_moment_and_not_used_when_it_comes_late(
    desk, review, monkeypatch
):
    lease = await desk.lease(review)
    good, lost = lease.permit(desk.database), lease.permit(desk.database)
    await good.use()
    await desk.lease(review)
    with pytest.raises(LeaseLost):
        await lost.use()
    monkeypatch.setattr("webhooks.lease.PERMIT_SECONDS", -0.001)
    late = (await desk.lease(review)).permit(desk.database)
    with pytest.raises(PermitExpired):
        await late.use()

    assert [permit.used for permit in (good, late, lost)] == [True, False, False]
