"""What news make of the wishes: one review of each head that is wanted, whatever order they come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from reviewer.errors import StoreUnavailable
from tests.pull_requests import (
    INSTALLATION,
    PLACE,
    REPOSITORY_ID,
    Desk,
    again,
    desk,
    opened,
    place_of,
    pushed,
    stop,
    told,
)
from webhooks.news import InstallationGone, Place, RepositoriesGone, RepositoryMoved
from webhooks.policy import Rules
from webhooks.records import end_review


@pytest.fixture(name="desk")
async def desk_(database) -> AsyncIterator[Desk]:
    async with desk(database) as found:
        yield found


async def end(desk: Desk, review: str | None) -> None:
    lease = await desk.lease(review)
    async with desk.database.connection() as connection:
        assert await end_review(connection, lease.review, lease.run, None)


async def running_job(desk: Desk) -> None:
    """Let the job that waits count as run by somebody."""
    await desk.rows("UPDATE procrastinate_jobs SET status = 'doing'")


async def asked_to_stop(desk: Desk) -> bool:
    ((found,),) = await desk.rows("SELECT abort_requested FROM procrastinate_jobs WHERE status = 'doing'")
    return found


async def test_a_new_pull_request_is_given_a_review_a_job_and_an_event(desk):
    answer = await desk.tell(opened())

    assert answer.review
    assert answer.reason is None
    assert await desk.reviews() == [("a", True)]
    assert await desk.waiting() == [f"{REPOSITORY_ID}#1"]
    assert await desk.events(answer.review) == ["review.queued"]


@pytest.mark.parametrize(
    "action", ["opened", "synchronize", "labeled", "ready_for_review", "reopened", "read"]
)
async def test_however_many_news_name_a_head_it_has_one_review(desk, action):
    first = await desk.tell(opened())
    later = await desk.tell(told(action, at=5))
    same_second = await desk.tell(told(action, at=5))

    assert later.review == same_second.review == first.review
    assert await desk.reviews() == [("a", True)]
    assert await desk.events() == ["review.queued"]


async def test_a_head_whose_review_has_ended_is_not_reviewed_for_a_label(desk):
    first = await desk.tell(opened())
    await end(desk, first.review)

    assert (await desk.tell(told("labeled", at=5))).review == first.review
    assert await desk.reviews() == [("a", False)]


async def test_what_is_late_changes_nothing(desk):
    await desk.tell(opened("a", at=0))
    await desk.tell(pushed("b", "a", at=9))
    before = await desk.known()

    assert (await desk.tell(told("closed", "a", at=3, state="closed"))).reason
    assert (await desk.tell(opened("a", at=0))).reason
    assert await desk.known() == before
    assert await desk.reviews() == [("a", False), ("b", True)]


async def test_an_opening_that_comes_after_the_push_of_the_same_second_changes_nothing(desk):
    await desk.tell(pushed("b", "a", at=0))
    await desk.tell(opened("a", at=0))

    assert await desk.reviews() == [("b", True)]


async def test_pushes_of_one_second_in_the_wrong_order_leave_the_newest(desk):
    await desk.tell(opened("a", at=0))
    await desk.tell(pushed("c", "b", at=4))
    await desk.tell(pushed("b", "a", at=4))
    await desk.tell(told("labeled", "a", at=4))

    assert await desk.reviews() == [("a", False), ("c", True)]


async def test_two_pushes_of_one_second_in_their_order_leave_the_second(desk):
    await desk.tell(pushed("b", "a", at=4))
    await desk.tell(pushed("c", "b", at=4))

    assert await desk.reviews() == [("b", False), ("c", True)]


async def test_a_push_back_to_an_earlier_head_is_a_wish_of_its_own(desk):
    await desk.tell(opened("a", at=0))
    await desk.tell(pushed("b", "a", at=4))
    await desk.tell(pushed("a", "b", at=8))

    assert await desk.reviews() == [("a", False), ("b", False), ("a", True)]


async def test_what_github_shows_long_after_is_believed_though_its_time_is_the_same(desk):
    await desk.tell(opened("a", at=0))
    await desk.tell(pushed("b", "a", at=4))
    assert (await desk.tell(told("read", "a", at=4))).reason
    await desk.rows("UPDATE pull_requests SET wanted_at = now() - interval '1 minute'")

    assert (await desk.tell(told("read", "a", at=4))).review


async def test_a_push_raises_the_generation_and_asks_the_running_job_to_stop_in_the_same_transaction(desk):
    await desk.tell(opened("a"))
    await running_job(desk)
    generation = (await desk.known())["generation"]
    async with desk.database.connection() as connection:
        await desk.wishes.take(connection, [pushed("b", "a", at=1)])
        assert not await asked_to_stop(desk)
        assert (await desk.known())["generation"] == generation

    assert await asked_to_stop(desk)
    assert (await desk.known())["generation"] == generation + 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (told("closed", at=5, state="closed"), "closed"),
        (told("converted_to_draft", at=5, draft=True, labels=frozenset({"review"})), "draft"),
        (told("unlabeled", at=5), "label"),
    ],
)
async def test_what_is_no_longer_to_be_reviewed_ends_what_runs_and_says_why(database, change, reason):
    async with desk(database, Rules(label="review")) as told_:
        await told_.tell(opened(labels=frozenset({"review"})))
        await running_job(told_)
        answer = await told_.tell(change)

        assert answer.review is None
        assert reason in (answer.reason or "")
        assert await told_.reviews() == [("a", False)]
        assert reason in (await told_.known())["reason"]
        assert await asked_to_stop(told_)


async def test_a_pull_request_that_is_opened_again_after_its_review_was_ended_is_reviewed(desk):
    await desk.tell(opened())
    await desk.tell(told("closed", at=5, state="closed"))
    await desk.tell(told("reopened", at=6))

    assert await desk.reviews() == [("a", False), ("a", True)]


async def test_a_draft_is_reviewed_once_it_is_ready(desk):
    assert "draft" in ((await desk.tell(opened(draft=True))).reason or "")
    assert await desk.reviews() == []
    await desk.tell(told("ready_for_review", at=5))

    assert await desk.reviews() == [("a", True)]


async def test_a_stopped_head_stays_stopped_until_a_push(desk):
    await desk.tell(opened())
    assert "stopped" in ((await desk.tell(stop())).reason or "")
    for action in ("labeled", "read", "synchronize"):
        assert "stopped" in ((await desk.tell(told(action, at=5))).reason or "")
    await desk.tell(told("closed", at=6, state="closed"))
    await desk.tell(told("reopened", at=7))
    await desk.tell(told("edited", at=8, base_ref="next"))
    assert await desk.reviews() == [("a", False)]

    await desk.tell(pushed("b", "a", at=9))
    assert await desk.reviews() == [("a", False), ("b", True)]


async def test_a_stopped_head_is_reviewed_for_who_asks(desk):
    await desk.tell(opened())
    await desk.tell(stop(number=None, head="a"))
    assert (await desk.known())["reason"] == "stopped by ada"
    await desk.tell(again(number=None, head="a"))

    assert await desk.reviews() == [("a", False), ("a", True)]
    assert "this head" in ((await desk.tell(told("labeled", at=5))).reason or "")


async def test_there_is_nothing_to_stop_where_nothing_runs(desk):
    first = await desk.tell(opened())
    await end(desk, first.review)

    assert "no review" in ((await desk.tell(stop())).reason or "")
    assert (await desk.known())["stopped_head"] is None
    assert "no review" in ((await desk.tell(stop(number=9))).reason or "")


@pytest.mark.parametrize(
    "kept",
    [{"draft": True}, {"author": "dependabot[bot]", "author_is_bot": True}, {"labels": frozenset({"other"})}],
)
async def test_who_asks_by_name_gets_a_review_of_what_the_rules_leave_out(database, kept):
    async with desk(database, Rules(label="review")) as told_:
        given = {"labels": frozenset({"review"}), **kept}
        assert (await told_.tell(opened(**given))).review is None
        asked = await told_.tell(again())
        assert asked.review
        # The run itself reads the pull request, and is not to end by that
        assert (await told_.tell(told("read", at=3, **given))).review == asked.review
        assert await told_.reviews() == [("a", True)]

        assert (await told_.tell(pushed("b", "a", at=5, **given))).review is None
        assert await told_.reviews() == [("a", False)]


async def test_a_closed_pull_request_is_not_reviewed_for_who_asks_once_github_says_so(desk):
    await desk.tell(opened())
    asked = await desk.tell(again())
    assert "closed" in ((await desk.tell(told("read", at=3, state="closed"))).reason or "")

    assert asked.review
    assert not any(live for _, live in await desk.reviews())


async def test_of_an_unknown_pull_request_github_is_asked_and_who_asked_gets_a_review(desk):
    assert "GitHub" in ((await desk.tell(again())).reason or "")
    assert "GitHub" in ((await desk.tell(again())).reason or "")
    assert await desk.waiting() == [f"{REPOSITORY_ID}#1"]
    assert (await desk.tell(told("read", "a", draft=True))).review

    known = await desk.known()
    assert (known["unseen"], known["head_sha"], known["title"]) == (False, "a", "Sell more")
    assert await desk.reviews() == [("a", True)]


async def test_an_unknown_head_or_review_is_nobodys(desk):
    await desk.tell(opened())
    for asked in (again(number=None, head="z"), again(number=None, head="a", review="gone")):
        assert "no pull request" in ((await desk.tell(asked)).reason or "")


async def test_a_review_is_asked_for_again_by_its_own_id(desk):
    first = await desk.tell(opened())
    await end(desk, first.review)
    await desk.tell(again(number=None, head="other", review=first.review))

    assert await desk.reviews() == [("a", False), ("a", True)]


async def test_all_pull_requests_with_a_head_are_reviewed_again(desk):
    await desk.tell(opened(number=1))
    await desk.tell(opened(number=2))
    await desk.tell(again(number=None, head="a"))

    assert await desk.reviews(1) == await desk.reviews(2) == [("a", False), ("a", True)]


async def test_another_base_has_the_same_head_reviewed_anew(desk):
    await desk.tell(opened())
    await desk.tell(told("edited", at=5, base_ref="next"))
    await desk.tell(told("edited", at=5, base_ref="next"))

    assert await desk.reviews() == [("a", False), ("a", True)]


async def test_another_base_is_noticed_whichever_news_tells_it_first(desk):
    await desk.tell(opened())
    await desk.tell(told("labeled", at=6, base_ref="next"))
    await desk.tell(told("edited", at=5, base_ref="next"))
    await desk.tell(told("read", at=6, base_ref="next"))

    assert await desk.reviews() == [("a", False), ("a", True)]


async def test_another_base_of_a_draft_is_not_forgotten_until_it_is_ready(desk):
    first = await desk.tell(opened())
    await end(desk, first.review)
    await desk.tell(told("converted_to_draft", at=5, draft=True))
    await desk.tell(told("edited", at=6, base_ref="next", draft=True))
    await desk.tell(told("ready_for_review", at=7, base_ref="next"))

    assert await desk.reviews() == [("a", False), ("a", True)]


@pytest.mark.parametrize(
    "moved",
    [
        Place(INSTALLATION, REPOSITORY_ID, "octo/store"),
        Place(8, REPOSITORY_ID, "acme/shop"),
        Place(8, REPOSITORY_ID, PLACE.repository),
    ],
)
@pytest.mark.parametrize("by_itself", [True, False])
async def test_a_repository_that_moves_keeps_everything(desk, moved, by_itself):
    first = await desk.tell(opened(number=1))
    await desk.tell(opened(number=2))
    if by_itself:
        await desk.tell(RepositoryMoved(moved))
    answer = await desk.tell(told("labeled", at=5, number=1, place=moved))

    assert answer.review == first.review
    places = await desk.rows(
        "SELECT installation, repository FROM pull_requests"
        " UNION ALL SELECT installation, repository FROM reviews"
    )
    assert places == [(moved.installation, moved.repository)] * 4
    assert await desk.reviews(1) == await desk.reviews(2) == [("a", True)]


async def test_what_runs_of_an_installation_ends_with_it_and_another_goes_on(desk):
    ours, other = place_of(7, 70), place_of(7, 71)
    theirs = place_of(8, 80)
    for number, place in enumerate((ours, other, theirs), start=1):
        await desk.tell(opened(number=number, place=place))
    ended = await desk.tell(opened(number=4, place=ours))
    await end(desk, ended.review)
    before = await desk.known(4)
    await desk.tell(RepositoriesGone(7, (70,), "the repository is archived", forget=False))
    assert [await desk.reviews(number) for number in (1, 2, 3)] == [
        [("a", False)],
        [("a", True)],
        [("a", True)],
    ]
    await desk.tell(InstallationGone(7, "the app was uninstalled", forget=False))

    assert [await desk.reviews(number) for number in (1, 2, 3)] == [
        [("a", False)],
        [("a", False)],
        [("a", True)],
    ]
    assert (await desk.known(1))["reason"] == "the repository is archived"
    assert (await desk.known(2))["reason"] == "the app was uninstalled"
    assert await desk.known(4) == before


async def test_everything_is_undone_with_the_transaction(desk):
    await desk.tell(opened("a"))
    await running_job(desk)
    kept = (await desk.known(), await desk.reviews(), await desk.waiting(), await desk.events())
    async with desk.database.connection() as connection:
        await desk.wishes.take(connection, [pushed("b", "a", at=5), again(), stop()])
        await connection.rollback()

    assert (await desk.known(), await desk.reviews(), await desk.waiting(), await desk.events()) == kept
    assert not await asked_to_stop(desk)


@pytest.mark.parametrize("known", [False, True])
async def test_receivers_that_take_in_the_same_head_at_once_make_one_review(desk, known):
    if known:
        await desk.tell(opened("z"))
    news = [told(action, at=5) for action in ("opened", "labeled", "synchronize", "review_requested") * 2]
    answers = await asyncio.gather(*(desk.tell(each) for each in news))

    assert len({answer.review for answer in answers}) == 1
    assert await desk.reviews() == [*([("z", False)] if known else []), ("a", True)]


async def test_receivers_that_take_in_pushes_at_once_leave_the_newest_alone_alive(desk):
    heads = "abcdefgh"
    news = [pushed(head, at=at) for at, head in enumerate(heads)]
    await asyncio.gather(*(desk.tell(each) for each in reversed(news)))

    assert [head for head, live in await desk.reviews() if live] == ["h"]
    assert (await desk.known())["head_sha"] == "h"


async def test_news_of_all_kinds_at_once_never_wait_for_one_another_in_a_ring(desk):
    places = [place_of(7, 70), place_of(7, 71)]
    for place in places:
        for number in (1, 2, 3):
            await desk.tell(opened("a", number=number, place=place))

    async def end_all() -> None:
        await desk.tell(InstallationGone(7, "the app was suspended", forget=False))

    async def run(place: Place, number: int) -> None:
        """Hold every lease and write an event, as a run does."""
        ((review,),) = await desk.rows(
            "SELECT id FROM reviews WHERE repository_id = %(id)s AND pull_request = %(number)s"
            " ORDER BY generation DESC LIMIT 1",
            id=place.repository_id,
            number=number,
        )
        await desk.lease(review)

    for turn in range(4):
        work = [end_all(), end_all()]
        for place in places:
            work.append(desk.tell(again(number=None, head="a", place=place)))
            work.append(desk.tell(stop(number=None, head="a", place=place)))
            renamed = Place(7, place.repository_id, f"octo/renamed{turn}")
            for number in (3, 1, 2):
                work.append(desk.tell(told("labeled", at=turn, number=number, place=renamed)))
                work.append(run(place, number))
        done = await asyncio.gather(*work, return_exceptions=True)

        assert not [each for each in done if isinstance(each, StoreUnavailable)]
        assert not [each for each in done if isinstance(each, BaseException)]
