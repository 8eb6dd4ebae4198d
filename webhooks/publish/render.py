"""Every sentence a person reads in a comment or a review on GitHub; those of check runs are in `checks`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import indent

from reviewer.core.coverage import FileCoverage
from reviewer.core.findings import Finding, Severity, Side
from reviewer.core.markdown import escaped, fenced
from reviewer.job import Outcome
from webhooks.publish.marks import RESOLVED_MARK, finding_mark, is_resolved_note, review_mark, split
from webhooks.publish.tables import cell, code, fitted
from webhooks.publish.values import Wave

MAX_BODY = 65_000
"""GitHub refuses bodies over 65,536 characters; the rest is room for what closes one."""

MAX_NOTES = 15_000
"""Characters of notes on what was not reviewed."""

_NOTE = 1_000  # room for what `resolved_note` adds

SIGNS = {Severity.CRITICAL: "🛑", Severity.HIGH: "🔴", Severity.MEDIUM: "🟠", Severity.LOW: "🔵"}

_SUGGESTION = re.compile(r"^(`{3,})suggestion[ \t]*\r?$", re.MULTILINE)


def comment(finding: Finding, *, on_line: bool = True) -> str:
    """A comment.

    Args:
        finding: what it says.
        on_line: it stands on the finding's lines; else on the file, and says itself which lines are meant.
    """
    on_line = on_line and finding.line is not None
    header = f"{SIGNS[finding.severity]} **{finding.severity.capitalize()}** · {escaped(finding.title)}"
    parts = [header, _words(finding)]
    if finding.suggestion is not None and on_line and finding.side is Side.RIGHT:
        parts = [header, escaped(finding.message), _suggested(finding.suggestion)]
    if not on_line and finding.line is not None:
        parts.insert(1, f"This is about {lines_of(finding)}.")
    parts.append(
        f"<sub>{finding.category} · confidence {finding.confidence} · {escaped(finding.source)}</sub>"
    )
    return bounded("\n\n".join(parts), finding_mark(finding))


def lines_of(finding: Finding) -> str:
    """The lines of a finding, for people."""
    removed = "removed " if finding.side is Side.LEFT else ""
    if finding.end_line is None or finding.end_line == finding.line:
        return f"{removed}line {finding.line}"
    return f"{removed}lines {finding.line} to {finding.end_line}"


def wave_body(review: str, number: int, wave: Wave, notice: str | None) -> str:
    """The text of a wave, counted from 1, that is not the last: the review still runs."""
    count = len(wave.findings)
    found = f"{count} finding{'' if count == 1 else 's'}"
    parts = [
        f"**Sluice** · {found} so far, the review goes on" if number == 1 else f"**Sluice** · {found} more"
    ]
    if notice and number == 1:
        parts.append(f"> {cell(notice)}")
    return _with_findings(parts, wave.in_summary, [], review_mark(review, number))


def review_body(review: str, number: int, wave: Wave, outcome: Outcome, notice: str | None) -> str:
    """The text of the last wave, which is the only one unless findings are posted while the review runs."""
    parts = [f"**Sluice** · {counts(outcome)} · {coverage(outcome)}"]
    if notice:
        parts.append(f"> {cell(notice)}")
    if wave.already_said:
        are = "are" if wave.already_said > 1 else "is"
        parts.append(f"{wave.already_said} of them {are} said here already, and not repeated.")
    return _with_findings(parts, wave.in_summary, notes(outcome), review_mark(review, number))


def _with_findings(parts: list[str], findings: Sequence[Finding], tail: list[str], mark: str) -> str:
    """Parts, the findings within the room that is left, and what ends the body."""
    if findings:
        parts = [*parts, "Not on a line of their own:"]
        room = MAX_BODY - sum(len(part) + 2 for part in (*parts, *tail))
        parts.append(told(findings, room))
    return bounded("\n\n".join([*parts, *tail]), mark)


def told(findings: Sequence[Finding], room: int) -> str:
    """A list of findings: all by title if `room` characters hold them, and of the worst all they say."""
    rows = [_row(finding) for finding in findings]
    spare = room - sum(len(row) + 1 for row in rows)
    if spare < 0:
        return "\n".join(fitted(rows, room, lambda left: f"- and {left:,} more"))
    for number, finding in enumerate(findings):
        more = f"\n\n{indent(_words(finding), '  ')}\n"
        if len(more) > spare:
            break
        rows[number] += more
        spare -= len(more)
    return "\n".join(rows).rstrip("\n")


def _suggested(lines: str) -> str:
    """Lines that a click puts in: the end of the last one is no blank line, and none at all only remove."""
    if not lines:
        return "```suggestion\n```"
    return fenced(lines.removesuffix("\n").removesuffix("\r"), "suggestion")


def _words(finding: Finding) -> str:
    """What a finding says below its title, where its suggestion can't be applied."""
    if finding.suggestion is None:
        return escaped(finding.message)
    return f"{escaped(finding.message)}\n\nSuggested code:\n{fenced(finding.suggestion)}"


def resolved_note(body: str, head: str) -> str:
    """Our own comment, once its code is gone from the change; one that says so already stays as it is."""
    if is_resolved_note(body):
        return body
    text, marks = split(body)
    header = text.split("\n", 1)[0].strip()
    # What is gone can't be replaced by a click any more
    original = _SUGGESTION.sub(r"\1", text)[: MAX_BODY - len(header) - _NOTE]
    parts = [
        f"<del>{header}</del>",
        f"Resolved: as of `{head[:7]}` this code is gone from the change.",
        f"<details><summary>What was said</summary>\n\n{original}\n\n</details>",
    ]
    return "\n\n".join([*parts, "\n".join(filter(None, [marks, RESOLVED_MARK]))])


def counts(outcome: Outcome) -> str:
    """Findings by severity."""
    found = outcome.completed().by_severity
    return ", ".join(f"{count} {severity}" for severity, count in found.items() if count) or "no findings"


def coverage(outcome: Outcome) -> str:
    """How much was reviewed."""
    found = outcome.coverage
    return f"{found.reviewed:,} of {found.changed_lines:,} changed lines reviewed"


def notes(outcome: Outcome) -> list[str]:
    """What was not reviewed, notes and cost, folded; nothing where there is nothing to say."""
    rows = [f"{outcome.usage.total:,} tokens, ${outcome.cost:.4f}"] if outcome.cost is not None else []
    rows += [
        f"{code(chunk.path)}: {cell(outcome.failed[chunk.id])}"
        for chunk in outcome.plan.chunks
        if chunk.id in outcome.failed
    ]
    rows += [cell(note) for note in outcome.notes]
    rows += [_gap(file) for file in outcome.coverage.gaps]
    if not rows:
        return []
    lines = fitted([f"- {row}" for row in rows], MAX_NOTES, lambda left: f"- and {left:,} more")
    return [
        "<details><summary>Not reviewed, notes and cost</summary>\n\n" + "\n".join(lines) + "\n\n</details>"
    ]


def bounded(body: str, mark: str = "") -> str:
    """A body within GitHub's limit; its marker is never what is cut off."""
    if len(body) > MAX_BODY:
        body = body[:MAX_BODY] + "\n\n…"
    return f"{body}\n\n{mark}" if mark else body


def _row(finding: Finding) -> str:
    return f"- {SIGNS[finding.severity]} {code(finding.place)} {cell(finding.title)}"


def _gap(file: FileCoverage) -> str:
    """What of a file was not reviewed, or not in whole."""
    parts = [
        f"{lines:,} of {file.changed_lines:,} changed lines not reviewed: {reason}" if lines else str(reason)
        for reason, lines in file.not_reviewed.items()
    ]
    if file.trimmed:
        parts.append(f"{file.trimmed:,} lines were too long to be shown whole")
    return f"{code(file.path)}: {'; '.join(parts)}"
