"""Every sentence a person reads on GitHub, and the hidden markers that tell our own words from others'."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reviewer.core.coverage import FileCoverage
from reviewer.core.findings import Finding, Severity
from reviewer.core.markdown import escaped, fenced
from reviewer.job import Outcome

MAX_BODY = 65_000
"""GitHub refuses bodies over 65,536 characters; the rest is room for what closes one."""

MAX_GAPS = 100
"""Files named as not reviewed at most; the rest is counted."""

_SIGNS = {Severity.CRITICAL: "🛑", Severity.HIGH: "🔴", Severity.MEDIUM: "🟠", Severity.LOW: "🔵"}
_FINDING_MARK = re.compile(r"<!-- sluice:finding:([0-9a-f]+) -->")


@dataclass(frozen=True, slots=True)
class CheckOutput:
    """What a check run shows; one that goes on has no conclusion."""

    conclusion: str | None
    title: str
    summary: str


def review_mark(review: str) -> str:
    """The hidden line by which a review is known to be that of one run."""
    return f"<!-- sluice:review:{review} -->"


def finding_mark(finding: Finding) -> str:
    """The hidden line by which a comment is known to say one finding."""
    return f"<!-- sluice:finding:{finding.fingerprint} -->"


def fingerprints_in(bodies: Iterable[str]) -> frozenset[str]:
    """The findings that comments say, by their markers."""
    return frozenset(print_ for body in bodies for print_ in _FINDING_MARK.findall(body))


def comment(finding: Finding) -> str:
    """A comment on a line."""
    parts = [
        f"{_SIGNS[finding.severity]} **{finding.severity.capitalize()}** · {escaped(finding.title)}",
        escaped(finding.message),
    ]
    if finding.suggestion is not None:
        parts.append(fenced(finding.suggestion, "suggestion"))
    parts.append(
        f"<sub>{finding.category} · confidence {finding.confidence} · {escaped(finding.source)}</sub>"
    )
    return _bounded("\n\n".join(parts), finding_mark(finding))


def review_body(review: str, outcome: Outcome, in_summary: Sequence[Finding], notice: str | None) -> str:
    """The text above a review's comments."""
    parts = [f"**Sluice** · {_counts(outcome)} · {_coverage(outcome)}"]
    if notice:
        parts.append(f"> {escaped(notice)}")
    if in_summary:
        rows = "\n".join(_row(finding) for finding in in_summary)
        parts.append(f"Not on a line of their own:\n\n{rows}")
    return _bounded("\n\n".join([*parts, *_notes(outcome)]), review_mark(review))


def check(outcome: Outcome, url: str | None, notice: str | None) -> CheckOutput:
    """The end of a check run: neutral with findings or gaps, success when all was read and nothing found."""
    complete = not outcome.failed
    conclusion = "success" if complete and not outcome.findings else "neutral"
    parts = [f"{_counts(outcome)}. {_coverage(outcome)}."]
    if notice:
        parts.append(f"> {escaped(notice)}")
    if url:
        parts.append(f"[Watch the review]({url})")
    parts += ["\n".join(_row(finding) for finding in outcome.findings), *_notes(outcome)]
    title = _counts(outcome) if complete else f"partly reviewed: {_counts(outcome)}"
    return CheckOutput(conclusion, title, _bounded("\n\n".join(part for part in parts if part)))


def failed_check(reason: str, next_: str) -> CheckOutput:
    """The end of a check run whose review did not happen."""
    return CheckOutput("neutral", "not reviewed", _bounded(f"{escaped(reason)}\n\n{escaped(next_)}"))


def postponed_check(reason: str, wait: float, done: int, left: int) -> CheckOutput:
    """A check run whose review waits for the model."""
    minutes = max(round(wait / 60), 1)
    when = f"{minutes} minute{'' if minutes == 1 else 's'}"
    state = (
        f"{done} of {done + left} chunks are reviewed and kept. The review goes on in about {when} "
        "and asks only for what is missing."
    )
    summary = _bounded(f"{escaped(reason)}\n\n{state}")
    return CheckOutput(None, f"waits for the model, goes on in {when}", summary)


def superseded_check(by: str) -> CheckOutput:
    """The end of a check run whose head was replaced."""
    return CheckOutput("cancelled", "superseded", f"A newer commit, `{by[:12]}`, is reviewed instead.")


def _row(finding: Finding) -> str:
    return f"- {_SIGNS[finding.severity]} `{finding.place}` {escaped(finding.title)}"


def _counts(outcome: Outcome) -> str:
    counts = outcome.completed().by_severity
    return ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "no findings"


def _coverage(outcome: Outcome) -> str:
    coverage = outcome.coverage
    return f"{coverage.reviewed:,} of {coverage.changed_lines:,} changed lines reviewed"


def _notes(outcome: Outcome) -> list[str]:
    failed = [
        f"`{chunk.path}`: {escaped(outcome.failed[chunk.id])}"
        for chunk in outcome.plan.chunks
        if chunk.id in outcome.failed
    ]
    gaps = [_gap(file) for file in outcome.coverage.gaps]
    if len(gaps) > MAX_GAPS:
        gaps = [*gaps[:MAX_GAPS], f"and {len(gaps) - MAX_GAPS:,} files more"]
    rows = [*failed, *gaps, *(escaped(note) for note in outcome.notes)]
    if outcome.cost is not None:
        rows.append(f"{outcome.usage.total:,} tokens, ${outcome.cost:.4f}")
    if not rows:
        return []
    lines = "\n".join(f"- {row}" for row in rows)
    return [f"<details><summary>Not reviewed, notes and cost</summary>\n\n{lines}\n</details>"]


def _gap(file: FileCoverage) -> str:
    """What of a file was not reviewed, or not in whole."""
    parts = [
        f"{lines:,} of {file.changed_lines:,} changed lines not reviewed: {reason}" if lines else str(reason)
        for reason, lines in file.not_reviewed.items()
    ]
    if file.trimmed:
        parts.append(f"{file.trimmed:,} lines were too long to be shown whole")
    return f"`{file.path}`: {'; '.join(parts)}"


def _bounded(body: str, mark: str = "") -> str:
    """A body within GitHub's limit; its marker is never what is cut off."""
    if len(body) > MAX_BODY:
        body = body[:MAX_BODY] + "\n\n…"
    return f"{body}\n\n{mark}" if mark else body
