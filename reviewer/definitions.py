"""Reads which definitions a stranger's file holds, in a process of its own under a time limit.

The parsers hold the interpreter's lock, a few kilobytes made for the purpose keep some of them busy for
minutes, and a crash in one ends its process. So the process that parses knows no secret of this one, has
bounded memory, and is killed when it takes too long. Each review has its own; where reviews follow one
another, one is started before it is needed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from typing import Any, Self

from reviewer.core.scopes import Scope, Scopes
from reviewer.grace import outlast

START_SECONDS = 10.0
READ_SECONDS = 2.0
"""An ordinary file takes milliseconds, the largest that is read half a second."""

MOST_FAILURES = 3
"""Files on which the process may fail before no more of them are tried."""

PAUSE_SECONDS = 1.0
"""From the taking of a spare to the start of the next: the review that took it has the machine first."""

FAULT_SECONDS = 10.0
"""Before another start, where a spare could not be started or died while it waited."""

_WAKE_SECONDS = 0.5  # a spare that waited long answers later, but not much
_LONGEST_ANSWER = 8_000_000  # bytes


class Spare:
    """Keeps one process ready for the next review; an async context manager."""

    def __init__(self) -> None:
        self._ready: Process | None = None
        self._waiting: asyncio.Task[int] | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="keep a spare parser")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    async def take(self) -> Process | None:
        """The process that is ready, from now on the caller's to stop; None if there is none."""
        process = self._withdraw()
        if process is None or self._waiting is None:
            return None
        self._waiting.cancel()
        try:
            await _greet(process, _WAKE_SECONDS)
        except (OSError, TimeoutError, ValueError):
            return None
        return process

    async def _keep(self) -> None:
        """Have one process after the other ready, each until it is taken or has died."""
        while True:
            try:
                process = await _start()
            except (OSError, TimeoutError, ValueError):
                await asyncio.sleep(FAULT_SECONDS)
                continue
            self._ready, self._waiting = process, asyncio.create_task(process.wait())
            try:
                await asyncio.wait({self._waiting})
            finally:
                left = self._withdraw()
                if left is not None:
                    self._waiting.cancel()
                    await _stop(left)
            await asyncio.sleep(PAUSE_SECONDS if left is None else FAULT_SECONDS)

    def _withdraw(self) -> Process | None:
        process, self._ready = self._ready, None
        return process


class Definitions:
    """The definitions of files; an async context manager that has a process from its first question on.

    Args:
        spare: where a process may be ready; without one it is started.
        limit: seconds for one file.
    """

    def __init__(self, spare: Spare | None = None, *, limit: float = READ_SECONDS) -> None:
        self._spare = spare
        self._limit = limit
        self._process: Process | None = None
        self._failures = 0
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stop()

    async def read(self, text: str, path: str) -> Scopes | None:
        """The file's definitions; None where its language is unknown, or it can't be read in time."""
        async with self._turn:
            if self._failures >= MOST_FAILURES:
                return None
            try:
                process = self._process or await self._begin()
                async with asyncio.timeout(self._limit):
                    answer = await _ask(process, {"path": path, "text": text})
            except (OSError, TimeoutError, ValueError):
                self._failures += 1
                await self._stop()
                return None
            except BaseException:
                await self._stop()  # its answer would be taken for that to the next question
                raise
            return None if answer is None else _scopes(answer)

    async def _begin(self) -> Process:
        spare = None if self._spare is None else await self._spare.take()
        self._process = process = spare or await _start()
        return process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _stop(process)


async def _start() -> Process:
    """A process that is ready to be asked."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "reviewer.parser"),
        env={},
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_LONGEST_ANSWER,
    )
    await _greet(process, START_SECONDS)
    return process


async def _greet(process: Process, seconds: float) -> None:
    """Hear that the process answers; one that does not is stopped.

    Raises:
        OSError, TimeoutError, ValueError: it does not.
    """
    try:
        async with asyncio.timeout(seconds):
            await _ask(process, {"path": "", "text": ""})
    except BaseException:
        await _stop(process)
        raise


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    # Also when its review is cancelled once more: a process that nobody waited for is left in the loop
    await outlast(process.wait())


async def _ask(process: Process, question: dict[str, str]) -> Any:
    """The process's answer. Raises OSError or ValueError when it gives none."""
    if process.stdin is None or process.stdout is None:
        raise OSError("the process has no pipes")
    process.stdin.write(json.dumps(question).encode() + b"\n")
    await process.stdin.drain()
    return json.loads(await process.stdout.readline())


def _scopes(answer: dict[str, Any]) -> Scopes:
    return Scopes([Scope(*fields) for fields in answer["scopes"]], answer["outer"])
