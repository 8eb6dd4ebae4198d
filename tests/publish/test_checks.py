"""Check runs: how they end by the rules, and that their table holds whatever a model or an author wrote."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reviewer.core import diff
from reviewer.core.findings import Severity
from tests.publish.made import PICTURE, TEXT, finding, outcome
from webhooks.policy import Rules
from webhooks.publish import checks
from webhooks.publish.tables import cell, code, fitted
from webhooks.publish.values import AGAIN, STOP, CheckOutput

LIMIT = 65_535
MARKDOWN = MarkdownIt("commonmark").enable("table")

GENERATED = (
    "diff --git a/yarn.lock b/yarn.lock\nindex 1111111..2222222 100644\n--- a/yarn.lock\n+++ b/yarn.lock\n"
    "@@ -1 +1 @@\n-a\n+b\n"
)
UNSHOWN = "diff --git a/huge.py b/huge.py\nindex 1111111..2222222 100644\n"


def rows_of(markdown: str) -> list[list[str]]:
    """The cells of a table's body as a person reads them."""
    html = MARKDOWN.render(markdown)
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]
    return [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]


@pytest.mark.parametrize(
    ("severities", "failed", "rules", "conclusion"),
    [
        ([], None, Rules(), "success"),
        (["low"], None, Rules(), "neutral"),
        (["critical"], None, Rules(), "neutral"),
        (["high"], None, Rules(fail_on=Severity.HIGH), "failure"),
        (["critical"], None, Rules(fail_on=Severity.HIGH), "failure"),
        (["medium"], None, Rules(fail_on=Severity.HIGH), "neutral"),
        ([], None, Rules(fail_on=Severity.LOW), "success"),
        ([], "down", Rules(), "neutral"),
        ([], "down", Rules(partial="failure"), "failure"),
        (["low"], "down", Rules(partial="success"), "success"),
        (["low"], "down", Rules(partial="action_required", fail_on=Severity.HIGH), "action_required"),
        (["high"], "down", Rules(partial="success", fail_on=Severity.HIGH), "failure"),
    ],
)
def test_a_check_run_ends_by_the_rules(severities, failed, rules, conclusion):
    findings = [finding(number, severity=severity) for number, severity in enumerate(severities)]
    done = outcome(findings, failed=failed)

    assert checks.check(done, rules, None, None).conclusion == conclusion
    assert checks.unpublished_check(done, rules, "locked").conclusion == conclusion


def test_a_partial_review_says_so_and_names_what_is_missing_and_why():
    output = checks.check(outcome([finding()], failed="the model is | down"), Rules(), None, None)

    assert output.title == "partly reviewed: 1 high"
    assert "<code>a.py</code>: the model is &#124; down" in output.summary
    assert "3 of 8 changed lines reviewed" in output.summary


@pytest.mark.parametrize(("more", "partial"), [(PICTURE, False), (GENERATED, False), (UNSHOWN, True)])
def test_what_is_left_out_on_purpose_makes_no_review_partial_and_what_could_not_be_read_does(more, partial):
    output = checks.check(outcome(change=diff.parse(TEXT + more)), Rules(), None, None)

    assert output.title.startswith("partly reviewed") is partial
    assert output.conclusion == ("neutral" if partial else "success")


def test_the_summary_holds_a_table_of_findings_the_page_the_notice_and_the_cost():
    findings = [finding(1), finding(2, line=None, severity="low")]

    output = checks.check(outcome(findings), Rules(), "https://sluice.example/r/1", "a notice")

    assert rows_of(output.summary) == [
        ["🔴 high", "<code>a.py:2</code>", "Title 1"],
        ["🔵 low", "<code>a.py</code>", "Title 2"],
    ]
    for part in ("1 high, 1 low", "[Watch the review](https://sluice.example/r/1)", "> a notice", "$0.0123"):
        assert part in output.summary


def test_a_clean_review_has_no_table():
    assert "|" not in checks.check(outcome(), Rules(), None, None).summary


EVIL = ["a | b", r"a \| b", "`a | b`", "`a", "a\nb", "<img src=x>", "![x](u)", "[x](u)", "`<b>|*x*`", "``|``"]


@pytest.mark.parametrize("title", EVIL)
def test_a_title_stays_in_its_cell_whatever_it_holds(title):
    summary = checks.check(outcome([finding(title=title)]), Rules(), None, None).summary

    ((_, place, shown),) = rows_of(summary)

    assert place == "<code>a.py:2</code>"
    assert not re.search("<(?!/?code>)", shown)


@pytest.mark.parametrize("path", ["a|b.py", "a`b|.py", r"a\|b.py", "<b>.py", "a*b*_c_.py", "a\nb.py"])
def test_a_path_stays_in_its_cell_whatever_it_holds(path):
    summary = checks.check(outcome([finding(path=path)]), Rules(), None, None).summary

    ((_, place, _),) = rows_of(summary)

    assert place.count("<code>") == 1
    assert not re.search("<(?!/?code>)", place)


@given(st.text(max_size=60))
def test_any_text_is_one_cell(text):
    for made in (cell(text), code(text)):
        assert not set(made) & set("\n|`\\")
        ((before, shown, after),) = rows_of(f"| a | b | c |\n| --- | --- | --- |\n| 1 | {made} | 2 |")
        assert (before, after) == ("1", "2")
        assert not re.search(r"<(?!/?(?:code|em|strong)>)", shown)


def test_code_in_a_title_is_shown_as_code():
    assert cell("`x` may be None") == "<code>x</code> may be None"


def test_a_table_of_thousands_keeps_to_the_limit_and_counts_the_rest():
    many = [finding(number, title="`|" * 99) for number in range(1_200)]

    for output in (
        checks.check(outcome(many), Rules(), None, None),
        checks.unpublished_check(outcome(many), Rules(), "locked"),
    ):
        assert len(output.summary) <= LIMIT
        rows = rows_of(output.summary)
        assert rows[-1][2] == f"and {1_200 - (len(rows) - 1):,} more"
        assert "$0.0123" in output.summary


def test_rows_that_just_fit_are_all_there():
    rows = ["12345"] * 4

    assert fitted(rows, 24, str) == rows
    assert fitted(rows, 23, str) == ["12345", "12345", "12345", "1"]
    for room in range(2, 24):
        assert len("\n".join(fitted(rows, room, str))) < room


@pytest.mark.parametrize(
    ("reason", "named"),
    [
        ("Unable to create comment because issue is locked.", "Unlock the conversation"),
        ("Resource not accessible by integration", "accept the app's permissions"),
        ("User is blocked", "interaction limit"),
    ],
)
def test_comments_that_could_not_be_posted_are_told_in_full_with_the_remedy(reason, named):
    output = checks.unpublished_check(outcome([finding()]), Rules(), reason, "https://sluice.example/r/1")

    assert output.title == "1 high; comments could not be posted"
    for part in (reason, named, "Review again", "Message 1.", "https://sluice.example/r/1"):
        assert part in output.summary
    assert len(rows_of(output.summary)) == 1


def test_a_running_check_counts():
    output = checks.running_check(3, 10, {"critical": 0, "high": 2, "medium": 0, "low": 1})

    assert output == CheckOutput(
        None,
        "3 of 10 chunks reviewed, 2 high, 1 low so far",
        "3 of 10 chunks reviewed, 2 high, 1 low so far.",
    )
    assert checks.running_check(0, 10, {}).title == "0 of 10 chunks reviewed, no findings so far"
    assert checks.running_check(0, 0, {}).title == "reads the change"


def test_a_queued_check_tells_what_is_before_it_if_that_is_known():
    assert checks.queued_check(None).title == checks.queued_check(0).title == "queued"
    assert checks.queued_check(1).summary == "1 review waits before this one."
    assert checks.queued_check(1_200).title == "queued behind 1,200"
    assert checks.queued_check(3).conclusion is None


def test_a_review_that_did_not_come_to_its_end_says_why():
    assert checks.cancelled_check("stopped by @ann <x>").conclusion == "cancelled"
    assert "<x>" not in checks.cancelled_check("stopped by @ann <x>").summary
    assert "abcdef012345" in checks.superseded_check("abcdef0123456789").summary
    assert checks.failed_check("broken", "push again").conclusion == "neutral"
    assert checks.postponed_check("down", 90, 1, 2).conclusion is None


def test_an_output_survives_the_database():
    for output in (checks.queued_check(2), checks.check(outcome([finding()]), Rules(), None, "ñ")):
        assert CheckOutput.from_record(json.loads(json.dumps(output.as_record()))) == output


def test_actions_are_as_short_as_github_wants_them():
    assert [action.identifier for action in (STOP, AGAIN)] == ["stop", "again"]
    for action in (STOP, AGAIN):
        body = action.as_json()
        assert len(body["label"]) <= 20
        assert len(body["description"]) <= 40
        assert len(body["identifier"]) <= 20
