"""Every real diff through parser, chunks, anchors and command, against what git says of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from typer.testing import CliRunner

from reviewer.cli import app
from reviewer.core import diff
from reviewer.core.anchors import Anchors
from reviewer.core.findings import Side
from reviewer.errors import UnsupportedDiff
from tests.corpus import diffs, needs_corpus, truth
from webhooks.sandbox import anchors as github

pytestmark = needs_corpus

REFUSED = {path.name for path in diffs() if path.name.endswith(".cc.diff")}
"""Combined diffs of merges, whose lines have no single old side: the only ones that are refused."""


def rows(path) -> list[list[str | None]]:
    """git's own rows: added, removed, old path, new path."""
    found = truth()[path.name]
    assert found is not None
    return sorted([*row] for row in found)


@pytest.mark.parametrize("path", diffs(), ids=lambda path: path.name)
def test_every_file_has_gits_own_paths_and_counts(path):
    if path.name in REFUSED:
        with pytest.raises(UnsupportedDiff, match="combined diff"):
            diff.parse(path.read_bytes())
        return

    files = diff.parse(path.read_bytes()).files

    counts = [("-", "-") if file.binary else (str(file.added), str(file.removed)) for file in files]
    told = [
        [*count, file.old_path or file.path, file.path] for count, file in zip(counts, files, strict=True)
    ]
    assert sorted(told) == rows(path)


def test_the_command_plans_every_diff_and_names_what_it_refuses(monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    refused: dict[str, str] = {}
    for path in diffs():
        ran = CliRunner().invoke(app, ["plan", "--json", "--engine", "analyzers", "--diff", str(path)])
        told = json.loads(ran.stdout)
        if "error" in told:
            assert ran.exit_code == 2
            refused[path.name] = told["error"]["kind"]
            continue
        assert ran.exit_code == 0
        assert_plan_adds_up(told, rows(path))

    assert refused == dict.fromkeys(REFUSED, "UnsupportedDiff")


def assert_plan_adds_up(told, expected) -> None:
    counts = [
        ["-", "-"] if file["added"] is None else [str(file["added"]), str(file["removed"])]
        for file in told["files"]
    ]
    assert sum(int(row[0]) for row in expected if row[0] != "-") == sum(
        int(c[0]) for c in counts if c[0] != "-"
    )
    assert sum(int(row[1]) for row in expected if row[1] != "-") == sum(
        int(c[1]) for c in counts if c[1] != "-"
    )
    changed = sum(int(n) for row in expected for n in row[:2] if n != "-")
    coverage = told["coverage"]
    assert coverage["changed_lines"] == changed
    assert coverage["planned"] + sum(coverage["not_planned"].values()) == changed
    assert coverage["planned"] == sum(chunk["changed_lines"] for chunk in told["chunks"])
    assert coverage["not_planned"].keys() <= {"generated", "binary", "ignored by policy", "unreadable"}
    ids = [chunk["id"] for chunk in told["chunks"]]
    assert len(set(ids)) == len(ids)
    assert sorted(ids) == sorted(id_ for file in told["files"] for id_ in file["chunks"])
    assert sorted(ids) == sorted(id_ for batch in told["batches"] for id_ in batch)
    assert all(chunk["tokens"] <= 32_000 for chunk in told["chunks"])


SMALL = 60_000
"""Bytes of a small diff."""


def patch_of(section: bytes) -> bytes:
    """A file's hunks as git printed them, cut out by other means than the parser's."""
    found = re.search(rb"^@@ ", section, re.MULTILINE)
    return section[found.start() :] if found else b""


def test_the_sandbox_accepts_what_the_anchor_check_accepts_and_refuses_the_rest():
    """Each line of each hunk, and those just outside, on both sides, alone and as the end of ranges."""
    agreed: Counter[bool] = Counter()
    for path in diffs():
        raw = path.read_bytes()
        if path.name in REFUSED or len(raw) > SMALL or "formatpatch" in path.name:
            continue
        sections = re.split(rb"(?m)^(?=diff --git )", raw)[1:]
        files = diff.parse(raw).files
        if len(files) != len(sections):  # a change of type is one file in two sections
            continue
        for file, section in zip(files, sections, strict=True):
            if file.hunks:
                agreed += agreement(file, github.parse_hunks(patch_of(section)))

    assert agreed[True] > 20_000
    assert agreed[False] > 20_000


def agreement(file: diff.FileChange, hunks: tuple[github.Hunk, ...]) -> Counter[bool]:
    ours = Anchors(file.path, [file])
    seen: Counter[bool] = Counter()
    for side in Side:
        for line in lines_to_try(file, side):
            for start in (None, line - 3, line - 1, line, line + 1):
                first, last = (line, None) if start is None else (start, line)
                accepted = ours.accepts(side, first, last)
                ends: dict[str, Any] = {"start_line": start, "start_side": side} if start is not None else {}
                place = github.resolve(hunks, line=line, side=side, **ends)
                assert accepted == isinstance(place, github.Place), (file.path, side, start, line)
                seen[accepted] += 1
    return seen


def lines_to_try(file: diff.FileChange, side: Side) -> list[int]:
    tried: set[int] = set()
    for hunk in file.hunks:
        start, count = (
            (hunk.new_start, hunk.new_count) if side is Side.RIGHT else (hunk.old_start, hunk.old_count)
        )
        tried |= set(range(max(start - 2, 1), min(start + count + 2, start + 500)))
    return sorted(tried)
