"""What was in doubt on a pull request is looked for, and a listing that lacks what stands proves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from reviewer.errors import ForgeUnavailable
from tests.pull_requests import REPOSITORY_ID, Desk, desk, opened, pushed
from tests.test_intents import Board
from webhooks.github.comments import Comments, PostedComment
from webhooks.github.reviews import PostedReview, Reviews
from webhooks.intents import Intents
from webhooks.publish.marks import RESOLVED_MARK, review_mark
from webhooks.records import Review, pull_request
from webhooks.settling import LONGEST_LAG_SECONDS, Doubts

BOT = "sluice[bot]"


@dataclass
class Shown:
    """What GitHub lists."""

    things: list[Any] = field(default_factory=list)

    async def listing(self, _installation: int, _repository: str, _number: int) -> list[Any]:
        return self.things


@dataclass
class Table:
    """A pull request on GitHub, and what is known of it."""

    desk: Desk
    intents: Intents
    reviews: Shown = field(default_factory=Shown)
    comments: Shown = field(default_factory=Shown)

    async def review(self) -> Review:
        async with self.desk.database.connection() as connection:
            _, found = await pull_request(connection, REPOSITORY_ID, 1)
        return found[-1]

    async def make(self, key: str, *, answered: bool) -> str:
        """Something of the newest review was sent a minute ago; gives the review."""
        review = await self.review()
        board = Board(answer=None if answered else ForgeUnavailable("cut off"))
        lease = await self.desk.lease(review.id)
        try:
            await self.intents.once(lease, board.making(key))
        except ForgeUnavailable:
            assert not answered
        await self.desk.rows("UPDATE intents SET made_at = now() - interval '1 minute'")
        return review.id

    async def settle(self) -> list[tuple[str, int | None]]:
        """Settle; gives the key and number of every intent that is left."""
        doubts = Doubts(self.intents, cast("Reviews", self.reviews), cast("Comments", self.comments))
        intents, _ = await doubts.settle(await self.review(), BOT)
        return [(each.key, each.github_id) for each in intents]


@pytest.fixture(name="table")
async def table_(database) -> AsyncIterator[Table]:
    async with desk(database) as found:
        await found.tell(opened())
        yield Table(found, Intents(database))


def posted(number: int, body: str, author: str = BOT, *, by_bot: bool = True) -> PostedReview:
    return PostedReview(number, "", body, author, by_bot, "COMMENTED", "a")


def on_file(number: int, fingerprint: str, author: str = BOT) -> PostedComment:
    return PostedComment(
        id=number,
        review=1,
        path="calc.py",
        line=None,
        body=f"odd\n\n<!-- sluice:finding:{fingerprint} -->",
        author=author,
        by_bot=True,
        side="RIGHT",
        original_line=None,
        in_reply_to=None,
        subject_type="file",
        html_url="",
        commit_id="a",
    )


async def test_a_wave_that_stands_is_known_by_its_mark(table):
    review = await table.make("wave:1", answered=False)
    table.reviews.things = [
        posted(3, f"all fine\n\n{review_mark(review, 1)}", "mallory", by_bot=False),
        posted(4, f"of another wave\n\n{review_mark(review, 2)}"),
        posted(5, f"two findings\n\n{review_mark(review, 1)}"),
    ]

    assert await table.settle() == [("wave:1", 5)]


async def test_a_wave_that_does_not_stand_was_never_made(table):
    await table.make("wave:1", answered=False)

    assert await table.settle() == []
    assert await table.desk.rows("SELECT 1 FROM said") == []


async def test_what_an_earlier_review_left_in_doubt_is_settled_too(table):
    review = await table.make("wave:1", answered=False)
    await table.desk.tell(pushed("b", "a", at=5))
    table.reviews.things = [posted(5, f"two findings\n\n{review_mark(review, 1)}")]

    assert await table.settle() == [("wave:1", 5)]


async def test_a_listing_without_a_review_that_was_just_posted_proves_nothing(table):
    await table.make("wave:1", answered=True)
    await table.make("wave:2", answered=False)
    with pytest.raises(ForgeUnavailable):
        await table.settle()
    assert len(await table.desk.rows("SELECT 1 FROM intents WHERE github_id IS NULL")) == 1

    await table.desk.rows(
        "UPDATE intents SET made_at = now() - make_interval(secs => %(age)s)", age=LONGEST_LAG_SECONDS + 1
    )
    assert await table.settle() == [("wave:1", 1)]


async def test_a_comment_on_a_file_is_known_by_what_it_says(table):
    await table.make("file:f1", answered=False)
    table.comments.things = [on_file(8, "0ff"), on_file(9, "abc123", "mallory[bot]"), on_file(10, "abc123")]

    assert await table.settle() == [("file:f1", 10)]


async def test_a_comment_on_a_file_is_not_taken_for_another_that_says_the_same(table):
    await table.make("file:f1", answered=True)
    await table.make("file:f2", answered=False)
    gone = replace(on_file(7, "abc123"), body=f"{on_file(7, 'abc123').body}\n{RESOLVED_MARK}")
    on_line = replace(on_file(8, "abc123"), subject_type="line")
    table.comments.things = [on_file(1, "abc123"), gone, on_line]

    assert await table.settle() == [("file:f1", 1)]
