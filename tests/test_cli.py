from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import diffs, needs_corpus, truth
from tests.scenarios.app import BASE, HEAD

SLUICE = (sys.executable, "-c", "from webhooks.cli import main; main()")


def sluice(
    *arguments: str, cwd: Path, text: str | bytes = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, with nothing configured but what the test sets."""
    data = text if isinstance(text, bytes) else text.encode()
    project = str(Path(__file__).parents[1])
    clean = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(cwd), "PYTHONPATH": project, **env}
    done = subprocess.run(
        [*SLUICE, *arguments], cwd=cwd, input=data, capture_output=True, env=clean, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        settings = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for files in (BASE, HEAD):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        git("add", "-A")
        git("commit", "-qm", "change")
    return tmp_path


def test_a_range_is_reviewed_as_text_with_each_finding_at_its_code_line(repository):
    done = sluice("review", "HEAD~1..HEAD", cwd=repository)

    assert done.returncode == 1
    assert "No model is configured" in done.stdout
    assert "calc.py:9" in done.stdout
    assert "9 |     subprocess.run(command, shell=True)" in done.stdout
    assert "10 of 10 changed lines reviewed" in done.stdout


def test_a_diff_from_standard_input_is_reviewed_as_json(repository):
    diff = subprocess.run(["git", "diff", "HEAD~1"], cwd=repository, check=True, capture_output=True).stdout

    done = sluice("review", "--diff", "-", "--format", "json", cwd=repository, text=diff)

    told = json.loads(done.stdout)
    assert [(f["path"], f["line"], f["verified"]) for f in told["findings"]] == [("calc.py", 9, True)]
    assert told["engine"] == "analyzers"
    coverage = told["coverage"]
    assert (coverage["changed_lines"], coverage["reviewed"], coverage["not_reviewed"]) == (10, 10, {})
    assert [(f["path"], f["reviewed"], f["changed_lines"]) for f in coverage["files"]] == [
        ("calc.py", 9, 9),
        ("notes.md", 1, 1),
    ]


def test_a_diff_whose_files_are_not_here_is_reviewed_by_what_can_and_says_so(repository, tmp_path):
    diff = subprocess.run(["git", "diff", "HEAD~1"], cwd=repository, check=True, capture_output=True).stdout
    elsewhere = tmp_path / "empty"
    elsewhere.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=elsewhere, check=True)

    done = sluice("review", "--diff", "-", "--format", "json", cwd=elsewhere, text=diff)

    assert done.returncode == 0
    assert "could not be read" in " ".join(json.loads(done.stdout)["notes"])


def test_sarif_names_the_place_and_the_fingerprint(repository):
    told = json.loads(sluice("review", "HEAD~1..HEAD", "--format", "sarif", cwd=repository).stdout)

    (result,) = told["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "calc.py"
    assert place["region"] == {"startLine": 9, "endLine": 9}
    assert result["partialFingerprints"]["sluice/v1"]
    assert told["version"] == "2.1.0"


def test_sse_tells_the_story_in_order(repository):
    told = sluice("review", "HEAD~1..HEAD", "--format", "sse", cwd=repository).stdout

    types = [line.removeprefix("event: ") for line in told.splitlines() if line.startswith("event: ")]
    assert (types[0], types[1], types[-1]) == ("review.started", "review.planned", "review.completed")
    assert "finding" in types


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("x\n", "NotADiff", "no unified diff"),
        ("diff --git a/x b/x\n--- a/x\n", "BrokenDiff", "middle of the header of 'x'"),
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n", "BrokenDiff", "more lines than"),
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,4 +1 @@\n-a\n+b\n", "BrokenDiff", "shorter than"),
        ("--- a/../../etc/x\n+++ b/../../etc/x\n@@ -1 +1 @@\n-a\n+b\n", "BrokenDiff", "no path inside"),
        ("--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n", "BrokenDiff", "no path inside"),
        (
            'diff --git "a/x\\000y" "b/x\\000y"\nold mode 100644\nnew mode 100755\n',
            "BrokenDiff",
            "no path inside",
        ),
    ],
)
def test_a_diff_that_can_not_be_used_says_what_is_wrong(repository, text, kind, words):
    done = sluice("plan", "--json", "--diff", "-", cwd=repository, text=text)

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == kind
    assert words in json.loads(done.stdout)["error"]["message"]


def test_an_empty_diff_is_a_plan_of_nothing(repository):
    done = sluice("plan", "--json", "--diff", "-", cwd=repository, text="")

    assert done.returncode == 0
    assert json.loads(done.stdout)["files"] == []
    assert json.loads(done.stdout)["coverage"]["changed_lines"] == 0


def test_a_review_of_an_empty_diff_says_that_there_was_nothing(repository):
    done = sluice("review", "--diff", "-", cwd=repository, text="")

    assert done.returncode == 0
    assert "The diff is empty" in done.stdout


@pytest.mark.parametrize("source", ["file", "standard input", "git"])
def test_a_diff_over_the_limit_is_refused_with_both_numbers(repository, tmp_path, source):
    text = "diff --git a/x b/x\n" * 1_000
    (tmp_path / "big.diff").write_text(text)
    (repository / "calc.py").write_text("x = 1\n" * 3_000)
    arguments = {
        "file": ("--diff", str(tmp_path / "big.diff")),
        "standard input": ("--diff", "-"),
        "git": ("HEAD",),
    }

    done = sluice("plan", *arguments[source], cwd=repository, text=text, SLUICE_MAX_DIFF_BYTES="10000")

    assert done.returncode == 2
    assert "over the limit of 10,000" in done.stderr
    assert source == "git" or f"{len(text):,} bytes" in done.stderr


def test_a_window_too_small_for_the_prompt_is_refused_with_the_least_that_works(repository):
    done = sluice(
        "plan",
        "HEAD~1..HEAD",
        cwd=repository,
        ANTHROPIC_BASE_URL="http://127.0.0.1:9",
        LLM_CONTEXT_WINDOW="4000",
    )

    assert done.returncode == 2
    assert "LLM_CONTEXT_WINDOW: half of 4,000 tokens does not hold" in done.stderr
    least = done.stderr.rsplit("set ", 1)[1].split(" ", 1)[0].replace(",", "")
    enough = sluice(
        "plan",
        "HEAD~1..HEAD",
        cwd=repository,
        ANTHROPIC_BASE_URL="http://127.0.0.1:9",
        LLM_CONTEXT_WINDOW=least,
    )
    assert enough.returncode == 0


def test_findings_below_the_bar_are_no_failure(repository):
    assert sluice("review", "HEAD~1..HEAD", "--fail-on", "critical", cwd=repository).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        (("review", "--diff", "-"), "hello\n", "no unified diff"),
        (("review", "--diff", "nowhere.diff"), "", "nowhere.diff: No such file"),
        (("review", "no-such-ref...HEAD"), "", "no-such-ref"),
        (("review", "--output=/tmp/x"), "", "No such option"),
        (("review",), "", "nothing is uncommitted"),
        (("review", "HEAD~1..HEAD", "--engine", "claude"), "", "ANTHROPIC_API_KEY is not set"),
        (("review", "--repo", "nowhere"), "", "nowhere is no folder"),
        (("demo", "--repo", "nowhere"), "", "nowhere is no folder"),
        (("demo", "--repo", ".", "--range", "HEAD~9...HEAD"), "", "'HEAD~9...HEAD': local/"),
        (("serve",), "", "GITHUB_WEBHOOK_SECRET"),
    ],
)
def test_what_can_not_be_done_ends_2_with_a_sentence(repository, arguments, text, words):
    done = sluice(*arguments, cwd=repository, text=text)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_every_wrong_setting_is_named_at_once(repository):
    done = sluice("plan", "HEAD~1..HEAD", cwd=repository, LLM_CONTEXT_WINDOW="many", SLUICE_PORT="-1")

    assert done.returncode == 2
    assert "LLM_CONTEXT_WINDOW" in done.stderr
    assert "SLUICE_PORT" in done.stderr


def test_a_refused_diff_is_json_too(repository):
    done = sluice("plan", "--json", "--diff", "-", cwd=repository, text="@@@ -1 -1 +1 @@@\n")

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "UnsupportedDiff"


@needs_corpus
def test_a_plan_of_real_diffs_counts_what_git_counts(tmp_path):
    by_size = sorted((p for p in diffs() if truth()[p.name] is not None), key=lambda p: p.stat().st_size)
    for path in (by_size[0], by_size[len(by_size) // 2], by_size[-1]):
        rows = truth()[path.name] or []
        told = json.loads(sluice("plan", "--json", "--diff", str(path), cwd=tmp_path).stdout)

        changed = sum(int(n) for row in rows for n in row[:2] if n != "-")
        coverage = told["coverage"]
        assert coverage["changed_lines"] == changed
        assert coverage["planned"] + sum(coverage["not_planned"].values()) == changed
        assert sum(chunk["changed_lines"] for chunk in told["chunks"]) == coverage["planned"]
        assert sorted(chunk for batch in told["batches"] for chunk in batch) == sorted(
            chunk["id"] for chunk in told["chunks"]
        )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LLM_CAPABILITIES", "{bad", "settings are wrong"),
        ("LLM_CAPABILITIES", '{"m": {"max_output": -5}}', "LLM_CAPABILITIES: m: max_output"),
        ("LLM_MODEL_WEIGHTS", "x", "LLM_MODEL_WEIGHTS"),
        ("BUDGET_REVIEW_USD", "inf", "BUDGET_REVIEW_USD"),
        ("BUDGET_REQUEST_TOKENS", "100", "BUDGET_REQUEST_TOKENS"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(repository, name, value, words):
    nobody = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", name: value}
    done = sluice("plan", "HEAD~1..HEAD", cwd=repository, **nobody)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
