"""Reported findings to findings that stand: placed, made safe, said once, in order of weight."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable

from reviewer.core.anchors import Anchors, Dropped, Placed, meant
from reviewer.core.diff import Diff, FileChange
from reviewer.core.findings import Confidence, Finding, ReportedFinding, Severity, fingerprint
from reviewer.core.markdown import fenced, neutral
from reviewer.core.redact import redact


class Findings:
    """The findings of one review as they come in; what does not stand is counted by reason."""

    def __init__(self, review: str, diff: Diff, *, least_severity: Severity) -> None:
        self._review = review
        self._files: defaultdict[str, list[FileChange]] = defaultdict(list)
        for file in diff.files:
            self._files[file.path].append(file)
        self._anchors: dict[str, Anchors] = {}
        self._least = least_severity
        self._standing: dict[str, Finding] = {}
        self.dropped: Counter[str] = Counter()

    @property
    def standing(self) -> tuple[Finding, ...]:
        """All that stand, worst first."""
        return rank(self._standing.values())

    def is_heavy(self, reported: ReportedFinding) -> bool:
        """Whether placing it takes so long that it belongs into a thread."""
        anchors = self._anchors_of(reported)
        return anchors is not None and anchors.heavy

    def place(self, reported: ReportedFinding) -> Placed | Dropped:
        """Where it stands in the diff, or why nowhere."""
        anchors = self._anchors_of(reported)
        return Dropped.UNKNOWN_FILE if anchors is None else anchors.place(reported)

    def _anchors_of(self, reported: ReportedFinding) -> Anchors | None:
        path = meant(reported.path, self._files)
        if path is None:
            return None
        if path not in self._anchors:
            self._anchors[path] = Anchors(path, self._files[path])
        return self._anchors[path]

    def add(
        self, reported: ReportedFinding, *, chunk: str, source: str, placed: Placed | Dropped | None = None
    ) -> Finding | None:
        """The finding as it stands, or None when it is dropped; it is counted then.

        Args:
            reported: as an engine said it.
            chunk: id of the chunk it was said about.
            source: who said it.
            placed: where it stands, if it was placed before.
        """
        placed = self.place(reported) if placed is None else placed
        if isinstance(placed, Dropped):
            self.dropped[placed] += 1
            return None
        if not reported.severity.at_least(self._least):
            self.dropped[f"below {self._least}"] += 1
            return None
        finding = _standing(self._review, reported, placed, chunk=chunk, source=source)
        if finding.id in self._standing:
            self.dropped[Dropped.DUPLICATE] += 1
            return None
        self._standing[finding.id] = finding
        return finding


def rank(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first, the surest of equals first, then by place."""
    sure = list(Confidence)
    return tuple(
        sorted(findings, key=lambda f: (f.severity.rank, sure.index(f.confidence), f.path, f.line or 0, f.id))
    )


def _standing(review: str, reported: ReportedFinding, placed: Placed, *, chunk: str, source: str) -> Finding:
    print_ = fingerprint(placed.path, reported.category, placed.neighbourhood)
    # Blanks and what may not be shown can be all there was
    title = _safe(" ".join(reported.title.split())).strip() or f"Untitled {reported.category}"
    identity = hashlib.sha256(f"{review}\0{print_}\0{title.casefold()}".encode()).hexdigest()
    message = _safe(reported.message)
    suggestion, extra = _suggestion(reported, placed)
    return Finding(
        id=identity[:16],
        fingerprint=print_,
        chunk=chunk,
        source=source,
        verified=placed.verified,
        path=placed.path,
        side=placed.side,
        line=placed.line,
        end_line=placed.end_line,
        quote=redact(reported.quote),
        severity=reported.severity,
        category=reported.category,
        title=title,
        message=(message if message.strip() else title) + extra,
        suggestion=suggestion,
        confidence=reported.confidence,
    )


def _suggestion(reported: ReportedFinding, placed: Placed) -> tuple[str | None, str]:
    """The suggestion if it can be applied as it is, else None and the text that shows it as plain code."""
    if reported.suggestion is None:
        return None, ""
    clean = redact(reported.suggestion)
    if placed.suggestible and clean == reported.suggestion and clean.strip() != reported.quote.strip():
        return clean, ""
    return None, f"\n\nSuggested code:\n{fenced(clean)}"


def _safe(text: str) -> str:
    return neutral(redact(text))
