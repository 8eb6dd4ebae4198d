from __future__ import annotations

import pytest

from reviewer.errors import EngineUnavailable, ForgeRateLimited, ForgeUnavailable
from webhooks.attempts import (
    LONGEST_NAMED_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_ATTEMPTS,
    Attempt,
)


def waits(error: Exception) -> list[float]:
    return [Attempt(number).wait(error, first_for_model=30) for number in range(MOST_ATTEMPTS)]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("error", "first"), [(EngineUnavailable("down"), 30), (ForgeUnavailable("502"), 5)])
def test_waits_grow_up_to_a_bound(error, first):
    told = waits(error)

    assert told[:3] == [first, first * 4, first * 16]
    assert max(told) <= LONGEST_WAIT_SECONDS
    assert told == sorted(told)


@pytest.mark.parametrize(
    "error",
    [
        EngineUnavailable("busy", retry_after=400),
        ForgeRateLimited("limit", status=403, retry_after=400),
    ],
)
def test_no_wait_is_shorter_than_the_server_asked_for(error):
    assert waits(error)[0] == 400


@pytest.mark.parametrize("named", [1e9, float("inf")])
def test_no_server_makes_a_review_wait_for_more_than_some_hours(named):
    assert max(waits(EngineUnavailable("busy", retry_after=named))) == LONGEST_NAMED_WAIT_SECONDS


def test_the_last_attempt_knows_that_it_is():
    assert [Attempt(number).last for number in range(MOST_ATTEMPTS)] == [False] * (MOST_ATTEMPTS - 1) + [True]
