"""A review of the bundled change by a scripted Claude, each line with the second in which it came.

    python -m tests.benchmarks.transcript

Runs the command as a user does, into a pipe. Ends with 1 if the first finding came in the second half.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.shop import findings_in
from webhooks.sandbox import sample

PROJECT = Path(__file__).parents[2]
SLUICE = (sys.executable, "-c", "from webhooks.cli import main; main()")
SECONDS_A_TOKEN = 0.05
PATIENCE = 180.0
WIDTH = 110

FINDING = re.compile(r"^ (?:CRITICAL|HIGH|MEDIUM|LOW)  \S+:\d", re.IGNORECASE)
SHOWN = re.compile(r"^Sluice reviews|^\d+ files, |changed lines reviewed|^not reviewed|^attempt \d")


def answer(body: dict[str, Any]) -> Answer:
    """What Claude finds in the part of the change that it was shown, whatever model was asked."""
    shown = str(body["messages"][0]["content"])
    return Answer.findings(*findings_in(shown), delay=SECONDS_A_TOKEN)


async def lines_of(folder: Path, range_: str, url: str) -> AsyncIterator[str]:
    """What `sluice review` prints, line by line, as it comes through the pipe."""
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "PYTHONPATH": str(PROJECT),
        "ANTHROPIC_BASE_URL": url,
    }
    process = await asyncio.create_subprocess_exec(
        *SLUICE, "review", range_, cwd=folder, env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield line.decode().rstrip("\n")
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 1:
        raise SystemExit(f"sluice review ended with {code}, not with findings")


async def main() -> int:
    """Print the transcript and what it shows."""
    answers: list[Answer] = []

    def script(body: dict[str, Any]) -> Answer:
        answers.append(answer(body))
        return answers[-1]

    with tempfile.TemporaryDirectory() as name:
        made = await sample.build(Path(name) / "shop")
        async with asyncio.timeout(PATIENCE), ScriptedClaude(script) as claude:
            range_ = f"{made.base}...{made.head}"
            say(f"$ sluice review {range_}")
            began = time.monotonic()
            found: list[float] = []
            async for line in lines_of(made.folder, range_, claude.url):
                at = time.monotonic() - began
                if FINDING.match(line):
                    found.append(at)
                    severity, rest = line.split(maxsplit=1)
                    say(f"{at:6.2f} s    {severity:<8}  {rest}"[:WIDTH])
                elif SHOWN.search(line):
                    say(f"{at:6.2f} s  {line}"[:WIDTH])
            whole = time.monotonic() - began
    if not found:
        raise SystemExit("no finding was printed")
    ended = max(one.ended_at or 0.0 for one in answers) - began
    say(f"The first of {len(found)} findings stood after {found[0]:.2f} s. The model, scripted at ", end="")
    say(f"{SECONDS_A_TOKEN * 1000:.0f} ms a token,")
    say(f"ended its last message after {ended:.2f} s; the command ended after {whole:.2f} s.")
    return 0 if found[0] <= whole / 2 else 1


def say(text: str, end: str = "\n") -> None:
    """Print at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
