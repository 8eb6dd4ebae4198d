"""ruff: the rules that find defects in Python, none that judge style."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from reviewer.analyzers.process import run
from reviewer.analyzers.sighting import Replacement, Sighting
from reviewer.analyzers.workspace import Sheet, Workspace, is_package
from reviewer.core.findings import Category, Confidence, Severity
from reviewer.errors import EngineUnavailable

SELECT = (
    "F", "B", "E9", "PLE", "ASYNC", "YTT", "T100", "LOG004", "LOG014",
    "RUF006", "RUF008", "RUF016", "RUF024", "RUF030", "RUF034", "RUF049",
    "PLW0127", "PLW0129", "PLW0133", "PLW0177", "PLW0711", "PLW1501", "PLW1508", "PLW1509", "PLW2101",
)  # fmt: skip
# Conventions, matters of taste, what needs more than one file to be sure of, and what bandit says already.
IGNORE = (
    "F403", "F405", "F722", "E902", "B007", "B008", "B009", "B010", "B011", "B013", "B014", "B024", "B027",
    "B028", "B033", "B034", "B904", "B905", "B911", "B912", "ASYNC109", "ASYNC110", "ASYNC115", "ASYNC240",
)  # fmt: skip
# The newest grammar: a file that only an older Python refuses is not broken.
_OPTIONS = (
    "check", "--isolated", "--no-cache", "--no-respect-gitignore", "--quiet", "--target-version=py314",
    "--output-format=json", "--select=" + ",".join(SELECT), "--ignore=" + ",".join(IGNORE), ".",
)  # fmt: skip


class _Meaning(NamedTuple):
    """What a family of rules means to a reader."""

    severity: Severity
    category: Category
    advice: str = ""


_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
_BUG, _TIDY, _RACE = Category.BUG, Category.MAINTAINABILITY, Category.CONCURRENCY
# By prefix of the rule's id; the longest that fits counts.
MEANINGS: dict[str, _Meaning] = {
    "": _Meaning(_MEDIUM, _BUG),
    "invalid-syntax": _Meaning(_HIGH, _BUG, "Python refuses the whole file, and everything that imports it."),
    "F401": _Meaning(_LOW, _TIDY, "Remove it, or use what was meant to be used."),
    "F5": _Meaning(_MEDIUM, _BUG, "The text and its arguments do not fit together."),
    "F541": _Meaning(_LOW, _BUG, "Either a placeholder was forgotten, or the `f` is not needed."),
    "F632": _Meaning(_MEDIUM, _BUG, "`is` asks for the same object, which equal values need not be."),
    "F7": _Meaning(_HIGH, _BUG, "Python refuses to compile the file."),
    "F811": _Meaning(_MEDIUM, _BUG, "The first definition can no longer be reached."),
    "F821": _Meaning(
        _HIGH, _BUG, "Reaching this line raises `NameError`. Define or import it, or mend the spelling."
    ),
    "F822": _Meaning(_HIGH, _BUG, "`from … import *` of this module fails."),
    "F823": _Meaning(_HIGH, _BUG, "Reaching this line raises `UnboundLocalError`."),
    "F841": _Meaning(_LOW, _TIDY, "Remove it, or use the value: a result may have been forgotten here."),
    "B006": _Meaning(
        _MEDIUM, _BUG,
        "The default is made once and shared by all calls: what one call puts in, the next one finds. "
        "Use `None` and make a new one inside.",
    ),
    "B023": _Meaning(_MEDIUM, _BUG, "When the function runs, the variable holds its last value."),
    "PLE": _Meaning(_HIGH, _BUG),
    "PLE25": _Meaning(_HIGH, Category.SECURITY, "What a reader sees is not what Python runs."),
    "ASYNC": _Meaning(_MEDIUM, _RACE, "While it blocks, nothing else on the event loop moves."),
    "RUF006": _Meaning(
        _MEDIUM, _RACE,
        "The event loop keeps only a weak reference, so the task may be collected before it is done. "
        "Keep the task until it has ended.",
    ),
    "T100": _Meaning(_MEDIUM, _BUG, "Left in, it stops the program and waits for a terminal."),
}  # fmt: skip


class _Place(BaseModel):
    row: int
    column: int


class _Edit(BaseModel):
    content: str
    location: _Place
    end_location: _Place


class _Fix(BaseModel):
    applicability: Literal["safe", "unsafe", "display"]
    edits: list[_Edit]


class _Diagnostic(BaseModel):
    """One element of ruff's JSON output; `code` was None for broken syntax in older versions."""

    code: str | None
    message: str
    filename: str
    url: str | None
    location: _Place
    fix: _Fix | None


_ANSWER = TypeAdapter(list[_Diagnostic])


def locate() -> Path:
    """The ruff beside this Python, as pip puts it there, else the one on the path."""
    beside = Path(sys.executable).with_name("ruff")
    return beside if beside.exists() else Path(shutil.which("ruff") or "ruff")


async def inspect(space: Workspace, *, program: Path, limit: float) -> tuple[Sighting, ...]:
    """What ruff says about every file of the workspace.

    Raises:
        EngineUnavailable: ruff is missing, too slow or broken.
    """
    output = await run("ruff", [program, *_OPTIONS], space.folder, limit=limit)
    try:
        diagnostics = _ANSWER.validate_json(output)
    except ValidationError as error:
        raise EngineUnavailable("ruff printed something else than its JSON") from error
    return tuple(_sightings(space, diagnostics))


def _sightings(space: Workspace, diagnostics: Sequence[_Diagnostic]) -> Iterator[Sighting]:
    broken: set[str] = set()
    for found in diagnostics:
        sheet = space.find(found.filename)
        code = found.code or "invalid-syntax"
        if sheet is None or (code == "F401" and is_package(sheet.path)):
            continue
        if code == "invalid-syntax":
            if sheet.path in broken:  # what follows a first syntax error is mostly its echo
                continue
            broken.add(sheet.path)
        meaning = MEANINGS[max((prefix for prefix in MEANINGS if code.startswith(prefix)), key=len)]
        title = f"Syntax error: {found.message}" if code == "invalid-syntax" else found.message
        yield Sighting(
            path=sheet.path,
            line=found.location.row,
            rule=f"ruff {code}",
            severity=meaning.severity,
            category=meaning.category,
            confidence=Confidence.HIGH,
            title=title.splitlines()[0].rstrip("."),
            message=meaning.advice,
            link=found.url,
            replacement=_replacement(found.fix, sheet),
        )


def _replacement(fix: _Fix | None, sheet: Sheet) -> Replacement | None:
    """A safe fix as whole lines; None for a fix that only deletes them, which a suggestion can't show."""
    if fix is None or fix.applicability != "safe" or not fix.edits or not sheet.is_utf8:
        return None
    edits = sorted(fix.edits, key=lambda edit: (edit.location.row, edit.location.column), reverse=True)
    first, last = edits[-1].location.row, max(edit.end_location.row for edit in edits)
    lines = sheet.text.removeprefix("\ufeff").split("\n")
    if last > len(lines):
        return None
    starts = [0]
    for line in lines[first - 1 : last]:
        starts.append(starts[-1] + len(line) + 1)
    text = "\n".join(lines[first - 1 : last])
    for edit in edits:
        begin, end = (
            starts[place.row - first] + place.column - 1 for place in (edit.location, edit.end_location)
        )
        text = text[:begin] + edit.content + text[end:]
    text = text.replace("\r\n", "\n").removesuffix("\r")
    return Replacement(first, last, text) if text.strip() else None
