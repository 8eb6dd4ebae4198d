"""Annotations of a check run: on lines of the head, bounded, in fifties."""

from __future__ import annotations

import random

from reviewer.core.findings import Severity
from tests.publish.made import finding
from webhooks.publish.annotations import annotate, fifties


def test_an_annotation_tells_its_finding_as_github_wants_it():
    (one,) = annotate([finding(end_line=4)])

    assert one.as_json() == {
        "path": "a.py",
        "start_line": 2,
        "end_line": 4,
        "annotation_level": "warning",
        "title": "Title 1",
        "message": "Message 1.",
    }


def test_findings_on_removed_lines_and_whole_files_have_none():
    assert annotate([finding(1, side="LEFT"), finding(2, line=None)]) == ()


def test_the_level_follows_the_severity_and_fails_where_the_rules_do():
    findings = [finding(number, severity=severity) for number, severity in enumerate(Severity)]

    def levels(fail_on: Severity | None) -> list[str]:
        return [each.level for each in annotate(findings, fail_on)]

    assert levels(None) == ["warning", "warning", "warning", "notice"]
    assert levels(Severity.HIGH) == ["failure", "failure", "warning", "notice"]
    assert levels(Severity.LOW) == ["failure"] * 4


def test_the_order_is_the_same_however_the_findings_came_in():
    findings = [finding(n, severity=list(Severity)[n % 4], line=n % 7 + 1) for n in range(60)]
    shuffled = random.Random(1).sample(findings, len(findings))

    assert annotate(shuffled) == annotate(findings)
    assert annotate(findings)[0].level == "warning"


def test_a_message_keeps_to_64_kb_and_ends_with_a_whole_character():
    # No finding that was validated is so long; the bound must hold if that changes
    long = finding().model_copy(update={"message": "x" + "€" * 40_000, "title": "t" * 300})

    (one,) = annotate([long])

    assert len(one.message.encode()) <= 64_000
    assert set(one.message) == {"x", "€"}
    assert len(one.title) == 255


def test_annotations_go_out_in_fifties_and_those_that_stand_are_not_sent_again():
    all_ = annotate([finding(number) for number in range(120)])

    assert [len(batch) for batch in fifties(all_, 0)] == [50, 50, 20]
    assert [len(batch) for batch in fifties(all_, 50)] == [50, 20]
    assert [each for batch in fifties(all_, 70) for each in batch] == list(all_[70:])
    assert fifties(all_, 120) == ()
    assert fifties((), 0) == ()
