"""Reviews that wait are shown as queued: the next few of each installation, once each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.pull_requests import Desk, desk, opened
from tests.sandbox.hub import Hub, hub
from webhooks.announcing import Announcer
from webhooks.check_run import CheckRuns
from webhooks.github.auth import AppAuth
from webhooks.github.checks import Checks
from webhooks.github.client import GitHub
from webhooks.intents import Intents
from webhooks.news import Place
from webhooks.records import MOST_SHOWN
from webhooks.sandbox import Fault


@dataclass(frozen=True)
class Queue:
    """Pull requests of one installation whose reviews wait, and who announces them."""

    hub: Hub
    desk: Desk
    announcer: Announcer

    async def grow(self, count: int = 1) -> list[str]:
        """Ask for so many reviews, which nobody begins; gives their ids."""
        repository = self.hub.repository
        place = Place(repository.installation_id, repository.id, repository.full_name)
        reviews: list[str] = []
        for _ in range(count):
            pull = await self.hub.open()
            answer = await self.desk.tell(opened(pull.head_sha, number=pull.number, place=place))
            reviews.append(answer.review or "")
        await self.desk.rows("UPDATE reviews SET created_at = created_at - interval '1 minute'")
        return reviews

    @property
    def shown(self) -> list[tuple[str | None, str, str | None]]:
        """Review, status and title of each check run on GitHub."""
        runs = self.hub.repository.check_runs.values()
        return [(run.external_id, run.status, run.output["title"]) for run in runs]


@pytest.fixture(name="queue")
async def queue_(database, tmp_path) -> AsyncIterator[Queue]:
    async with hub(tmp_path) as found, desk(database) as at:
        auth = AppAuth(found.state.client_id, found.state.private_key_pem)
        async with GitHub(found.state.url, auth) as github:
            check_runs = CheckRuns(database, Intents(database), Checks(github), public_url=None)
            yield Queue(found, at, Announcer(database, check_runs))


async def test_the_next_few_are_shown_as_queued_and_once(queue):
    reviews = await queue.grow(MOST_SHOWN + 2)
    await queue.announcer.announce()
    await queue.announcer.announce()

    titles: list[str | None] = ["queued", *(f"queued behind {ahead}" for ahead in range(1, MOST_SHOWN))]
    assert set(queue.shown) == {
        (review, "queued", title) for review, title in zip(reviews, titles, strict=False)
    }
    assert len(queue.shown) == MOST_SHOWN


async def test_a_review_that_has_just_come_or_has_begun_is_not_announced(queue):
    first, _ = await queue.grow(2)
    await queue.desk.lease(first)
    await queue.desk.rows("UPDATE reviews SET created_at = now() WHERE id <> %(first)s", first=first)
    await queue.announcer.announce()

    assert queue.shown == []


async def test_a_review_whose_check_run_is_refused_is_not_tried_again_and_keeps_nobody_from_it(queue):
    (refused,) = await queue.grow()
    queue.hub.state.faults.append(Fault("POST", "/check-runs$", 403, {"message": "Resource not accessible"}))
    await queue.announcer.announce()
    (other,) = await queue.grow()
    await queue.announcer.announce()
    await queue.announcer.announce()

    assert [review for review, _, _ in queue.shown] == [other]
    assert refused != other
