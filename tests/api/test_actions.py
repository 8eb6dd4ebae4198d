from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection

from reviewer.core.audience import EVERYTHING, Sight
from reviewer.store.database import Database
from tests.api.watchers import OPERATOR, Watched, caller, looking
from tests.pull_requests import INSTALLATION, REPOSITORY_ID, Desk, desk, opened, pushed
from webhooks.api.actions import Actions
from webhooks.records import end_review

MINE = Sight(repository_ids=frozenset({REPOSITORY_ID}))
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
PATIENCE = 30.0
SEES_ONLY = caller(EVERYTHING, Sight())


@dataclass
class Posted:
    """What cancels posted reviews, as far as actions know."""

    reason: str | None = "stopped by Ada"
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def cancel(self, connection: AsyncConnection, review: str, by: str) -> str | None:
        assert not connection.closed
        self.asked.append((review, by))
        return self.reason


@dataclass
class Table:
    """A pull request's review, and who acts on it."""

    desk: Desk
    posted: Posted

    async def act(self, who, review: str | None, what: str) -> httpx.Response:
        found = self.desk
        actions = Actions(found.database, found.wishes, found.jobs, self.posted.cancel)
        routes = {"/reviews/{id}/cancel": actions.cancel, "/reviews/{id}/again": actions.again}
        async with looking(who, routes, method="POST") as client:
            return await client.post(f"/reviews/{review}/{what}")

    async def opened(self, head: str = "a", **changes: Any) -> str:
        answer = await self.desk.tell(opened(head, **changes))
        assert answer.review
        return answer.review

    async def end(self, review: str) -> None:
        lease = await self.desk.lease(review)
        async with self.desk.database.connection() as connection:
            assert await end_review(connection, lease.review, lease.run, None)


@pytest.fixture
async def table(database: Database) -> AsyncIterator[Table]:
    async with desk(database) as found:
        yield Table(found, Posted())


async def test_a_review_that_is_cancelled_is_wanted_no_more(table):
    review = await table.opened()
    before = await table.desk.known()

    answer = await table.act(caller(MINE, MINE), review, "cancel")

    assert (answer.status_code, answer.json()) == (202, {"review": review, "reason": "stopped by Ada"})
    known = await table.desk.known()
    assert (known["generation"], known["stopped_head"]) == (before["generation"] + 1, "a")
    assert known["reason"] == "stopped by Ada"


async def test_one_more_review_is_the_one_that_is_wanted(table):
    review = await table.opened()
    await table.end(review)

    answer = await table.act(caller(MINE, MINE), review, "again")

    told = answer.json()
    assert (answer.status_code, told["reason"]) == (202, None)
    assert told["review"] != review
    assert await table.desk.reviews() == [("a", False), ("a", True)]
    assert await table.desk.events(told["review"]) == ["review.queued"]


async def test_jobs_are_woken_by_an_action_and_not_by_a_refusal(table):
    review = await table.opened()
    table.desk.jobs._news = woken = asyncio.Event()

    await table.act(SEES_ONLY, review, "cancel")
    refused = woken.is_set()
    await table.act(OPERATOR, review, "cancel")

    assert (refused, woken.is_set()) == (False, True)


@pytest.mark.parametrize("what", ["cancel", "again"])
@pytest.mark.parametrize(
    "acts", [Sight(), Sight(repository_ids=frozenset({71})), Sight(installations=frozenset({8}))]
)
async def test_who_may_not_act_is_told_what_is_told_of_no_review(table, what, acts):
    review = await table.opened()
    before = await table.desk.known()
    who = caller(EVERYTHING, acts)

    unseen, unknown = await table.act(who, review, what), await table.act(who, "nothing", what)

    assert unseen.status_code == unknown.status_code == 404
    assert unseen.content == unknown.content == b'{"error":"no such review"}'
    assert await table.desk.known() == before


async def test_an_installation_may_be_acted_on_as_a_whole(table):
    review = await table.opened()
    acts = Sight(installations=frozenset({INSTALLATION}))

    assert (await table.act(caller(acts, acts), review, "cancel")).status_code == 202


async def test_a_review_that_has_ended_can_not_be_cancelled(table):
    review = await table.opened()
    await table.end(review)

    answer = await table.act(OPERATOR, review, "cancel")

    assert (answer.status_code, answer.json()) == (409, {"error": "the review has ended"})


async def test_a_cancelled_review_is_not_cancelled_twice(table):
    review = await table.opened()
    await table.act(OPERATOR, review, "cancel")

    assert (await table.act(OPERATOR, review, "cancel")).status_code == 409


async def test_an_older_review_can_not_be_cancelled_and_the_newer_one_goes_on(table):
    older = await table.opened()
    newer = (await table.desk.tell(pushed("b", "a", at=5))).review

    answer = await table.act(OPERATOR, older, "cancel")

    assert answer.status_code == 409
    assert "newer" in answer.json()["error"]
    assert newer
    assert (await table.desk.reviews())[-1] == ("b", True)


async def test_a_push_in_the_moment_of_a_cancel_is_reviewed_all_the_same(table):
    review = await table.opened()
    async with table.desk.database.connection() as connection:
        # The push holds the repository and has not committed yet
        await table.desk.wishes.take(connection, [pushed("b", "a", at=5)])
        cancelling = asyncio.create_task(table.act(OPERATOR, review, "cancel"))
        async with asyncio.timeout(PATIENCE):
            while not await table.desk.rows(WAITING):  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.01)

    assert (await cancelling).status_code == 409
    assert (await table.desk.reviews())[-1] == ("b", True)


async def test_a_posted_review_is_cancelled_by_whoever_owns_its_key(table):
    watched = Watched(table.desk.database)
    await watched.posted("p", "key 1")
    key = Sight(api_keys=frozenset({"key 1"}))
    other = Sight(api_keys=frozenset({"key 2"}))

    assert (await table.act(caller(other, other), "p", "cancel")).status_code == 404
    assert table.posted.asked == []
    assert (await table.act(caller(key, key), "p", "cancel")).json() == {
        "review": "p",
        "reason": "stopped by Ada",
    }
    assert table.posted.asked == [("p", "Ada")]


async def test_a_posted_review_that_ends_meanwhile_was_not_cancelled(table):
    await Watched(table.desk.database).posted("p", "key 1")
    table.posted.reason = None

    assert (await table.act(OPERATOR, "p", "cancel")).status_code == 409


async def test_a_posted_diff_has_to_be_posted_again(table):
    await Watched(table.desk.database).posted("p", "key 1")

    answer = await table.act(OPERATOR, "p", "again")

    assert (answer.status_code, answer.json()) == (409, {"error": "post the diff again"})
