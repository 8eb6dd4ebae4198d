"""Eight workers at once against one PostgreSQL, and an observer who adds everything up anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reviewer.core.budget import MICROS, Amount, Cap, Caps, Payer
from reviewer.core.events import Usage
from reviewer.errors import OverBudget
from reviewer.ports import CallRecord, Reservation
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.database import Database, open_database

WORKERS = 8
CAPS = Caps(
    request=Cap(50, 500),
    review=Cap(100, 1_000),
    installation_day=Cap(160, 1_700),
    api_key_day=Cap(140, 1_500),
)
BY_SCOPE = {"review": CAPS.review, "installation": CAPS.installation_day, "api_key": CAPS.api_key_day}

# One statement, so one snapshot: what the accounts say beside what reservations and calls add up to
OBSERVE = """
WITH parts AS (
    SELECT
        review, installation, api_key, 0 AS tokens, 0 AS micros,
        tokens AS kept_tokens, micros AS kept_micros
    FROM reservations
    WHERE review = ANY(%(owners)s)
    UNION ALL
    SELECT
        review, installation, api_key, input + cached + cache_writes + output,
        ceil(coalesce(cost, 0) * 1000000)::bigint, 0, 0
    FROM calls
    WHERE review = ANY(%(owners)s)
),
booked AS (
    SELECT scope, owner, sum(tokens), sum(micros), sum(kept_tokens), sum(kept_micros)
    FROM parts, LATERAL (
        VALUES ('review', review), ('installation', installation::text), ('api_key', api_key)
    ) AS owned (scope, owner)
    WHERE owner IS NOT NULL
    GROUP BY 1, 2
),
told AS (
    SELECT scope, owner, spent_tokens, spent_micros, reserved_tokens, reserved_micros
    FROM accounts
    WHERE owner = ANY(%(owners)s)
)
SELECT * FROM told FULL JOIN booked USING (scope, owner)
"""


class NoonClock:
    def now(self) -> datetime:
        return datetime(2026, 5, 1, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Reserve:
    payer: int
    tokens: int
    micros: int


@dataclass(frozen=True)
class Settle:
    """The oldest call under way, for a part of what was reserved; a price may be unknown."""

    share: float
    priced: bool


@dataclass(frozen=True)
class Leave:
    """The oldest call under way is never settled."""


STEPS = st.one_of(
    st.builds(Reserve, st.integers(0, 4), st.integers(1, 55), st.integers(0, 520)),
    st.builds(Settle, st.sampled_from((0.0, 0.3, 1.0)), st.booleans()),
    st.just(Leave()),
)
# A reservation first: all workers want money at the same time
SCRIPTS = st.lists(
    st.tuples(
        st.builds(Reserve, st.integers(0, 4), st.integers(20, 50), st.integers(0, 500)), st.lists(STEPS)
    ).map(lambda script: [script[0], *script[1]]),
    min_size=WORKERS,
    max_size=WORKERS,
)


def payers(example: int) -> list[Payer]:
    """Five, who share installations and keys crosswise, and nothing with any other example."""
    one, other = 2 * example, 2 * example + 1
    return [
        Payer(f"{example}-a", one, f"{example}-key"),
        Payer(f"{example}-b", one, f"{example}-key"),
        Payer(f"{example}-c", other, f"{example}-key"),
        Payer(f"{example}-d", one),
        Payer(f"{example}-e", other, f"{example}-another-key"),
    ]


def taking(amount: Amount, step: Settle) -> CallRecord:
    tokens, micros = int(amount.tokens * step.share), int(amount.micros * step.share)
    return CallRecord(
        repository="octo/shop",
        model="m",
        chunks=(),
        route="",
        usage=Usage(input=tokens // 2, output=tokens - tokens // 2),
        cost=micros / MICROS if step.priced else None,
        certain=True,
        time_to_first_token=None,
        seconds=0.0,
        stop_reason=None,
        error=None,
    )


class Observer:
    def __init__(self, database: Database, who: list[Payer]) -> None:
        self._database = database
        owned = {(payer.review, str(payer.installation), payer.api_key) for payer in who}
        self._owners = [owner for owners in owned for owner in owners if owner is not None]

    async def look(self) -> None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(OBSERVE, {"owners": self._owners})
            rows = await cursor.fetchall()
        for scope, owner, *figures in rows:
            told, booked = figures[:4], figures[4:]
            assert told == booked, (scope, owner)
            spent, reserved = Amount(*told[:2]), Amount(*told[2:])
            assert BY_SCOPE[scope].holds(spent + reserved), (scope, owner, told)


async def work(
    script: list, budgets: PostgresBudgets, who: list[Payer], observer: Observer, seen: Counter[str]
) -> None:
    held: list[Reservation] = []
    for step in script:
        match step:
            case Reserve(payer, tokens, micros):
                try:
                    held.append(await budgets.reserve(who[payer], Amount(tokens, micros)))
                    seen["granted"] += 1
                except OverBudget as refused:
                    seen[refused.scope] += 1
            case Settle() if held:
                reservation = held.pop(0)
                await budgets.settle(reservation, taking(reservation.amount, step))
                seen["settled"] += 1
            case Leave() if held:
                held.pop(0)
                seen["left"] += 1
        await observer.look()


def test_whatever_eight_workers_do_no_cap_is_exceeded_and_the_books_add_up(database_url):
    seen: Counter[str] = Counter()
    examples = count(1)

    async def together(scripts: list[list]) -> None:
        who = payers(next(examples))
        async with (
            open_database(database_url, Path("unused")) as one,
            open_database(database_url, Path("unused")) as other,
        ):
            observer = Observer(one, who)
            both = [PostgresBudgets(database, CAPS, NoonClock()) for database in (one, other)]
            async with asyncio.TaskGroup() as tasks:
                for number, script in enumerate(scripts):
                    tasks.create_task(work(script, both[number % 2], who, observer, seen))
            await observer.look()

    # What ran side by side does not run the same way again: there is nothing to shrink
    @settings(max_examples=25, phases=[Phase.generate])
    @given(SCRIPTS)
    def run(scripts: list[list]) -> None:
        asyncio.run(together(scripts))

    run()

    # Else it has shown nothing
    assert set(seen) == {
        "granted",
        "settled",
        "left",
        "one request",
        "one review",
        "the installation's day",
        "the API key's day",
    }
