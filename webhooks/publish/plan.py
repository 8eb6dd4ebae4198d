"""From what was found, and what stands on the pull request already, to one review. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reviewer.core.findings import Finding
from webhooks.github.pulls import ReviewComment
from webhooks.publish.render import comment


@dataclass(frozen=True, slots=True)
class Publication:
    """What to post: comments on lines, findings for the summary, and how many stand there from before."""

    comments: tuple[ReviewComment, ...]
    in_summary: tuple[Finding, ...]
    already_said: int


def plan(findings: Sequence[Finding], said: Collection[str], *, max_comments: int) -> Publication:
    """Choose what to post.

    Args:
        findings: worst first, each on a line GitHub accepts or on none.
        said: fingerprints of findings that stand on the pull request.
        max_comments: comments on lines at most; the rest goes into the summary.
    """
    new = [finding for finding in findings if finding.fingerprint not in said]
    on_lines = [finding for finding in new if finding.line is not None][:max_comments]
    chosen = {finding.id for finding in on_lines}
    return Publication(
        comments=tuple(_comment(finding) for finding in on_lines),
        in_summary=tuple(finding for finding in new if finding.id not in chosen),
        already_said=len(findings) - len(new),
    )


def _comment(finding: Finding) -> ReviewComment:
    if finding.line is None:
        raise ValueError(f"finding {finding.id} has no line")
    ranged = finding.end_line is not None
    return ReviewComment(
        path=finding.path,
        body=comment(finding),
        line=finding.end_line if finding.end_line is not None else finding.line,
        side=finding.side.value,
        start_line=finding.line if ranged else None,
        start_side=finding.side.value if ranged else None,
    )
