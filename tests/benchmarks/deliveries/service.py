"""`sluice serve` in a process of its own, on a PostgreSQL that keeps what it has promised."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import aiohttp
import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from psycopg import conninfo, sql

from reviewer.store.database import start_embedded
from tests.benchmarks.deliveries import material

START_SECONDS = 60.0
_SETTLE_SECONDS = 60.0
_IDLE_ANSWERS, _IDLE_ANSWER_SECONDS = 10, 0.1
_SYNCS = 50
_PAGE = b"\0" * 8_192
_SERVE = "from webhooks.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Postgres:
    """The embedded server, with its defaults.

    Attributes:
        promise: the settings on which durability rests, and what one write to this disk takes.
    """

    url: str
    folder: Path
    promise: str

    def create_database(self) -> str:
        """The URL of a new one."""
        name = f"b{uuid4().hex[:12]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return conninfo.make_conninfo(self.url, dbname=name)


@asynccontextmanager
async def postgres() -> AsyncGenerator[Postgres]:
    """Start it in a temporary folder, which is on the disk unless the machine keeps those in memory."""
    # A socket's path must be short
    with tempfile.TemporaryDirectory(prefix="sl", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        embedded = await asyncio.to_thread(start_embedded, folder / "postgres")
        try:
            yield Postgres(embedded.url, folder, f"{_durability(embedded.url)}; {_sync(folder)}")
        finally:
            await asyncio.to_thread(embedded.stop)


def _durability(url: str) -> str:
    names = ("fsync", "synchronous_commit", "full_page_writes")
    with psycopg.connect(url) as connection:
        rows = [(name, connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name)))) for name in names]
        return ", ".join(f"{name} {row.fetchone()[0]}" for name, row in rows)  # pyright: ignore[reportOptionalSubscript]


def _sync(folder: Path) -> str:
    took: list[float] = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(_PAGE)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return f"8 KB and fdatasync take {median(took) * 1e3:.2f} ms on this disk"


@dataclass(frozen=True, slots=True)
class Server:
    """A web server of its own process group."""

    url: str
    process: asyncio.subprocess.Process

    def kill(self) -> None:
        """`kill -9`, all of it."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)


@asynccontextmanager
async def started(
    command: Sequence[str], environment: Mapping[str, str], *, port: int, ready: str, log: Path, folder: Path
) -> AsyncGenerator[Server]:
    """Start a server, wait until it answers at the path `ready`, and kill it in the end."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=file, stderr=file, cwd=folder, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        await _wait(server, ready, log)
        yield server
    finally:
        server.kill()
        await process.wait()


async def _wait(server: Server, ready: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end and server.process.returncode is None:
            try:
                async with session.get(server.url + ready) as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    last = (await asyncio.to_thread(log.read_text, errors="replace"))[-2_000:]
    raise AssertionError(f"the server does not start; its log ends with:\n{last}")


async def settle(url: str) -> None:
    """Wait until what a burst too many has left is done: a server that answers at once, several times."""
    end, quick = time.monotonic() + _SETTLE_SECONDS, 0
    async with aiohttp.ClientSession() as session:
        while quick < _IDLE_ANSWERS and time.monotonic() < end:
            began = time.monotonic()
            async with session.get(url) as answer:
                await answer.read()
            quick = quick + 1 if time.monotonic() - began < _IDLE_ANSWER_SECONDS else 0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def private_key() -> str:
    """A new key for the app; no GitHub knows it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(*pem, serialization.NoEncryption()).decode()


@asynccontextmanager
async def sluice(database: str, github: str, folder: Path, **settings: str) -> AsyncGenerator[Server]:
    """`sluice serve` with its defaults but for what is given."""
    port = free_port()
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "PYTHONPATH": str(Path.cwd()),
        "DATABASE_URL": database,
        "GITHUB_API_URL": github,
        "GITHUB_CLIENT_ID": "Iv23madeup",
        "GITHUB_PRIVATE_KEY": private_key(),
        "GITHUB_WEBHOOK_SECRET": material.SECRET,
        "SLUICE_DATA_DIR": str(folder / "sluice"),
        "SLUICE_PORT": str(port),
        **settings,
    }
    command = [sys.executable, "-c", _SERVE, "serve"]
    async with started(
        command, environment, port=port, ready="/readyz", log=folder / "sluice.log", folder=folder
    ) as server:
        yield server
