from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reviewer.core.audience import EVERYTHING, Sight
from reviewer.core.events import ReviewQueued
from reviewer.store.queries import text
from tests.api.plans import crowd, looked_at, plan_of
from tests.api.watchers import OPERATOR, Watched, caller, completed, looking
from webhooks.api.usage import Usage

TODAY = "2026-05-10"


class Clock:
    """Late in the evening of one day."""

    def now(self) -> datetime:
        return datetime(2026, 5, 10, 23, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class Desk(Watched):
    """The account, and the API over it."""

    async def call(self, review: str, at: str, **more: Any) -> None:
        """Book a call."""
        row = {
            "review": review,
            "repository": "octo/shop",
            "model": "claude-sonnet-5-5",
            "input": 1,
            "cached": 20,
            "cache_writes": 300,
            "output": 4_000,
            "cost": 0.25,
            "at": at,
            "installation": 1,
            **more,
        }
        names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        await self.execute(f"INSERT INTO calls ({names}) VALUES ({marks})", row)  # noqa: S608 - names of its own

    async def usage(self, who, **params) -> dict[str, Any]:
        answer = await self.ask(who, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(self, who, **params):
        async with looking(who, {"/usage": Usage(self.database, Clock()).by_day}) as client:
            return await client.get("/usage", params=params)


@pytest.fixture
def desk(database):
    return Desk(database)


async def test_calls_add_up_by_day_repository_and_model(desk):
    await desk.call("r1", "2026-05-09T23:59:59Z")
    await desk.call("r1", "2026-05-10T00:00:00Z")
    await desk.call("r2", "2026-05-10T12:00:00Z", cost=0.5)
    await desk.call("r2", "2026-05-10T12:00:00Z", model="claude-haiku-5-5", cost=None)
    await desk.call("r3", "2026-05-10T12:00:00Z", repository="octo/till")

    told = await desk.usage(OPERATOR)

    assert (told["from"], told["to"]) == ("2026-04-11", TODAY)
    rows = [(row["day"], row["repository"], row["model"], row["calls"], row["cost"]) for row in told["rows"]]
    assert rows == [
        ("2026-05-09", "octo/shop", "claude-sonnet-5-5", 1, 0.25),
        (TODAY, "octo/shop", "claude-haiku-5-5", 1, None),
        (TODAY, "octo/shop", "claude-sonnet-5-5", 2, 0.75),
        (TODAY, "octo/till", "claude-sonnet-5-5", 1, 0.25),
    ]
    summed = told["rows"][2]
    tokens = [summed[name] for name in ("input", "cached", "cache_writes", "output")]
    assert tokens == [2, 40, 600, 8_000]


async def test_a_call_of_before_there_were_models_counts_as_unknown(desk):
    await desk.call("r1", "2026-05-10T00:00:00Z", model=None)

    assert (await desk.usage(OPERATOR))["rows"][0]["model"] == "unknown"


async def test_days_are_those_of_utc(desk):
    await desk.call("r1", "2026-05-11T01:30:00+02:00")

    assert [row["day"] for row in (await desk.usage(OPERATOR, days=1))["rows"]] == [TODAY]


async def test_as_many_days_are_told_as_are_asked_for(desk):
    await desk.call("r1", "2026-05-08T23:59:59Z")
    await desk.call("r1", "2026-05-09T00:00:00Z")

    told = await desk.usage(OPERATOR, days=2)

    assert told["from"] == "2026-05-09"
    assert [row["day"] for row in told["rows"]] == ["2026-05-09"]


@pytest.mark.parametrize("days", ["0", "367", "-1", "week", "1.5", ""])
async def test_days_that_can_not_be_meant_are_refused(desk, days):
    answer = await desk.ask(OPERATOR, days=days)

    assert (answer.status_code, answer.json()) == (400, {"error": "days is a whole number from 1 to 366"})


@pytest.mark.parametrize(
    ("sight", "repositories"),
    [
        (Sight(), []),
        (Sight(installations=frozenset({1})), ["octo/shop", "octo/till"]),
        (Sight(installations=frozenset({2})), ["other/shop"]),
        (Sight(repository_ids=frozenset({11})), ["octo/till"]),
        (Sight(repository_ids=frozenset({20})), ["other/shop"]),
        (Sight(api_keys=frozenset({"key 1"})), ["posted"]),
        (Sight(api_keys=frozenset({"key 2"})), []),
        (
            Sight(
                installations=frozenset({1}), repository_ids=frozenset({10}), api_keys=frozenset({"key 1"})
            ),
            ["octo/shop", "octo/till", "posted"],
        ),
        (EVERYTHING, ["octo/shop", "octo/till", "other/shop", "posted"]),
    ],
)
async def test_a_caller_is_told_of_their_own_alone_and_once(desk, sight, repositories):
    at = "2026-05-10T12:00:00Z"
    for subject in (
        await desk.review("shop"),
        await desk.review("till", repository="octo/till", repository_id=11),
        await desk.review("other", repository="other/shop", repository_id=20, installation=2),
        await desk.posted("posted", "key 1"),
    ):
        await desk.say(subject, ReviewQueued(), completed("a.py"))
        key = subject.audience.api_key
        owner = {"installation": subject.audience.installation, "api_key": key}
        await desk.call(subject.review, at, repository=subject.repository, **owner)
    await desk.execute("UPDATE events SET at = %(at)s", {"at": at})

    told = await desk.usage(caller(sight))

    assert [row["repository"] for row in told["rows"]] == repositories
    assert all(row["calls"] == 1 for row in told["rows"])
    assert sum(day["bought"] for day in told["chunks"]) == len(repositories)


async def test_chunks_that_were_bought_and_that_were_known_are_told_apart(desk):
    subject = await desk.review("r")
    await desk.say(subject, completed("a"), completed("b"), completed("c", source="ledger"))
    await desk.execute("UPDATE events SET at = '2026-05-09T12:00:00Z'")
    await desk.say(await desk.review("s"), completed("a", source="ledger"))
    await desk.execute("UPDATE events SET at = '2026-05-10T12:00:00Z' WHERE review = 's'")

    for who in (OPERATOR, caller(Sight(repository_ids=frozenset({10})))):
        assert (await desk.usage(who))["chunks"] == [
            {"day": "2026-05-09", "bought": 2, "known": 1},
            {"day": TODAY, "bought": 0, "known": 1},
        ]


@pytest.mark.parametrize("tenants", [2, 50])
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", ["spent", "chunks"])
async def test_no_row_of_others_is_read_for_an_account(desk, mode, name, tenants):
    await crowd(desk, tenants)
    await desk.call("mine 0", "2026-05-02T12:00:00Z", api_key="key 1")
    sight = Sight(
        installations=frozenset({1}),
        repository_ids=frozenset({10, 11}),
        api_keys=frozenset({"key 1", "key 3"}),
    )
    values = {
        **sight.values(),
        "since": datetime(2026, 5, 1, tzinfo=UTC),
        "until": datetime(2026, 5, 31, tzinfo=UTC),
        "made_since": datetime(2026, 4, 1, tzinfo=UTC),
    }

    nodes = await plan_of(desk, mode, text("webhooks.sql", "usage.sql", name), values)

    assert looked_at(nodes, "calls") <= 3
    assert looked_at(nodes, "reviews") <= 15
    assert looked_at(nodes, "events") <= 10
