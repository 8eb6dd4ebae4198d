"""Deliveries that come together are committed together, and none suffers for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import psycopg
import pytest

from tests.pull_requests import Desk, desk, opened, place_of, pushed
from webhooks.intake import MOST_AT_ONCE, Intake
from webhooks.news import Handled, InstallationGone, PullRequestChanged
from webhooks.records import Delivery


@dataclass(frozen=True)
class Door:
    """An intake on a database."""

    desk: Desk
    intake: Intake

    async def take(self, guid: str, news: Handled) -> str | None:
        """The reason or review that a delivery is answered with; None if it was taken before."""
        answer = await self.intake.take(Delivery(guid, "pull_request", "opened", 7, b"{}"), news)
        return None if answer is None else answer.review or answer.reason

    async def guids(self) -> set[str]:
        return {guid for (guid,) in await self.desk.rows("SELECT guid FROM deliveries")}

    async def commits(self) -> int:
        """Transactions that stored deliveries."""
        ((count,),) = await self.desk.rows("SELECT count(DISTINCT xmin::text) FROM deliveries")
        return count


@pytest.fixture(name="door")
async def door_(database) -> AsyncIterator[Door]:
    async with desk(database) as found:
        yield Door(found, Intake(database, found.wishes, found.jobs))


def unstorable(news: PullRequestChanged) -> PullRequestChanged:
    """News with a title that PostgreSQL takes from nobody."""
    return replace(news, pull=replace(news.pull, title="a\0b"))


async def test_what_comes_together_shares_a_commit_and_each_gets_its_own_answer(door):
    count = 2 * MOST_AT_ONCE
    answers = await asyncio.gather(
        *(door.take(f"d{number}", opened(number=number)) for number in range(1, count + 1))
    )

    assert len(set(answers)) == count
    assert await door.guids() == {f"d{number}" for number in range(1, count + 1)}
    assert await door.commits() < count / 4
    assert (await door.desk.events()).count("review.queued") == count


async def test_a_delivery_that_comes_twice_is_taken_once_be_it_together_or_later(door):
    together = await asyncio.gather(door.take("same", opened()), door.take("same", opened()))
    later = await door.take("same", opened())

    assert sorted(answer is None for answer in together) == [False, True]
    assert later is None
    assert len(await door.desk.reviews()) == 1


async def test_one_that_can_not_be_stored_harms_none_of_those_that_came_with_it(door):
    bad = asyncio.create_task(door.take("bad", unstorable(opened(number=1))))
    good = [asyncio.create_task(door.take(f"good{n}", opened(number=n))) for n in range(2, 6)]
    done = await asyncio.gather(bad, *good, return_exceptions=True)

    assert isinstance(done[0], psycopg.DataError)
    assert all(isinstance(each, str) for each in done[1:])
    assert await door.guids() == {f"good{n}" for n in range(2, 6)}
    assert await door.desk.reviews(1) == []
    assert await door.take("bad", opened(number=1)) is not None  # GitHub may send it again


async def test_a_caller_that_goes_away_takes_nothing_with_it(door):
    gone = asyncio.create_task(door.take("gone", opened(number=1)))
    stays = asyncio.create_task(door.take("stays", opened(number=2)))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays
    assert await door.guids() == {"gone", "stays"}
    assert await door.desk.reviews(1) == [("a", True)]


async def test_pushes_to_one_pull_request_that_come_together_are_taken_in_their_order(door):
    await door.take("d0", opened("a"))
    await asyncio.gather(
        *(door.take(f"d{at}", pushed(new, old, at=at)) for at, old, new in [(1, "a", "b"), (2, "b", "c")])
    )

    assert [head for head, live in await door.desk.reviews() if live] == ["c"]


async def test_an_installation_that_goes_and_pushes_to_it_lock_each_other_out_of_nothing(door):
    places = [place_of(7, 70), place_of(7, 71)]
    for number, place in enumerate(places, start=1):
        await door.take(f"d{number}", opened(number=number, place=place))
    other = Intake(door.desk.database, door.desk.wishes, door.desk.jobs)
    news = [
        pushed("b", "a", at=5, number=number, place=place) for number, place in enumerate(places, start=1)
    ]
    async with asyncio.timeout(20):
        await asyncio.gather(
            door.take("gone", InstallationGone(7, "the app was suspended", forget=False)),
            *(door.take(f"one{at}", each) for at, each in enumerate(news)),
            *(Door(door.desk, other).take(f"two{at}", each) for at, each in enumerate(reversed(news))),
        )

    assert len(await door.guids()) == 7
