"""One pace for an installation, however many processes write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import LiteralString

import pytest

from reviewer.store.database import Database, open_database
from webhooks.github.limits import LONGEST_WAIT_SECONDS, WRITES_AN_HOUR
from webhooks.pacing import PostgresPacing

SPACING = 5.0
"""Longer than a test takes, so that what it waits for is seen in what it is told."""


@pytest.fixture(name="pacings")
async def pacings_(database, database_url) -> AsyncIterator[list[PostgresPacing]]:
    async with open_database(database_url, Path("unused")) as other:
        yield [PostgresPacing(each, write_seconds=SPACING) for each in (database, other)]


async def change(database: Database, statement: LiteralString, writes: int = 0) -> None:
    async with database.connection() as connection:
        await connection.execute(statement, {"writes": writes} if writes else None)


async def test_the_first_write_begins_at_once_and_installations_don_t_wait_for_one_another(pacings):
    for installation in (7, 8):
        assert await pacings[0].turn(installation) == 0.0


async def test_two_processes_share_one_pace(pacings):
    turns = sorted(await asyncio.gather(*(pacings[n % 2].turn(7) for n in range(6))))

    assert turns[0] == 0.0
    # Each tells its turn from when it asked, and all asked within the same few seconds
    assert [round(turn / SPACING) for turn in turns] == [0, 1, 2, 3, 4, 5]
    assert all(turn <= place * SPACING for place, turn in enumerate(turns))


async def test_a_turn_that_is_too_far_away_is_told_and_not_reserved(pacings, database):
    await pacings[0].turn(7)
    await change(database, "UPDATE gates SET next_write_at = now() + interval '1 hour'")
    for pacing in pacings:
        assert LONGEST_WAIT_SECONDS < await pacing.turn(7) <= 3_600.0
    await change(database, "UPDATE gates SET next_write_at = now()")

    assert await pacings[1].turn(7) == 0.0


async def test_a_closed_installation_is_closed_for_all_and_a_shorter_time_does_not_cut_a_longer(pacings):
    assert await pacings[0].closed(7) == 0.0
    await pacings[0].close(7, 500.0)
    await pacings[1].close(7, 5.0)

    assert 400.0 < await pacings[1].closed(7) <= 500.0
    assert LONGEST_WAIT_SECONDS < await pacings[1].turn(7) <= 500.0
    assert await pacings[1].closed(8) == 0.0


async def test_what_was_closed_opens_and_no_turn_was_lost(pacings, database):
    await pacings[0].close(7, 500.0)
    await pacings[0].turn(7)
    await change(database, "UPDATE gates SET closed_until = now() - interval '1 second'")

    assert await pacings[1].closed(7) == 0.0
    assert await pacings[1].turn(7) == 0.0


async def test_the_writes_of_an_hour_are_bounded_and_the_next_hour_has_its_own(pacings, database):
    await pacings[0].turn(7)
    await change(
        database, "UPDATE gates SET next_write_at = now(), hour_writes = %(writes)s", WRITES_AN_HOUR - 1
    )
    assert await pacings[0].turn(7) == 0.0
    await change(database, "UPDATE gates SET next_write_at = now()")
    assert 3_000.0 < await pacings[1].turn(7) <= 3_600.0

    await change(database, "UPDATE gates SET hour_began_at = now() - interval '61 minutes'")
    assert await pacings[1].turn(7) == 0.0
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT hour_writes FROM gates")
        assert await cursor.fetchone() == (1,)


async def test_without_a_pace_nothing_waits(database):
    pacing = PostgresPacing(database, write_seconds=0.0)
    await pacing.turn(7)
    await change(database, "UPDATE gates SET hour_writes = %(writes)s", WRITES_AN_HOUR * 2)

    assert [await pacing.turn(7) for _ in range(5)] == [0.0] * 5
