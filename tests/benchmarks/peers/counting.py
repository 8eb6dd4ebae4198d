"""Which files and changed lines a prompt shows, counted from its text alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """A changed line as a prompt shows it; `mark` is + or -."""

    path: str
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a set of prompts shows of a diff.

    Attributes:
        files: files with a section of their own in a prompt.
        added: added lines shown in full.
        removed: removed lines shown in full.
        cut: changed lines shown, but not as they stand in the diff.
    """

    files: int
    added: int
    removed: int
    cut: int

    @property
    def lines(self) -> int:
        return self.added + self.removed


def seen(paths: Iterable[str], rows: Iterable[Row], raw: bytes) -> Seen:
    """Count rows against the diff they claim to come from: what is not in it verbatim was cut."""
    real = set(raw.decode("utf-8", "replace").replace("\0", "\ufffd").replace("\r\n", "\n").split("\n"))
    marks: Counter[str] = Counter()
    for row in rows:
        marks[row.mark if _as_shown(row) in real else "cut"] += 1
    return Seen(len(set(paths)), marks["+"], marks["-"], marks["cut"])


def _as_shown(row: Row) -> str:
    return (row.mark + row.text).replace("\0", "\ufffd").removesuffix("\r")


_FILE = re.compile(r"## File: '(.*)'", re.DOTALL)
_NUMBERED = re.compile(r"\d+ (.*)", re.DOTALL)
_MARKS = {"@@": "+-", "__new hunk__": "+", "__old hunk__": "-"}
_ENDS = ("======", "Deleted files:", "Additional ", "Files changed but omitted")
"""How the lines begin that follow the last hunk: its end, and lists of files that are only named."""


def of_pr_agent(prompts: Iterable[str]) -> tuple[list[str], list[Row]]:
    """Files and changed lines in PR-Agent's user prompts.

    /review numbers the new side under `__new hunk__` (`12 +text`) and repeats the old side under
    `__old hunk__`; /improve shows hunks as git does, or in these two sections without numbers. No line of a
    hunk looks like the lines that open or end a section. A prompt sent again counts once.
    """
    paths: list[str] = []
    rows: list[Row] = []
    for prompt in dict.fromkeys(prompts):
        marks = ""
        for line in prompt.split("\n"):
            if file := _FILE.fullmatch(line):
                paths.append(file[1])
            if file or line.startswith(_ENDS):
                marks = ""
            elif line.startswith("@@ ") or line in _MARKS:
                marks = _MARKS[line if line in _MARKS else "@@"]
            else:
                numbered = _NUMBERED.fullmatch(line) if marks == "+" else None
                shown = numbered[1] if numbered else line
                if shown and shown[0] in marks:
                    rows.append(Row(paths[-1], shown[0], shown[1:]))
    return paths, rows


_OPENING = re.compile(r'<diff-([0-9a-f]+) path="([^"]*)" change="\w+" part="\d+ of \d+">')
_PLACE = re.compile(r"[LR]\d+")
_PLACE_WIDTH = 6


def of_sluice(prompts: Iterable[str]) -> tuple[list[str], list[Row]]:
    """Files and changed lines in our user prompts: `R12    +text`, `L11    -text`.

    A line that stands in two prompts counts once.

    Raises:
        ValueError: a line inside a block that is neither a hunk's header nor such a row.
    """
    paths: list[str] = []
    rows: dict[tuple[str, str], Row] = {}
    for prompt in prompts:
        for path, line in _block_lines(prompt, paths):
            place = _PLACE.match(line)
            start = max(_PLACE_WIDTH, place.end() if place else 0)
            mark, text = line[start + 1 : start + 2], line[start + 2 :]
            if place is None or line[place.end() : start + 1].strip() or mark not in {"+", "-", " "}:
                raise ValueError(f"this is no row of a prompt as the counting knows it: {line[:80]!r}")
            if mark != " ":
                rows[path, place[0]] = Row(path, mark, text)
    return paths, list(rows.values())


def _block_lines(prompt: str, paths: list[str]) -> Iterator[tuple[str, str]]:
    """Every row inside a block with the block's path, which is noted in `paths`."""
    closing = None
    for line in prompt.split("\n"):
        opening = _OPENING.fullmatch(line) if closing is None else None
        if opening:
            closing = f"</diff-{opening[1]}>"
            paths.append(opening[2])
        elif line == closing:
            closing = None
        elif closing is not None and not line.startswith("@@ "):
            yield paths[-1], line
