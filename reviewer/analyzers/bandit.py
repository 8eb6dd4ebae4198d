"""bandit: security rules for Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from reviewer.analyzers.process import run
from reviewer.analyzers.sighting import Sighting, is_test
from reviewer.analyzers.workspace import Workspace
from reviewer.core.findings import Category, Confidence, Severity
from reviewer.errors import EngineUnavailable

# Imports that are no fault by themselves, random numbers that are mostly not for secrets, and subprocesses
# started in the way that is right.
SKIP = (
    "B311", "B401", "B402", "B403", "B404", "B405", "B406", "B407", "B408", "B409", "B411",
    "B603", "B606", "B607",
)  # fmt: skip
_OPTIONS = ("-f", "json", "-q", "-r", "--skip", ",".join(SKIP), ".")

PASSWORDS = frozenset({"bandit B105", "bandit B106", "bandit B107"})
"""What detect-secrets says too, and says better."""
_FOR_PRODUCTION = frozenset({"B101", "B105", "B106", "B107", "B108"})


class _Meaning(NamedTuple):
    """What a rule means to a reader, where bandit's own words or weight would not do."""

    severity: Severity
    category: Category
    title: str
    advice: str


_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
_BUG, _SECURITY = Category.BUG, Category.SECURITY
# bandit's text for these holds the password itself.
_PASSWORD = _Meaning(
    _MEDIUM, _SECURITY, "A password seems to stand in the code",
    "Whoever can read the repository, now or in its history, has it. Read it from the environment or a "
    "secret store, and change it if it was real.",
)  # fmt: skip
_SILENT = _Meaning(
    _MEDIUM, _BUG, "An error is swallowed without a word",
    "When this fails, nobody learns of it and the program goes on with half of its work done. "
    "Catch what is expected, and log or raise the rest.",
)  # fmt: skip
MEANINGS: dict[str, _Meaning] = {
    "B101": _Meaning(
        _LOW, _BUG, "A check that `python -O` removes",
        "`assert` is for tests and for what can't happen. Where input or a right is checked, raise an "
        "exception.",
    ),
    "B105": _PASSWORD,
    "B106": _PASSWORD,
    "B107": _PASSWORD,
    "B110": _SILENT,
    "B112": _SILENT,
    "B113": _Meaning(
        _MEDIUM, _BUG, "A request without a time limit",
        "If the other side never answers, this waits for ever. Pass `timeout=`.",
    ),
    "B301": _Meaning(
        _HIGH, _SECURITY, "Unpickling runs what the data says",
        "Whoever can write this data can run code here. Use JSON, or sign the data and check before loading.",
    ),
    "B307": _Meaning(
        _HIGH, _SECURITY, "`eval` runs whatever text reaches it",
        "Use `ast.literal_eval` for plain values, or look the operation up in a table.",
    ),
    "B324": _Meaning(
        _HIGH, _SECURITY, "MD5 and SHA-1 do not protect anything any more",
        "For passwords use `hashlib.scrypt` or Argon2 with a salt of each user's own, for integrity SHA-256; "
        "where no one attacks, say `usedforsecurity=False`.",
    ),
    "B506": _Meaning(
        _HIGH, _SECURITY, "`yaml.load` can make any Python object",
        "A crafted document runs code while it is read. Use `yaml.safe_load`.",
    ),
    "B602": _Meaning(
        _HIGH, _SECURITY, "A command goes through the shell",
        "A `;` or `$(…)` in any part of the text runs a command of its own. Pass a list of arguments "
        "and leave out `shell=True`.",
    ),
    "B608": _Meaning(
        _HIGH, _SECURITY, "SQL is put together from text",
        "A quote in a value ends the string and the rest runs as SQL. Pass values as parameters "
        "to `execute`.",
    ),
}  # fmt: skip

_Rank = Literal["UNDEFINED", "LOW", "MEDIUM", "HIGH"]
_SEVERITY: dict[_Rank, Severity] = {"UNDEFINED": _LOW, "LOW": _LOW, "MEDIUM": _MEDIUM, "HIGH": _HIGH}
_CONFIDENCE: dict[_Rank, Confidence] = {
    "UNDEFINED": Confidence.LOW,
    "LOW": Confidence.LOW,
    "MEDIUM": Confidence.MEDIUM,
    "HIGH": Confidence.HIGH,
}


class _Result(BaseModel):
    filename: str
    issue_confidence: _Rank
    issue_severity: _Rank
    issue_text: str
    line_number: int
    more_info: str
    test_id: str


class _Error(BaseModel):
    filename: str


class _Answer(BaseModel):
    errors: list[_Error]
    results: list[_Result]


class Inspected(NamedTuple):
    """What bandit saw, and the paths of files that it could not parse."""

    sightings: tuple[Sighting, ...]
    unparsed: tuple[str, ...]


def locate() -> tuple[str | Path, ...]:
    """Bandit as a module of this Python; `-I`: neither folder nor PYTHONPATH can shadow it."""
    return (sys.executable, "-I", "-X", "utf8", "-m", "bandit")


async def inspect(space: Workspace, *, command: Sequence[str | Path], limit: float) -> Inspected:
    """What bandit says about every file of the workspace.

    Raises:
        EngineUnavailable: bandit is missing, too slow or broken.
    """
    output = await run("bandit", [*command, *_OPTIONS], space.folder, limit=limit)
    try:
        answer = _Answer.model_validate_json(output)
    except ValidationError as error:
        raise EngineUnavailable("bandit printed something else than its JSON") from error
    unparsed = tuple(sheet.path for error in answer.errors if (sheet := space.find(error.filename)))
    return Inspected(tuple(_sightings(space, answer.results)), unparsed)


def _sightings(space: Workspace, results: Sequence[_Result]) -> Iterator[Sighting]:
    for found in results:
        sheet = space.find(found.filename)
        if sheet is None or (found.test_id in _FOR_PRODUCTION and is_test(sheet.path)):
            continue
        severity = _SEVERITY[found.issue_severity]
        title, _, rest = found.issue_text.partition(". ")
        meaning = MEANINGS.get(found.test_id) or _Meaning(severity, _SECURITY, title.rstrip("."), rest)
        yield Sighting(
            path=sheet.path,
            line=found.line_number,
            rule=f"bandit {found.test_id}",
            severity=meaning.severity,
            category=meaning.category,
            confidence=_CONFIDENCE[found.issue_confidence],
            title=meaning.title,
            message=meaning.advice,
            link=found.more_info,
        )
