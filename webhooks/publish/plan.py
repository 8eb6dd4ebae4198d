"""From what was found, and what stands on the pull request already, to one review. Pure.

Nothing is ever dropped: a finding becomes a comment on its lines or on its file, stands in the review's own
text, or was said before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from reviewer.core.anchors import Anchors
from reviewer.core.diff import Diff, FileChange
from reviewer.core.findings import Finding, Side
from reviewer.core.merge import rank
from webhooks.publish.render import comment
from webhooks.publish.values import FileComment, LineComment, Wave

MAX_FILE_COMMENTS = 5
"""Comments on files of one review: each is a write of its own, and GitHub limits those."""


def wave(
    findings: Sequence[Finding], *, said: Collection[str], shown: Collection[str], room: int, last: bool
) -> Wave:
    """Choose what the next wave of a review says.

    Args:
        findings: worst first, all that stand so far.
        said: fingerprints of findings that stand on the pull request from earlier reviews.
        shown: ids of findings that earlier waves of this review have said.
        room: comments that may still be made; what is over it waits for the last wave's summary.
        last: no wave follows.
    """
    fresh = [finding for finding in findings if finding.id not in shown]
    new = [finding for finding in fresh if finding.fingerprint not in said]
    file_room = MAX_FILE_COMMENTS - sum(f.line is None and f.id in shown for f in findings)
    comments: list[LineComment] = []
    file_comments: list[FileComment] = []
    left: list[Finding] = []
    for finding in new:
        if len(comments) + len(file_comments) >= room:
            left.append(finding)
        elif finding.line is not None:
            comments.append(_line_comment(finding, finding.line))
        elif len(file_comments) < file_room:
            file_comments.append(_file_comment(finding))
        else:
            left.append(finding)
    return Wave(
        comments=tuple(comments),
        file_comments=tuple(file_comments),
        in_summary=tuple(left) if last else (),
        already_said=len(fresh) - len(new),
    )


def demoted(wave: Wave, diff: Diff) -> tuple[Wave, tuple[Finding, ...]]:
    """A wave that GitHub refused, without comments on what the diff does not hold; and their findings.

    Args:
        wave: as it was sent.
        diff: of the pull request as it is now.
    """
    files: defaultdict[str, list[FileChange]] = defaultdict(list)
    for file in diff.files:
        files[file.path].append(file)
    anchors = {path: Anchors(path, entries) for path, entries in files.items()}
    comments = tuple(each for each in wave.comments if _stands(each, anchors))
    on_files = [each for each in wave.file_comments if each.path in files]
    fine = {each.finding.id for each in (*comments, *on_files)}
    culprits = tuple(
        each.finding for each in (*wave.comments, *wave.file_comments) if each.finding.id not in fine
    )
    in_summary: list[Finding] = []
    for finding in culprits:
        if finding.path in files and len(on_files) < MAX_FILE_COMMENTS:
            on_files.append(_file_comment(finding))
        else:
            in_summary.append(finding)
    left = rank((*in_summary, *wave.in_summary))
    return Wave(comments, tuple(on_files), left, wave.already_said), culprits


def without_lines(wave: Wave) -> Wave:
    """A wave refused once more: all of it in the review's own text, which no line can be wrong with."""
    return summarised(wave, {finding.id for finding in wave.findings})


def summarised(wave: Wave, ids: Collection[str]) -> Wave:
    """A wave that tells the findings of those ids in the review's own text."""
    moved = [finding for finding in wave.findings if finding.id in ids]
    return Wave(
        comments=tuple(each for each in wave.comments if each.finding.id not in ids),
        file_comments=tuple(each for each in wave.file_comments if each.finding.id not in ids),
        in_summary=rank({finding.id: finding for finding in (*moved, *wave.in_summary)}.values()),
        already_said=wave.already_said,
    )


def _stands(comment: LineComment, anchors: Mapping[str, Anchors]) -> bool:
    lines = anchors.get(comment.path)
    if lines is None:
        return False
    side = Side(comment.side)
    if comment.start_line is None:
        return lines.accepts(side, comment.line)
    return lines.accepts(side, comment.start_line, comment.line)


def _line_comment(finding: Finding, line: int) -> LineComment:
    end = finding.end_line
    ranged = end is not None and end > line
    return LineComment(
        finding=finding,
        path=finding.path,
        body=comment(finding),
        line=end if end is not None else line,
        side=finding.side.value,
        start_line=line if ranged else None,
    )


def _file_comment(finding: Finding) -> FileComment:
    return FileComment(finding, finding.path, comment(finding, on_line=False))
