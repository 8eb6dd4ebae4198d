"""A sighting in the words and limits of a reported finding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reviewer.analyzers.sighting import Replacement, Sighting
from reviewer.core.findings import ReportedFinding

_LONGEST_PATH, _LONGEST_QUOTE, _LONGEST_TITLE, _LONGEST_SUGGESTION = 4096, 4000, 200, 8000
_SHORTEST_QUOTE = 20  # a shorter part of a line proves nothing: reviewer/core/anchors.py
_NAMED = 3
CANNOT_BE_NAMED = "the path is not UTF-8, or too long to be named"

_BYTES = re.compile("[\ud800-\udfff]+")


def can_be_named(path: str) -> bool:
    """Whether a finding can carry the path."""
    return 0 < len(path) <= _LONGEST_PATH and not _BYTES.search(path)


def shown(paths: Sequence[str]) -> str:
    """Up to three paths, made safe for one line of text, and how many there are."""
    unique = list(dict.fromkeys(paths))
    names = ", ".join(_printable(path) for path in unique[:_NAMED])
    return (
        names if len(unique) <= _NAMED else f"{names} and {len(unique) - _NAMED} more ({len(unique)} files)"
    )


def reported(sighting: Sighting, added: Mapping[int, str]) -> ReportedFinding:
    """The finding on `sighting.line`, which is one of the `added` lines of its file."""
    source = f"({sighting.rule})"
    read_on = f"See {sighting.link} {source}" if sighting.link else source
    end_line, suggestion = _suggested(sighting.replacement, sighting.line, added)
    return ReportedFinding(
        path=sighting.path,
        line=sighting.line,
        end_line=end_line,
        quote=_quote(added[sighting.line]),
        severity=sighting.severity,
        category=sighting.category,
        title=_utf8(sighting.title)[:_LONGEST_TITLE],
        message=_utf8(f"{sighting.message} {read_on}".strip()),
        suggestion=suggestion,
        confidence=sighting.confidence,
    )


def _suggested(
    replacement: Replacement | None, line: int, added: Mapping[int, str]
) -> tuple[int | None, str | None]:
    """End line and text of a suggestion that begins on the finding's line and touches added lines only."""
    if replacement is None or replacement.first != line or len(replacement.text) > _LONGEST_SUGGESTION:
        return None, None
    if any(number not in added for number in range(line, replacement.last + 1)):
        return None, None
    return (replacement.last if replacement.last > line else None), replacement.text


def _quote(text: str) -> str:
    """The line; of one that is not UTF-8 the longest part that is, or nothing."""
    parts = _BYTES.split(text.removesuffix("\r"))
    part = max(parts, key=len)
    if len(parts) > 1 and len(" ".join(part.split())) < _SHORTEST_QUOTE:
        return ""
    return part[:_LONGEST_QUOTE]


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _printable(path: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in path[:200]
    )
