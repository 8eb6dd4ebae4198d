from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from reviewer.claude.breaker import FAILURES_IN_A_ROW, FIRST_PAUSE_SECONDS, Breaker
from reviewer.core.audience import EVERYTHING, Sight
from reviewer.core.budget import Amount, Cap, Caps, Payer
from reviewer.errors import EngineUnavailable
from reviewer.local import SystemClock
from reviewer.ports import Health
from reviewer.settings import Settings
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.queries import text
from reviewer.wiring import open_reviewer
from tests.api.plans import crowd, looked_at, plan_of
from tests.api.watchers import OPERATOR, Watched, caller, looking
from webhooks.api.status import Status

CAPS = Caps(installation_day=Cap(1_000, 2_500_000), api_key_day=Cap(tokens=500))


class Desk(Watched):
    """The tables, and the health strip over them."""

    def __init__(self, database, reviewer) -> None:
        super().__init__(database)
        self.reviewer = reviewer
        self.budgets = PostgresBudgets(database, CAPS, SystemClock())

    async def status(self, who) -> dict[str, Any]:
        status = Status(self.database, self.reviewer, self.budgets)
        async with looking(who, {"/status": status.now}) as client:
            answer = await client.get("/status")
        assert answer.status_code == 200
        return answer.json()

    async def pull(self, installation: int, repository: str) -> None:
        await self.execute(
            "INSERT INTO pull_requests (repository_id, number, installation, repository, head_sha, base_ref,"
            " title, url, told_at)"
            " VALUES (%(installation)s, 1, %(installation)s, %(repository)s, 'a', 'main', "
            "'t', 'u', now())",
            {"installation": installation, "repository": repository},
        )


@asynccontextmanager
async def reviewing(**settings: Any) -> AsyncIterator[Any]:
    nothing = {"anthropic_api_key": None, "anthropic_base_url": None}
    async with open_reviewer(Settings.model_validate({**nothing, **settings})) as reviewer:
        yield reviewer


@pytest.fixture
async def desk(database):
    async with reviewing() as reviewer:
        yield Desk(database, reviewer)


@pytest.mark.parametrize(
    ("sight", "waiting"),
    [
        (EVERYTHING, 3),
        (Sight(), 0),
        (Sight(installations=frozenset({1})), 1),
        (Sight(installations=frozenset({2})), 1),
        (Sight(repository_ids=frozenset({10})), 1),
        (Sight(api_keys=frozenset({"key 1"})), 1),
        (Sight(installations=frozenset({1}), repository_ids=frozenset({10})), 1),
    ],
)
async def test_the_queue_is_counted_as_far_as_it_is_seen(desk, sight, waiting):
    await desk.review("a")
    await desk.review("b", installation=2, repository_id=20)
    await desk.posted("c", "key 1")

    assert (await desk.status(caller(sight)))["queue"] == {"waiting": waiting, "running": 0, "postponed": 0}


async def test_what_waits_runs_or_is_put_off_is_told_apart(desk):
    await desk.review("waits")
    await desk.review("runs", run=1)
    await desk.review("runs again", run=2, not_before="2026-05-01T12:00:00Z")
    await desk.review("is put off", run=1, not_before="2999-01-01T00:00:00Z")
    await desk.review("has ended", run=1, ended_at="2026-05-01T12:00:00Z")

    assert (await desk.status(OPERATOR))["queue"] == {"waiting": 1, "running": 2, "postponed": 1}


async def test_without_a_model_it_says_so(desk):
    told = (await desk.status(OPERATOR))["model"]

    assert (told["engine"], told["state"]) == ("analyzers", "none")
    assert "No model is configured" in told["detail"]


async def test_a_model_that_answers_is_named(database):
    async with reviewing(anthropic_api_key="a made-up key", llm_model="claude-opus-5-5") as reviewer:
        told = (await Desk(database, reviewer).status(OPERATOR))["model"]

    assert told == {"engine": "claude", "name": "claude-opus-5-5", "state": "ok", "detail": None}


class Paused:
    """An engine whose model is left alone."""

    name = "claude"

    def health(self) -> Health:
        return Health("paused", "it is left alone for 12 s")


async def test_a_model_that_is_left_alone_is_told(desk):
    desk.reviewer = replace(desk.reviewer, engine=Paused())

    told = (await desk.status(OPERATOR))["model"]

    assert (told["state"], told["detail"]) == ("paused", "it is left alone for 12 s")


def test_a_breaker_tells_how_long_it_leaves_a_model_alone():
    now = 0.0
    breaker = Breaker(lambda: now)
    seen = [breaker.paused]
    for _ in range(FAILURES_IN_A_ROW):
        with pytest.raises(EngineUnavailable), breaker.call():
            raise EngineUnavailable("down")
        seen.append(breaker.paused)
    now = 5.0
    seen.append(breaker.paused)
    now = FIRST_PAUSE_SECONDS + 1
    seen.append(breaker.paused)
    with breaker.call():
        pass
    seen.append(breaker.paused)

    left = FIRST_PAUSE_SECONDS
    assert seen == [None] * FAILURES_IN_A_ROW + [left, left - 5, 0.0, None]


async def test_github_is_told_for_the_installations_that_are_seen(desk):
    await desk.pull(1, "octo/shop")
    await desk.execute("INSERT INTO gates (installation, hour_writes) VALUES (1, 7), (2, 9)")
    await desk.execute("UPDATE gates SET closed_until = now() + interval '60 seconds' WHERE installation = 1")

    (told,) = (await desk.status(caller(Sight(installations=frozenset({1})))))["github"]

    assert 0 < told.pop("closed_for_seconds") <= 60
    assert told == {"installation": 1, "account": "octo", "writes_this_hour": 7, "writes_per_hour": 500}
    assert [each["installation"] for each in (await desk.status(OPERATOR))["github"]] == [1, 2]


async def test_a_gate_that_was_closed_and_an_hour_that_is_over_count_no_more(desk):
    await desk.execute(
        "INSERT INTO gates (installation, hour_writes, hour_began_at, closed_until) "
        "VALUES (1, 7, now() - interval '61 minutes', now() - interval '1 second')"
    )

    (told,) = (await desk.status(OPERATOR))["github"]

    assert (told["writes_this_hour"], told["closed_for_seconds"]) == (0, None)


async def test_who_sees_one_repository_is_not_told_what_its_installation_spends(desk):
    await desk.pull(1, "octo/shop")
    await desk.execute("INSERT INTO gates (installation) VALUES (1)")
    await desk.budgets.reserve(Payer("r", installation=1), Amount(100, 1_500_000))

    told = await desk.status(caller(Sight(repository_ids=frozenset({1, 10}))))

    assert (told["github"], told["budgets"]) == ([], [])


async def test_budgets_are_told_of_installations_seen_whole_and_of_the_callers_own_key(desk):
    await desk.pull(1, "octo/shop")
    await desk.budgets.reserve(Payer("r", installation=1), Amount(100, 1_500_000))
    await desk.budgets.reserve(Payer("r", installation=2), Amount(200))
    await desk.budgets.reserve(Payer("r", api_key="key 1"), Amount(7))
    await desk.budgets.reserve(Payer("r", api_key="key 2"), Amount(9))
    sight = Sight(installations=frozenset({1}), api_keys=frozenset({"key 1"}))

    told = (await desk.status(caller(sight, api_key="key 1")))["budgets"]

    assert told == [
        {
            "scope": "installation",
            "owner": "octo",
            "tokens": {"used": 100, "cap": 1_000},
            "usd": {"used": 1.5, "cap": 2.5},
        },
        {
            "scope": "api_key",
            "owner": "Ada",
            "tokens": {"used": 7, "cap": 500},
            "usd": {"used": 0.0, "cap": None},
        },
    ]


async def test_an_installation_without_a_known_account_goes_by_its_number(desk):
    told = (await desk.status(caller(Sight(installations=frozenset({3})))))["budgets"]

    assert [each["owner"] for each in told] == ["3"]


async def test_of_very_many_installations_no_more_than_a_hundred_are_told(desk):
    await desk.execute("INSERT INTO gates (installation) SELECT generate_series(1, 150)")

    told = await desk.status(OPERATOR)

    assert (len(told["github"]), len(told["budgets"])) == (100, 101)


@pytest.mark.parametrize("tenants", [2, 50])
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_no_row_of_others_is_read_for_the_queue(desk, mode, tenants):
    await crowd(desk, tenants)
    sight = Sight(
        installations=frozenset({1}),
        repository_ids=frozenset({10, 11}),
        api_keys=frozenset({"key 1", "key 3"}),
    )

    nodes = await plan_of(desk, mode, text("webhooks.sql", "status.sql", "queue"), sight.values())

    assert looked_at(nodes, "reviews") <= 10
