"""A PostgreSQL for the whole run, and a database of its own for each test that asks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from psycopg import conninfo, sql

from reviewer.store.database import Database, migrate, open_database, start_embedded
from webhooks.job_schema import apply_job_schema
from webhooks.wiring import MIGRATIONS

TEMPLATE = "sluice_template"

# A machine under load is no failing example, and a run can be repeated
hypothesis.settings.register_profile("sluice", deadline=None, derandomize=True)
hypothesis.settings.load_profile("sluice")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-browser", action="store_true", help="fail where no browser is installed")
    parser.addoption(
        "--pictures", help="folder for pictures of the dashboard, which the browser's tests make"
    )


def _in_server(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _of(url: str, name: str) -> str:
    return conninfo.make_conninfo(url, dbname=name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an embedded server with a migrated template database."""
    # A socket's path must be short, which pytest's own folders are not
    folder = Path(tempfile.mkdtemp(prefix="sl"))
    server = start_embedded(folder / "postgres")
    url = server.url
    _in_server(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))

    async def prepare() -> None:
        async with open_database(_of(url, TEMPLATE), folder) as database:
            await migrate(database, MIGRATIONS)
            await apply_job_schema(database)

    asyncio.run(prepare())
    yield url
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """A database without tables."""
    yield from _made(postgres, "template0")


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A migrated database."""
    yield from _made(postgres, TEMPLATE)


def _made(postgres: str, template: str) -> Iterator[str]:
    name = sql.Identifier(f"t{uuid4().hex[:12]}")
    _in_server(postgres, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))
    yield _of(postgres, name.as_string(None).strip('"'))
    _in_server(postgres, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, migrated database."""
    async with open_database(database_url, Path("unused")) as opened:
        yield opened
