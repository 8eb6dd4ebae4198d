"""What is old, or of a tenant that has left, goes; no budget is the larger for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reviewer.core.budget import Amount, Payer
from reviewer.errors import OverBudget
from reviewer.store.budgets import PostgresBudgets
from tests.store.test_budgets import CALL, CAPS, PAYER, FakeClock, rows, taking

TABLES = ("calls", "reservations", "accounts")
TODAY = datetime(2026, 5, 31, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return FakeClock(TODAY)


@pytest.fixture
def budgets(database, clock):
    return PostgresBudgets(database, CAPS, clock)


async def owners(database, table: str) -> list[str]:
    """Whose rows a table has."""
    column = "owner" if table == "accounts" else "review"
    return [owner for (owner,) in await rows(database, f"SELECT {column} FROM {table} ORDER BY 1")]  # noqa: S608


async def spend(budgets: PostgresBudgets, payer: Payer) -> None:
    """A call that is settled, and one that nobody settles."""
    await budgets.settle(await budgets.reserve(payer, Amount(300)), taking(200))
    await budgets.reserve(payer, Amount(100))


async def test_what_is_older_than_so_many_days_goes_and_what_is_not_stays(database, clock, budgets):
    clock.time = TODAY - timedelta(days=31)
    await spend(budgets, Payer("old", 1, "old key"))
    clock.time = TODAY - timedelta(days=30)
    await spend(budgets, Payer("young", 2, "young key"))
    clock.time = TODAY

    assert await budgets.expire(30) == 5

    assert await owners(database, "calls") == ["young"]
    assert await owners(database, "reservations") == ["young"]
    assert await owners(database, "accounts") == ["2", "young", "young key"]
    assert await budgets.expire(30) == 0


async def test_a_review_that_still_spends_keeps_all_its_books(database, clock, budgets):
    clock.time = TODAY - timedelta(days=31)
    await spend(budgets, PAYER)
    clock.time = TODAY
    await spend(budgets, PAYER)

    assert await budgets.expire(30) == 2  # the two daily accounts of then

    assert (await budgets.standing(PAYER))[0].spent == Amount(400)
    assert (await budgets.standing(PAYER))[0].reserved == Amount(200)
    assert [len(await owners(database, table)) for table in TABLES] == [2, 2, 3]


@pytest.mark.parametrize("what", ["a call", "a reservation"])
async def test_one_young_row_keeps_a_review(database, clock, budgets, what):
    clock.time = TODAY - timedelta(days=31)
    await spend(budgets, Payer("r"))
    clock.time = TODAY
    reservation = await budgets.reserve(Payer("r"), Amount(100))
    if what == "a call":
        await budgets.settle(reservation, taking(100))

    assert await budgets.expire(30) == 0
    assert await owners(database, "accounts") == ["r"]


@pytest.mark.parametrize("days", [0, -7, 1])
async def test_nothing_of_today_ever_goes(database, clock, budgets, days):
    clock.time = TODAY.replace(hour=0)
    await spend(budgets, PAYER)
    clock.time = TODAY

    assert await budgets.expire(days) == 0
    assert [len(await owners(database, table)) for table in TABLES] == [1, 1, 3]


async def test_a_call_of_before_there_were_accounts_goes_too(database, budgets):
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO calls (review, repository, input, cached, cache_writes, output, at) "
            "VALUES ('ancient', 'octo/shop', 1, 0, 0, 1, %s)",
            (TODAY - timedelta(days=31),),
        )

    assert await budgets.expire(30) == 1


async def test_an_old_review_that_spends_again_at_that_moment_is_left_alone(database, clock, budgets):
    clock.time = TODAY - timedelta(days=31)
    await spend(budgets, Payer("r"))
    clock.time = TODAY

    async with asyncio.timeout(10), database.connection() as other:
        await other.execute("UPDATE accounts SET reserved_tokens = reserved_tokens + 5")
        assert await budgets.expire(30) == 0

    assert (await budgets.standing(Payer("r")))[0].reserved == Amount(105)
    assert await owners(database, "calls") == ["r"]


async def test_reviews_that_spend_while_old_ones_expire_keep_books_that_add_up(database, clock, budgets):
    payers = [Payer(f"r{number}", 1) for number in range(20)]
    clock.time = TODAY - timedelta(days=31)
    for payer in payers:
        await budgets.settle(await budgets.reserve(payer, Amount(10)), taking(10))
    clock.time = TODAY

    async def again(payer: Payer) -> None:
        for _ in range(3):
            await budgets.settle(await budgets.reserve(payer, Amount(20)), taking(5))

    await asyncio.gather(*map(again, payers), *(budgets.expire(30) for _ in range(5)))

    for payer in payers:
        standing, _ = await budgets.standing(payer)
        assert (standing.spent.tokens, standing.reserved) in {(15, Amount()), (25, Amount())}
        called = await rows(database, f"SELECT sum(input) FROM calls WHERE review = '{payer.review}'")  # noqa: S608
        assert called == [(standing.spent.tokens,)]


async def test_of_a_tenant_that_leaves_nothing_is_kept_but_what_its_day_has_cost(database, budgets):
    for payer in (Payer("gone", 7), Payer("gone too", 7, "ci"), Payer("stays", 8), Payer("nobody's")):
        await spend(budgets, payer)

    assert await budgets.forget(7) == 6

    for table in ("calls", "reservations"):
        assert await owners(database, table) == ["nobody's", "stays"]
    assert await owners(database, "accounts") == ["7", "8", "ci", "nobody's", "stays"]
    assert await budgets.forget(7) == 0


async def test_who_leaves_and_comes_back_has_no_new_budget_that_day(budgets):
    for number in range(4):
        await budgets.reserve(Payer(f"r{number}", 7), Amount(500))

    await budgets.forget(7)

    with pytest.raises(OverBudget, match="the installation's day"):
        await budgets.reserve(Payer("another", 7), Amount(1))


async def test_a_call_that_ends_after_its_tenant_is_forgotten_leaves_no_trace(database, budgets):
    reservation = await budgets.reserve(Payer("r", 7), Amount(500))
    await budgets.forget(7)

    await budgets.settle(reservation, replace(CALL, cost=None))

    assert await owners(database, "calls") == []
    assert await owners(database, "accounts") == ["7"]
