"""What the database knows of a storm, and what is put into it before so that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection

from tests.chaos.model import chunk_named
from tests.chaos.plan import PLANT
from tests.chaos.record import Balance, Held, Peak, Stored, Taken, Told

# A watcher that only looks now and then misses peaks, and a row that is stored again hides when it was first
_WATCHERS = """
CREATE SCHEMA storm;
CREATE TABLE storm.stored (at timestamptz NOT NULL DEFAULT clock_timestamp(), entry jsonb NOT NULL);
CREATE TABLE storm.peaks (
    scope text, owner text, day date, tokens bigint NOT NULL, micros bigint NOT NULL,
    PRIMARY KEY (scope, owner, day)
);
CREATE FUNCTION storm.note_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO storm.stored (entry) VALUES (NEW.entry);
    RETURN NULL;
END $$;
CREATE FUNCTION storm.note_peak() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO storm.peaks AS peak
    VALUES (
        NEW.scope, NEW.owner, NEW.day,
        NEW.spent_tokens + NEW.reserved_tokens, NEW.spent_micros + NEW.reserved_micros
    )
    ON CONFLICT (scope, owner, day) DO UPDATE SET
        tokens = greatest(peak.tokens, excluded.tokens),
        micros = greatest(peak.micros, excluded.micros);
    RETURN NULL;
END $$;
CREATE TRIGGER storm_stored AFTER INSERT OR UPDATE OF entry ON ledger
    FOR EACH ROW EXECUTE FUNCTION storm.note_stored();
CREATE TRIGGER storm_peak AFTER INSERT OR UPDATE ON accounts
    FOR EACH ROW EXECUTE FUNCTION storm.note_peak();
"""


@dataclass(frozen=True, slots=True)
class Books:
    """The database's part of a record.

    Attributes:
        plants: which plant a fingerprint is of.
        figures: sums over all calls to the model.
    """

    feed: list[Told]
    taken: list[Taken]
    stored: list[Stored]
    peaks: list[Peak]
    held: list[Held]
    balances: list[Balance]
    plants: Mapping[str, str]
    figures: Mapping[str, object]


async def watch(url: str) -> None:
    """Have a migrated database note what would be gone at the end."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_WATCHERS)


async def read(url: str, caps: Mapping[str, tuple[int | None, int | None]]) -> Books:
    """All of it; `caps` are the most tokens and millionths of a dollar by scope."""
    async with await AsyncConnection.connect(url) as connection:
        return Books(
            feed=await _feed(connection),
            taken=await _taken(connection),
            stored=await _stored(connection),
            peaks=[
                Peak(f"the {scope} account of {owner}", tokens, micros, *caps.get(scope, (None, None)))
                for scope, owner, tokens, micros in await _rows(
                    connection, "SELECT scope, owner, tokens, micros FROM storm.peaks"
                )
            ],
            held=[
                Held(*row)
                for row in await _rows(
                    connection,
                    "SELECT review, extract(epoch FROM made_at)::float8, tokens FROM reservations",
                )
            ],
            balances=await _balances(connection),
            plants=await _plants(connection),
            figures=await _figures(connection),
        )


async def _rows(connection: AsyncConnection, statement: str) -> list[Any]:
    cursor = await connection.execute(statement.encode())
    return await cursor.fetchall()


async def _feed(connection: AsyncConnection) -> list[Told]:
    told = """
        SELECT
            position, type, extract(epoch FROM at)::float8, review, repository, pull_request, head_sha
        FROM events
        WHERE type <> 'chunk.progress'
        ORDER BY position
    """
    return [Told(*row) for row in await _rows(connection, told)]


async def _taken(connection: AsyncConnection) -> list[Taken]:
    told = """
        SELECT
            convert_from(body, 'UTF8')::jsonb #>> '{pull_request,head,sha}',
            extract(epoch FROM received_at)::float8
        FROM deliveries
        WHERE event = 'pull_request'
    """
    try:
        async with connection.transaction():
            return [Taken(*row) for row in await _rows(connection, told)]
    except (psycopg.errors.UndefinedColumn, psycopg.errors.InvalidTextRepresentation):
        return []  # bodies are not kept: the feed tells when a head was known


async def _stored(connection: AsyncConnection) -> list[Stored]:
    told = "SELECT extract(epoch FROM at)::float8, entry FROM storm.stored ORDER BY at"
    found: list[Stored] = []
    for at, entry in await _rows(connection, told):
        named = {chunk_named(each["finding"]["message"]) for each in entry["findings"]}
        found += [Stored(chunk, at) for chunk in named if chunk is not None]
    return found


async def _balances(connection: AsyncConnection) -> list[Balance]:
    told = """
        SELECT
            'the ' || scope || ' account of ' || owner, reserved_tokens,
            coalesce((
                SELECT sum(r.tokens)::bigint FROM reservations AS r
                WHERE CASE a.scope
                    WHEN 'review' THEN r.review = a.owner
                    WHEN 'installation' THEN r.installation::text = a.owner AND r.day = a.day
                    ELSE r.api_key = a.owner AND r.day = a.day
                END
            ), 0)
        FROM accounts AS a
    """
    return [Balance(*row) for row in await _rows(connection, told)]


async def _plants(connection: AsyncConnection) -> dict[str, str]:
    told = """
        SELECT DISTINCT data -> 'finding' ->> 'fingerprint', data -> 'finding' ->> 'title'
        FROM events
        WHERE type = 'finding'
    """
    rows = await _rows(connection, told)
    return {fingerprint: found[1] for fingerprint, title in rows if (found := PLANT.search(title))}


async def _figures(connection: AsyncConnection) -> dict[str, object]:
    told = """
        SELECT
            count(*), coalesce(sum(input + cached + cache_writes + output), 0)::bigint,
            coalesce(round(sum(cost), 4), 0)::float8
        FROM calls
    """
    [(calls, tokens, cost)] = await _rows(connection, told)
    return {"calls in the books": calls, "tokens": tokens, "cost (USD)": cost}
