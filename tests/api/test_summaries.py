from __future__ import annotations

import pytest

from reviewer.core.audience import Sight
from reviewer.core.coverage import Coverage
from reviewer.core.events import (
    ChunkFailed,
    ChunkStarted,
    FindingWithdrawn,
    PlannedChunk,
    ReviewCompleted,
    ReviewPlanned,
    ReviewPostponed,
    ReviewQueued,
    ReviewStarted,
    Usage,
)
from reviewer.core.findings import Severity
from reviewer.store.queries import text
from tests.api.plans import crowd, looked_at, plan_of
from tests.api.watchers import Watched, a_finding, completed
from webhooks.api.summaries import NEW_SECONDS, ReviewSummary, summaries

MINE = Sight(
    installations=frozenset({1}), repository_ids=frozenset({10, 11}), api_keys=frozenset({"key 1", "key 3"})
)


@pytest.fixture
def desk(database):
    return Watched(database)


async def summary(desk: Watched, review: str = "r") -> ReviewSummary:
    async with desk.database.connection() as connection:
        (found,) = await summaries(connection, [review])
    return found


def planned(*chunks: str) -> ReviewPlanned:
    made = [PlannedChunk(id=chunk, path=chunk, part=1, parts=1, lines=(1, 2), tokens=3) for chunk in chunks]
    return ReviewPlanned(
        files=len(made), chunks=made, changed_lines=2, estimated_tokens=3, estimated_cost=None, skipped=[]
    )


ENDED = ReviewCompleted(
    findings=0,
    by_severity={},
    dropped={},
    coverage=Coverage(changed_lines=0, reviewed=0, not_reviewed={}),
    usage=Usage(),
    cost=None,
    seconds=1.0,
)
POSTPONED = ReviewPostponed(reason="overloaded", wait=30, chunks_done=0, chunks_left=1)


async def test_of_a_review_that_waits_nothing_is_known_yet(desk):
    await desk.say(await desk.review("r"), ReviewQueued())

    found = await summary(desk)

    assert (found.status, found.engine, found.cost, found.tokens) == ("queued", None, None, 0)
    assert (found.chunks_done, found.chunks_total) == (0, 0)
    assert found.by_severity == {"critical": 0, "high": 0, "medium": 0, "low": 0}
    assert (found.first_finding_seconds, found.started_at, found.finished_at) == (None, None, None)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([], "queued"),
        ([ReviewStarted(engine="claude")], "running"),
        ([ReviewStarted(engine="claude"), POSTPONED], "postponed"),
        ([ReviewStarted(engine="claude"), POSTPONED, ReviewStarted(engine="claude")], "running"),
        ([ReviewStarted(engine="claude"), ENDED], "completed"),
    ],
)
async def test_the_status_is_what_was_told_last(desk, told, status):
    await desk.say(await desk.review("r"), ReviewQueued(), *told)

    found = await summary(desk)

    assert found.status == status
    assert (found.finished_at is not None) == (status == "completed")


async def test_findings_that_were_withdrawn_count_no_more(desk):
    subject = await desk.review("r")
    await desk.say(subject, ReviewStarted(engine="claude"), seconds=1)
    await desk.say(subject, a_finding("f1", Severity.CRITICAL), seconds=2)
    await desk.execute("UPDATE events SET type = 'finding.' WHERE type = 'finding'")
    await desk.say(subject, a_finding("f2"), a_finding("f3", Severity.LOW), seconds=4)
    await desk.execute("UPDATE events SET type = 'finding' WHERE type = 'finding.'")
    await desk.say(subject, FindingWithdrawn(id="f1", reason="said before"))
    other = await desk.review("other")
    await desk.say(other, a_finding("f2"), FindingWithdrawn(id="f3", reason="of another review"))

    found = await summary(desk)

    assert found.by_severity == {"critical": 0, "high": 1, "medium": 0, "low": 1}
    assert found.first_finding_seconds == 3
    assert found.started_at is not None


async def test_cost_and_tokens_add_up_over_all_runs_and_chunks_count_once(desk):
    subject = await desk.review("r", model="claude-sonnet-5-5")
    used = Usage(input=1, cached=20, cache_writes=300, output=4_000)
    await desk.say(
        subject,
        ReviewStarted(engine="claude"),
        planned("a", "b"),
        ChunkStarted(chunk="a", path="a", part=1, parts=1, lines=(1, 2), model="m"),
        completed("a", usage=used, cost=0.25),
        ChunkFailed(chunk="b", path="b", reason="overloaded", usage=used, cost=0.5),
        POSTPONED,
        ReviewStarted(engine="claude"),
        planned("a", "b", "c"),
        completed("a", source="ledger"),
        completed("b", usage=used),
        ENDED,
    )

    found = await summary(desk)

    assert (found.cost, found.tokens) == (0.75, 3 * 4_321)
    assert (found.chunks_done, found.chunks_total) == (2, 3)
    assert (found.engine, found.model) == ("claude", "claude-sonnet-5-5")


async def test_times_are_written_in_utc_to_the_millisecond(desk):
    await desk.say(await desk.review("r"), ReviewQueued())

    told = (await summary(desk)).as_json(Sight())

    assert told["created_at"] == "2026-05-01T12:00:00.000Z"


@pytest.mark.parametrize("tenants", [2, 50])
@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_no_row_of_others_is_read_for_a_list(desk, plan, tenants):
    await crowd(desk, tenants)
    values = {
        **MINE.values(),
        "repository": None,
        "pull_request": None,
        "before_at": None,
        "before_id": None,
        "limit": 51,
        "new_seconds": NEW_SECONDS,
    }

    nodes = await plan_of(desk, plan, text("webhooks.sql", "summaries.sql", "newest"), values)

    assert looked_at(nodes, "reviews") <= 15
    assert looked_at(nodes, "events") <= 10
    indexes = {node["Index Name"] for node in nodes if "Index Name" in node and node["Actual Loops"]}
    assert {
        "reviews_by_installation_and_time",
        "reviews_by_repository_and_time",
        "reviews_by_api_key_and_time",
    } & indexes


async def test_the_first_page_of_everything_reads_no_more_than_itself(desk):
    await crowd(desk)
    values = {
        **Sight(everything=True).values(),
        "repository": None,
        "pull_request": None,
        "before_at": None,
        "before_id": None,
        "limit": 51,
        "new_seconds": NEW_SECONDS,
    }

    nodes = await plan_of(desk, "auto", text("webhooks.sql", "summaries.sql", "newest"), values)

    assert looked_at(nodes, "reviews") <= 60


async def test_summaries_read_the_events_of_their_reviews_alone(desk):
    await crowd(desk)
    ids = [f"mine {number}" for number in range(5)]

    nodes = await plan_of(desk, "auto", text("webhooks.sql", "summaries.sql", "summaries"), {"ids": ids})

    assert looked_at(nodes, "events") == 5
