"""Real `sluice serve` processes, which can be killed, stopped and started again on the same port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
"""Until a worker must answer; a machine under load takes a while to import all of it."""

STOP_SECONDS = 20.0
"""Until a worker that was asked to stop must have ended."""

_MAIN = "from webhooks.cli import main; main()"


@dataclass
class Life:
    """One process of a worker, times of day; `killed`: by kill -9, `fell`: of itself, while it should run."""

    worker: str
    began: float
    ended: float | None = None
    killed: bool = False
    fell: bool = False


@dataclass
class Pause:
    """A worker that stood still between SIGSTOP and SIGCONT."""

    worker: str
    began: float
    ended: float | None = None


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@dataclass
class Worker:
    """One worker and all the lives it has had."""

    name: str
    folder: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    lives: list[Life] = field(default_factory=list[Life])
    pauses: list[Pause] = field(default_factory=list[Pause])
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it wrote to its standard streams, over all lives."""
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """Whether there is a process, be it a stopped one."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process; `answers` waits until it can be talked to."""
        environment = {
            **self.settings,
            "SLUICE_HOST": "127.0.0.1",
            "SLUICE_PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
        }
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _MAIN, "serve"),
                cwd=self.folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.lives.append(Life(self.name, time.time()))

    async def keep(self) -> None:
        """Start it again if it ended of itself, as whoever runs it would."""
        if self.lives and not self.alive:
            if self.lives[-1].ended is None:
                self.lives[-1].ended, self.lives[-1].fell = time.time(), True
            await self.start()

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL, killed=True)

    async def stop(self) -> None:
        """Ask it to end, and see to it that it does."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._end(signal.SIGTERM, killed=False)
        except TimeoutError:
            await self._end(signal.SIGKILL, killed=True)

    async def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        if self._process is None or not self.alive:
            return
        pause = Pause(self.name, time.time())
        self.pauses.append(pause)
        self._process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            pause.ended = time.time()
            if self.alive:
                self._process.send_signal(signal.SIGCONT)

    async def _end(self, with_: signal.Signals, *, killed: bool) -> None:
        if self._process is None or not self.alive:
            return
        self._process.send_signal(with_)
        await self._process.wait()
        self.lives[-1].ended, self.lives[-1].killed = time.time(), killed

    async def answers(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it has ended instead.
        """
        assert self._process is not None
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
            while self._process.returncode is None:
                try:
                    async with session.get(f"{self.url}/livez") as answer:
                        if answer.ok:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise RuntimeError(f"{self.name} ended at its start:\n{self.log.read_text()[-2_000:]}")
