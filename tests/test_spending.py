from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from reviewer.core.budget import Amount, Cap, Caps, Payer
from reviewer.core.events import Usage
from reviewer.errors import OverBudget, StoreUnavailable
from reviewer.local import LocalBudgets
from reviewer.ports import CallRecord, Reservation
from reviewer.spending import ReviewPurse

CAPS = Caps(request=Cap(100), review=Cap(100), installation_day=Cap(150))
PAYER = Payer("r1", installation=7)
T = TypeVar("T")


class SlowBudgets(LocalBudgets):
    """Each answer, which is already decided, comes when its gate is opened."""

    def __init__(self) -> None:
        super().__init__(CAPS)
        self.down = False
        self.allowing, self.refusing, self.settling = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for gate in (self.allowing, self.refusing, self.settling):
            gate.set()

    async def reserve(self, payer: Payer, amount: Amount) -> Reservation:
        try:
            reservation = await super().reserve(payer, amount)
        except OverBudget:
            await self.refusing.wait()
            raise
        await self.allowing.wait()
        return reservation

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        if self.down:
            raise StoreUnavailable("the database is gone")
        await self.settling.wait()
        await super().settle(reservation, call)


def taking(tokens: int, cost: float | None = None) -> CallRecord:
    return CallRecord(
        repository="octo/shop",
        model="m",
        chunks=("c",),
        route="",
        usage=Usage(input=tokens),
        cost=cost,
        certain=True,
        time_to_first_token=None,
        seconds=0.0,
        stop_reason="end_turn",
        error=None,
    )


@pytest.fixture
def budgets():
    return SlowBudgets()


@pytest.fixture
def purse(budgets):
    return ReviewPurse(budgets, PAYER)


async def soon(what: Awaitable[T]) -> T:
    """What comes of it; a test that would hang fails."""
    async with asyncio.timeout(5):
        return await what


async def turns() -> None:
    """Everybody who can go on does."""
    for _ in range(20):
        await asyncio.sleep(0)


async def wanting(purse: ReviewPurse, tokens: int) -> asyncio.Task[Reservation]:
    task = asyncio.create_task(purse.reserve(Amount(tokens)))
    await turns()
    return task


async def test_a_call_waits_for_one_under_way_and_takes_what_that_leaves(purse):
    first = await purse.reserve(Amount(80))
    second = await wanting(purse, 50)
    assert not second.done()

    await purse.settle(first, taking(30))

    assert (await soon(second)).amount == Amount(50)


async def test_with_no_call_under_way_a_refusal_is_final(purse):
    await purse.settle(await purse.reserve(Amount(80)), taking(80))

    with pytest.raises(OverBudget, match="one review"):
        await soon(purse.reserve(Amount(50)))


async def test_a_request_that_is_too_large_by_itself_waits_for_nothing(purse):
    await purse.reserve(Amount(10))

    with pytest.raises(OverBudget, match="one request"):
        await soon(purse.reserve(Amount(101)))


async def test_when_the_calls_under_way_leave_too_little_the_refusal_comes(purse):
    first, other = await purse.reserve(Amount(40)), await purse.reserve(Amount(40))
    late = await wanting(purse, 50)

    await purse.settle(first, taking(40))
    await turns()
    assert not late.done()
    await purse.settle(other, taking(40))

    with pytest.raises(OverBudget):
        await soon(late)


async def test_calls_of_other_reviews_are_not_waited_for(budgets, purse):
    await ReviewPurse(budgets, Payer("r2", installation=7)).reserve(Amount(100))

    with pytest.raises(OverBudget, match="the installation's day"):
        await soon(purse.reserve(Amount(60)))


async def test_a_shared_budget_is_waited_for_while_an_own_call_is_under_way(budgets, purse):
    await ReviewPurse(budgets, Payer("r2", installation=7)).reserve(Amount(70))
    own = await purse.reserve(Amount(50))
    late = await wanting(purse, 50)
    assert not late.done()

    await purse.settle(own, taking(10))

    await soon(late)


async def test_an_end_between_the_refusal_and_the_wait_for_it_is_not_missed(budgets, purse):
    first = await purse.reserve(Amount(80))
    budgets.refusing.clear()
    second = await wanting(purse, 50)  # refused, but it does not know yet
    await purse.settle(first, taking(10))

    budgets.refusing.set()

    await soon(second)


async def test_a_call_that_is_about_to_be_allowed_counts_as_under_way(budgets, purse):
    budgets.allowing.clear()
    first = await wanting(purse, 80)  # allowed, but it does not know yet
    second = await wanting(purse, 50)
    assert not second.done()
    budgets.allowing.set()
    await turns()
    assert not second.done()

    await purse.settle(await soon(first), taking(10))

    await soon(second)


async def test_a_call_that_still_fits_does_not_queue_behind_one_that_does_not(purse):
    await purse.reserve(Amount(80))
    await wanting(purse, 50)

    await soon(purse.reserve(Amount(20)))


async def test_an_abandoned_call_stays_charged_and_is_waited_for_no_more(purse):
    first = await purse.reserve(Amount(80))
    second = await wanting(purse, 50)

    purse.abandon(first)

    with pytest.raises(OverBudget):
        await soon(second)
    await purse.reserve(Amount(20))


async def test_one_abandoned_call_does_not_end_the_wait_for_another(purse):
    first, other = await purse.reserve(Amount(40)), await purse.reserve(Amount(40))
    late = await wanting(purse, 50)

    purse.abandon(first)
    await turns()
    assert not late.done()
    await purse.settle(other, taking(0))

    await soon(late)


async def test_a_call_that_can_not_be_settled_is_waited_for_no_more(budgets, purse):
    first = await purse.reserve(Amount(80))
    second = await wanting(purse, 50)

    budgets.down = True
    with pytest.raises(StoreUnavailable):
        await purse.settle(first, taking(10))

    with pytest.raises(OverBudget):
        await soon(second)
    assert purse.calls == 0


async def test_a_call_whose_settling_is_cancelled_is_waited_for_no_more(budgets, purse):
    first = await purse.reserve(Amount(80))
    second = await wanting(purse, 50)
    budgets.settling.clear()
    settling = asyncio.create_task(purse.settle(first, taking(10)))
    await turns()
    assert not second.done()

    settling.cancel()

    with pytest.raises(OverBudget):
        await soon(second)
    assert purse.calls == 0


@pytest.mark.parametrize("trying", [False, True])
async def test_who_gives_up_waiting_disturbs_nobody(budgets, purse, trying):
    first = await purse.reserve(Amount(80))
    if trying:
        budgets.refusing.clear()
    gone, stays = await wanting(purse, 50), await wanting(purse, 60)

    gone.cancel()
    await turns()
    assert gone.cancelled()
    budgets.refusing.set()
    await purse.settle(first, taking(30))

    await soon(stays)


async def test_many_calls_that_fit_only_one_by_one_all_come_to_their_turn(purse):
    async def call() -> None:
        reservation = await purse.reserve(Amount(80))
        await asyncio.sleep(0)
        await purse.settle(reservation, taking(2, 0.5))

    await soon(asyncio.gather(*(call() for _ in range(10))))

    assert (purse.usage, purse.cost, purse.calls) == (Usage(input=20), 5.0, 10)


async def test_settled_calls_are_summed_and_one_settled_twice_counts_once(purse):
    assert (purse.usage, purse.cost, purse.calls) == (Usage(), None, 0)

    unpriced = await purse.reserve(Amount(10))
    await purse.settle(unpriced, taking(5))
    assert (purse.usage, purse.cost, purse.calls) == (Usage(input=5), None, 1)

    priced = await purse.reserve(Amount(10))
    for _ in range(2):
        await purse.settle(priced, taking(7, 0.25))
    assert (purse.usage, purse.cost, purse.calls) == (Usage(input=12), 0.25, 2)
