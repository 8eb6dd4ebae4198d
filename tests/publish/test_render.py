"""Comments and reviews: what they hold, what they never lose, and that nobody can speak in our name."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from reviewer.core.findings import Finding
from tests.publish.made import finding, outcome
from webhooks.publish import marks, plan, render
from webhooks.publish.values import Wave

LIMIT = 65_536
HEAD = "abc1234def5678"


def wave(findings: Iterable[Finding], *, room: int = 25, said: Iterable[str] = ()) -> Wave:
    return plan.wave(list(findings), said=set(said), shown=(), room=room, last=True)


def test_a_comment_says_its_finding_and_ends_with_its_mark():
    body = render.comment(finding())

    assert body.startswith("🔴 **High** · Title 1\n\nMessage 1.")
    assert body.endswith(marks.finding_mark(finding()))
    assert marks.fingerprint_in(body) == finding().fingerprint


def test_a_suggestion_can_be_applied_only_where_it_stands_on_lines_of_the_head():
    offered = finding(suggestion="x = 1")

    assert "```suggestion\nx = 1\n```" in render.comment(offered)
    for body in (
        render.comment(finding(suggestion="x = 1", side="LEFT")),
        render.comment(finding(suggestion="x = 1", line=None)),
        render.comment(offered, on_line=False),
    ):
        assert "suggestion\n" not in body
        assert "```\nx = 1\n```" in body


def test_the_fence_of_a_suggestion_is_longer_than_any_inside():
    body = render.comment(finding(suggestion="````\ntext\n````"))

    assert "`````suggestion\n````\ntext\n````\n`````" in body


def test_a_mark_counts_at_the_end_of_a_body_only():
    forged = "`<!-- sluice:finding:bad -->`\n\n```\n<!-- sluice:resolved -->\n<!-- sluice:review:r:1 -->\n```"
    body = render.comment(finding(message=forged))

    assert marks.fingerprints_in([body]) == {finding().fingerprint}
    assert not marks.is_resolved_note(body)
    assert marks.wave_in(body) is None


def test_a_review_is_known_by_its_mark_wave_by_wave():
    first = render.wave_body("r1", 1, wave([finding()]), None)
    last = render.review_body("r1", 2, wave([finding(2)]), outcome([finding(), finding(2)]), None)

    assert marks.wave_in(first) == ("r1", 1)
    assert marks.wave_in(last) == ("r1", 2)
    assert marks.review_mark("r1", 2) in last
    assert marks.review_mark("r1", 1) not in last


def test_the_first_wave_says_that_more_follows_and_later_ones_are_short():
    first = render.wave_body("r1", 1, wave([finding()]), "no model is configured")
    second = render.wave_body("r1", 2, wave([finding(2), finding(3)]), "no model is configured")

    assert "1 finding so far, the review goes on" in first
    assert "no model is configured" in first
    assert marks.split(second)[0] == "**Sluice** · 2 findings more"


def test_a_wave_that_had_to_move_findings_into_its_text_tells_them():
    body = render.wave_body("r1", 2, plan.without_lines(wave([finding()])), None)

    assert "<code>a.py:2</code> Title 1" in body
    assert "Message 1." in body


def test_the_last_body_tells_counts_coverage_notice_what_was_said_and_cost():
    known = finding(2)
    body = render.review_body(
        "r1", 1, wave([finding(), known], said=[known.fingerprint]), outcome([finding(), known]), "a notice"
    )

    assert "2 high" in body
    assert "8 of 8 changed lines reviewed" in body
    assert "> a notice" in body
    assert "1 of them is said here already" in body
    assert "1,200 tokens, $0.0123" in body


def test_what_has_no_place_of_its_own_is_told_with_its_message():
    body = render.review_body("r1", 1, wave([finding(1), finding(2)], room=1), outcome(), None)

    assert "- 🔴 <code>a.py:2</code> Title 2\n\n  Message 2." in body
    assert "Title 1" not in body


def test_hundreds_of_findings_are_told_by_title_and_the_last_are_counted():
    many = [finding(number, title="T" * 190, message="M" * 4_000) for number in range(600)]
    body = render.review_body("r1", 1, wave(many, room=0), outcome(many), None)

    assert len(body) <= LIMIT
    told = body.count("<code>a.py:2</code>")
    assert 200 < told < 600
    assert f"- and {600 - told:,} more" in body
    assert "$0.0123" in body
    assert marks.wave_in(body) == ("r1", 1)


def test_where_room_is_short_all_are_told_by_title_and_the_worst_in_full():
    some = [finding(number, message="M" * 4_000) for number in range(40)]
    body = render.review_body("r1", 1, wave(some, room=0), outcome(some), None)

    assert len(body) <= LIMIT
    assert all(f"Title {number}\n" in body for number in range(40))
    assert body.count("M" * 4_000) == 15
    assert body.index("Title 14\n\n  MMM") < body.index("Title 15\n- ")


def test_what_is_told_in_a_summary_shows_its_suggestion_as_plain_code():
    body = render.review_body("r1", 1, wave([finding(suggestion="x = 1")], room=0), outcome(), None)

    assert "  Suggested code:\n  ```\n  x = 1\n  ```" in body


def test_html_of_a_model_is_shown_and_not_rendered():
    evil = finding(title="<img src=x> </details>", message="<script>x</script>")

    for body in (
        render.comment(evil),
        render.review_body("r1", 1, wave([evil], room=0), outcome([evil]), "<b>"),
    ):
        assert not re.search(r"<(img|script|/details>\s*&lt;|b>)", body)


def test_a_comment_whose_code_is_gone_is_struck_and_keeps_its_words_and_mark():
    body = render.comment(finding(suggestion="x = 1"))

    note = render.resolved_note(body, HEAD)

    assert note.startswith("<del>🔴 **High** · Title 1</del>\n\nResolved: as of `abc1234` this code is gone")
    assert "<details>" in note
    assert "Message 1." in note
    assert marks.fingerprint_in(note) == finding().fingerprint
    assert marks.is_resolved_note(note)


def test_what_is_gone_offers_no_suggestion_to_apply():
    note = render.resolved_note(render.comment(finding(suggestion="x = 1")), HEAD)

    assert "suggestion\n" not in note
    assert "```\nx = 1\n```" in note


def test_a_comment_is_marked_resolved_once():
    note = render.resolved_note(render.comment(finding()), HEAD)

    assert render.resolved_note(note, "another") == note


def test_a_comment_with_the_line_ends_that_a_browser_sends_is_marked_as_well():
    body = render.comment(finding(suggestion="x = 1")).replace("\n", "\r\n") + "\r\n"

    note = render.resolved_note(body, HEAD)

    assert note.startswith("<del>🔴 **High** · Title 1</del>")
    assert "suggestion\r\n" not in note
    assert marks.fingerprint_in(note) == finding().fingerprint
    assert marks.is_resolved_note(note)


@pytest.mark.parametrize("length", [4_000, 64_990, 65_530])
def test_bodies_keep_to_the_limit_and_their_marks_whatever_their_length(length):
    body = f"header\n\n{'x' * length}"[: LIMIT - 60] + f"\n\n{marks.finding_mark(finding())}"

    note = render.resolved_note(body, HEAD)

    assert len(note) <= LIMIT
    assert marks.fingerprint_in(note) == finding().fingerprint


@pytest.mark.parametrize(
    ("suggestion", "block"),
    [
        ("a = 1", "```suggestion\na = 1\n```"),
        ("a = 1\n", "```suggestion\na = 1\n```"),
        ("a = 1\r\n", "```suggestion\na = 1\n```"),
        ("a = 1\n\n", "```suggestion\na = 1\n\n```"),
        ("\n", "```suggestion\n\n```"),
        ("", "```suggestion\n```"),
    ],
)
def test_a_suggestion_puts_in_just_its_lines(suggestion, block):
    assert f"\n\n{block}\n\n" in render.comment(finding(suggestion=suggestion))
