"""Of a tenant that has left nothing is kept, and what is old goes by and by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast

import pytest
from psycopg.sql import SQL, Identifier

from reviewer.core.budget import Amount, Payer
from reviewer.core.events import ReviewStarted, Subject
from reviewer.local import SystemClock
from reviewer.settings import Settings
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.ledger import PostgresLedger
from reviewer.wiring import caps
from tests.api.watchers import Watched
from tests.posted.test_run import Counter
from tests.pull_requests import Desk, desk, opened, place_of, pushed
from tests.test_intents import Board
from webhooks.access.sessions import Sessions
from webhooks.access.tokens import Tokens, Wanted, digest
from webhooks.forgetting import DELIVERY_DAYS, TOKEN_DAYS, Forgetting
from webhooks.intents import Intents
from webhooks.lease import LeasedFeed, LeaseLost
from webhooks.news import InstallationGone, Place, RepositoriesGone
from webhooks.pacing import PostgresPacing
from webhooks.posted.reviews import Posted
from webhooks.pull_review import PullReviews
from webhooks.records import Delivery, store_delivery
from webhooks.review_run import Means

OURS, OTHER_OF_OURS, THEIRS = place_of(7, 70), place_of(7, 71), place_of(8, 80)

WHOSE = ("installation", "installation_id", "repository_id", "repository", "review", "review_id")
"""Columns that say to whom a row belongs."""
EVENT_DAYS = 30
KEPT = {"accounts", "tokens", "sessions"}
"""Sums of a day, so that to install the app anew gives no new budget; those of reviews go. And what people
were given to come in with: it sees nothing where nothing is left."""

ENDS: dict[str, tuple[int | None, int | None]] = {
    "holds": (None, None),
    "ended lately": (None, TOKEN_DAYS - 1),
    "ended long ago": (None, TOKEN_DAYS + 1),
    "revoked lately": (TOKEN_DAYS - 1, -30),
    "revoked long ago": (TOKEN_DAYS + 1, -30),
}
"""How many days ago a token was revoked, and expired."""


@pytest.fixture(name="desk")
async def desk_(database) -> AsyncIterator[Desk]:
    async with desk(database) as found:
        yield found


def make_forgetting(desk: Desk, ledger: PostgresLedger) -> Forgetting:
    budgets = PostgresBudgets(desk.database, caps(Settings.model_validate({})), SystemClock())
    return Forgetting(
        desk.database, feed=desk.feed, ledger=ledger, budgets=budgets, ledger_days=30, event_days=EVENT_DAYS
    )


@pytest.fixture(name="forgetting")
def forgetting_(desk) -> Forgetting:
    return make_forgetting(desk, PostgresLedger(desk.database))


async def live(desk: Desk, place: Place) -> str:
    """All that a review leaves in the database."""
    review = (await desk.tell(opened(place=place))).review
    assert review is not None
    lease = await desk.lease(review)
    subject = Subject(review=review, repository=place.repository, pull_request=1, head_sha="a")
    await LeasedFeed(desk.database, desk.feed, lease, lambda _: None).append(
        subject, [ReviewStarted(engine="analyzers")]
    )
    await Intents(desk.database).once(lease, Board().making())
    await PostgresPacing(desk.database, write_seconds=1.0).turn(place.installation)
    budgets = PostgresBudgets(desk.database, caps(Settings.model_validate({})), SystemClock())
    await budgets.reserve(Payer(review, place.installation), Amount(100))
    async with desk.database.connection() as connection:
        delivery = Delivery(review, "pull_request", "PullRequestChanged", place.installation, b"{}")
        await store_delivery(connection, delivery)
    values = {"review": review, "repository": place.repository, "installation": place.installation}
    await desk.rows(
        "INSERT INTO ledger (tenant, key, entry, review, repository)"
        " VALUES ('installation ' || %(installation)s, 'k' || %(review)s, '{}', %(review)s, %(repository)s)",
        **values,
    )
    await desk.rows(
        "INSERT INTO calls (review, repository, input, cached, cache_writes, output, installation)"
        " VALUES (%(review)s, %(repository)s, 1, 0, 0, 1, %(installation)s)",
        **values,
    )
    for text in (
        "INSERT INTO diffs (review, shown) VALUES (%(review)s, 'x')",
        # No review has both a pull request and a poster; what hangs on it goes with it all the same
        "INSERT INTO posted (review, api_key, attended, digest) VALUES (%(review)s, 'key', true, 'x')",
        "INSERT INTO listeners (id, review, until) VALUES (gen_random_uuid(), %(review)s, now())",
    ):
        await desk.rows(text, review=review)
    return review


async def columns(desk: Desk) -> dict[str, list[str]]:
    """By table of ours, the columns that say whose a row is."""
    found: dict[str, list[str]] = {}
    for table, column in await desk.rows(
        "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns AS c"
        " INNER JOIN information_schema.tables AS t USING (table_schema, table_name)"
        " WHERE t.table_type = 'BASE TABLE' AND table_schema = 'public'"
        " AND c.table_name NOT LIKE 'procrastinate%%' AND c.column_name = ANY(%(whose)s)",
        whose=list(WHOSE),
    ):
        found.setdefault(table, []).append(column)
    return found


async def kept(desk: Desk, place: Place, review: str) -> dict[str, int]:
    """By table, how many rows say that they are of an installation, or of its repository or review."""
    values: dict[str, Any] = {
        "installation": place.installation,
        "installation_id": place.installation,
        "repository": place.repository,
        "repository_id": place.repository_id,
        "review": review,
        "review_id": review,
    }
    counts: dict[str, int] = {}
    for table, names in (await columns(desk)).items():
        wanted = SQL(" OR ").join(SQL("{} = {}").format(Identifier(name), values[name]) for name in names)
        text = SQL("SELECT count(*) FROM {} WHERE {}").format(Identifier(table), wanted)
        ((counts[table],),) = await desk.rows(cast("LiteralString", text.as_string(None)))
    return counts


async def test_of_an_installation_nothing_is_left_in_any_table_and_all_of_another(desk, forgetting):
    ours, theirs = await live(desk, OURS), await live(desk, THEIRS)
    before = await kept(desk, THEIRS, theirs)
    assert before == await kept(desk, OURS, ours)
    empty = {table for table, count in before.items() if not count}
    assert not empty, "a table that this test does not fill"

    await forgetting.forget(7)
    assert {table for table, count in (await kept(desk, OURS, ours)).items() if count} == set()
    assert await kept(desk, THEIRS, theirs) == before
    assert await desk.rows("SELECT 1 FROM accounts WHERE scope = 'review' AND owner = %(r)s", r=ours) == []
    assert await desk.rows("SELECT DISTINCT review FROM said") == [(theirs,)]


async def test_every_table_that_says_whose_a_row_is_is_looked_at(desk):
    found = await columns(desk)

    assert {"deliveries", "pull_requests", "reviews", "intents", "said", "gates"} <= set(found)
    assert {"events", "ledger", "calls", "reservations"} <= set(found)
    owned = await desk.rows(
        "SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name NOT LIKE 'procrastinate%%' AND column_name ~ 'owner|tenant|account|repo|install'"
    )
    assert {table for (table,) in owned} <= set(found) | KEPT


async def test_of_a_repository_that_left_its_reviews_go_and_the_rest_stays(desk, forgetting):
    ours, other, theirs = [await live(desk, place) for place in (OURS, OTHER_OF_OURS, THEIRS)]
    await forgetting.forget(7, [70, 80])

    for table in ("events", "intents", "said"):
        wanted = SQL("SELECT DISTINCT review FROM {}").format(Identifier(table))
        reviews = await desk.rows(cast("LiteralString", wanted.as_string(None)))
        assert sorted(each for (each,) in reviews) == sorted([other, theirs])
    assert sorted(await desk.rows("SELECT id FROM reviews")) == sorted([(other,), (theirs,)])
    assert sorted(await desk.rows("SELECT repository_id FROM pull_requests")) == [(71,), (80,)]
    assert len(await desk.rows("SELECT 1 FROM ledger WHERE review = %(r)s", r=ours)) == 1


async def test_posted_diffs_go_with_the_installation_that_pays_for_them(desk, forgetting):
    counter = Counter(desk, Posted(desk.feed, desk.jobs))
    ours, running, theirs, nobodys = [await counter.post(pays=pays) for pays in (7, 7, 8, None)]
    await counter.end(ours)
    lease = await counter.begin(running)
    for review in (ours, theirs):
        await desk.rows(
            "INSERT INTO ledger (tenant, key, entry, review, repository)"
            " VALUES ('key ci', %(review)s, '{}', %(review)s, 'posted')",
            review=review,
        )
    await forgetting.forget(7, [70])
    assert len(await desk.rows("SELECT 1 FROM posted")) == 4

    await forgetting.forget(7)
    for table in ("events", "diffs", "posted"):
        wanted = SQL("SELECT DISTINCT review FROM {}").format(Identifier(table))
        reviews = await desk.rows(cast("LiteralString", wanted.as_string(None)))
        assert {each for (each,) in reviews} == {theirs, nobodys}, table
    assert await desk.rows("SELECT review FROM ledger") == [(theirs,)]
    with pytest.raises(LeaseLost):
        await counter.say(lease)


async def test_no_repositories_are_none_and_not_all(desk, forgetting):
    await live(desk, OURS)
    await forgetting.forget(7, [])

    assert len(await desk.rows("SELECT 1 FROM reviews")) == 1


async def test_a_repository_that_comes_back_is_reviewed_as_if_never_known(desk, forgetting):
    await live(desk, OURS)
    await forgetting.forget(7, [70])
    review = (await desk.tell(opened(place=OURS))).review

    assert review is not None
    assert await desk.reviews() == [("a", True)]
    assert await desk.events(review) == ["review.queued"]


async def test_what_is_wanted_of_a_repository_that_is_back_before_it_is_forgotten_stays(desk, forgetting):
    await live(desk, OURS)
    await desk.tell(opened("x", number=2, place=OURS))
    await desk.tell(RepositoriesGone(7, (70,), "the repository was taken out", forget=True))
    ((task,),) = await desk.rows("SELECT args FROM procrastinate_jobs WHERE task_name = 'forget'")
    review = (await desk.tell(pushed("b", at=60, place=OURS))).review
    await forgetting.forget(7, task["repository_ids"], datetime.fromisoformat(task["before"]))

    assert await desk.rows("SELECT id FROM reviews") == [(review,)]
    assert (await desk.reviews(1), await desk.reviews(2)) == ([("b", True)], [])
    assert await desk.rows("SELECT DISTINCT review FROM events") == [(review,)]


async def test_what_still_runs_writes_nothing_behind_what_deletes(desk, forgetting):
    review = await live(desk, OURS)
    lease = await desk.lease(review)
    subject = Subject(review=review, repository=OURS.repository, pull_request=1, head_sha="a")
    feed = LeasedFeed(desk.database, desk.feed, lease, lambda _: None)

    async def write() -> None:
        while True:
            await feed.append(subject, [ReviewStarted(engine="analyzers")])

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    await forgetting.forget(7)
    with pytest.raises(LeaseLost):
        await writing
    assert await desk.rows("SELECT review FROM events") == []


async def test_a_job_that_ends_a_review_meanwhile_says_nothing_of_it_any_more(desk):
    review = await live(desk, OURS)

    class Interrupted(PostgresLedger):
        async def forget(self, installation: int) -> int:
            await desk.tell(InstallationGone(installation, "the app was uninstalled", forget=False))
            await PullReviews(cast("Means", desk)).run(70, 1)
            return await super().forget(installation)

    await make_forgetting(desk, Interrupted(desk.database)).forget(7)

    assert await kept(desk, OURS, review) == dict.fromkeys(await columns(desk), 0)


async def test_what_is_old_goes_and_what_is_young_stays(desk, forgetting):
    now = datetime.now(UTC)
    for guid, days in (("old", DELIVERY_DAYS + 1), ("young", DELIVERY_DAYS - 1)):
        values = {"guid": guid, "at": now - timedelta(days=days)}
        await desk.rows(
            "INSERT INTO deliveries (guid, event, body, received_at) VALUES (%(guid)s, 'push', '', %(at)s)",
            **values,
        )
        await desk.rows("INSERT INTO redeliveries (guid, asked_at) VALUES (%(guid)s, %(at)s)", **values)
    await forgetting.expire()

    assert await desk.rows("SELECT guid FROM deliveries") == [("young",)]
    assert await desk.rows("SELECT guid FROM redeliveries") == [("young",)]


async def post(desk: Desk, id_: str, *, ended: int | None, told: int) -> None:
    """A posted review that ended, and said its last, so many days ago; None: it has not ended."""
    watched = Watched(desk.database)
    subject = await watched.posted(id_, "key")
    await watched.say(subject, ReviewStarted(engine="analyzers"))
    values = {"id": id_, "ended": ended, "told": told}
    await desk.rows(
        "UPDATE events SET at = now() - make_interval(days => %(told)s) WHERE review = %(id)s", **values
    )
    await desk.rows(
        "UPDATE reviews SET ended_at = now() - make_interval(days => %(ended)s) WHERE id = %(id)s", **values
    )
    await desk.rows(
        "INSERT INTO posted (review, api_key, attended, idempotency_key, digest)"
        " VALUES (%(id)s, 'key', false, %(id)s, '')",
        **values,
    )
    await desk.rows(
        "INSERT INTO diffs (review, posted, stored_at)"
        " VALUES (%(id)s, '', now() - make_interval(days => %(told)s))",
        **values,
    )


async def test_a_posted_review_goes_with_its_events_and_all_that_was_posted(desk, forgetting):
    await post(desk, "old", ended=EVENT_DAYS + 1, told=EVENT_DAYS + 1)
    await post(desk, "young", ended=EVENT_DAYS - 1, told=EVENT_DAYS - 1)
    await post(desk, "going", ended=None, told=EVENT_DAYS + 1)
    await forgetting.expire()

    left = [("going",), ("young",)]
    assert await desk.rows("SELECT id FROM reviews ORDER BY id") == left
    for table in ("events", "posted", "diffs"):
        wanted = SQL("SELECT review FROM {} ORDER BY review").format(Identifier(table))
        assert await desk.rows(cast("LiteralString", wanted.as_string(None))) == left


async def test_of_a_review_of_a_pull_request_the_diff_goes_and_the_row_stays(desk, forgetting):
    review = await live(desk, OURS)
    values = {"review": review, "days": EVENT_DAYS + 1}
    await desk.rows("UPDATE diffs SET stored_at = now() - make_interval(days => %(days)s)", **values)
    await forgetting.expire()
    assert len(await desk.rows("SELECT 1 FROM diffs")) == 1, "it has not ended"

    await desk.rows(
        "UPDATE reviews SET ended_at = now() - make_interval(days => %(days)s) WHERE id = %(review)s",
        **values,
    )
    await desk.rows("UPDATE events SET at = now() - make_interval(days => %(days)s)", **values)
    await forgetting.expire()
    assert await desk.rows("SELECT review FROM diffs") == []
    assert await desk.rows("SELECT review FROM events") == []
    assert await desk.rows("SELECT id FROM reviews") == [(review,)]


async def test_a_diff_that_was_stored_again_lately_stays(desk, forgetting):
    await post(desk, "again", ended=EVENT_DAYS + 1, told=EVENT_DAYS - 1)
    await forgetting.expire()

    assert await desk.rows("SELECT review FROM diffs") == [("again",)]


async def test_sessions_go_once_they_have_ended_and_tokens_long_after(desk, forgetting):
    tokens, sessions = Tokens(desk.database), Sessions(desk.database)
    made = {name: (await tokens.create(Wanted(name, everything=True)))[0] for name in ENDS}
    for name, (revoked, expires) in ENDS.items():
        await desk.rows(
            "UPDATE tokens SET revoked_at = now() - make_interval(days => %(revoked)s),"
            " expires_at = now() - make_interval(days => %(expires)s) WHERE id = %(id)s",
            id=made[name],
            revoked=revoked,
            expires=expires,
        )
    await sessions.of_token(made["holds"])
    ended = digest(await sessions.of_token(made["holds"]))
    await desk.rows("UPDATE sessions SET expires_at = now() WHERE hash = %(hash)s", hash=ended)
    await forgetting.expire()

    assert [token.name for token in await tokens.all()] == ["holds", "ended lately", "revoked lately"]
    assert await desk.rows("SELECT hash = %(ended)s FROM sessions", ended=ended) == [(False,)]
