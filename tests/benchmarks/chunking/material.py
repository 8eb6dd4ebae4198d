"""Diffs of a wanted size, made by joining real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.corpus import diffs, truth


def _real() -> Iterator[bytes]:
    """Real diffs as git prints them by default, over and over."""
    expected = truth()
    plain = [path for path in diffs() if expected[path.name] is not None and path.name.count(".") == 1]
    while True:
        for path in plain:
            yield path.read_bytes()


def joined(size: int) -> bytes:
    """About so many bytes of real diffs, cut between files."""
    pieces: list[bytes] = []
    have = 0
    for diff in _real():
        for section in re.split(rb"(?m)^(?=diff --git )", diff)[1:]:
            if have + len(section) > size:
                return b"".join(pieces)
            pieces.append(section)
            have += len(section)
    raise AssertionError("real diffs don't run out")


def one_new_file(size: int) -> bytes:
    """About so many bytes of the lines that real diffs add, as one new file with one hunk."""
    rows: list[bytes] = []
    have = 0
    for diff in _real():
        for row in re.findall(rb"(?m)^\+(?!\+\+ ).*$", diff):
            rows.append(row)
            have += len(row) + 1
            if have >= size:
                hunk = b"@@ -0,0 +1,%d @@\n" % len(rows) + b"\n".join(rows) + b"\n"
                return b"diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n" + hunk
    raise AssertionError("real diffs don't run out")
