"""The same diffs through PR-Agent and through Sluice: what the model is shown of each.

    python -m tests.benchmarks.peers PYTHON

where PYTHON is that of an environment with PR-Agent in it. Prints a table and writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from reviewer.cli import plan_json
from reviewer.core import diff as diffs
from reviewer.core import prompt
from reviewer.core.plan import plan
from reviewer.settings import Settings
from reviewer.wiring import Reviewer, open_reviewer
from tests.benchmarks.peers import counting, samples
from tests.benchmarks.peers.counting import Seen
from tests.benchmarks.peers.run_pr_agent import COLUMNS, MODEL
from tests.benchmarks.peers.samples import Sample
from tests.corpus import DATA

SCRIPT = Path(__file__).with_name("run_pr_agent.py")

TIME_LIMIT = 180
"""Seconds that PR-Agent gets for all diffs of one column; each took 60 at most when this was written."""

WIDTH = 175
"""Columns that the table needs; a narrower terminal wraps it."""

SLUICE = "Sluice"
HEADINGS = {
    SLUICE: "Sluice",
    "review": "PR-Agent\n/review",
    "review-200k": "/review\n200,000",
    "review-3-calls": "/review\n3 chunks",
    "review-12-calls": "/review\n12 chunks",
    "improve": "/improve",
}

MATTER = """\
What a model is shown of {count} diffs. Each cell: files / changed lines, and in how many calls if not in one.

Counted from the text of the user prompts: a file has a section of its own; a line stands there as an added
or a removed line, in full. "git" is git's own count of the diff, with nothing taken off. "by rule" is what a
tool leaves out whatever its size: lock files, generated and binary files and the like with Sluice; ignored
extensions and names, binary and deleted files with PR-Agent, which tells deleted ones by name. In the sums,
"cut" is shown, but not in full; "lost" is the rest, neither shown nor left out by rule; "whole" counts the
diffs without cut or lost lines; "largest" is the largest prompt.

Sluice at {sluice}: the prompts of its real plan at LLM_CONTEXT_WINDOW {window:,}, its default. It makes as
many calls as a diff needs; PR-Agent as many as its settings say, and it names the files it has no room for.

PR-Agent {pr_agent}: its own tools on plain diffs, with a stub in place of the model ({model}) that
answers with an empty list. Its defaults (max_model_tokens 32,000) except for
  200,000         max_model_tokens = 200000
  3, 12 chunks    enable_large_pr_chunking = true with max_number_of_calls = 3, its default, and 12
which are its own remedies for large changes. A plain diff has no full files, so the context that PR-Agent
adds around hunks where there is room is absent; it would take room, not give any. Hunks that only remove are
never shown by /improve, nor by /review once it has to compress: its prompt asks for "new code added".

No model is asked: the table says what could be found, not what would be.
Python {python} (PR-Agent: {peer_python}), {cores} cores, {system}.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one diff in one column.

    Attributes:
        by_rule: files left out whatever their size, and their changed lines.
        prompts: sizes in characters.
        trouble: what went wrong; without prompts the tool failed, and everything is lost.
    """

    seen: Seen
    by_rule: tuple[int, int]
    prompts: tuple[int, ...]
    trouble: str | None = None


def main(python: Path) -> int:
    console = Console(width=WIDTH, highlight=False)
    chosen = samples.choose()
    everything = [samples.CALIBRATION, *chosen]
    results = {SLUICE: asyncio.run(_sluice(everything)), **_pr_agent(python, everything)}
    for column, found in results.items():
        first = found.pop(0)
        if (first.seen.files, first.seen.lines) != (2, samples.CALIBRATION.lines):
            console.print(f"{column}: of a diff that fits any prompt, {first.seen} was counted", markup=False)
            console.print(first.trouble or "its prompts have changed: mend the counting", markup=False)
            return 1
    console.print(_matter(python, len(chosen)), markup=False)
    console.print(_table(chosen, results))
    console.print()
    console.print(_sums(chosen, results))
    for column, found in results.items():
        for sample, result in zip(chosen, found, strict=True):
            if result.trouble:
                said = "complained" if result.prompts else "failed"
                console.print(f"{column}, {sample.name}: {said}: {result.trouble}", markup=False)
    return 0


async def _sluice(everything: list[Sample]) -> list[Result]:
    # Built without reading the environment: the defaults are what is compared
    settings = Settings.model_construct(anthropic_api_key=SecretStr("made-up"))
    async with open_reviewer(settings, "claude") as reviewer:
        return [_sluice_one(sample, reviewer) for sample in everything]


def _sluice_one(sample: Sample, reviewer: Reviewer) -> Result:
    planned = plan(diffs.parse(sample.raw), reviewer.policy, reviewer.limits, reviewer.models("peers"))
    built = [prompt.build(batch) for batch in planned.batches]
    reviewable = [file["path"] for file in plan_json(planned, reviewer)["files"] if file["skipped"] is None]
    return Result(
        seen=counting.seen(*counting.of_sluice(one.user for one in built), sample.raw),
        by_rule=_left_out(sample, reviewable),
        prompts=tuple(len(one.system) + len(one.user) for one in built),
    )


def _left_out(sample: Sample, reviewable: Iterable[str]) -> tuple[int, int]:
    kept = set(reviewable)
    lines = [count for path, count in sample.files.items() if path not in kept]
    return len(lines), sum(lines)


def _pr_agent(python: Path, everything: list[Sample]) -> dict[str, list[Result]]:
    # A folder of its own: PR-Agent reads settings and files of the repository it is started in
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(name)
        paths = samples.write(everything, folder)
        told = pool.map(lambda column: _run(python, column, paths, folder), COLUMNS)
        return {
            column: [
                _pr_agent_one(sample, answers.get(str(path)), trouble)
                for sample, path in zip(everything, paths, strict=True)
            ]
            for column, (answers, trouble) in zip(COLUMNS, told, strict=True)
        }


def _run(python: Path, column: str, paths: list[Path], folder: Path) -> tuple[dict[str, Any], str]:
    """PR-Agent's answers by diff, and what went wrong for those that are missing."""
    tokenizers = python.parents[1].glob("lib/*/site-packages/litellm/litellm_core_utils/tokenizers")
    environment = {
        "HOME": str(folder),
        "PATH": os.defpath,
        # What it would otherwise fetch: prices, and tables that one of its dependencies ships
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "TIKTOKEN_CACHE_DIR": str(next(tokenizers, "")),
    }
    command = [str(python), "-I", str(SCRIPT), column, *map(str, paths)]
    with (folder / f"{column}.out").open("w+b") as out, (folder / f"{column}.err").open("w+b") as err:
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, stdout=out, stderr=err, timeout=TIME_LIMIT, check=False
            )
            trouble = f"PR-Agent ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            trouble = f"no answer within {TIME_LIMIT} s for the whole column"
        out.seek(0)
        err.seek(0)
        answers = [json.loads(line) for line in out if line.endswith(b"\n")]
        last = err.read().decode(errors="replace").strip().rpartition("\n")[2]
    return {answer["diff"]: answer for answer in answers}, f"{trouble}: {last[:200]}"


def _pr_agent_one(sample: Sample, answer: dict[str, Any] | None, trouble: str) -> Result:
    if answer is None:
        return Result(Seen(0, 0, 0, 0), (0, 0), (), trouble)
    prompts = answer["prompts"]
    errors = answer["errors"]
    return Result(
        seen=counting.seen(*counting.of_pr_agent(one["user"] for one in prompts), sample.raw),
        by_rule=_left_out(sample, answer["reviewable"]),
        prompts=tuple(len(one["system"]) + len(one["user"]) for one in prompts),
        trouble=errors[-1][:200] if errors else None,
    )


def _matter(python: Path, count: int) -> str:
    asked = "import importlib.metadata as m, platform as p; print(m.version('pr-agent'), p.python_version())"
    told = subprocess.run([str(python), "-I", "-c", asked], capture_output=True, check=True, text=True)
    pr_agent, peer_python = told.stdout.split()
    return MATTER.format(
        count=count,
        sluice=_sluice_version(),
        window=Settings.model_fields["llm_context_window"].default,
        pr_agent=pr_agent,
        model=MODEL,
        python=platform.python_version(),
        peer_python=peer_python,
        cores=os.cpu_count(),
        system=f"{platform.system()} {platform.machine()}",
    )


def _sluice_version() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    return done.stdout.strip() or "of this checkout"


def _table(chosen: list[Sample], results: dict[str, list[Result]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("diff", no_wrap=True)
    table.add_column("git", justify="right", no_wrap=True)
    for column in results:
        table.add_column(HEADINGS[column], justify="right", no_wrap=True)
        if column in {SLUICE, "review"}:
            table.add_column("by rule", justify="right", no_wrap=True)
    for number, sample in enumerate(chosen):
        row = [sample.name, f"{len(sample.files)} / {sample.lines:,}"]
        for column, found in results.items():
            row.append(_cell(found[number]))
            if column in {SLUICE, "review"}:
                files, lines = found[number].by_rule
                row.append(f"{files} / {lines:,}" if files else "")
        table.add_row(*row)
    return table


def _cell(result: Result) -> str:
    if result.trouble and not result.prompts:
        return "failed"
    calls = len(result.prompts)
    return f"{result.seen.files} / {result.seen.lines:,}" + (f" in {calls}" if calls != 1 else "")


def _sums(chosen: list[Sample], results: dict[str, list[Result]]) -> Table:
    files = sum(len(sample.files) for sample in chosen)
    total = sum(sample.lines for sample in chosen)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("in sum", no_wrap=True)
    for name in SUMS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("git", f"{files:,}", f"{total:,}")
    for column, found in results.items():
        table.add_row(HEADINGS[column].replace("\n", " "), *_sum_cells(chosen, found))
    return table


SUMS = (
    "files",
    "lines",
    "",
    "added",
    "removed",
    "cut",
    "by rule",
    "lost",
    "whole",
    "calls",
    "characters",
    "largest",
)


def _sum_cells(chosen: list[Sample], found: list[Result]) -> Iterator[str]:
    total = sum(sample.lines for sample in chosen)
    seen = [result.seen for result in found]
    sizes = [size for result in found for size in result.prompts]
    lines = sum(one.lines for one in seen)
    lost = [_lost(sample, result) for sample, result in zip(chosen, found, strict=True)]
    yield f"{sum(one.files for one in seen):,}"
    yield f"{lines:,}"
    yield f"{lines / total:.1%}"
    numbers = (
        sum(one.added for one in seen),
        sum(one.removed for one in seen),
        sum(one.cut for one in seen),
        sum(result.by_rule[1] for result in found),
        sum(lost),
        sum(not gone and not one.cut for gone, one in zip(lost, seen, strict=True)),
        len(sizes),
        sum(sizes),
        max(sizes, default=0),
    )
    yield from (f"{number:,}" for number in numbers)


def _lost(sample: Sample, result: Result) -> int:
    return sample.lines - result.seen.lines - result.seen.cut - result.by_rule[1]


if __name__ == "__main__":
    if not DATA.is_dir():
        Console(soft_wrap=True).print(f"skipped: no folder with real diffs beside this checkout ({DATA})")
        sys.exit()
    sys.exit(main(Path(sys.argv[1]).absolute()))
