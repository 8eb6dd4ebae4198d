"""The reviewer's own commands: review a change before it is pushed, or see what a review would cost."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reviewer import git, pipeline, telling
from reviewer import settings as settings_module
from reviewer.core import diff as diffs
from reviewer.core.budget import Payer
from reviewer.core.diff import Diff
from reviewer.core.events import Subject
from reviewer.core.findings import Severity
from reviewer.core.plan import Plan
from reviewer.errors import BadInput, BadRange, SluiceError
from reviewer.formats import Format, Json, Sarif, Sse, Text, print_json
from reviewer.job import Job, Ports
from reviewer.local import LocalBudgets, LocalRates, NoFiles, NoLedger, SystemClock
from reviewer.ports import Sources
from reviewer.wiring import EngineChoice, Reviewer, caps, open_reviewer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

CLEAN, FOUND, COULD_NOT = 0, 1, 2
_BLOCK = 1_000_000


class FormatName(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    SSE = "sse"


class EngineName(StrEnum):
    """Who reviews; `auto` is Claude when a key is configured."""

    AUTO = "auto"
    CLAUDE = "claude"
    ANALYZERS = "analyzers"


_FORMATS = {FormatName.TEXT: Text, FormatName.JSON: Json, FormatName.SARIF: Sarif, FormatName.SSE: Sse}

Range = Annotated[
    str | None,
    typer.Argument(help="A...B, A..B, or A (to the working tree). Default: what is not committed yet."),
]
DiffFile = Annotated[
    str | None, typer.Option("--diff", help="Read a unified diff from this file, or - for standard input.")
]
Repo = Annotated[Path, typer.Option("--repo", help="The repository, or a folder in it.")]
Engine = Annotated[EngineName, typer.Option("--engine", help="Who reviews.")]


@app.command()
def review(  # noqa: PLR0917 - typer passes by name
    range_: Range = None,
    diff: DiffFile = None,
    format_: Annotated[FormatName, typer.Option("--format", help="How to tell it.")] = FormatName.TEXT,
    fail_on: Annotated[
        Severity, typer.Option("--fail-on", help="Exit 1 on findings this bad or worse.")
    ] = Severity.LOW,
    repo: Repo = Path(),
    engine: Engine = EngineName.AUTO,
) -> None:
    """Review a change. Exit 0: clean; 1: findings; 2: it could not be reviewed."""
    raise typer.Exit(_guarded(_review(range_, diff, _FORMATS[format_](), fail_on, repo, engine.value)))


@app.command("plan")
def plan_command(
    range_: Range = None,
    diff: DiffFile = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    repo: Repo = Path(),
    engine: Engine = EngineName.AUTO,
) -> None:
    """Show what a review of a change would read and cost; nothing is bought."""
    raise typer.Exit(_guarded(_plan(range_, diff, repo, engine.value, as_json=json_), as_json=json_))


def _guarded(work: Any, *, as_json: bool = False) -> int:
    """Run a command; an error of ours is a message and exit 2, never a traceback."""
    try:
        return asyncio.run(work)
    except SluiceError as error:
        if as_json:
            print_json({"error": {"kind": type(error).__name__, "message": str(error)}})
        else:
            Console(stderr=True, highlight=False, soft_wrap=True).print(f"sluice: {error}", markup=False)
        return COULD_NOT


async def _review(  # noqa: PLR0917 - one caller, in the order of the command's options
    range_: str | None, diff: str | None, out: Format, fail_on: Severity, repo: Path, choice: EngineChoice
) -> int:
    settings = settings_module.read()
    parsed, sources, head = await _read(range_, diff, repo, settings.sluice_max_diff_bytes)
    async with open_reviewer(settings, choice) as reviewer:
        ports = Ports(
            reviewer.engine, NoLedger(), out, LocalRates(), LocalBudgets(caps(settings)), SystemClock()
        )
        subject = Subject(review=uuid4().hex, repository=_name_of(repo), head_sha=head)
        outcome = await pipeline.review(_job(reviewer, subject, parsed, sources), ports)
    out.close(outcome)
    if outcome.unreviewed:
        return COULD_NOT
    return FOUND if any(finding.severity.at_least(fail_on) for finding in outcome.findings) else CLEAN


def _job(reviewer: Reviewer, subject: Subject, diff: Diff, sources: Sources) -> Job:
    return Job(
        subject=subject,
        diff=diff,
        sources=sources,
        limits=reviewer.limits,
        models=reviewer.models(subject.review),
        payer=Payer(subject.review),
        policy=reviewer.policy,
        notice=reviewer.notice,
        concurrency=reviewer.concurrency,
    )


def _name_of(repo: Path) -> str:
    return repo.resolve().name


async def _read(
    range_: str | None, diff: str | None, repo: Path, max_bytes: int
) -> tuple[Diff, Sources, str | None]:
    """The change to review, where its head's files are, and its head commit if it has one."""
    if diff is not None and range_ is not None:
        raise BadInput("give a range or --diff, not both")
    if diff is None:
        raw, head = await git.diff(repo, range_, max_bytes=max_bytes)
        top = await git.root(repo)
        if not raw.strip() and range_ is None:
            raise BadInput(
                "nothing is uncommitted here; name a range, for example `sluice review main...HEAD`"
            )
        files = git.CommitFiles(top, head) if head else git.WorkingTree(top)
        return diffs.parse(raw, max_bytes=max_bytes), files, head
    raw = await asyncio.to_thread(_read_diff, diff, max_bytes)
    parsed = diffs.parse(raw, max_bytes=max_bytes)
    try:
        return parsed, git.WorkingTree(await git.root(repo)), None
    except BadRange:
        return parsed, NoFiles(), None


def _read_diff(name: str, max_bytes: int) -> bytes:
    """The file's content; one that is too large is measured, but never held in memory.

    Raises:
        BadInput: it can't be read.
        DiffTooLarge: over `max_bytes`.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            raw = file.read(max_bytes + 1)
            if len(raw) > max_bytes:
                rest = sum(len(block) for block in iter(lambda: file.read(_BLOCK), b""))
                raise diffs.too_large(len(raw) + rest, max_bytes)
            return raw
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}") from error


async def _plan(
    range_: str | None, diff: str | None, repo: Path, choice: EngineChoice, *, as_json: bool
) -> int:
    settings = settings_module.read()
    parsed, sources, head = await _read(range_, diff, repo, settings.sluice_max_diff_bytes)
    async with open_reviewer(settings, choice) as reviewer:
        subject = Subject(review=uuid4().hex, repository=_name_of(repo), head_sha=head)
        planned = await pipeline.prepare(_job(reviewer, subject, parsed, sources), reviewer.engine)
        if as_json:
            print_json(plan_json(planned, reviewer))
        else:
            _print_plan(planned, reviewer)
    return CLEAN


def plan_json(planned: Plan, reviewer: Reviewer) -> dict[str, Any]:
    """The plan as `sluice plan --json` prints it; line counts of binary files are null."""
    coverage = planned.promised()
    routes = {chunk.id: batch.route for batch in planned.batches for chunk in batch.chunks}
    return {
        "engine": reviewer.engine.name,
        "notice": reviewer.notice,
        "files": [
            {
                "path": file.path,
                "old_path": file.old_path,
                "status": file.status,
                "added": None if file.binary else file.added,
                "removed": None if file.binary else file.removed,
                "skipped": item.skipped,
                "chunks": [chunk.id for chunk in item.chunks],
            }
            for item in planned.files
            for file in [item.file]
        ],
        "chunks": [
            {
                "id": chunk.id,
                "path": chunk.path,
                "hunks": [hunk.header for hunk in chunk.hunks],
                "changed_lines": chunk.changed_lines,
                "tokens": chunk.tokens,
                "part": chunk.part,
                "parts": chunk.parts,
                "trimmed_lines": chunk.trimmed,
                "model": routes[chunk.id].model,
                "route": routes[chunk.id].reason,
            }
            for chunk in planned.chunks
        ],
        "coverage": {
            "changed_lines": coverage.changed_lines,
            "planned": coverage.reviewed,
            "not_planned": coverage.not_reviewed,
            "trimmed_lines": coverage.trimmed,
        },
        "batches": [[chunk.id for chunk in batch.chunks] for batch in planned.batches],
        "totals": {"tokens": planned.tokens, "cost": telling.price(planned, reviewer.engine)},
    }


def _print_plan(planned: Plan, reviewer: Reviewer) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in ("file", "status", "changed lines", "chunks", "tokens", "skipped"):
        table.add_column(name, justify="right" if name in {"changed lines", "chunks", "tokens"} else "left")
    for item in planned.files:
        tokens = sum(chunk.tokens for chunk in item.chunks)
        path = escape(diffs.readable(item.file.path))
        row = (path, item.file.status, f"{item.file.changed_lines:,}", str(len(item.chunks)), f"{tokens:,}")
        table.add_row(*row, item.skipped or "")
    console.print(table)
    price = telling.price(planned, reviewer.engine)
    cost = "nothing is bought" if price is None else f"about ${price:.4f} for input"
    coverage = planned.promised()
    left = "".join(f", {lines:,} not ({reason})" for reason, lines in coverage.not_reviewed.items())
    cut = f", {coverage.trimmed:,} of them too long to be shown whole" if coverage.trimmed else ""
    console.print(f"{coverage.reviewed:,} of {coverage.changed_lines:,} changed lines{cut}{left}")
    calls = len(planned.batches)
    console.print(f"{calls} calls, at most {planned.tokens:,} tokens with the prompts, {cost}")
    if reviewer.notice:
        console.print(reviewer.notice, style="yellow")
