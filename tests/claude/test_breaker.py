from __future__ import annotations

from contextlib import suppress

import pytest

from reviewer.claude.breaker import FAILURES_IN_A_ROW, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker
from reviewer.errors import (
    EngineError,
    EngineMisconfigured,
    EnginePaused,
    EngineUnavailable,
    NotReported,
    OverBudget,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def call(breaker: Breaker, error: EngineError | None = None) -> bool:
    """Whether the model was asked."""
    asked = False
    with suppress(EngineError), breaker.call():
        asked = True
        if error is not None:
            raise error
    return asked


DOWN = EngineUnavailable("down")


def broken() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES_IN_A_ROW):
        assert call(breaker, DOWN)
    return breaker, clock


def test_a_model_that_keeps_failing_is_not_asked_and_the_wait_is_told():
    breaker, _ = broken()

    with pytest.raises(EnginePaused, match="8 times in a row") as raised, breaker.call():
        pass

    assert raised.value.retry_after == FIRST_PAUSE_SECONDS
    assert raised.value.retryable


@pytest.mark.parametrize("between", [None, EngineMisconfigured("no such model")])
def test_any_answer_of_the_provider_ends_the_row_of_failures(between):
    breaker = Breaker(Clock())
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, DOWN)
    call(breaker, between)

    assert all(call(breaker, DOWN) for _ in range(FAILURES_IN_A_ROW))


@pytest.mark.parametrize("nothing", [NotReported("words"), OverBudget("over", scope="one review")])
def test_mere_words_and_an_empty_purse_say_nothing_of_the_provider(nothing):
    breaker = Breaker(Clock())
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, DOWN)
    call(breaker, nothing)
    call(breaker, DOWN)

    assert not call(breaker)


def test_after_the_pause_one_call_tries_and_its_success_opens_the_way():
    breaker, clock = broken()
    clock.now += FIRST_PAUSE_SECONDS

    with breaker.call():
        assert not call(breaker)  # while it is tried, nobody else asks

    assert call(breaker)
    assert call(breaker)


def test_a_failing_try_pauses_it_for_twice_as_long_up_to_a_bound():
    breaker, clock = broken()
    pause = FIRST_PAUSE_SECONDS
    for _ in range(8):
        clock.now += pause - 0.1
        assert not call(breaker, DOWN)
        clock.now += 0.1
        assert call(breaker, DOWN)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def test_a_try_that_is_cancelled_leaves_the_next_one_free_to_try():
    breaker, clock = broken()
    clock.now += FIRST_PAUSE_SECONDS
    with pytest.raises(KeyboardInterrupt), breaker.call():
        raise KeyboardInterrupt

    assert call(breaker)


def test_calls_that_were_under_way_when_the_pause_began_do_not_make_it_longer():
    breaker = Breaker(Clock())
    with suppress(EngineError), breaker.call():
        assert [call(breaker, DOWN) for _ in range(FAILURES_IN_A_ROW)] == [True] * FAILURES_IN_A_ROW
        raise DOWN

    with pytest.raises(EnginePaused) as raised, breaker.call():
        pass
    assert raised.value.retry_after == FIRST_PAUSE_SECONDS
