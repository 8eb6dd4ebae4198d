"""What stands on a pull request from us, and what of it has outlived its code; changes by real git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from reviewer.core import diff
from reviewer.core.diff import Diff
from reviewer.core.findings import Finding, ReportedFinding, Severity
from reviewer.core.merge import Findings
from tests.publish.made import CHANGE, PICTURE, finding
from tests.repositories import Repository
from webhooks.publish import standing
from webhooks.publish.marks import finding_mark
from webhooks.publish.render import comment, resolved_note
from webhooks.publish.standing import Standing
from webhooks.publish.values import Said

US = "sluice[bot]"


@dataclass(frozen=True)
class Listed:
    id: int
    author: str = US
    by_bot: bool = True
    body: str = comment(finding())
    path: str = "a.py"
    line: int | None = 2
    side: str = "RIGHT"
    in_reply_to: int | None = None


def said(found: Finding) -> dict[str, Said]:
    return {found.fingerprint: Said.of(found, "line")}


def stands(
    found: Finding, *, line: int | None = None, replied: bool = False, resolved: bool = False
) -> Standing:
    return Standing(
        id=1,
        fingerprint=found.fingerprint,
        path=found.path,
        line=line,
        side=found.side,
        body=comment(found),
        replied=replied,
        resolved=resolved,
    )


def gone(found: Finding, change: Diff, *current: Finding) -> bool:
    return bool(standing.outlived([stands(found)], said(found), current, change))


def test_a_comment_by_our_own_login_with_our_mark_is_ours():
    (found,) = standing.standing([Listed(1)], US, ())

    assert (found.id, found.fingerprint, found.path, found.line, found.side) == (
        1,
        finding().fingerprint,
        "a.py",
        2,
        "RIGHT",
    )
    assert not found.replied
    assert not found.resolved


@pytest.mark.parametrize(
    "other",
    [
        Listed(1, author="mallory", by_bot=False),
        Listed(1, author="sluice", by_bot=False),
        Listed(1, author="other[bot]"),
        Listed(1, body="words without a mark"),
        Listed(1, in_reply_to=7),
        Listed(1, body=f"a mark {finding_mark(finding())} in the middle"),
    ],
)
def test_a_copied_mark_or_a_comment_without_one_is_not_ours(other):
    assert standing.standing([other], US, ()) == ()


@pytest.mark.parametrize("login", ["sluice", "Sluice[bot]"])
def test_our_login_is_known_with_and_without_its_suffix(login):
    assert len(standing.standing([Listed(1)], login, ())) == 1


def test_an_answer_by_anybody_else_is_a_reply_and_one_by_us_is_not():
    ours = Listed(3, body="our answer", in_reply_to=1)
    theirs = Listed(4, author="ann", by_bot=False, body="No, it is not.", in_reply_to=2)

    first, second = standing.standing([Listed(1), Listed(2), ours, theirs], US, ())

    assert (first.replied, second.replied) == (False, True)


def test_a_resolved_thread_or_our_own_note_makes_a_comment_resolved():
    note = Listed(2, body=resolved_note(comment(finding()), "abcdef0123"))

    found = standing.standing([Listed(1), note, Listed(3)], US, {1})

    assert [each.resolved for each in found] == [True, True, False]


def test_what_we_called_gone_is_said_again_if_it_comes_back_and_what_a_person_resolved_is_not():
    note = Listed(2, body=resolved_note(comment(finding(2)), "abcdef0123"))

    found = standing.standing([Listed(1), note], US, {1})

    assert standing.fingerprints(found) == {finding(1).fingerprint}


def test_a_comment_whose_code_is_gone_has_outlived_it():
    assert gone(finding(quote="was here once"), CHANGE)
    assert not gone(finding(quote="  TWO"), CHANGE)


def test_code_that_stands_on_the_other_side_only_is_gone():
    assert gone(finding(quote="two"), CHANGE)
    assert not gone(finding(quote="two", side="LEFT"), CHANGE)
    assert gone(finding(quote="TWO", side="LEFT"), CHANGE)
    assert gone(finding(quote="one", side="LEFT"), CHANGE)


def test_a_comment_that_was_answered_or_resolved_or_is_found_again_or_not_remembered_stays():
    old = finding(quote="was here once")

    assert not standing.outlived([stands(old, replied=True)], said(old), (), CHANGE)
    assert not standing.outlived([stands(old, resolved=True)], said(old), (), CHANGE)
    assert not standing.outlived([stands(old)], said(old), [finding(7, fingerprint=old.fingerprint)], CHANGE)
    assert not standing.outlived([stands(old)], {}, (), CHANGE)


def test_the_code_of_a_file_that_left_the_diff_is_gone_and_that_of_an_unread_one_is_not():
    assert gone(finding(path="left.py"), CHANGE)
    assert not gone(finding(path="x.png", quote="anything"), diff.parse(PICTURE))


def test_a_quote_of_nothing_is_gone_with_its_file_only():
    assert not gone(finding(quote=" \n"), CHANGE)
    assert gone(finding(quote=" \n"), Diff(()))


def changed(line: str) -> Diff:
    return diff.parse(f"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,0 +1,1 @@\n+{line}\n")


@pytest.mark.parametrize(
    ("quote", "line"),
    [
        ("R12 + subprocess.run(command)", "    subprocess.run(command)"),
        ("subprocess.run(command, sh", "subprocess.run(command, shell=True)"),
        ("x = [1, 2, 3, 4, 5, 6, …[1,000 characters trimmed]… 9]", "x = [1, 2, 3, 4, 5, 6, 7, 8, 9]"),
        ("a =\tb", "a  =  b"),
        ("first line\nsecond line", "first line"),
    ],
)
def test_code_is_found_however_a_model_quoted_it(quote, line):
    assert not gone(finding(quote=quote), changed(line))


def test_a_quote_whose_secret_was_redacted_is_found_by_the_line_that_holds_the_secret():
    line = 'password = "made-up-secret-of-a-test"'
    found = Findings("r", changed(line), least_severity=Severity.LOW).add(
        reported("a.py", 1, line), chunk="c", source="s"
    )

    assert found is not None
    assert "made-up" not in found.quote
    assert not gone(found, changed(line))
    assert gone(found, changed("password = read()"))


def test_a_new_finding_is_said_before_if_our_comment_stands_on_its_very_line_with_its_category():
    old, new = finding(1), finding(2)

    def repeated(known: Standing, **changes: object) -> bool:
        return standing.repeated(finding(2, **changes), [known], said(old), CHANGE)

    assert standing.repeated(new, [stands(old, line=2)], said(old), CHANGE)
    assert not repeated(stands(old, line=3))
    assert not repeated(stands(old, line=2), category="security")
    assert not repeated(stands(old, line=2), path="b.py")
    assert not repeated(stands(old, line=2), side="LEFT")
    assert repeated(stands(old, line=2, resolved=True))
    assert not repeated(stands(old, line=2, resolved=True), quote="another text")
    assert not standing.repeated(new, [stands(old, line=2)], {}, CHANGE)


def test_a_comment_on_a_range_stands_on_its_last_line():
    old, new = finding(1, end_line=4), finding(2, end_line=4)

    assert standing.repeated(new, [stands(old, line=4)], said(old), CHANGE)
    assert not standing.repeated(finding(2), [stands(old, line=4)], said(old), CHANGE)


def test_an_outdated_comment_repeats_only_what_quotes_the_same_telling_line():
    long, short = finding(1, quote="raise ValueError(user.name)"), finding(1, quote="return")

    assert standing.repeated(finding(2, quote=long.quote), [stands(long)], said(long), CHANGE)
    assert not standing.repeated(
        finding(2, quote="raise ValueError(user.email)"), [stands(long)], said(long), CHANGE
    )
    assert not standing.repeated(finding(2, quote="return"), [stands(short)], said(short), CHANGE)


def reported(path: str, line: int, quote: str) -> ReportedFinding:
    return ReportedFinding.model_validate(
        {
            "path": path,
            "line": line,
            "quote": quote,
            "severity": "high",
            "category": "security",
            "title": "Unsafe call",
            "message": "It runs what it is given.",
        }
    )


BASE = [f"line {number} of the old file" for number in range(40)]
RISKY = "subprocess.run(command, shell=True)"


def content(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


class Change:
    """A pull request on one file, by real git: a base, and a head that can be pushed anew."""

    def __init__(self, folder: Path) -> None:
        self._repository = Repository(folder)

    def between(self, base: dict[str, list[str]], head: dict[str, list[str]], *options: str) -> Diff:
        branches = [
            self._repository.commit({path.encode(): content(lines) for path, lines in tree.items()})
            for tree in (base, head)
        ]
        return diff.parse(self._repository.diff(*branches, *options))


@pytest.fixture
def change(tmp_path: Path) -> Change:
    return Change(tmp_path / "r.git")


def found_in(change: Diff, path: str, quote: str = RISKY) -> Finding:
    made = Findings("r", change, least_severity=Severity.LOW).add(
        reported(path, 1, quote), chunk="c", source="s"
    )
    assert made is not None
    assert made.line is not None
    return made


def with_risk(lines: list[str], at: int = 20) -> list[str]:
    return [*lines[:at], RISKY, *lines[at:]]


def test_a_rebase_keeps_the_identity_of_a_finding_whose_lines_moved(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    new_base = ["a", "b", "c", *BASE]
    after = change.between({"x.py": new_base}, {"x.py": with_risk(new_base, 23)})
    old, new = found_in(before, "x.py"), found_in(after, "x.py")

    assert old.line != new.line
    assert old.fingerprint == new.fingerprint
    assert not gone(old, after)


def test_a_forced_push_of_the_same_code_keeps_its_identity(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    after = change.between({"x.py": BASE}, {"x.py": [*with_risk(BASE), "another commit"]})

    assert found_in(before, "x.py").fingerprint == found_in(after, "x.py").fingerprint


def test_a_changed_neighbour_changes_the_fingerprint_but_the_finding_is_known_as_repeated(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    head = with_risk(BASE)
    head[19] = "a new line before it"
    after = change.between({"x.py": BASE}, {"x.py": head})
    old, new = found_in(before, "x.py"), found_in(after, "x.py")

    assert old.fingerprint != new.fingerprint
    assert standing.repeated(new, [stands(old, line=new.line)], said(old), after)
    assert standing.repeated(new, [stands(old, line=None)], said(old), after)
    assert not gone(old, after, new)


def test_the_comments_of_a_renamed_file_stay_and_are_not_repeated(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    after = change.between({"x.py": BASE}, {"y.py": with_risk(BASE)})
    old, new = found_in(before, "x.py"), found_in(after, "y.py")

    assert after.files[0].old_path == "x.py"
    assert not gone(old, after)
    assert standing.repeated(new, [stands(old)], said(old), after)
    assert not standing.repeated(new, [stands(old)], said(old), before)


def test_code_that_moved_with_its_file_stands_though_another_file_took_the_name(change):
    other = [f"row {number} of another" for number in range(40)]
    before = change.between({"x.py": BASE, "y.py": other}, {"x.py": with_risk(BASE), "y.py": other})
    after = change.between({"x.py": BASE, "y.py": other}, {"y.py": with_risk(BASE), "x.py": other}, "-B")

    assert {file.path: file.old_path for file in after.files} == {"x.py": "y.py", "y.py": "x.py"}
    assert not gone(found_in(before, "x.py"), after)


def test_a_copy_is_a_file_of_its_own_whose_findings_are_new(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    head = {"x.py": [*BASE, "more"], "y.py": with_risk(BASE)}
    after = change.between({"x.py": BASE}, head, "--find-copies-harder")
    old, new = found_in(before, "x.py"), found_in(after, "y.py")

    assert {file.path: file.old_path for file in after.files}["y.py"] == "x.py"
    assert gone(old, after)
    assert not standing.repeated(new, [stands(old)], said(old), after)


def test_code_that_was_taken_out_again_is_gone(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    after = change.between({"x.py": BASE}, {"x.py": [*BASE, "something else"]})

    assert gone(found_in(before, "x.py"), after)


def test_a_removed_line_that_was_put_back_is_gone_from_the_old_side(change):
    before = change.between({"x.py": with_risk(BASE)}, {"x.py": BASE})
    after = change.between({"x.py": with_risk(BASE)}, {"x.py": [*with_risk(BASE), "something else"]})
    old = found_in(before, "x.py")

    assert old.side == "LEFT"
    assert gone(old, after)
    assert not gone(old, before)


def test_a_file_that_was_removed_takes_the_code_with_it(change):
    before = change.between({"x.py": BASE}, {"x.py": with_risk(BASE)})
    after = change.between({"x.py": BASE, "z.py": BASE}, {"z.py": BASE})

    assert gone(found_in(before, "x.py"), after)
