from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

import pytest

from reviewer.errors import BadSettings, StoreUnavailable
from reviewer.store.database import MigrationSet, migrate, open_database, start_embedded
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


async def test_what_was_settled_before_there_were_budgets_is_kept_and_results_of_nobody_are_not(
    empty_database_url, tmp_path, monkeypatch
):
    package = tmp_path / "migrations_of_before"
    package.mkdir()
    for name in ("__init__.py", "0001_feed_and_ledger.sql", "0002_token_rates.sql"):
        text = resources.files("reviewer.store.migrations").joinpath(name).read_bytes()
        (package / name).write_bytes(text)
    monkeypatch.syspath_prepend(tmp_path)
    async with open_database(empty_database_url, Path("unused")) as database:
        await migrate(database, [MigrationSet("reviewer", package.name)])
        async with database.connection() as connection:
            await connection.execute(
                "INSERT INTO usage (review, repository, input, cached, cache_writes, output, cost) "
                "VALUES ('r1', 'octo/shop', 1, 2, 3, 4, 0.5), ('r2', 'octo/shop', 5, 6, 7, 8, NULL)"
            )
            await connection.execute(
                "INSERT INTO ledger (key, entry, review, repository) VALUES ('k', '{}', 'r1', 'octo/shop')"
            )

        await migrate(database, MIGRATIONS)

        async with database.connection() as connection:
            cursor = await connection.execute(
                "SELECT review, repository, input, cached, cache_writes, output, cost::float, model, "
                "installation FROM calls ORDER BY id"
            )
            assert await cursor.fetchall() == [
                ("r1", "octo/shop", 1, 2, 3, 4, 0.5, None, None),
                ("r2", "octo/shop", 5, 6, 7, 8, None, None, None),
            ]
            assert await (await connection.execute("SELECT count(*) FROM ledger")).fetchone() == (0,)


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
    with pytest.raises(
        StoreUnavailable, match=r"127\.0\.0\.1/sluice can't be reached: .*port 1 failed: Connection refused"
    ) as refused:
        async with open_database("postgresql://me:made-up-word@127.0.0.1:1/sluice", Path("unused")):
            pass

    assert "made-up-word" not in str(refused.value)
    assert refused.value.retryable


def test_a_folder_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(BadSettings, match="SLUICE_DATA_DIR"):
        start_embedded(tmp_path / ("x" * 100))


async def test_a_full_disk_is_told_as_what_it_is(database):
    async def meet() -> None:
        async with database.connection() as connection:
            await connection.execute(
                "DO $$BEGIN RAISE 'could not extend file: No space left on device'"
                " USING ERRCODE = 'disk_full', HINT = 'Check free disk space.'; END$$"
            )

    with pytest.raises(StoreUnavailable, match=r"now: could not extend file: No space left on device$"):
        await meet()
