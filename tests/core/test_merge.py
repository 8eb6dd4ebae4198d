from __future__ import annotations

from typing import Any

import pytest

from reviewer.core import diff
from reviewer.core.anchors import Anchors, Dropped
from reviewer.core.findings import ReportedFinding, Severity, Side, tool_schema
from reviewer.core.merge import Findings

DIFF = diff.parse(
    "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n"
    "@@ -1,4 +1,4 @@\n import os\n-check(user)\n+run(user)\n done()\n twice()\n"
    "@@ -20,2 +20,3 @@\n twice()\n+last_line_here()\n end()\n"
)


def reported(**changes: Any) -> ReportedFinding:
    values: dict[str, Any] = {
        "path": "x.py",
        "line": 2,
        "quote": "run(user)",
        "severity": "high",
        "category": "security",
        "title": "Unchecked user",
        "message": "The check is gone.",
    }
    return ReportedFinding.model_validate({**values, **changes})


def findings(least: Severity = Severity.LOW) -> Findings:
    return Findings("r1", DIFF, least_severity=least)


def test_a_finding_whose_quote_stands_at_its_line_is_verified_there():
    finding = findings().add(reported(), chunk="c", source="m")

    assert finding is not None
    assert (finding.path, finding.line, finding.side, finding.verified) == ("x.py", 2, Side.RIGHT, True)


def test_a_wrong_line_is_mended_by_the_quote():
    finding = findings().add(reported(line=17, quote="last_line_here()"), chunk="c", source="m")

    assert finding is not None
    assert finding.line == 21


def test_a_quote_of_a_removed_line_moves_to_the_old_side():
    finding = findings().add(reported(quote="check(user)", line=2), chunk="c", source="m")

    assert finding is not None
    assert (finding.side, finding.line) == (Side.LEFT, 2)


def test_a_quote_that_stands_twice_belongs_to_the_file():
    finding = findings().add(reported(quote="twice()", line=900), chunk="c", source="m")

    assert finding is not None
    assert finding.line is None
    assert not finding.verified


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote": "nowhere()"}, Dropped.NOT_IN_DIFF),
        ({"path": "y.py"}, Dropped.UNKNOWN_FILE),
        ({"severity": "low"}, "below medium"),
    ],
)
def test_what_does_not_stand_is_counted_by_reason(changes, reason):
    seen = findings(Severity.MEDIUM)

    assert seen.add(reported(**changes), chunk="c", source="m") is None
    assert {reason: 1} == dict(seen.dropped)


def test_the_same_finding_is_said_once():
    seen = findings()
    seen.add(reported(), chunk="c", source="m")

    assert seen.add(reported(message="other words"), chunk="d", source="m") is None
    assert dict(seen.dropped) == {Dropped.DUPLICATE: 1}


def test_two_problems_on_one_line_both_stand():
    seen = findings()
    seen.add(reported(), chunk="c", source="m")
    seen.add(reported(title="Another problem", severity="critical"), chunk="c", source="m")

    assert [finding.title for finding in seen.standing] == ["Another problem", "Unchecked user"]


def test_a_range_over_two_hunks_shrinks_to_its_line_and_its_suggestion_becomes_plain_code():
    finding = findings().add(reported(end_line=21, suggestion="x = `a`"), chunk="c", source="m")

    assert finding is not None
    assert (finding.end_line, finding.suggestion) == (None, None)
    assert finding.message.endswith("```\nx = `a`\n```")


def test_a_secret_is_redacted_and_a_redacted_suggestion_is_never_applied():
    key = "ghs_" + "madeup" * 7
    finding = findings().add(
        reported(message=f"leaks {key}", suggestion=f'token = "{key}"'), chunk="c", source="m"
    )

    assert finding is not None
    assert finding.suggestion is None
    assert key not in finding.model_dump_json()


def test_fingerprints_survive_a_move():
    moved = diff.parse(
        "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n"
        "@@ -101,4 +101,4 @@\n import os\n-check(user)\n+run(user)\n done()\n twice()\n"
    )
    first = findings().add(reported(), chunk="c", source="m")
    second = Findings("r2", moved, least_severity=Severity.LOW).add(reported(line=102), chunk="c", source="m")

    assert first is not None
    assert second is not None
    assert first.fingerprint == second.fingerprint
    assert first.id != second.id


def test_anchors_take_new_side_lines_removed_lines_and_ranges_within_a_hunk():
    anchors = Anchors("x.py", DIFF.files)

    assert anchors.accepts(Side.RIGHT, 1)
    assert anchors.accepts(Side.LEFT, 2)
    assert anchors.accepts(Side.RIGHT, 1, 4)
    assert not anchors.accepts(Side.LEFT, 1)
    assert not anchors.accepts(Side.RIGHT, 5)
    assert not anchors.accepts(Side.RIGHT, 4, 20)
    assert not anchors.accepts(Side.RIGHT, 4, 1)


def test_the_tools_schema_is_strict():
    item = tool_schema()["properties"]["findings"]["items"]

    assert set(item["required"]) == set(item["properties"]) == set(ReportedFinding.model_fields)
    assert item["additionalProperties"] is False
    assert item["properties"]["severity"]["enum"] == ["critical", "high", "medium", "low"]
    assert "$ref" not in str(item)
    assert "minimum" not in str(item)


def long_line_diff() -> diff.Diff:
    head = b"diff --git a/x.js b/x.js\n--- a/x.js\n+++ b/x.js\n@@ -1,2 +1,4 @@\n context\n"
    row = b"+var start_of_a_long_line = 1;" + b"x" * 50_000 + b";the_end\n"
    return diff.parse(head + row + b"+caf\xe9 = eval(who)\n y\n")


@pytest.mark.parametrize(
    ("quote", "line"),
    [
        ("var start_of_a_long_line = 1;xxxx …[40,000 characters trimmed]… xxxx;the_end", 2),
        ("var start_of_a_long_line = 1;" + "x" * 30_000, 2),
        ("caf\ufffd = eval(who)", 3),
        ("\n  \ncaf\ufffd = eval(who)\n y\n", 3),
        ("R3     +caf\ufffd = eval(who)", 3),
        ("+caf\ufffd = eval(who)", 3),
    ],
    ids=["trimmed", "long", "no text", "several lines", "with its place", "with its mark"],
)
def test_a_quote_is_known_again_as_the_model_was_shown_its_line(quote, line):
    found = Findings("r", long_line_diff(), least_severity=Severity.LOW)

    finding = found.add(reported(path="x.js", line=77, quote=quote), chunk="c", source="m")

    assert finding is not None
    assert (finding.line, finding.verified) == (line, True)


def test_an_unchanged_line_reported_on_the_old_side_counts_on_the_new():
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -5,2 +5,3 @@\n+new\n same_line_here()\n y\n"
    found = Findings("r", diff.parse(text), least_severity=Severity.LOW)

    finding = found.add(
        reported(path="x", side="LEFT", line=5, quote="same_line_here()"), chunk="c", source="m"
    )

    assert finding is not None
    assert (finding.side, finding.line) == (Side.RIGHT, 6)


def test_a_quote_of_gits_remark_on_a_missing_newline_stands_nowhere():
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n"
    found = Findings("r", diff.parse(text), least_severity=Severity.LOW)

    assert (
        found.add(reported(path="x", line=7, quote="No newline at end of file"), chunk="c", source="m")
        is None
    )
    assert found.dropped == {Dropped.NOT_IN_DIFF: 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"title": " "},
        {"title": "\u200b"},
        {"title": "<!-- only this -->"},
        {"title": "@a " * 66},
        {"message": "<!-- only this -->"},
        {"message": "x" * 4_000, "end_line": 90, "suggestion": "y\n" * 2_000},
        {"message": "@a " * 1_300},
    ],
    ids=lambda changes: f"{next(iter(changes))}, {len(next(iter(changes.values())))} long",
)
def test_a_finding_stands_whatever_making_its_words_safe_does_to_their_length(changes):
    finding = findings().add(reported(**changes), chunk="c", source="m")

    assert finding is not None
    assert finding.title.strip()
    assert finding.message.strip()
    assert finding.message.endswith("```") == ("suggestion" in changes)
