"""Findings as annotations of a check run, which GitHub shows beside the lines of the head."""

from collections.abc import Sequence

from reviewer.core.findings import Finding, Severity, Side
from reviewer.core.merge import rank
from webhooks.publish.values import Annotation

MAX_TITLE = 255
MAX_MESSAGE_BYTES = 64_000
"""GitHub allows 64 KB."""

PER_REQUEST = 50
"""GitHub takes no more at once, and adds those of a later request to the ones before."""


def annotate(findings: Sequence[Finding], fail_on: Severity | None = None) -> tuple[Annotation, ...]:
    """The annotations of findings, worst first; the same findings give the same order.

    An annotation stands on lines of the head: findings on removed lines and on whole files have none, and are
    found in the check run's table.

    Args:
        findings: in any order.
        fail_on: findings this severe or worse are failures; all others are warnings, and low ones notices.
    """
    return tuple(
        Annotation(
            path=finding.path,
            start_line=finding.line,
            end_line=finding.end_line or finding.line,
            level=_level(finding.severity, fail_on),
            title=finding.title[:MAX_TITLE],
            message=_cut(finding.message),
        )
        for finding in rank(findings)
        if finding.line is not None and finding.side is Side.RIGHT
    )


def fifties(all_: Sequence[Annotation], already: int) -> tuple[tuple[Annotation, ...], ...]:
    """What is still to be sent, in as many as one request takes; the first `already` ones are there."""
    left = all_[already:]
    return tuple(tuple(left[start : start + PER_REQUEST]) for start in range(0, len(left), PER_REQUEST))


def _level(severity: Severity, fail_on: Severity | None) -> str:
    if fail_on is not None and severity.at_least(fail_on):
        return "failure"
    return "notice" if severity is Severity.LOW else "warning"


def _cut(text: str) -> str:
    return text.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
