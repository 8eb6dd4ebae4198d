"""What git prints between real trees, and what is read of it."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewer.core import diff
from reviewer.core.chunks import Chunk, Measure, split
from reviewer.core.diff import Diff, FileChange, Unread
from reviewer.core.headers import FileStatus
from reviewer.core.hunks import Hunk, LineKind
from reviewer.core.tokens import Estimator
from tests.repositories import Entry, Numstat, Repository, Tree


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def counts(parsed: Diff) -> list[Numstat]:
    return [
        Numstat(
            None if file.binary else file.added,
            None if file.binary else file.removed,
            raw(file.old_path or file.path),
            raw(file.path),
        )
        for file in parsed.files
    ]


def content(entry: Entry | bytes) -> bytes:
    return entry.content if isinstance(entry, Entry) else entry


def read(repository: Repository, before: Tree, after: Tree, *options: str) -> Diff:
    """The diff of two trees, after holding paths, counts and every line against git and the trees."""
    old, new = repository.commit(before), repository.commit(after)
    parsed = diff.parse(repository.diff(old, new, *options))
    assert sorted(counts(parsed), key=repr) == sorted(repository.numstat(old, new, *options), key=repr)
    for file in parsed.files:
        if not _is_submodule(before, after, file):
            assert_lines_stand_in_trees(file, before, after)
    return parsed


def _is_submodule(before: Tree, after: Tree, file: FileChange) -> bool:
    path = raw(file.path)
    return any(isinstance(e, Entry) and e.mode == "160000" for t in (before, after) if (e := t.get(path)))


def assert_lines_stand_in_trees(file: FileChange, before: Tree, after: Tree) -> None:
    old, new = raw(file.old_path or file.path), raw(file.path)
    for line in file.lines():
        if line.old is not None:
            assert content(before[old]).split(b"\n")[line.old - 1] == raw(line.text)
        if line.new is not None:
            assert content(after[new]).split(b"\n")[line.new - 1] == raw(line.text)


def one(parsed: Diff) -> FileChange:
    (file,) = parsed.files
    return file


SIX = b"one\ntwo\nthree\nfour\nfive\nsix\n"


def test_paths_that_git_quotes_or_that_hold_spaces(repository):
    paths = [
        b"sp ace.txt",
        b'qu"ote',
        "naïve.txt".encode(),
        b"caf\xe9",
        b"tab\there",
        b"back\\slash",
        b"new\nline",
    ]

    parsed = read(repository, dict.fromkeys(paths, b"a\n"), dict.fromkeys(paths, b"b\n"))

    assert {raw(file.path) for file in parsed.files} == set(paths)


def test_a_pure_rename_whose_names_look_like_a_header(repository):
    file = one(read(repository, {b"x b/y.txt": SIX}, {b"z b/w.txt": SIX}))

    assert (file.old_path, file.path, file.status) == ("x b/y.txt", "z b/w.txt", FileStatus.RENAMED)
    assert (file.hunks, file.unread) == ((), Unread.NO_TEXT_CHANGE)


def test_a_rename_with_a_change_keeps_both_names(repository):
    file = one(read(repository, {b"old.py": SIX}, {b"new.py": SIX + b"seven\n"}))

    assert (file.old_path, file.path, file.added, file.removed) == ("old.py", "new.py", 1, 0)


def test_a_copy_is_one(repository):
    parsed = read(repository, {b"a.py": SIX}, {b"a.py": SIX, b"b.py": SIX}, "-C", "--find-copies-harder")

    assert (one(parsed).status, one(parsed).old_path) == (FileStatus.COPIED, "a.py")


def test_a_mode_change_has_no_lines_and_hides_none(repository):
    file = one(read(repository, {b"run me.sh": SIX}, {b"run me.sh": Entry(SIX, "100755")}))

    assert (file.path, file.unread) == ("run me.sh", Unread.NO_TEXT_CHANGE)


def test_a_submodule_is_a_changed_line(repository):
    before, after = (Entry(b"%040x" % number, "160000") for number in (1, 2))
    file = one(read(repository, {b"lib": before}, {b"lib": after}))

    assert [line.text[:18] for line in file.lines()] == ["Subproject commit "] * 2


def test_a_link_without_newline_on_both_sides(repository):
    file = one(read(repository, {b"l": Entry(b"a/b", "120000")}, {b"l": Entry(b"c/d", "120000")}))

    assert [(line.kind, line.text) for line in file.lines()] == [
        (LineKind.REMOVED, "a/b"),
        (LineKind.ADDED, "c/d"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Entry(b"target", "120000"), SIX),
        (SIX, Entry(b"target", "120000")),
        (Entry(b"%040x" % 7, "160000"), SIX),
        (Entry(b"target", "120000"), b""),
        (Entry(b"target", "120000"), b"\0binary\n"),
    ],
    ids=["link to file", "file to link", "submodule to file", "link to empty", "link to binary"],
)
def test_a_change_of_type_is_one_file_though_git_prints_two(repository, before, after):
    file = one(read(repository, {b"x": before, b"y": SIX}, {b"x": after, b"y": SIX}))

    assert (file.path, file.old_path, file.status) == ("x", None, FileStatus.CHANGED)


def test_without_context_an_insertion_at_the_top_is_no_new_file(repository):
    file = one(read(repository, {b"x": SIX}, {b"x": b"zero\n" + SIX}, "-U0"))
    emptied = one(read(repository, {b"x": SIX}, {b"x": b"four\nfive\nsix\n"}, "-U0"))

    assert (file.status, emptied.status) == (FileStatus.MODIFIED, FileStatus.MODIFIED)


@pytest.mark.parametrize("path", [b"w/foo.py", b"c/lib/foo.c", b"a/b.py", b"plain.py", b"w/sp ace.py"])
@pytest.mark.parametrize("options", [("--no-prefix",), ("--src-prefix=i/", "--dst-prefix=w/"), ("-R",), ()])
def test_prefixes_and_none_leave_the_path_alone(repository, path, options):
    old, new = repository.commit({path: SIX, b"r" + path: SIX}), repository.commit({path: SIX + b"x\n"})
    parsed = diff.parse(repository.diff(old, new, *options))

    assert {raw(file.path) for file in parsed.files} == {path, b"r" + path}


def test_a_missing_last_newline_counts_on_neither_side(repository):
    file = one(read(repository, {b"x": b"a\nc"}, {b"x": b"a\nC\n"}))

    assert (file.added, file.removed) == (1, 1)


@pytest.mark.parametrize("options", [(), ("--binary",)])
def test_a_binary_file_is_binary_with_its_patch_or_without(repository, options):
    parsed = read(
        repository, {b"x.png": b"\0\1", b"y": SIX}, {b"x.png": b"\0\2" * 99, b"y": b"new\n"}, *options
    )

    assert [(file.path, file.unread) for file in parsed.files] == [("x.png", Unread.BINARY), ("y", None)]


def test_lines_end_at_newlines_only(repository):
    odd = "a\rb\fc\vd\x1ce\x85f\u2028g\u2029h".encode()

    file = one(read(repository, {b"x": odd + b"\n"}, {b"x": odd + b"!\r\n\n"}))

    assert [line.text for line in file.lines()] == [odd.decode(), odd.decode() + "!\r", ""]


def test_lines_that_look_like_headers_are_lines(repository):
    tricky = b"-- old\n++ new\n@@ -1 +1 @@\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n\\ No newline\n"

    file = one(read(repository, {b"x": tricky}, {b"x": b"first\n" + tricky.replace(b"1", b"2")}))

    assert (file.added, file.removed) == (2, 1)
    assert one(read(repository, {b"x": tricky}, {b"x": b"gone\n"})).removed == 7


def test_githubs_bare_patch_is_read_with_the_path_it_is_told(repository):
    old, new = repository.commit({b"x": SIX}), repository.commit({b"x": SIX.replace(b"two", b"2")})
    whole = diff.parse(repository.diff(old, new)).files[0]
    patch = repository.diff(old, new).decode().split("\n", 4)[4].removesuffix("\n")

    assert diff.parse_patch(patch, path="x") == whole


def test_a_mail_of_format_patch_is_read_past_its_signature_and_its_message(repository):
    repository.commit({b"x": SIX})
    head = repository.commit({b"x": SIX + b"7\n"})
    mail = repository.git("format-patch", "-1", "--stdout", head)
    assert b"\n-- \n" in mail
    trap = b"\n\nIt said:\n--- old\n+++ new\n@@ -1 +1 @@\n-a\n+b\n"

    for text in (mail, mail.replace(b"\n\n", trap, 1)):
        assert [(file.path, file.added, file.removed) for file in diff.parse(text).files] == [("x", 1, 0)]


def test_a_diff_whose_every_line_was_made_to_end_in_crlf(repository):
    old, new = repository.commit({b"x": SIX}), repository.commit({b"x": SIX + b"7\r\n"})
    converted = repository.diff(old, new).replace(b"\n", b"\r\n")

    assert diff.parse(converted) == diff.parse(repository.diff(old, new))


def test_every_truncation_is_refused_or_hides_nothing(repository):
    """A diff cut at any byte is broken, or shows what was whole before the cut, or names a file unread."""
    before = {b"a": SIX, b"b.png": b"\0", b"c": SIX, b"d": SIX, b"e": SIX}
    after = {
        b"a": b"1\n" + SIX,
        b"b.png": b"\0\1",
        b"c2": SIX + b"7\n",
        b"d": Entry(SIX, "100755"),
        b"f": b"",
    }
    old, new = repository.commit(before), repository.commit(after)
    text = repository.diff(old, new)
    whole = {file.path: file for file in diff.parse(text).files}

    for end in range(1, len(text)):
        try:
            files = diff.parse(text[:end]).files
        except diff.BrokenDiff:
            continue
        except diff.NotADiff:
            assert end <= len("diff --git ")
            continue
        for file in files[:-1]:
            assert file == whole[file.path]
        last = files[-1]
        clean = last.unread is Unread.NO_TEXT_CHANGE
        assert not clean or whole[last.path].unread is Unread.NO_TEXT_CHANGE, text[:end][-80:]


def changed(groups: Iterable[Sequence[Hunk]]) -> list[tuple[str, int | None, int | None]]:
    return [
        (line.kind.value, line.old, line.new)
        for hunks in groups
        for hunk in hunks
        for line in hunk.lines()
        if line.kind is not LineKind.CONTEXT
    ]


ODD_LINES = [
    b"",
    b"\r",
    b"-- x",
    b"++ y",
    b"@@ -1 +1 @@",
    b"diff --git a/x b/x",
    b"\\ No newline",
    b" in",
    b"}",
]
LINES = st.binary(max_size=40).map(lambda data: data.translate(None, b"\n\0")) | st.sampled_from(ODD_LINES)
# Left to itself hypothesis makes short texts, and nothing in them would have to be cut
SIZED = st.integers(0, 120).flatmap(lambda size: st.lists(LINES, min_size=size, max_size=size))
TEXTS = st.tuples(SIZED, st.booleans()).map(
    lambda parts: b"\n".join(parts[0]) + (b"\n" if parts[1] and parts[0] else b"")
)
NAMES = st.sampled_from(
    [b"a.py", b"b/c d.txt", b'q"t', "ü.rs".encode(), b"\xff.bin", b"b/e.go", b"-f", b"x b/y"]
)
ENTRIES = TEXTS.map(Entry) | st.builds(Entry, TEXTS, st.just("100755"))
TREES = st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=5)


@st.composite
def edits(draw: st.DrawFn) -> tuple[dict[bytes, Entry], dict[bytes, Entry]]:
    """Two trees, the second grown from the first by edits in the middle of files, renames and more."""
    before = draw(TREES)
    after: dict[bytes, Entry] = {}
    for path, entry in before.items():
        match draw(st.sampled_from(["keep", "edit", "edit", "drop", "rename", "type"])):
            case "edit":
                lines = entry.content.split(b"\n")
                at = draw(st.integers(0, len(lines)))
                gone = draw(st.integers(0, 5))
                after[path] = Entry(
                    b"\n".join([*lines[:at], *draw(st.lists(LINES, max_size=5)), *lines[at + gone :]])
                )
            case "rename":
                after[b"renamed/" + path] = entry
            case "type":
                after[path] = Entry(b"somewhere", "120000")
            case "keep":
                after[path] = entry
            case _:
                pass
    after.update(draw(st.dictionaries(NAMES, ENTRIES, max_size=2)))
    return before, after


@cache
def shared_repository() -> Repository:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Repository(Path(folder.name) / "repository")


@settings(max_examples=150)
@given(
    edits(),
    st.sampled_from([(), ("-U0",), ("-U25",), ("--no-prefix",), ("-C",)]),
    st.sampled_from([150, 200, 400, 5_000]),
)
def test_any_two_trees_are_read_and_cut_without_loss(trees, options, limit):
    before, after = trees
    parsed = read(shared_repository(), before, after, *options)
    measure = Measure(limit)
    for file in parsed.files:
        chunks = split(file, measure)
        assert changed(chunk.hunks for chunk in chunks) == changed([file.hunks])
        assert sum(chunk.changed_lines for chunk in chunks) == file.changed_lines
        assert len({chunk.id for chunk in chunks}) == len(chunks)
        for chunk in chunks:
            assert Estimator().estimate(diff.readable(chunk.text())) <= chunk.tokens <= limit
            assert_shown_lines_stand_in_the_tree(chunk, after)


def assert_shown_lines_stand_in_the_tree(chunk: Chunk, after: Tree) -> None:
    """Every line that the reviewer is shown with a number on the new side has that number."""
    for row in chunk.text().split("\n"):
        place = row.split(" ", 1)[0]
        if not place.startswith("R") or "characters trimmed" in row:
            continue
        text = row[max(len(place), 6) + 2 :]
        assert content(after[raw(chunk.path)]).split(b"\n")[int(place[1:]) - 1] == raw(text)
