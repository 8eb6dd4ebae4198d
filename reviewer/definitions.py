"""Reads which definitions a stranger's file holds, in a process of its own under a time limit.

The parsers hold the interpreter's lock, a few kilobytes made for the purpose keep some of them busy for
minutes, and a crash in one ends its process. So the process that parses knows no secret of this one, has
bounded memory, and is killed when it takes too long.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import astuple
from typing import Any, Self

from reviewer.core.scopes import Scope, Scopes

START_SECONDS = 10.0
READ_SECONDS = 2.0
"""An ordinary file takes milliseconds, the largest that is read half a second."""

MOST_FAILURES = 3
"""Files on which the process may fail before no more of them are tried."""

_MEMORY = 2_000_000_000  # bytes of address space
_LONGEST_ANSWER = 8_000_000  # bytes


class Definitions:
    """The definitions of files; an async context manager that starts its process when first asked."""

    def __init__(self, *, limit: float = READ_SECONDS) -> None:
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
                process = self._process or await self._start()
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

    async def _start(self) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "reviewer.definitions"),
            env={},
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LONGEST_ANSWER,
        )
        async with asyncio.timeout(START_SECONDS):
            await _ask(process, {"path": "", "text": ""})
        return process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _ask(process: Process, question: dict[str, str]) -> Any:
    """The process's answer. Raises OSError or ValueError when it gives none."""
    if process.stdin is None or process.stdout is None:
        raise OSError("the process has no pipes")
    process.stdin.write(json.dumps(question).encode() + b"\n")
    await process.stdin.drain()
    return json.loads(await process.stdout.readline())


def _scopes(answer: dict[str, Any]) -> Scopes:
    return Scopes([Scope(*fields) for fields in answer["scopes"]], answer["outer"])


def main() -> None:
    """Answer questions, one a line, until there are no more."""
    _limit_memory()
    for line in sys.stdin:
        question = json.loads(line)
        found = Scopes.read(question["text"], question["path"])
        answer = (
            None if found is None else {"scopes": [astuple(s) for s in found.scopes], "outer": found.outer}
        )
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not every system has limits
        import resource  # noqa: PLC0415 - as above

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
