"""A review that is cancelled in mid-call: the stream is closed, and what was written by then is paid for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from reviewer.core.budget import Amount, Caps, Payer
from reviewer.core.events import Usage
from reviewer.core.tokens import Estimator
from reviewer.errors import StoreUnavailable
from reviewer.grace import GRACE_SECONDS
from reviewer.local import LocalBudgets, SystemClock
from reviewer.ports import Budgets, CallRecord, EngineNews, Reservation, Task
from reviewer.spending import ReviewPurse
from reviewer.store.budgets import PostgresBudgets
from tests.claude.stories import BATCH, MAX_TOKENS, TWO, Told, engine, until
from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.clock import jumping
from tests.fakes.work import PAYER, task


def now() -> float:
    return asyncio.get_running_loop().time()


def slow(**options: object) -> Answer:
    """Two findings of some 380 characters, four every 50 ms."""
    return Answer.findings(*TWO, **{"delay": 0.05, **options})


@dataclass
class Stopped:
    """A call that was cancelled."""

    server: ScriptedClaude
    cancelled_at: float
    took: float

    @property
    def closed_after(self) -> float:
        """Seconds after which the server saw that nobody listens."""
        gone = self.server.requests[0].cut_at
        assert gone is not None
        return gone - self.cancelled_at


async def stopped(answer: Answer, budgets: Budgets, told: Told | None = None, *, after: float = 0) -> Stopped:
    """Cancel a review so many seconds after its request has come; with `told`, once a finding was told."""
    async with ScriptedClaude([answer]) as server, engine(server) as reviewer:
        review = asyncio.create_task(reviewer.review(paid_by(budgets), told or Told()))
        async with asyncio.timeout(30):
            await until(lambda: bool(server.requests))
            await asyncio.sleep(after)
            await until(lambda: told is None or bool(told.titles))
            at = now()
            review.cancel()
            with pytest.raises(asyncio.CancelledError):
                await review
            took = now() - at
            await until(lambda: server.requests[0].cut_at is not None)
    return Stopped(server, at, took)


def paid_by(budgets: Budgets) -> Task:
    return replace(task(BATCH), purse=ReviewPurse(budgets, PAYER))


async def standing(budgets: LocalBudgets | PostgresBudgets) -> set[tuple[Amount, Amount]]:
    """What every scope has spent and set aside."""
    return {(each.spent, each.reserved) for each in await budgets.standing(PAYER)}


@jumping
async def test_a_call_that_is_cancelled_closes_its_stream_and_pays_for_what_was_written():
    budgets, told, answer = LocalBudgets(Caps()), Told(), slow()

    stop = await stopped(answer, budgets, told)

    (call,) = budgets.calls
    written = answer.text.index("}") // 4  # a token each, and the first finding was told
    assert written <= call.usage.output < MAX_TOKENS / 4
    assert call.usage.input == 1_000
    assert (call.error, call.certain, call.stop_reason) == ("cancelled", False, None)
    assert await standing(budgets) == {(Amount.of(call.usage.total, call.cost), Amount())}
    assert stop.closed_after < 1
    assert stop.took < 1


async def test_in_the_database_nothing_stays_set_aside_and_what_was_settled_is_spent(database):
    budgets = PostgresBudgets(database, Caps(), SystemClock())

    stop = await stopped(slow(), budgets, Told())

    async with database.connection() as connection:
        cursor = await connection.execute("SELECT input, output, cost, error, certain FROM calls")
        (call,) = await cursor.fetchall()
        left = await (await connection.execute("SELECT * FROM reservations")).fetchall()
    input_, output, cost, error, certain = call
    assert (input_, error, certain, left) == (1_000, "cancelled", False, [])
    assert await standing(budgets) == {(Amount.of(input_ + output, float(cost)), Amount())}
    assert 0 < output < MAX_TOKENS / 4
    assert stop.closed_after < 1


@jumping
async def test_the_text_that_was_heard_is_charged_with_a_margin():
    budgets, answer = LocalBudgets(Caps()), slow(fail_after=200, failure="stall", stall=1_000)

    await stopped(answer, budgets, after=20)

    (call,) = budgets.calls
    heard = Estimator().tokens(200)
    assert heard * 1.2 < call.usage.output < heard * 1.25 + 150


@jumping
async def test_characters_of_several_bytes_count_as_such():
    outputs: list[int] = []
    for text in ("x", "試"):
        budgets = LocalBudgets(Caps())
        answer = Answer(text * 2_000, as_text=True, fail_after=1_900, failure="stall", stall=1_000)
        await stopped(answer, budgets, after=20)
        outputs.append(budgets.calls[0].usage.output)

    assert outputs[1] > 2 * outputs[0]


@jumping
async def test_the_answer_is_never_charged_above_what_it_was_allowed():
    budgets = LocalBudgets(Caps())
    answer = Answer("x" * 9 * MAX_TOKENS, as_text=True, chars=None, first_token=1, stop_reason=None, delay=99)

    await stopped(answer, budgets, after=20)

    assert budgets.calls[0].usage.output == MAX_TOKENS


@jumping
@pytest.mark.parametrize("seconds", [2, 5])
@pytest.mark.parametrize("answer", [{"first_token": 90}, {"hang": 90}, {"thinking": ("",), "delay": 90}])
async def test_what_is_not_shown_is_bounded_by_the_time_it_had(answer, seconds):
    budgets = LocalBudgets(Caps())

    await stopped(slow(**answer), budgets, after=seconds)

    (call,) = budgets.calls
    assert call.usage.output == pytest.approx(min(seconds * 500, MAX_TOKENS), abs=50)
    assert call.usage.total > 1_000
    assert not call.certain


@jumping
async def test_input_that_the_server_has_not_told_is_charged_as_estimated():
    budgets = LocalBudgets(Caps())

    await stopped(slow(no_usage=True), budgets, Told())

    (call,) = budgets.calls
    assert call.usage.input + call.usage.cache_writes > 1_000
    assert not call.certain


class Slow(LocalBudgets):
    """Settling takes so many seconds, or fails."""

    def __init__(self, seconds: float, failure: Exception | None = None) -> None:
        super().__init__(Caps())
        self.asked: list[float] = []
        self.reserved = False
        self._seconds = seconds
        self._failure = failure

    async def reserve(self, payer: Payer, amount: Amount) -> Reservation:
        self.reserved = True
        return await super().reserve(payer, amount)

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        self.asked.append(now())
        await asyncio.sleep(self._seconds)
        if self._failure is not None:
            raise self._failure
        await super().settle(reservation, call)


@jumping
@pytest.mark.parametrize(
    "budgets", [Slow(3_600), Slow(0, StoreUnavailable("gone")), Slow(1, ValueError("bug"))]
)
async def test_a_database_that_hangs_or_fails_delays_nobody_and_all_stays_charged(budgets):
    stop = await stopped(slow(), budgets, Told())

    assert stop.closed_after < 1
    assert stop.took <= GRACE_SECONDS + 0.1
    ((spent, reserved),) = await standing(budgets)
    assert spent == Amount()
    assert reserved.tokens > MAX_TOKENS


@jumping
async def test_a_second_cancellation_takes_nothing_from_the_settling_of_the_first():
    budgets, told = Slow(1), Told()
    async with ScriptedClaude([slow()]) as server, engine(server) as reviewer:
        review = asyncio.create_task(reviewer.review(paid_by(budgets), told))
        await until(lambda: bool(told.titles))
        for _ in range(3):
            review.cancel()
            await asyncio.sleep(0.2)
            assert not review.done()
        with pytest.raises(asyncio.CancelledError):
            await review

    assert [call.error for call in budgets.calls] == ["cancelled"]
    assert {reserved for _, reserved in await standing(budgets)} == {Amount()}


@jumping
async def test_a_call_that_is_over_when_its_review_is_cancelled_is_settled_as_it_was():
    budgets, answer = Slow(1), Answer.findings(*TWO)
    async with ScriptedClaude([answer]) as server, engine(server) as reviewer:
        review = asyncio.create_task(reviewer.review(paid_by(budgets), Told()))
        await until(lambda: bool(budgets.asked))
        review.cancel()
        with pytest.raises(asyncio.CancelledError):
            await review

    (call,) = budgets.calls
    assert (call.error, call.certain, call.usage.output) == (None, True, len(answer.text) // 4)


async def test_a_call_that_was_still_to_be_connected_costs_nothing():
    budgets = Slow(0)
    async with unconnectable() as url, ScriptedClaude([Answer()]) as server:
        server.url = url
        async with engine(server) as reviewer:
            review = asyncio.create_task(reviewer.review(paid_by(budgets), Told()))
            await until(lambda: budgets.reserved)
            await asyncio.sleep(0.2)
            review.cancel()
            with pytest.raises(asyncio.CancelledError):
                await review

    assert [call.usage for call in budgets.calls] == [Usage()]
    assert await standing(budgets) == {(Amount(), Amount())}


@asynccontextmanager
async def unconnectable() -> AsyncIterator[str]:
    """A server that no more connections reach: its queue is full, and it takes none out."""
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        host, port = listening.getsockname()
        yield f"http://{host}:{port}"


@jumping
async def test_a_fault_of_ours_in_mid_answer_is_paid_for_like_a_cancellation():
    class Deaf(Told):
        async def __call__(self, news: EngineNews) -> None:
            raise StoreUnavailable("the feed is gone")

    budgets = LocalBudgets(Caps())
    async with ScriptedClaude([slow()]) as server, engine(server) as reviewer:
        with pytest.raises(StoreUnavailable):
            await reviewer.review(paid_by(budgets), Deaf())

    (call,) = budgets.calls
    assert call.error == "stopped by StoreUnavailable"
    assert call.usage.output < MAX_TOKENS / 4
    assert {reserved for _, reserved in await standing(budgets)} == {Amount()}
