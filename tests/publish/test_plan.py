"""Waves: what is posted, where, and that nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from reviewer.core.diff import Diff
from reviewer.core.findings import Finding
from tests.publish.made import CHANGE, PATCHES, finding
from webhooks.publish import plan
from webhooks.publish.values import LineComment, Wave
from webhooks.sandbox import anchors

HUNKS = {path: anchors.parse_hunks(patch.encode()) for path, patch in PATCHES.items()}


def ids(findings: Iterable[Finding]) -> list[str]:
    return [each.id for each in findings]


def whole(*findings: Finding, room: int = 25) -> Wave:
    return plan.wave(findings, said=(), shown=(), room=room, last=True)


def accepted(comment: LineComment) -> bool:
    """By the stand-in GitHub's own eyes."""
    if comment.path not in HUNKS:
        return False
    body = comment.as_json()
    where = {name: body.get(name) for name in ("start_line", "start_side")}
    place = anchors.resolve(HUNKS[comment.path], line=comment.line, side=comment.side, **where)
    return isinstance(place, anchors.Place)


def test_a_finding_with_a_line_becomes_a_comment_there():
    comment = whole(finding()).comments[0]

    assert comment.as_json() == {"path": "a.py", "line": 2, "side": "RIGHT", "body": comment.body}
    assert comment.finding == finding()


def test_a_range_runs_from_its_first_to_its_last_line_on_one_side():
    comment = whole(finding(side="LEFT", line=21, end_line=22)).comments[0]

    body = comment.as_json()
    assert (body["start_line"], body["start_side"], body["line"], body["side"]) == (21, "LEFT", 22, "LEFT")
    assert accepted(comment)


def test_a_range_of_one_line_has_no_start_which_github_would_refuse():
    comment = whole(finding(end_line=2)).comments[0]

    assert "start_line" not in comment.as_json()
    assert comment.line == 2


def test_a_finding_without_a_line_becomes_a_comment_on_its_file():
    wave = whole(finding(line=None))

    (on_file,) = wave.file_comments
    assert (on_file.path, on_file.finding) == ("a.py", finding(line=None))
    assert not wave.comments


def test_comments_on_files_are_few_over_all_waves_of_a_review():
    findings = [finding(number, line=None) for number in range(8)]

    first = plan.wave(findings[:4], said=(), shown=(), room=25, last=False)
    last = plan.wave(findings, said=(), shown=ids(first.findings), room=21, last=True)

    assert len(first.file_comments) == 4
    assert [each.finding.id for each in last.file_comments] == ["id4"]
    assert ids(last.in_summary) == ["id5", "id6", "id7"]


def test_what_is_over_the_room_waits_for_the_last_wave_and_the_worst_goes_first():
    findings = [finding(number) for number in range(4)]

    first = plan.wave(findings, said=(), shown=(), room=2, last=False)
    last = plan.wave(findings, said=(), shown=ids(first.findings), room=0, last=True)

    assert ids(first.findings) == ["id0", "id1"]
    assert not first.in_summary
    assert not last.comments
    assert ids(last.in_summary) == ["id2", "id3"]


def test_what_stands_from_earlier_reviews_is_counted_and_not_said_again():
    wave = plan.wave([finding(1), finding(2)], said={finding(1).fingerprint}, shown=(), room=9, last=True)

    assert ids(wave.findings) == ["id2"]
    assert wave.already_said == 1


def test_two_findings_of_one_review_with_one_fingerprint_are_both_said_in_different_waves():
    twins = [finding(1), finding(1, id="twin")]

    wave = plan.wave(twins, said=(), shown={"id1"}, room=9, last=True)

    assert ids(wave.findings) == ["twin"]


def test_the_culprits_of_a_refusal_move_to_their_file_or_the_summary_and_are_named():
    bad_line = finding(1, line=400)
    bad_file = finding(2, path="left.py")
    range_over_hunks = finding(3, line=4, end_line=20)
    context_as_removed = finding(4, side="LEFT", line=1)
    good = finding(5)

    wave, culprits = plan.demoted(
        whole(bad_line, bad_file, range_over_hunks, context_as_removed, good), CHANGE
    )

    assert ids(culprits) == ["id1", "id2", "id3", "id4"]
    assert [each.finding.id for each in wave.comments] == ["id5"]
    assert [each.finding.id for each in wave.file_comments] == ["id1", "id3", "id4"]
    assert ids(wave.in_summary) == ["id2"]


def test_of_many_culprits_few_become_comments_on_files_and_the_rest_is_told():
    wave, _ = plan.demoted(whole(*(finding(number, line=400 + number) for number in range(8))), CHANGE)

    assert [each.finding.id for each in wave.file_comments] == ["id0", "id1", "id2", "id3", "id4"]
    assert ids(wave.in_summary) == ["id5", "id6", "id7"]


def test_single_findings_can_be_moved_into_the_summary_beside_what_stands_there():
    wave = whole(finding(1), finding(2), finding(3), finding(4, line=None), room=2)

    told = plan.summarised(wave, {"id2"})

    assert [each.finding.id for each in told.comments] == ["id1"]
    assert sorted(ids(told.in_summary)) == ["id2", "id3", "id4"]


def test_a_comment_moved_to_its_file_says_which_lines_it_is_about():
    wave, _ = plan.demoted(whole(finding(side="LEFT", line=4, end_line=20)), CHANGE)

    assert "removed lines 4 to 20" in wave.file_comments[0].body


def test_a_comment_on_a_file_that_left_the_diff_moves_to_the_summary():
    wave, culprits = plan.demoted(whole(finding(line=None, path="left.py")), CHANGE)

    assert ids(culprits) == ids(wave.in_summary) == ["id1"]


def test_a_wave_without_culprits_stays_as_it_is():
    wave = whole(finding(1), finding(2, line=None))

    assert plan.demoted(wave, CHANGE) == (wave, ())


def test_refused_twice_all_of_it_goes_into_the_summary_worst_first():
    wave = whole(finding(1, severity="low"), finding(2, severity="critical", line=None), room=1)

    told = plan.without_lines(wave)

    assert (told.comments, told.file_comments) == ((), ())
    assert ids(told.in_summary) == ["id2", "id1"]


places = st.one_of(st.none(), st.tuples(st.integers(1, 26), st.one_of(st.none(), st.integers(0, 22))))


@st.composite
def some_findings(draw: st.DrawFn) -> list[Finding]:
    found: list[Finding] = []
    for number in range(draw(st.integers(0, 14))):
        place = draw(places)
        line, length = place or (None, None)
        found.append(
            finding(
                number,
                path=draw(st.sampled_from(["a.py", "b.py", "left.py"])),
                side=draw(st.sampled_from(["RIGHT", "LEFT"])),
                line=line,
                end_line=None if line is None or length is None else line + length,
                fingerprint=f"{draw(st.integers(0, 9)):024x}",
            )
        )
    return found


def of_said(findings: Iterable[Finding], said: set[str], shown: set[str]) -> set[str]:
    return {each.id for each in findings if each.fingerprint in said and each.id not in shown}


@given(some_findings(), st.sets(st.integers(0, 9)), st.lists(st.integers(-1, 6), min_size=1, max_size=4))
def test_nothing_is_dropped_and_nothing_said_twice_over_waves_and_refusals(findings, said_numbers, rooms):
    said = {f"{number:024x}" for number in said_numbers}
    shown: list[str] = []
    for number, room in enumerate(rooms, start=1):
        last = number == len(rooms)
        so_far = findings if last else findings[: number * 4]
        wave = plan.wave(so_far, said=said, shown=shown, room=room, last=last)
        mended, _ = plan.demoted(wave, CHANGE)
        plain = plan.without_lines(mended)
        for step in (wave, mended, plain):
            assert sorted(ids(step.findings)) == sorted(ids(wave.findings))
        assert len(wave.comments) + len(wave.file_comments) <= max(room, 0)
        assert len(mended.file_comments) <= plan.MAX_FILE_COMMENTS
        shown += ids(wave.findings)

    assert len(shown) == len(set(shown))
    assert set(shown) | of_said(findings, said, set()) == set(ids(findings))
    assert not set(shown) & of_said(findings, said, set())


@given(some_findings())
def test_what_is_left_on_lines_after_a_refusal_is_what_github_takes(findings):
    wave = whole(*findings)

    mended, culprits = plan.demoted(wave, CHANGE)

    refused = {each.finding.id for each in wave.comments if not accepted(each)}
    assert all(accepted(each) for each in mended.comments)
    assert refused == {each.id for each in culprits if each.line is not None}


def test_against_an_empty_diff_all_is_told_in_the_summary():
    wave, culprits = plan.demoted(whole(finding(1), finding(2, line=None)), Diff(()))

    assert sorted(ids(wave.in_summary)) == ids(culprits) == ["id1", "id2"]
