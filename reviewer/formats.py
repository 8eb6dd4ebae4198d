"""A review told in text, JSON, SARIF or SSE. Each format is a feed: events go in as they happen."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape

from reviewer.core import events
from reviewer.core.events import Event, Subject
from reviewer.core.findings import Finding, Severity
from reviewer.job import Outcome
from reviewer.ports import Feed


class Format(Feed, Protocol):
    """A feed that is closed with the outcome."""

    def close(self, outcome: Outcome) -> None:
        """Say what is left to say."""
        ...


_COLOURS = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "bold yellow",
    Severity.LOW: "cyan",
}


class Text:
    """For people: a line per chunk, each finding as it comes, a summary at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:  # noqa: ARG002 - the port's
        """Print what a reader wants to see of each event."""
        for event in events:
            text = _text_of(event)
            if text is not None:
                self._console.print(text)

    def close(self, outcome: Outcome) -> None:
        """Print the notes and the summary."""
        for note in outcome.notes:
            self._console.print(f"[dim]note: {escape(note)}[/]")
        self._console.print(_summary(outcome))


def _text_of(event: Event) -> str | None:  # noqa: PLR0911 - one return for each kind of event
    match event:
        case events.ReviewStarted(engine=engine, notice=notice):
            return f"[bold]Sluice[/] reviews with {engine}" + (
                f"\n[yellow]{escape(notice)}[/]" if notice else ""
            )
        case events.ReviewPlanned():
            return _planned(event)
        case events.ChunkStarted(path=path, lines=(first, last)):
            part = f" part {event.part} of {event.parts}" if event.parts > 1 else ""
            return f"[dim]reviewing[/] {escape(path)}{part} [dim]lines {first}-{last}[/]"
        case events.ChunkRetrying(attempt=attempt, wait=wait, reason=reason, model=model):
            next_ = f"{model or 'the next'} in {wait:.1f} s" if wait else f"{model or 'the next'} now"
            return f"[yellow]attempt {attempt} did not do[/] ({escape(reason)}); {escape(next_)}"
        case events.ReviewPostponed(reason=reason, wait=wait):
            return f"[yellow]postponed for {wait:.0f} s[/]: {escape(reason)}"
        case events.ChunkFailed(path=path, reason=reason):
            return f"[red]not reviewed[/] {escape(path)}: {escape(reason)}"
        case events.FindingMade(finding=finding):
            return render_finding(finding)
        case events.ChunkCompleted(path=path, findings=count, source=source):
            known = " [dim](known from before)[/]" if source == "ledger" else ""
            return f"[dim]done[/]      {escape(path)}: {count} finding{'' if count == 1 else 's'}{known}"
        case _:
            return None


def _planned(event: events.ReviewPlanned) -> str:
    cost = "" if event.estimated_cost is None else f", about ${event.estimated_cost:.4f} for input"
    head = f"{event.files} files, {event.changed_lines:,} changed lines, {len(event.chunks)} chunks"
    if not event.files:
        return "The diff is empty: there is nothing to review."
    lines = [f"{head}, at most {event.estimated_tokens:,} tokens{cost}"]
    lines += [f"[dim]skipped[/]   {escape(file.path)}: {escape(file.reason)}" for file in event.skipped]
    return "\n".join(lines)


def render_finding(finding: Finding) -> str:
    """A finding with its code line, in rich's markup."""
    colour = _COLOURS[finding.severity]
    rows = [
        f"\n[{colour}] {finding.severity} [/] [bold]{escape(finding.place)}[/]  {escape(finding.title)}",
        *(f"    {escape(line)}" for line in finding.message.splitlines()),
    ]
    if finding.quote.strip():
        sign = "-" if finding.side == "LEFT" else "|"
        rows.insert(1, f"  [dim]{finding.line or '':>6} {sign}[/] {escape(finding.quote)}")
    if finding.suggestion is not None:
        rows += [f"    [green]+ {escape(line)}[/]" for line in finding.suggestion.splitlines()]
    return "\n".join(rows) + "\n"


def _summary(outcome: Outcome) -> str:
    counts = outcome.completed().by_severity
    said = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "no findings"
    coverage = outcome.coverage
    parts = [
        f"[bold]{said}[/]",
        f"{coverage.reviewed:,} of {coverage.changed_lines:,} changed lines reviewed",
    ]
    parts += [f"{lines:,} not ({escape(reason)})" for reason, lines in coverage.not_reviewed.items()]
    if coverage.trimmed:
        parts.append(f"{coverage.trimmed:,} too long to be shown whole")
    parts += [f"{count} dropped ({escape(reason)})" for reason, count in outcome.dropped.items()]
    if outcome.usage.total:
        parts.append(f"{outcome.usage.total:,} tokens in {outcome.calls} calls")
    if outcome.cost is not None:
        parts.append(f"${outcome.cost:.4f}")
    return "; ".join([*parts, f"{outcome.seconds:.1f} s"])


class Json:
    """One JSON object at the end."""

    def __init__(self) -> None:
        self._engine = ""
        self._notice: str | None = None

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:  # noqa: ARG002 - the port's
        """Keep what the outcome does not tell."""
        self._engine, self._notice = _engine_of(events) or (self._engine, self._notice)

    def close(self, outcome: Outcome) -> None:
        """Print the object."""
        print_json(
            {
                "engine": self._engine,
                "notice": self._notice,
                **events.dump(outcome.completed()),
                "findings": [finding.model_dump(mode="json") for finding in outcome.findings],
                "failed": outcome.failed,
                "notes": outcome.notes,
            }
        )


class Sarif:
    """SARIF 2.1.0, which GitHub code scanning and editors read; one run at the end."""

    def __init__(self) -> None:
        self._notice: str | None = None

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:  # noqa: ARG002 - the port's
        """Keep what the outcome does not tell."""
        engine = _engine_of(events)
        self._notice = engine[1] if engine else self._notice

    def close(self, outcome: Outcome) -> None:
        """Print the log."""
        notices = [text for text in [self._notice, *outcome.notes] if text]
        print_json(sarif(outcome.findings, notices=notices, failures=list(outcome.failed.values())))


_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}


def sarif(findings: Sequence[Finding], *, notices: Sequence[str], failures: Sequence[str]) -> dict[str, Any]:
    """Findings as a SARIF log; https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.

    Args:
        findings: those that stand.
        notices: what the reader must know.
        failures: why something was not reviewed.
    """
    notifications = [{"level": "note", "message": {"text": text}} for text in notices]
    notifications += [
        {"level": "error", "message": {"text": f"not reviewed: {reason}"}} for reason in failures
    ]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Sluice",
                        "version": version("sluice"),
                        "rules": [{"id": category} for category in sorted({f.category for f in findings})],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": not failures,
                        "toolExecutionNotifications": notifications,
                    }
                ],
                "columnKind": "utf16CodeUnits",
                "results": [_result(finding) for finding in findings],
            }
        ],
    }


def _result(finding: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": finding.path}}
    if finding.line is not None and finding.side == "RIGHT":
        place["region"] = {"startLine": finding.line, "endLine": finding.end_line or finding.line}
    return {
        "ruleId": finding.category,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.title}\n\n{finding.message}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"sluice/v1": finding.fingerprint},
        "properties": {"severity": finding.severity, "confidence": finding.confidence},
    }


class Sse:
    """The public event stream, as an HTTP client would read it."""

    def __init__(self) -> None:
        self._position = 0

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        """Print each event at once."""
        for event in events:
            self._say(subject, event)

    def close(self, outcome: Outcome) -> None:
        """Print the event that ends the review."""
        self._say(self._subject, outcome.completed())

    def _say(self, subject: Subject, event: Event) -> None:
        self._subject = subject
        self._position += 1
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        data = {**subject.model_dump(), "at": at, **events.dump(event)}
        _write(f"id: {self._position}\nevent: {event.type}\ndata: {json.dumps(data)}\n\n")


def _engine_of(said: Sequence[Event]) -> tuple[str, str | None] | None:
    return next(((e.engine, e.notice) for e in said if isinstance(e, events.ReviewStarted)), None)


def print_json(value: object) -> None:
    """Print one JSON value on standard output; text that is no UTF-8 is escaped."""
    _write(json.dumps(value, indent=2, default=str) + "\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
