"""Runs one tool to its end, under a time limit and without our environment."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

from reviewer.errors import EngineUnavailable

_FOUND = 1  # ruff and bandit both end with 1 when they found something


async def run(tool: str, command: Sequence[str | Path], folder: Path, *, limit: float) -> bytes:
    """What the command prints.

    Its environment holds none of our variables, so no key of ours meets code that was written by others.

    Args:
        tool: its name for people.
        command: program and arguments.
        folder: where it runs.
        limit: seconds after which it is killed.

    Raises:
        EngineUnavailable: it can't be started, takes too long or fails; the message says which.
    """
    environment = {"PATH": os.defpath, "HOME": str(folder.parent), "LC_ALL": "C.UTF-8"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
    except OSError as error:
        raise EngineUnavailable(f"{tool} can't be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(limit):
            output, complaint = await process.communicate()
    except TimeoutError:
        raise EngineUnavailable(f"{tool} did not finish within {limit:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in (0, _FOUND):
        lines = complaint.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise EngineUnavailable(f"{tool} failed with status {process.returncode}: {lines[-1][:200]}")
    return output
