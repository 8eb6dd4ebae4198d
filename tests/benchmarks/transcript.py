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
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.claude import Answer, ScriptedClaude
from webhooks.sandbox import sample

PROJECT = Path(__file__).parents[2]
SLUICE = (sys.executable, "-c", "from webhooks.cli import main; main()")
SECONDS_A_TOKEN = 0.05
PATIENCE = 180.0
WIDTH = 110

FINDING = re.compile(r"^ (?:CRITICAL|HIGH|MEDIUM|LOW)  \S+:\d", re.IGNORECASE)
SHOWN = re.compile(r"^Sluice reviews|^\d+ files, |changed lines reviewed|^not reviewed|^attempt \d")

# How a changed line begins, how bad it is, and what is wrong there; a prompt without the line tells nothing
FAULTS = (
    ("    return pickle.loads(cookie)", "critical", "security", "A cookie can run any code on the server"),
    (
        "        stock_ok = reserve(",
        "critical",
        "bug",
        "The coroutine is not awaited, so stock is always there",
    ),
    (
        '        f"SELECT id FROM orders',
        "critical",
        "security",
        "SQL is put together from the customer's name",
    ),
    ('    subprocess.run(f"pandoc', "critical", "security", "A customer's name reaches the shell"),
    ("    return hashlib.md5(", "high", "security", "Passwords are hashed with unsalted MD5"),
    (
        "    assert user.id == account.owner",
        "high",
        "security",
        "The check of the owner is gone under python -O",
    ),
    ("\t\treturn true", "high", "concurrency", "The mutex stays locked after the last piece"),
    ("    return orders[start : start + PAGE_SIZE - 1]", "medium", "bug", "Each page loses its last order"),
    ("  for (let i = 0; i <= items.length; i++) {", "high", "bug", "The loop reads one item past the end"),
    ("  element.innerHTML = ", "high", "security", "A name can bring a script into the page"),
    ("rm -rf $build_dir/*", "critical", "bug", "Without a second argument this empties the root folder"),
)


def answer(body: dict[str, Any]) -> Answer:
    """What Claude finds in the part of the change that it was shown, whatever model was asked."""
    shown = str(body["messages"][0]["content"])
    return Answer.findings(*_seen(shown), delay=SECONDS_A_TOKEN)


def _seen(shown: str) -> Iterator[dict[str, Any]]:
    for begin, severity, category, title in FAULTS:
        found = re.search(rf"^R(\d+) +\+({re.escape(begin)}.*)$", shown, re.MULTILINE)
        if found is None:
            continue
        yield {
            "path": re.findall(r'^<diff-\w+ path="([^"]+)"', shown[: found.start()], re.MULTILINE)[-1],
            "side": "RIGHT",
            "line": int(found[1]),
            "end_line": None,
            "quote": found[2],
            "severity": severity,
            "category": category,
            "title": title,
            "message": "Scripted.",
            "suggestion": None,
            "confidence": "high",
        }


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
