"""Diffs are kept as the dashboard shows them."""

from __future__ import annotations

import json
import random
import zlib
from typing import Any

import pytest

from reviewer.core.diff import parse
from tests.posted.test_run import Counter
from tests.pull_requests import desk, opened
from tests.scenarios.app import make_repository, open_change, world
from webhooks import diffs_kept
from webhooks.diffs_kept import KeptDiffs, pack, unpack
from webhooks.diffs_shown import ShownFile, cut
from webhooks.posted.reviews import Posted

DIFF = b"""\
diff --git a/a b.py b/a b.py
index 1..2 100644
--- a/a b.py
+++ b/a b.py
@@ -1,3 +1,3 @@ def f():
 one \xe2\x80\xa8 line \x0c
-two caf\xe9
+two \x00
 three
@@ -10 +10 @@
-ten
+ten!
\\ No newline at end of file
diff --git a/old.md b/new.md
similarity index 100%
rename from old.md
rename to new.md
diff --git a/p.png b/p.png
index 1..2 100644
Binary files a/p.png and b/p.png differ
"""
FILES = [
    {
        "path": "a b.py",
        "old_path": None,
        "status": "modified",
        "added": 2,
        "removed": 2,
        "binary": False,
        "hunks": [
            {
                "header": "@@ -1,3 +1,3 @@ def f():",
                "lines": [
                    [" ", 1, 1, "one \u2028 line \x0c"],
                    ["-", 2, None, "two caf\ufffd"],
                    ["+", None, 2, "two \ufffd"],
                    [" ", 3, 3, "three"],
                ],
            },
            {
                "header": "@@ -10,1 +10,1 @@",
                "lines": [
                    ["-", 10, None, "ten"],
                    ["+", None, 10, "ten!"],
                    ["\\", None, None, "No newline at end of file"],
                ],
            },
        ],
    },
    {
        "path": "new.md",
        "old_path": "old.md",
        "status": "renamed",
        "added": 0,
        "removed": 0,
        "binary": False,
        "hunks": [],
    },
    {
        "path": "p.png",
        "old_path": None,
        "status": "modified",
        "added": 0,
        "removed": 0,
        "binary": True,
        "hunks": [],
    },
]


def told(files: list[ShownFile] | None) -> list[dict[str, Any]] | None:
    """What the API's answer says of them all."""
    return None if files is None else json.loads(cut(files, most=1_000_000))["files"]


def test_a_diff_is_kept_with_every_line_and_its_numbers():
    packed = pack(parse(DIFF), 1_000)
    assert packed is not None
    assert told(unpack(packed)) == FILES


def test_a_file_longer_than_what_is_written_at_once_is_kept_in_whole():
    lines = [f"line {number}" for number in range(2_500)]
    text = "--- /dev/null\n+++ b/long.txt\n@@ -0,0 +1,2500 @@\n" + "".join(f"+{line}\n" for line in lines)
    packed = pack(parse(text), 100_000)
    assert packed is not None
    ((hunk,),) = [file["hunks"] for file in told(unpack(packed)) or ()]
    assert hunk["lines"] == [["+", None, number, line] for number, line in enumerate(lines, start=1)]


def test_a_diff_too_large_to_be_kept_is_given_up_on_before_its_end():
    noise = random.Random(5)
    text = "--- /dev/null\n+++ b/x\n@@ -0,0 +1,900 @@\n"
    text += "".join(f"+{noise.randbytes(50).hex()}\n" for _ in range(900))
    diff = parse(text)
    packed = pack(diff, 1_000_000)
    assert packed is not None
    assert pack(diff, len(packed)) == packed
    assert pack(diff, len(packed) - 1) is None
    assert pack(diff, 100) is None


def test_the_lines_of_a_kept_diff_are_counted_whatever_they_hold():
    texts = ["[", '["+", ', '", "hunks": [', '["', "\\", ', "hunks": ']
    rows = "".join(f"{mark}{text}\n" for mark in "+- " for text in texts)
    text = f"--- a/x\n+++ b/x\n@@ -1,12 +1,12 @@ [\n{rows}"
    packed = pack(parse(text), 10_000)
    assert packed is not None
    (file,) = unpack(packed)

    assert file.lines == 18
    ((hunk,),) = [each["hunks"] for each in told([file]) or ()]
    assert [line[3] for line in hunk["lines"]] == texts * 3


def test_no_step_over_a_long_file_takes_long(monkeypatch):
    text = "--- /dev/null\n+++ b/long\n@@ -0,0 +1,20000 @@\n" + "+a line\n" * 20_000
    packed = pack(parse(text), 1_000_000)
    assert packed is not None
    read, written = json.loads, json.dumps
    lengths: list[int] = []
    monkeypatch.setattr(json, "loads", lambda text: lengths.append(len(text)) or read(text))
    monkeypatch.setattr(json, "dumps", lambda value: lengths.append(len(found := written(value))) or found)
    posted = diffs_kept._files_of(zlib.compress(text.encode()))
    assert posted is not None
    for files in (unpack(packed), posted):
        assert len(cut(files, most=1_000_000)) > 400_000

    assert max(lengths) < 100_000


@pytest.fixture
async def counter(database):
    async with desk(database) as found:
        yield Counter(found, Posted(found.feed, found.jobs))


async def test_the_diff_of_a_pull_request_is_read_as_it_was_kept_last(counter):
    kept = KeptDiffs(counter.database)
    review = (await counter.desk.tell(opened())).review
    assert await kept.read(review) is None
    await kept.keep(review, parse(""))
    assert told(await kept.read(review)) == []
    await kept.keep(review, parse(DIFF))

    assert told(await kept.read(review)) == FILES
    assert await kept.read("another") is None


async def test_a_posted_diff_is_shown_from_what_was_posted(counter, monkeypatch):
    kept = KeptDiffs(counter.database)
    review = await counter.post(diff=zlib.compress(DIFF))
    broken = await counter.post(diff=zlib.compress(b"no diff"))

    assert told(await kept.read(review)) == FILES
    assert await kept.read(broken) is None
    monkeypatch.setattr(diffs_kept, "MOST_BYTES", 10)
    assert await kept.read(review) is None


async def test_of_a_review_that_is_forgotten_meanwhile_nothing_is_kept_and_nobody_fails(counter):
    await KeptDiffs(counter.database).keep("forgotten", parse(DIFF))
    await counter.desk.rows("DROP TABLE diffs")
    await KeptDiffs(counter.database).keep((await counter.desk.tell(opened())).review, parse(DIFF))


async def test_too_large_a_diff_leaves_no_row(counter, monkeypatch):
    monkeypatch.setattr(diffs_kept, "MOST_BYTES", 10)
    review = (await counter.desk.tell(opened())).review
    await KeptDiffs(counter.database).keep(review, parse(DIFF))

    assert await counter.desk.rows("SELECT 1 FROM diffs") == []


async def test_the_diff_of_a_pull_request_is_kept_while_it_is_reviewed(database_url, database, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        await open_change(app, folder)
        review = await app.newest_review()
        await app.until_end(review)

        files = told(await KeptDiffs(database).read(review))
        assert files is not None
        assert [file["path"] for file in files] == ["calc.py", "notes.md"]
        assert ["+", None, 5, "    return a - b"] in files[0]["hunks"][0]["lines"]
