from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reviewer.core import diff as diffs
from reviewer.core import prompt
from reviewer.core.plan import Limits, plan
from reviewer.core.policy import Policy
from tests.benchmarks.peers import samples
from tests.benchmarks.peers.counting import Seen, of_pr_agent, of_sluice, seen
from tests.benchmarks.peers.samples import CALIBRATION, Sample
from tests.corpus import needs_corpus
from tests.fakes.work import MODELS

EVERYTHING = Seen(files=2, added=6, removed=3, cut=0)

NUMBERED = """
Title: 'Local diff review'

The PR code diff:
======


## File: 'shop/pages.py'

@@ -1,5 +1,6 @@ class Page:
__new hunk__
1  first
2 +## File: 'new.py'
3 +++ second
4 +12 +third
5  middle
6  fourth
__old hunk__
 first
-## File: 'old.py'
--- second
 middle
 fourth

@@ -10,3 +11,3 @@
__new hunk__
11  tenth
12 +__new hunk__
13  twelfth
__old hunk__
 tenth
-__old hunk__
 twelfth


## File: 'shop/new.py'

@@ -0,0 +1,2 @@
__new hunk__
1 +@@ -1 +1 @@
2 +R12    +text

Additional modified files (insufficient token budget to process):
+named.py
======


Response (should be a valid YAML, and nothing else):
"""

AS_GIT_DOES = """
The PR Diff:
======


## File: 'shop/pages.py'

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


## File: 'shop/new.py'

@@ -0,0 +1,2 @@
+@@ -1 +1 @@
+R12    +text

======
"""

WITHOUT_NUMBERS = """
======
## File: 'shop/pages.py'

@@ -1,5 +1,6 @@ class Page:
__new hunk__
 first
+## File: 'new.py'
+++ second
+12 +third
...(truncated)
======
"""


@pytest.mark.parametrize("text", [NUMBERED, AS_GIT_DOES])
def test_lines_of_both_forms_of_pr_agents_hunks_are_counted_as_git_does(text):
    assert seen(*of_pr_agent([text]), CALIBRATION.raw) == EVERYTHING


def test_of_a_clipped_prompt_only_what_is_there_counts():
    assert seen(*of_pr_agent([WITHOUT_NUMBERS]), CALIBRATION.raw) == Seen(1, 3, 0, 0)


def test_a_prompt_that_is_sent_again_counts_once():
    assert seen(*of_pr_agent([NUMBERED, NUMBERED]), CALIBRATION.raw) == EVERYTHING


def test_a_line_that_is_not_in_the_diff_as_shown_counts_as_cut():
    shown = NUMBERED.replace("12 +third", "12 +thi")

    assert seen(*of_pr_agent([shown]), CALIBRATION.raw) == Seen(2, 5, 3, 1)


def _prompts(sample: Sample, window: int) -> list[str]:
    planned = plan(diffs.parse(sample.raw), Policy(), Limits(window), MODELS)
    return [prompt.build(batch).user for batch in planned.batches]


def test_our_prompts_are_counted_as_git_does():
    assert seen(*of_sluice(_prompts(CALIBRATION, 64_000)), CALIBRATION.raw) == EVERYTHING


def test_a_row_that_is_none_is_no_silent_zero():
    text = _prompts(CALIBRATION, 64_000)[0].replace("R2 ", "?2 ")

    with pytest.raises(ValueError, match="no row of a prompt"):
        of_sluice([text])


@needs_corpus
def test_the_made_diffs_are_diffs_to_git_with_the_counts_they_claim(tmp_path: Path):
    for sample in samples.choose()[-2:]:
        file = tmp_path / "made.diff"
        file.write_bytes(sample.raw)
        done = subprocess.run(["git", "apply", "--numstat", "-z", file], capture_output=True, check=True)
        rows = [row.split(b"\t") for row in done.stdout.split(b"\0") if b"\t" in row]

        assert len(rows) == len(sample.files)
        assert sum(int(added) + int(removed) for added, removed, *_ in rows) == sample.lines


@needs_corpus
def test_what_a_cut_repeats_is_not_counted_twice():
    huge = samples.choose()[-1]

    assert seen(*of_sluice(_prompts(huge, 64_000)), huge.raw) == Seen(1, huge.lines, 0, 0)
