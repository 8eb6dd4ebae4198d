from __future__ import annotations

import pytest

from reviewer.core import diff
from reviewer.core.diff import Unread
from reviewer.core.headers import FileStatus
from reviewer.core.hunks import LineKind
from reviewer.errors import BrokenDiff, DiffTooLarge, NotADiff, UnsupportedDiff


def one(text: str) -> diff.FileChange:
    (file,) = diff.parse(text).files
    return file


def test_a_lone_carriage_return_is_part_of_its_line():
    file = one("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\rb\n+a\rc\x0c\u2028d\n+e\r\n")

    assert [line.text for line in file.lines()] == ["a\rb", "a\rc\x0c\u2028d", "e\r"]


def test_bytes_that_are_no_utf8_survive():
    file = diff.parse(b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+caf\xe9\n").files[0]

    assert next(file.lines()).text.encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_a_pure_rename_is_read_from_its_own_lines():
    file = one(
        "diff --git a/x b/y.txt b/z b/w.txt\nsimilarity index 100%\n"
        "rename from x b/y.txt\nrename to z b/w.txt\n"
    )

    assert (file.path, file.old_path) == ("z b/w.txt", "x b/y.txt")
    assert (file.status, file.unread) == (FileStatus.RENAMED, Unread.NO_TEXT_CHANGE)


def test_quoted_paths_are_unquoted_as_bytes():
    file = one('diff --git "a/na\\303\\257ve.txt" "b/na\\303\\257ve.txt"\nold mode 100644\nnew mode 100755\n')

    assert file.path == "naïve.txt"


def test_a_path_with_a_space_loses_the_tab_git_puts_behind_it():
    file = one("diff --git a/sp ace b/sp ace\n--- a/sp ace\t\n+++ b/sp ace\t\n@@ -1 +1 @@\n-a\n+b\n")

    assert (file.path, file.old_path) == ("sp ace", None)


def test_an_insertion_at_the_top_without_context_is_no_new_file():
    file = one("diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\n")

    assert FileStatus.MODIFIED is file.status


def test_a_diff_without_prefixes_keeps_its_paths():
    file = one("diff --git src/x.c src/x.c\n--- src/x.c\n+++ src/x.c\n@@ -1 +1 @@\n-a\n+b\n")

    assert (file.path, file.old_path) == ("src/x.c", None)


def test_a_binary_file_has_no_lines_and_says_why():
    file = one("diff --git a/x.png b/x.png\nindex 1..2 100644\nBinary files a/x.png and b/x.png differ\n")

    assert Unread.BINARY is file.unread


def test_a_changed_file_whose_lines_are_missing_is_never_clean():
    file = one("diff --git a/x b/x\nindex 1111111..2222222 100644\n")

    assert Unread.NO_HUNK is file.unread


def test_a_new_empty_file_has_no_text_to_miss():
    file = one("diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29\n")

    assert (file.status, file.unread) == (FileStatus.ADDED, Unread.NO_TEXT_CHANGE)


def test_the_no_newline_mark_counts_on_neither_side():
    file = one("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n")

    assert [line.kind for line in file.lines()] == [LineKind.REMOVED, LineKind.ADDED]


def test_a_plain_unified_diff_is_read_too():
    file = one("--- old/x\t2026-01-01\n+++ old/x\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n")

    assert (file.path, file.added, file.removed) == ("old/x", 1, 1)


def test_an_empty_diff_has_no_files():
    assert diff.parse("\n").files == ()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("hello\nworld\n", NotADiff, "expected what `git diff`"),
        ("@@ -1 +1 @@\n-a\n+b\n", NotADiff, "say of which file"),
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n", BrokenDiff, "'x' can't be read"),
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n-b\n+c\n", BrokenDiff, "'x' can't be read"),
        ("diff --git a/long/na", BrokenDiff, "middle of a header"),
        ("\x1b[1mdiff --git a/x b/x\x1b[m\n", UnsupportedDiff, "--no-color"),
    ],
)
def test_what_is_no_whole_diff_is_refused_with_the_reason(text, error, words):
    with pytest.raises(error, match=words):
        diff.parse(text)


def test_a_diff_over_the_limit_is_refused_with_both_numbers():
    with pytest.raises(DiffTooLarge, match="1,000 bytes, over the limit of 10"):
        diff.parse(b"x" * 1000, max_bytes=10)


def test_a_file_agrees_with_its_head_only_when_every_line_stands_there():
    file = one("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")

    assert file.agrees_with("a\nc\n")
    assert not file.agrees_with("a\nb\n")
    assert not file.agrees_with("a")


@pytest.mark.parametrize("header", ["@@ -0,0 +0,0 @@", f"@@ -{'1' * 5000},1 +1 @@"])
def test_a_hunk_header_that_counts_nothing_or_without_end_is_refused(header):
    with pytest.raises(BrokenDiff, match="can't be read"):
        diff.parse(f"diff --git a/x b/x\n--- a/x\n+++ b/x\n{header}\n")


def test_a_byte_order_mark_hides_no_file():
    text = b"\xef\xbb\xbfdiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"

    assert [file.path for file in diff.parse(text).files] == ["x"]


def test_many_carriage_returns_are_no_deep_matter():
    with pytest.raises(BrokenDiff):
        diff.parse(b"diff --git a/x b/x" + b"\r" * 3_000 + b"\n--- a/x\n")


HEAD = "diff --git a/x b/x\n--- a/x\n+++ b/x\n"
HUNK = "@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}{HUNK}GARBAGE\n@@ -5 +5 @@\n-c\n+d\n",
        f"diff --git a/x b/x\nold mode 1\nnew mode 2\nfoo\n--- a/x\n+++ b/x\n{HUNK}",
        f"{HEAD}{HUNK}diff -ru a/p b/p\n--- a/p\n+++ b/p\n{HUNK}",
        f"--- a/p\n+++ b/p\n{HUNK}{HEAD}{HUNK}",
    ],
    ids=["between hunks", "in a header", "plain behind git", "plain before git"],
)
def test_what_stands_in_the_way_of_hunks_never_hides_them(text):
    with pytest.raises(BrokenDiff):
        diff.parse(text)
