"""What a posted diff is read from, and what the budgets say to it."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from reviewer.core.budget import Amount, Cap, Caps, Payer
from reviewer.core.diff import parse
from reviewer.core.events import Usage
from reviewer.ports import CallRecord
from reviewer.settings import Settings
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.rates import PostgresRates
from reviewer.wiring import open_reviewer
from tests.posted.test_run import Counter
from tests.pull_requests import desk
from tests.scenarios.test_posted import DIFF
from webhooks.draws import Draws
from webhooks.posted.bodies import Gunzip
from webhooks.posted.quotes import Quotes
from webhooks.posted.refusals import Refusal
from webhooks.posted.reviews import Posted

TEXT = b"a line of a diff\n" * 50


@pytest.mark.parametrize("cut", [1, 2, 7, 1_000])
@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_unpacked_however_it_is_cut_and_of_how_many_members_it_is(cut, members):
    packed = b"".join(gzip.compress(TEXT) for _ in range(members))
    gunzip = Gunzip(10_000)
    for start in range(0, len(packed), cut):
        gunzip.feed(packed[start : start + cut])

    assert gunzip.close() == TEXT * members


@pytest.mark.parametrize(("most", "fits"), [(len(TEXT), True), (len(TEXT) - 1, False)])
def test_gzip_is_unpacked_up_to_the_limit_and_not_a_byte_further(most, fits):
    gunzip = Gunzip(most)
    if fits:
        gunzip.feed(gzip.compress(TEXT))
        assert gunzip.close() == TEXT
    else:
        with pytest.raises(Refusal, match=f"{most:,} bytes"):
            gunzip.feed(gzip.compress(TEXT))


def test_a_bomb_is_refused_while_little_of_it_is_unpacked():
    bomb = gzip.compress(bytes(200_000_000), 9)
    gunzip = Gunzip(1_000_000)
    with pytest.raises(Refusal):
        gunzip.feed(bomb)
    assert gunzip.size <= 1_000_001


@pytest.mark.parametrize("end", [-1, -8, 15])
def test_gzip_whose_end_is_missing_is_no_gzip(end):
    gunzip = Gunzip(10_000)
    gunzip.feed(gzip.compress(TEXT)[:end])
    with pytest.raises(zlib.error):
        gunzip.close()


@dataclass
class StoppedClock:
    """Stands at one time."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
async def reviewer():
    """Claude, who is not asked."""
    settings = Settings.model_validate(
        {"anthropic_base_url": "http://127.0.0.1:9", "anthropic_api_key": None}
    )
    async with open_reviewer(settings) as found:
        yield found


@pytest.fixture
def quoted(database, reviewer):
    """What the budgets say to a diff at a time of day."""

    async def quote(caps: Caps, *, at: datetime, spent: int = 0) -> Quotes:
        clock = StoppedClock(at)
        budgets = PostgresBudgets(database, caps, clock)
        if spent:
            payer = Payer("an earlier review", api_key="ci")
            reservation = await budgets.reserve(payer, Amount(spent))
            await budgets.settle(reservation, _call(spent))
        draws = Draws(database, reviewer, PostgresRates(database))
        return Quotes(reviewer, draws, budgets=budgets, caps=caps, clock=clock, buys=True)

    return quote


def _call(tokens: int) -> CallRecord:
    return CallRecord(
        repository="posted",
        model="a-model",
        chunks=(),
        route="",
        usage=Usage(input=tokens),
        cost=None,
        certain=True,
        time_to_first_token=None,
        seconds=0.0,
        stop_reason=None,
        error=None,
    )


PAYER = Payer("r", api_key="ci")


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        (datetime(2026, 3, 1, 23, 59, 59, 500_000, UTC), 1),
        (datetime(2026, 3, 1, 0, 0, 0, 0, UTC), 86_400),
        (datetime(2026, 12, 31, 12, 0, 0, 0, UTC), 43_200),
    ],
)
async def test_who_has_spent_the_day_is_told_to_come_back_at_midnight(quoted, at, seconds):
    quotes = await quoted(Caps(api_key_day=Cap(tokens=10_000)), at=at, spent=9_000)
    with pytest.raises(Refusal) as refused:
        await quotes.require(parse(DIFF), PAYER)

    answer = refused.value.answer({"X-Tokens-Used": "9000"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(seconds))
    assert answer.headers["X-Tokens-Used"] == "9000"
    said = json.loads(bytes(answer.body))
    assert said["scope"] == "the API key's day"
    assert "of 10,000 tokens 9,000 are spent" in said["error"]


@pytest.mark.parametrize(("cap", "left"), [(None, None), (10_000, 1_000), (5_000, 0)])
async def test_what_a_key_has_used_and_has_left_is_told_where_there_is_a_cap(quoted, cap, left):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await quoted(Caps(), at=now, spent=9_000)
    quotes = await quoted(Caps(api_key_day=Cap(tokens=cap)), at=now)

    account = await quotes.account("ci")
    assert account.headers == {
        "X-Tokens-Used": "9000",
        **({} if left is None else {"X-Tokens-Remaining": str(left)}),
    }
    assert (await quotes.account("another")).used == 0


async def test_a_run_draws_what_the_quote_was_for_whatever_has_been_learned_since(database, reviewer):
    draws = Draws(database, reviewer, PostgresRates(database))
    async with desk(database) as found:
        review = await Counter(found, Posted(found.feed, found.jobs)).post(
            model="claude-opus-5-5", bytes_per_token=2.5
        )
    fresh, settled = await draws.fresh(review), await draws.settled(review)

    assert (settled.models.main, settled.limits.estimator.bytes_per_token) == ("claude-opus-5-5", 2.5)
    assert fresh.models.main != settled.models.main
    assert fresh.limits.estimator != settled.limits.estimator
