"""An engine without a model: ruff, bandit and detect-secrets on what a change added.

ruff and bandit need whole files, so they see those that can be read and are the ones the diff is of.
detect-secrets sees every added line. Only what stands on a line that the chunk added is told.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from reviewer.analyzers import bandit, ruff, secrets
from reviewer.analyzers.report import CANNOT_BE_NAMED, can_be_named, reported, shown
from reviewer.analyzers.sighting import Sighting
from reviewer.analyzers.workspace import Sheet, is_python, lay_out, may_be_python
from reviewer.core.batches import Batch
from reviewer.core.chunks import Chunk
from reviewer.core.diff import FileChange
from reviewer.core.headers import FileStatus
from reviewer.core.hunks import Line, LineKind
from reviewer.errors import EngineUnavailable
from reviewer.ports import BatchDone, Health, Reported, Sources, Task, Tell

TOOLS = ("ruff", "bandit", "detect-secrets")
RULES_EDITION = 1
"""Raise it when the choice of rules or their words change: old ledger entries then no longer hold."""

TIME_LIMIT = 60.0
"""Seconds for one tool and one batch; both take well under one for a batch of the usual size."""

MAX_FILE_BYTES = 2_000_000
"""A larger Python file is generated, and a tool could spend its whole time on it."""

UNREADABLE = "the head's file could not be read"
DISAGREES = "the head's file is not the one this diff is of"
TOO_LARGE = "over 2 MB"
UNPARSED = "not valid Python for the version Sluice runs on"


@dataclass(slots=True)
class _Notes:
    """What the reader must know, gathered into one sentence a reason."""

    skipped: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list[str])
    not_python: list[str] = field(default_factory=list[str])

    def skip(self, tools: str, reason: str, *paths: str) -> None:
        self.skipped[tools, reason].extend(paths)

    def told(self) -> tuple[str, ...]:
        told = [*self.failures]
        told += (f"{tools} skipped for {shown(paths)}: {why}" for (tools, why), paths in self.skipped.items())
        if self.not_python:
            told.append(f"only detect-secrets looked at {shown(self.not_python)}: not Python")
        return tuple(told)


class AnalyzersEngine:
    """ruff, bandit and detect-secrets as an engine; nothing is bought, and no code under review is run."""

    def __init__(
        self,
        *,
        ruff_program: Path | None = None,
        bandit_command: Sequence[str | Path] | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._ruff = ruff_program or ruff.locate()
        self._bandit = tuple(bandit_command or bandit.locate())
        self._limit = time_limit

    @property
    def name(self) -> str:
        """`analyzers`."""
        return "analyzers"

    @property
    def model(self) -> str:
        """The analyzers' names."""
        return "+".join(TOOLS)

    @property
    def version(self) -> str:
        """The installed version of each, and the edition of our choice of rules."""
        return "+".join((*(f"{tool}-{_version(tool)}" for tool in TOOLS), f"rules-{RULES_EDITION}"))

    @property
    def reads_files(self) -> bool:
        """True: an undefined name in a chunk may be defined elsewhere in its file."""
        return True

    def health(self) -> Health:
        """There is no model that could fail."""
        return Health("none", f"No model is configured: {', '.join(TOOLS)} review alone")

    def price(self, model: str, tokens: int) -> float | None:  # noqa: ARG002 - the port's signature
        """None: nothing is bought."""
        return None

    async def count(self, batch: Batch) -> int | None:  # noqa: ARG002 - the port's signature
        """None: analyzers know no tokens."""
        return None

    async def review(self, task: Task, tell: Tell) -> BatchDone:
        """Tell what the analyzers see on the lines that the batch's chunks added.

        Raises:
            EngineUnavailable: there is Python to look at, and neither ruff nor bandit works.
        """
        notes = _Notes()
        chunks = [chunk for chunk in task.batch.chunks if chunk.file.status is not FileStatus.REMOVED]
        files = {chunk.path: chunk.file for chunk in chunks}
        added = _added_lines(chunks)
        for path in [path for path in added if not can_be_named(path)]:
            notes.skip("All analyzers", CANNOT_BE_NAMED, path)
            del added[path]
        sheets = await _sheets([files[path] for path in added], task.sources, notes)
        lines = list(_lines_for_secrets(chunks, added))
        found, python = await asyncio.gather(
            asyncio.to_thread(secrets.inspect, lines, limit=self._limit), self._inspect_python(sheets, notes)
        )
        if found.unseen:
            notes.failures.append(
                f"detect-secrets did not finish within {self._limit:g} s: {found.unseen} lines not looked at"
            )
        for sighting in _standing((*found.sightings, *python.sightings), added):
            await tell(Reported(reported(sighting, added[sighting.path]), self.model))
        if python.failed:
            raise EngineUnavailable("; ".join(notes.failures))
        return BatchDone(notes=notes.told())

    async def _inspect_python(self, sheets: Sequence[Sheet], notes: _Notes) -> _Python:
        if not sheets:
            return _Python()
        with lay_out(sheets) as space:
            answers = await asyncio.gather(
                ruff.inspect(space, program=self._ruff, limit=self._limit),
                bandit.inspect(space, command=self._bandit, limit=self._limit),
                return_exceptions=True,
            )
        sightings: list[Sighting] = []
        failures = 0
        for answer in answers:
            match answer:
                case EngineUnavailable():
                    failures += 1
                    notes.failures.append(str(answer))
                case BaseException():
                    raise answer
                case bandit.Inspected(seen, unparsed):
                    sightings.extend(seen)
                    if unparsed:
                        notes.skip("bandit", UNPARSED, *unparsed)
                case _:
                    sightings.extend(answer)
        return _Python(tuple(sightings), failed=failures == len(answers))


@dataclass(frozen=True, slots=True)
class _Python:
    """What ruff and bandit saw; `failed` when neither worked."""

    sightings: tuple[Sighting, ...] = ()
    failed: bool = False


def _version(tool: str) -> str:
    try:
        return installed(tool)
    except PackageNotFoundError:
        return "unknown"


def _added_lines(chunks: Sequence[Chunk]) -> dict[str, dict[int, str]]:
    """By path and number, what the chunks added; a line trimmed to fit a model is whole again."""
    added: dict[str, dict[int, str]] = defaultdict(dict)
    for chunk in chunks:
        found = {line.new: line.text for line in _lines(chunk) if line.kind is LineKind.ADDED and line.new}
        if chunk.trimmed:
            found.update({line.new: line.text for line in chunk.file.lines() if line.new in found})
        if found:
            added[chunk.path].update(found)
    return dict(added)


def _lines(chunk: Chunk) -> Iterator[Line]:
    return (line for hunk in chunk.hunks for line in hunk.lines())


async def _sheets(files: Sequence[FileChange], sources: Sources, notes: _Notes) -> list[Sheet]:
    """The Python files among `files` that ruff and bandit can be shown."""
    wanted = [file for file in files if may_be_python(file.path)]
    contents = await asyncio.gather(*(sources.read(file.path) for file in wanted))
    notes.not_python.extend(file.path for file in files if not may_be_python(file.path))
    sheets: list[Sheet] = []
    for file, content in zip(wanted, contents, strict=True):
        text = (content or b"").decode("utf-8", "surrogateescape")
        if not is_python(file.path, text):
            notes.not_python.append(file.path)
        elif content is None:
            notes.skip("ruff and bandit", UNREADABLE, file.path)
        elif len(content) > MAX_FILE_BYTES:
            notes.skip("ruff and bandit", TOO_LARGE, file.path)
        elif not file.agrees_with(text):
            notes.skip("ruff and bandit", DISAGREES, file.path)
        else:
            sheets.append(Sheet(file.path, text))
    return sheets


def _lines_for_secrets(
    chunks: Sequence[Chunk], added: Mapping[str, Mapping[int, str]]
) -> Iterator[secrets.AddedLine]:
    texts = {
        (chunk.path, line.new): line.text
        for chunk in chunks
        for line in _lines(chunk)
        if line.new is not None
    }
    for path, numbers in added.items():
        for number, text in numbers.items():
            yield secrets.AddedLine(path, number, text, texts.get((path, number - 1), ""))


def _standing(sightings: Sequence[Sighting], added: Mapping[str, Mapping[int, str]]) -> Iterator[Sighting]:
    """Sightings on added lines, in the order of the files, each said once and by whoever says it best."""
    secret_places = {(s.path, s.line) for s in sightings if s.rule.startswith("detect-secrets")}
    order = {path: position for position, path in enumerate(added)}
    said: set[tuple[str, int, str]] = set()
    here = [s for s in sightings if s.line in added.get(s.path, {})]
    for sighting in sorted(here, key=lambda s: (order[s.path], s.line, s.severity.rank, s.rule)):
        key = (sighting.path, sighting.line, sighting.rule)
        if key in said or (sighting.rule in bandit.PASSWORDS and key[:2] in secret_places):
            continue
        said.add(key)
        yield sighting
