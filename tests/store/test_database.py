from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

import pytest

from reviewer.errors import BadSettings, StoreUnavailable
from reviewer.store.database import migrate, open_database, start_embedded
from webhooks.job_schema import apply_job_schema
from webhooks.wiring import MIGRATIONS


async def test_two_that_start_at_once_migrate_once(empty_database_url):
    async def start() -> None:
        async with open_database(empty_database_url, Path("unused")) as database:
            await migrate(database, MIGRATIONS)
            await apply_job_schema(database)

    await asyncio.gather(start(), start(), start())

    async with (
        open_database(empty_database_url, Path("unused")) as database,
        database.connection() as connection,
    ):
        cursor = await connection.execute("SELECT count(*) FROM sluice_migrations")
        files = sum(
            1 for s in MIGRATIONS for f in resources.files(s.package).iterdir() if f.name.endswith(".sql")
        )
        assert await cursor.fetchone() == (files,)


async def test_a_changed_migration_is_refused(database):
    async with database.connection() as connection:
        await connection.execute("UPDATE sluice_migrations SET checksum = 'other' WHERE set = 'reviewer'")

    with pytest.raises(BadSettings, match=r"reviewer/0001_feed_and_ledger\.sql has changed"):
        await migrate(database, MIGRATIONS)


async def test_a_database_of_a_newer_version_is_refused(database):
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO sluice_migrations (set, name, checksum) VALUES ('reviewer', '0999_new.sql', 'x')"
        )

    with pytest.raises(BadSettings, match="newer Sluice"):
        await migrate(database, MIGRATIONS)


async def test_a_database_out_of_reach_is_named_without_its_password():
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1/sluice can't be reached") as refused:
        async with open_database("postgresql://me:made-up-word@127.0.0.1:1/sluice", Path("unused")):
            pass

    assert "made-up-word" not in str(refused.value)
    assert refused.value.retryable


def test_a_folder_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(BadSettings, match="SLUICE_DATA_DIR"):
        start_embedded(tmp_path / ("x" * 100))
