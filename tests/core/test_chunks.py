from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewer.core import diff
from reviewer.core.batches import gather
from reviewer.core.chunks import Chunk, Measure, split
from reviewer.core.diff import FileChange
from reviewer.core.hunks import LineKind
from reviewer.core.routing import Route
from tests.corpus import diffs, needs_corpus, truth


def changed(chunks: tuple[Chunk, ...]) -> list[tuple[str, int | None, int | None]]:
    return [
        (line.kind.value, line.old, line.new)
        for chunk in chunks
        for hunk in chunk.hunks
        for line in hunk.lines()
        if line.kind is not LineKind.CONTEXT
    ]


def assert_lossless(file: FileChange, chunks: tuple[Chunk, ...], limit: int) -> None:
    whole = [
        (line.kind.value, line.old, line.new) for line in file.lines() if line.kind is not LineKind.CONTEXT
    ]
    assert whole == changed(chunks)
    assert all(chunk.tokens <= limit for chunk in chunks)
    assert [(part, len(chunks)) for part in range(1, len(chunks) + 1)] == [(c.part, c.parts) for c in chunks]


@needs_corpus
@pytest.mark.parametrize("limit", [600, 4_000, 32_000])
def test_every_changed_line_of_real_diffs_is_in_exactly_one_chunk(limit):
    small = [path for path in diffs() if truth()[path.name] is not None and path.stat().st_size < 300_000]
    assert len(small) > 100
    for path in small:
        for file in diff.parse(path.read_bytes()).files:
            assert_lossless(file, split(file, Measure(limit)), limit)


def new_file(lines: list[str]) -> FileChange:
    head = "diff --git a/x.py b/x.py\nnew file mode 100644\n--- /dev/null\n+++ b/x.py\n"
    body = "".join(f"+{line}\n" for line in lines)
    return diff.parse(f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}").files[0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=300), min_size=1
    ),
    st.integers(500, 1_500),
)
def test_any_new_file_is_cut_without_loss(lines, limit):
    file = new_file(lines)
    assert_lossless(file, split(file, Measure(limit)), limit)


def test_a_cut_falls_at_a_blank_line_and_repeats_lines_as_context():
    block = ["def f():", "    a = 1", "    b = 2", "    return a + b", ""]
    file = new_file(block * 60)

    first, second, *_ = split(file, Measure(1_000))

    cut = next(line.text for hunk in second.hunks for line in hunk.lines() if line.kind is LineKind.ADDED)
    assert cut in {"", "def f():"}
    assert second.pieces[0].lead[-1] == list(first.hunks[-1].lines())[-1].text
    assert second.hunks[0].new_start == first.hunks[-1].new_start + first.hunks[-1].new_count
    assert first.span[1] < max(line.new or 0 for hunk in second.hunks for line in hunk.lines())


def test_a_line_over_the_limit_loses_its_middle_and_is_counted():
    file = new_file(["short", "x" * 50_000, "after"])

    chunks = split(file, Measure(1_000))

    assert sum(chunk.trimmed for chunk in chunks) == 1
    assert "characters trimmed" in "".join(chunk.text() for chunk in chunks)
    assert_lossless(file, chunks, 1_000)


def test_small_chunks_travel_together_in_order():
    files = [new_file([f"line {number}"]) for number in range(10)]
    chunks = [chunk for file in files for chunk in split(file, Measure(1_000))]
    size = chunks[0].tokens

    batches = gather(chunks, target=size * 3, route=lambda _: Route("m", "code"))

    assert chunks == [chunk for group in batches for chunk in group.chunks]
    assert all(group.tokens <= size * 3 for group in batches)
    assert len(batches) == 4


def test_lines_are_shown_with_their_side_and_number():
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -7,2 +7,2 @@ def f\n a\n-b\n+c\n"
    (chunk,) = split(diff.parse(text).files[0], Measure(1_000))

    assert chunk.text().split("\n") == ["@@ -7,2 +7,2 @@ def f", "R7      a", "L8     -b", "R8     +c"]
