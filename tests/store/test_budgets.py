from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
from psycopg import AsyncConnection

from reviewer.core.budget import Amount, Cap, Caps, Payer, Scope, Standing
from reviewer.core.events import Usage
from reviewer.errors import OverBudget
from reviewer.local import LocalBudgets
from reviewer.ports import CallRecord
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.database import Database, open_database

CAPS = Caps(request=Cap(500), review=Cap(1_000), installation_day=Cap(2_000), api_key_day=Cap(1_500))
PAYER = Payer("r1", installation=7, api_key="ci")
CALL = CallRecord(
    repository="octo/shop",
    model="claude-sonnet-5-5",
    chunks=("a.py", "b.py#2"),
    route="main",
    usage=Usage(input=10, cached=20, cache_writes=30, output=40),
    cost=0.25,
    certain=True,
    time_to_first_token=0.5,
    seconds=2.5,
    stop_reason="tool_use",
    error=None,
)


class FakeClock:
    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def clock():
    return FakeClock(datetime(2026, 5, 1, 12, tzinfo=UTC))


@pytest.fixture
def budgets(database, clock):
    return PostgresBudgets(database, CAPS, clock)


def taking(tokens: int, cost: float | None = None) -> CallRecord:
    return replace(CALL, usage=Usage(input=tokens), cost=cost)


async def rows(database, sql: str) -> list[tuple]:
    async with database.connection() as connection:
        return await (await connection.execute(sql)).fetchall()


async def tokens(budgets, payer: Payer = PAYER) -> dict[str, tuple[int, int]]:
    """Spent and reserved by scope."""
    return {
        standing.scope.name: (standing.spent.tokens, standing.reserved.tokens)
        for standing in await budgets.standing(payer)
    }


async def test_a_reservation_is_set_aside_in_every_scope_and_settling_puts_the_real_in_its_place(budgets):
    reservation = await budgets.reserve(PAYER, Amount(300, 5))
    assert await budgets.standing(PAYER) == tuple(
        Standing(scope, Amount(), Amount(300, 5), CAPS.of(scope))
        for scope in (Scope.REVIEW, Scope.INSTALLATION, Scope.API_KEY)
    )

    await budgets.settle(reservation, CALL)

    assert {(s.spent, s.reserved) for s in await budgets.standing(PAYER)} == {
        (Amount(100, 250_000), Amount())
    }


async def test_every_field_of_a_call_is_kept(database, clock, budgets):
    reservation = await budgets.reserve(PAYER, Amount(300))
    odd = replace(CALL, error="a\0b \udc80", cost=None, time_to_first_token=None, stop_reason=None)

    await budgets.settle(reservation, CALL)
    await budgets.settle(await budgets.reserve(Payer("r2"), Amount(1)), odd)

    select = (
        "SELECT review, installation, api_key, repository, model, chunks, route, input, cached, "
        "cache_writes, output, cost::float, certain, time_to_first_token, seconds, stop_reason, error, at "
        "FROM calls ORDER BY id"
    )
    call = ("octo/shop", "claude-sonnet-5-5", ["a.py", "b.py#2"], "main", 10, 20, 30, 40)
    assert await rows(database, select) == [
        ("r1", 7, "ci", *call, 0.25, True, 0.5, 2.5, "tool_use", None, clock.now()),
        ("r2", None, None, *call, None, True, None, 2.5, None, "a\ufffdb ?", clock.now()),
    ]


async def test_settling_twice_changes_nothing(database, budgets):
    reservation = await budgets.reserve(PAYER, Amount(300))

    await asyncio.gather(*(budgets.settle(reservation, taking(200)) for _ in range(4)))
    await budgets.settle(reservation, taking(50))

    assert await tokens(budgets) == dict.fromkeys(("REVIEW", "INSTALLATION", "API_KEY"), (200, 0))
    assert await rows(database, "SELECT input FROM calls") == [(200,)]


class Lingering:
    """A database that has committed, and whose answer is still on its way."""

    def __init__(self, database: Database) -> None:
        self.committed, self.answers = asyncio.Event(), asyncio.Event()
        self._database = database

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.connection() as connection:
            yield connection
        self.committed.set()
        await self.answers.wait()


@pytest.mark.parametrize("times", [1, 3])
async def test_a_reservation_whose_caller_is_cancelled_before_it_is_told_is_given_back(
    database, clock, budgets, times
):
    slow = Lingering(database)
    reserving = asyncio.create_task(
        PostgresBudgets(cast("Database", slow), CAPS, clock).reserve(PAYER, Amount(9))
    )
    await slow.committed.wait()
    assert (await tokens(budgets))["REVIEW"] == (0, 9)

    for _ in range(times):
        reserving.cancel()
        await asyncio.sleep(0.01)
    slow.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await reserving

    assert await tokens(budgets) == dict.fromkeys(("REVIEW", "INSTALLATION", "API_KEY"), (0, 0))
    assert await rows(database, "SELECT * FROM reservations") == []
    assert await rows(database, "SELECT * FROM calls") == []


async def test_what_is_never_settled_stays_charged(database, clock, budgets):
    for _ in range(2):
        await budgets.reserve(PAYER, Amount(500))

    restarted = PostgresBudgets(database, CAPS, clock)
    with pytest.raises(OverBudget) as refused:
        await restarted.reserve(PAYER, Amount(1))

    assert refused.value.scope == "one review"
    assert (await tokens(restarted))["REVIEW"] == (0, 1_000)


async def test_a_cap_can_be_spent_to_the_last_token_and_not_one_more(budgets):
    await budgets.settle(await budgets.reserve(PAYER, Amount(500)), taking(500))
    await budgets.reserve(PAYER, Amount(499))

    with pytest.raises(OverBudget):
        await budgets.reserve(PAYER, Amount(2))
    await budgets.reserve(PAYER, Amount(1))


async def test_a_refusal_in_the_last_scope_leaves_nothing_in_the_others(database, budgets):
    for review in ("r1", "r2", "r3"):
        await budgets.reserve(Payer(review, installation=8, api_key="ci"), Amount(500))

    with pytest.raises(OverBudget) as refused:
        await budgets.reserve(Payer("r4", installation=9, api_key="ci"), Amount(1))

    assert refused.value.scope == "the API key's day"
    assert await rows(database, "SELECT * FROM accounts WHERE owner IN ('r4', '9')") == []
    assert await rows(database, "SELECT * FROM reservations WHERE review = 'r4'") == []


async def test_what_a_call_took_beyond_its_reservation_is_booked_in_full(budgets):
    await budgets.settle(await budgets.reserve(PAYER, Amount(100)), taking(1_200))

    assert (await tokens(budgets))["REVIEW"] == (1_200, 0)
    with pytest.raises(OverBudget):
        await budgets.reserve(PAYER, Amount(1))


async def test_days_begin_at_midnight_utc_and_a_reservation_belongs_to_its_own(clock, budgets):
    late = datetime(2026, 5, 1, 23, 59, tzinfo=UTC)
    clock.time = late.astimezone(timezone(timedelta(hours=9)))  # where it is the 2nd already
    reservation = await budgets.reserve(PAYER, Amount(500))
    assert (await tokens(budgets))["INSTALLATION"] == (0, 500)
    clock.time = late
    assert (await tokens(budgets))["INSTALLATION"] == (0, 500)

    clock.time += timedelta(minutes=2)
    assert await tokens(budgets) == {"REVIEW": (0, 500), "INSTALLATION": (0, 0), "API_KEY": (0, 0)}
    await budgets.settle(reservation, taking(400))

    assert await tokens(budgets) == {"REVIEW": (400, 0), "INSTALLATION": (0, 0), "API_KEY": (0, 0)}
    clock.time = late
    assert (await tokens(budgets))["INSTALLATION"] == (400, 0)


async def test_a_spent_day_is_no_bar_to_the_next(clock, budgets):
    for review in ("r1", "r2", "r3"):
        await budgets.reserve(Payer(review, api_key="ci"), Amount(500))
    with pytest.raises(OverBudget, match="midnight UTC"):
        await budgets.reserve(Payer("r4", api_key="ci"), Amount(500))

    clock.time += timedelta(days=1)

    await budgets.reserve(Payer("r4", api_key="ci"), Amount(500))


async def test_accounts_are_kept_where_no_cap_is_set(database, clock):
    budgets = PostgresBudgets(database, Caps(), clock)

    await budgets.settle(await budgets.reserve(PAYER, Amount(10**9)), taking(10**10))

    assert set((await tokens(budgets)).values()) == {(10**10, 0)}


async def test_owners_of_one_name_in_different_scopes_are_not_mixed_up(budgets):
    await budgets.reserve(Payer("7", installation=7, api_key="7"), Amount(300))
    await budgets.reserve(Payer("8", api_key="7"), Amount(100))

    assert await tokens(budgets, Payer("7", installation=7, api_key="7")) == {
        "REVIEW": (0, 300),
        "INSTALLATION": (0, 300),
        "API_KEY": (0, 400),
    }


async def test_scopes_that_overlap_crosswise_do_not_wait_for_each_other_in_a_ring(
    database, database_url, clock
):
    # Every pair shares two accounts with others, and names sort against the order of the scopes
    payers = [Payer(f"{9 - i % 3}", installation=i % 2 + 1, api_key=f"k{i % 3}") for i in range(12)]
    async with open_database(database_url, Path("unused")) as other:
        workers = [PostgresBudgets(it, Caps(), clock) for it in (database, other)]

        async def work(budgets: PostgresBudgets, payer: Payer) -> None:
            for _ in range(10):
                await budgets.settle(await budgets.reserve(payer, Amount(10)), taking(7))

        await asyncio.gather(*(work(budgets, payer) for budgets in workers for payer in payers))

        spent = await rows(
            database, "SELECT scope, sum(spent_tokens), sum(reserved_tokens) FROM accounts GROUP BY 1"
        )
    assert sorted(spent) == [(scope, 1_680, 0) for scope in ("api_key", "installation", "review")]


async def test_budgets_in_memory_keep_the_same_rules():
    budgets = LocalBudgets(CAPS)
    first = await budgets.reserve(PAYER, Amount(500))
    await budgets.reserve(PAYER, Amount(500))
    with pytest.raises(OverBudget) as refused:
        await budgets.reserve(PAYER, Amount(1))
    assert refused.value.scope == "one review"

    await budgets.settle(first, taking(100))
    await budgets.settle(first, taking(100))

    assert await tokens(budgets) == dict.fromkeys(("REVIEW", "INSTALLATION", "API_KEY"), (100, 500))
    assert budgets.calls == [taking(100)]
    with pytest.raises(OverBudget, match="one request"):
        await budgets.reserve(PAYER, Amount(501))
