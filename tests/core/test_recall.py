from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewer.core import diff
from reviewer.core.chunks import Chunk, Measure, Surroundings, split
from reviewer.core.diff import FileChange, readable
from reviewer.core.findings import Category, ReportedFinding, Severity, Side
from reviewer.core.hunks import Hunk, Line
from reviewer.core.recall import Remembered, recall, remember, stable_text
from tests.core.test_diff_against_git import edits, shared_repository
from tests.repositories import Entry, Tree


def finding(side: Side, line: int, end_line: int | None = None) -> ReportedFinding:
    return ReportedFinding(
        path="a.py",
        side=side,
        line=line,
        end_line=end_line,
        quote="",
        severity=Severity.LOW,
        category=Category.BUG,
        title="It is wrong",
        message="It breaks.",
    )


def chunk(body: str, *, limit: int = 10_000) -> Chunk:
    first, *_ = split(diff.parse_patch(body, path="a.py"), Measure(limit))
    return first


def lines(of: Chunk) -> list[Line]:
    return [line for hunk in of.hunks for line in hunk.lines()]


def moved(of: Chunk, by: int, more: int = 0) -> Chunk:
    """The chunk with its hunks `by` lines further down, and each `more` lines further from the one before."""

    def at(hunk: Hunk, number: int) -> Hunk:
        far = by + number * more
        return replace(hunk, old_start=hunk.old_start + far, new_start=hunk.new_start + far)

    pieces = tuple(replace(piece, hunk=at(piece.hunk, n)) for n, piece in enumerate(of.pieces))
    return replace(of, pieces=pieces)


BRACES = """\
@@ -10,7 +10,8 @@ int f()
 {
-  a();
+  b();
 }
-}
 {
+}
+}
 }
 }
@@ -40,3 +41,2 @@ int g()
 }
-}
 }
"""


@pytest.mark.parametrize("side", list(Side))
def test_a_finding_on_any_line_stands_on_the_same_line_after_a_move(side):
    old = chunk(BRACES)
    new = moved(old, 100, more=7)
    assert stable_text(new) == stable_text(old)

    for before, after in zip(lines(old), lines(new), strict=True):
        number, expected = (before.old, after.old) if side is Side.LEFT else (before.new, after.new)
        if number is not None:
            told = recall(new, remember(old, finding(side, number)))
            assert (told.side, told.line, told.end_line) == (side, expected, None)


def test_the_row_is_counted_over_all_hunks_of_the_chunk():
    old = chunk(BRACES)

    assert remember(old, finding(Side.RIGHT, 10)).row == 0
    assert remember(old, finding(Side.LEFT, 11)).row == 1
    assert remember(old, finding(Side.RIGHT, 11)).row == 2
    assert remember(old, finding(Side.LEFT, 41)).row == 11
    assert remember(old, finding(Side.RIGHT, 42)).row == 12


def test_a_range_keeps_its_length_and_all_else_is_as_it_was():
    old = chunk(BRACES)
    reported = finding(Side.RIGHT, 11, 13)

    told = recall(moved(old, 5), remember(old, reported))

    assert told == reported.model_copy(update={"line": 16, "end_line": 18})


def test_a_range_that_leaves_its_hunk_still_does():
    old = chunk(BRACES)

    told = recall(moved(old, 5, more=50), remember(old, finding(Side.RIGHT, 11, 42)))

    assert (told.line, told.end_line) == (16, 47)


@pytest.mark.parametrize("line", [9, 18, 40, 43, 10_000])
def test_a_finding_on_no_line_of_the_chunk_comes_back_unchanged(line):
    old, reported = chunk(BRACES), finding(Side.RIGHT, line)

    kept = remember(old, reported)

    assert kept.row is None
    assert recall(moved(old, 5), kept) == reported


@pytest.mark.parametrize("row", [1, 99])
def test_a_row_that_the_chunk_does_not_have_on_that_side_leaves_the_finding_unchanged(row):
    reported = finding(Side.RIGHT, 10)

    assert recall(chunk(BRACES), Remembered(reported, row)) == reported


def test_a_hunk_that_only_removes_is_recalled_by_its_old_lines():
    old = chunk("@@ -5,3 +4,0 @@\n-}\n-}\n-}\n")

    kept = [remember(old, finding(Side.LEFT, number)) for number in (5, 6, 7)]

    assert [each.row for each in kept] == [0, 1, 2]
    assert [recall(moved(old, 20), each).line for each in kept] == [25, 26, 27]
    assert remember(old, finding(Side.RIGHT, 5)).row is None


def test_a_lead_is_no_row_of_the_chunk():
    body = "@@ -0,0 +1,400 @@\n" + "+}\n" * 400
    _, old, *_ = split(diff.parse_patch(body, path="a.py"), Measure(1_000))
    assert old.pieces[0].lead
    first = old.pieces[0].hunk.new_start

    assert remember(old, finding(Side.RIGHT, first)).row == 0
    assert remember(old, finding(Side.RIGHT, first - 1)).row is None
    assert recall(moved(old, 3), remember(old, finding(Side.RIGHT, first + 4))).line == first + 7


def test_git_s_remark_on_a_missing_newline_is_no_row():
    old = chunk("@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+b\n+c\n\\ No newline at end of file\n")

    assert remember(old, finding(Side.RIGHT, 2)).row == 2


def test_a_finding_that_names_another_file_has_no_place_in_the_chunk():
    said = finding(Side.RIGHT, 2).model_copy(update={"path": "elsewhere.py"})

    assert remember(chunk("@@ -1 +1,2 @@\n a\n+b\n"), said).row is None


def test_the_stable_text_holds_no_numbers_and_all_the_rest():
    old = chunk("@@ -7,2 +8,2 @@ def f\n a\n-b\n+c\n")
    (piece,) = old.pieces
    around = Surroundings("Shop.f", ((3, "    def f():"),))
    old = replace(old, pieces=(replace(piece, lead=("x",), surroundings=around),))

    assert stable_text(old) == "@@ def f\nin Shop.f:\n|    def f():\n>x\n a\n-b\n+c"


@pytest.mark.parametrize(
    "other",
    [
        "@@ -7,2 +8,2 @@ def g\n a\n-b\n+c\n",
        "@@ -7,2 +8,2 @@ def f\n a\n-b\n+d\n",
        "@@ -7 +8,2 @@ def f\n a\n+c\n",
        "@@ -7,2 +8 @@ def f\n a\n-b\n@@ -9,0 +9 @@\n+c\n",
    ],
)
def test_another_text_is_another_stable_text(other):
    assert stable_text(chunk("@@ -7,2 +8,2 @@ def f\n a\n-b\n+c\n")) != stable_text(chunk(other))


def below(tree: Tree, top: bytes) -> dict[bytes, Entry]:
    """The tree with lines put above every file."""
    entries = {path: entry if isinstance(entry, Entry) else Entry(entry) for path, entry in tree.items()}
    return {
        path: replace(entry, content=top + entry.content) if entry.mode != "120000" else entry
        for path, entry in entries.items()
    }


def pairs(old: Chunk, new: Chunk) -> Iterator[tuple[Side, int, Line]]:
    """Every line of a chunk by side and number, and the line in its place in another."""
    for before, after in zip(lines(old), lines(new), strict=True):
        if before.new is not None:
            yield Side.RIGHT, before.new, after
        if before.old is not None:
            yield Side.LEFT, before.old, after


@settings(max_examples=25)
@given(edits(), st.integers(30, 60), st.sampled_from(["-U0", "-U3"]), st.sampled_from([150, 400, 5_000]))
def test_a_chunk_that_git_shows_further_down_keeps_its_text_and_its_findings(trees, by, option, limit):
    # Indented, so that git takes none of these lines for the section of a hunk
    top = b"".join(b" unchanged %d\n" % number for number in range(by))
    above = tuple(below(tree, top) for tree in trees)
    first, second = (shown(before, after, option) for before, after in (trees, above))
    for path in first.keys() & second.keys():
        pieces = [split(files[path], Measure(limit)) for files in (first, second)]
        for old, new in zip(*pieces, strict=False):
            # A file that came or went has more lines now, and longer numbers cut one elsewhere
            if [hunk.blocks for hunk in old.hunks] == [hunk.blocks for hunk in new.hunks]:
                assert_recalled(old, new, by)


def shown(before: Tree, after: Tree, option: str) -> dict[str, FileChange]:
    repository = shared_repository()
    old, new = repository.commit(before), repository.commit(after)
    return {file.path: file for file in diff.parse(repository.diff(old, new, option, "--no-renames")).files}


def assert_recalled(old: Chunk, new: Chunk, by: int) -> None:
    assert stable_text(old) == stable_text(new)
    for side, number, line in pairs(old, new):
        said = finding(side, number, number + 2).model_copy(update={"path": readable(old.path)})
        found = recall(new, remember(old, said))
        assert found.line == (line.new if side is Side.RIGHT else line.old)
        assert (found.line, found.end_line) == (number + by, number + by + 2)
