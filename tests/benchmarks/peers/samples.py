"""The diffs that are compared, and what git says of each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.corpus import DATA, truth

EACH = 5
"""Diffs of the small and of the middle class, evenly spaced in size."""

SMALL = range(10_000)
MIDDLE = range(20_000, 200_000)
HUGE_FROM = 700_000
"""Sizes in bytes; from here on up every diff is taken."""

PLAIN = {"show", "firstparent"}
"""Diffs as git prints them by default; the others vary the format, which is not compared here."""

MANY_FILES = 150
MOST_LINES_OF_ONE = 400
"""A file of the made diff is none that would be large by itself."""

HUGE_FILE_BYTES = 190_000
"""About 57,000 tokens of Go on the tokenizer that PR-Agent counts with."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A diff and its files: path to changed lines, 0 where git counts none."""

    name: str
    raw: bytes
    files: dict[str, int]

    @property
    def lines(self) -> int:
        return sum(self.files.values())


CALIBRATION = Sample(
    "calibration",
    b"""\
diff --git a/shop/pages.py b/shop/pages.py
index 1111111..2222222 100644
--- a/shop/pages.py
+++ b/shop/pages.py
@@ -1,5 +1,6 @@ class Page:
 first
-## File: 'old.py'
--- second
+## File: 'new.py'
+++ second
+12 +third
 middle
 fourth
@@ -10,3 +11,3 @@
 tenth
-__old hunk__
+__new hunk__
 twelfth
diff --git a/shop/new.py b/shop/new.py
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/shop/new.py
@@ -0,0 +1,2 @@
+@@ -1 +1 @@
+R12    +text
""",
    {"shop/pages.py": 7, "shop/new.py": 2},
)
"""So small that everybody's prompt must show all of it, with lines that look like the prompts' own."""


def choose() -> list[Sample]:
    """The real diffs by size, then the two made ones."""
    with (DATA / "diffs" / "MANIFEST.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    counted = truth()
    sized = sorted((int(row["bytes"]), row["file"]) for row in rows if counted[row["file"]] is not None)
    plain = {
        row["file"] for row in rows if row["variant"] in PLAIN and int(row["added"]) + int(row["removed"])
    }
    small, middle = (
        [name for size, name in sized if size in sizes and name in plain] for sizes in (SMALL, MIDDLE)
    )
    huge = [name for size, name in sized if size > HUGE_FROM]
    names = [*_spaced(small), *_spaced(middle), *huge]
    return [*map(_real, names), _many_files(middle), _huge_file([name for _, name in sized if name in plain])]


def _spaced(names: list[str]) -> list[str]:
    return [names[len(names) * (2 * step + 1) // (2 * EACH)] for step in range(EACH)]


def _real(name: str) -> Sample:
    return Sample(_short(name), (DATA / "diffs" / name).read_bytes(), dict(_counts(name)))


def _short(name: str) -> str:
    """`owner__repository-0123456789ab.variant.diff` as `repository-0123456`."""
    repository, _, rest = name.split("__", 1)[1].rpartition("-")
    return f"{repository}-{rest[:7]}"


def _counts(name: str) -> Iterator[tuple[str, int]]:
    """Path and changed lines of every file, in the order of the diff."""
    for added, removed, _, path in truth()[name] or ():
        yield path, 0 if added == "-" else int(added) + int(removed)


def _many_files(names: list[str]) -> Sample:
    """Files of many real diffs as one diff, two of each until there are enough."""
    raw: list[bytes] = []
    files: dict[str, int] = {}
    for start in range(0, MANY_FILES, 2):
        for name in names:
            taken = _sections(name)[start : start + 2]
            for path, lines, section in taken:
                if len(files) < MANY_FILES and path not in files and 0 < lines <= MOST_LINES_OF_ONE:
                    files[path] = lines
                    raw.append(section)
        if len(files) == MANY_FILES:
            break
    return Sample(f"made: {len(files)} files", b"".join(raw), files)


def _sections(name: str) -> list[tuple[str, int, bytes]]:
    text = (DATA / "diffs" / name).read_bytes()
    sections = [b"diff --git " + part for part in (b"\n" + text).split(b"\ndiff --git ")[1:]]
    counts = list(_counts(name))
    if len(counts) != len(sections):
        return []
    return [(path, n, part.rstrip(b"\n") + b"\n") for (path, n), part in zip(counts, sections, strict=True)]


def _huge_file(names: list[str]) -> Sample:
    """One new file of lines that real changes added to Go files."""
    lines: list[bytes] = []
    size = 0
    for name in names:
        for path, _, section in _sections(name):
            hunks = section.split(b"\n@@ ", 1)[1:] if path.endswith(".go") else []
            for line in (line for hunk in hunks for line in hunk.split(b"\n") if line.startswith(b"+")):
                if size < HUGE_FILE_BYTES and not line.endswith(b"\r"):
                    lines.append(line)
                    size += len(line) + 1
    head = (
        b"diff --git a/service/everything.go b/service/everything.go\nnew file mode 100644\n"
        b"index 0000000..1111111\n--- /dev/null\n+++ b/service/everything.go\n"
    )
    raw = head + b"@@ -0,0 +1,%d @@\n" % len(lines) + b"\n".join(lines) + b"\n"
    return Sample("made: one new file", raw, {"service/everything.go": len(lines)})


def write(samples: list[Sample], folder: Path) -> list[Path]:
    """The samples as files, for a process that reads files."""
    paths = [folder / f"{number}.diff" for number in range(len(samples))]
    for sample, path in zip(samples, paths, strict=True):
        path.write_bytes(sample.raw)
    return paths
