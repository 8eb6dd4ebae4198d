"""`sluice demo` as a newcomer starts it, with Claude's address in its environment."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reviewer.grace import beside

_SLUICE = (sys.executable, "-c", "from webhooks.cli import main; main()")
_LINK = re.compile(r"Dashboard: (\S+)")
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Demo:
    """A running demo; `link` opens its dashboard, logged in."""

    link: str

    @property
    def host(self) -> str:
        """Where it listens."""
        return urlsplit(self.link).hostname or ""

    @property
    def port(self) -> int:
        """The port of it."""
        return urlsplit(self.link).port or 80


@asynccontextmanager
async def demo(folder: Path, claude_url: str, *arguments: str) -> AsyncGenerator[Demo]:
    """Run the demo while the block runs.

    Args:
        folder: the home of whoever runs it, and where it is run.
        claude_url: who answers as Claude.
        arguments: of the command.
    """
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ANTHROPIC_BASE_URL": claude_url,
        "LLM_SMALL_MODEL": "none",
        "SLUICE_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *_SLUICE, "demo", *arguments, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT
    )
    said: list[str] = []
    try:
        async with asyncio.timeout(_START_SECONDS):
            link = await _link(process, said)
        async with beside(_drain(process), "read what the demo says"):
            yield Demo(link)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.communicate()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _link(process: asyncio.subprocess.Process, said: list[str]) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        said.append(line.decode())
        found = _LINK.search(said[-1])
        if found:
            return found[1]
    raise AssertionError("the demo ended:\n" + "".join(said))


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Keep its pipe from filling up."""
    assert process.stdout is not None
    while await process.stdout.readline():
        pass
