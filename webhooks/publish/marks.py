"""The hidden lines that tell our own words from others', and what they are about.

They count at the end of a body only, where Sluice puts them: what a model was talked into saying may hold
something that looks like one, inside code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reviewer.core.findings import Finding

RESOLVED_MARK = "<!-- sluice:resolved -->"

_TAIL = re.compile(r"(?:<!-- sluice:[\w:-]+ -->\s*)+\Z")
_FINDING = re.compile(r"<!-- sluice:finding:([0-9a-f]+) -->")
_REVIEW = re.compile(r"<!-- sluice:review:([\w-]+):(\d+) -->")


def review_mark(review: str, wave: int) -> str:
    """The hidden line by which a review on GitHub is known to be one wave of one review of ours."""
    return f"<!-- sluice:review:{review}:{wave} -->"


def finding_mark(finding: Finding) -> str:
    """The hidden line by which a comment is known to say one finding."""
    return f"<!-- sluice:finding:{finding.fingerprint} -->"


def split(body: str) -> tuple[str, str]:
    """A body's visible text, and its marks."""
    found = _TAIL.search(body)
    if found is None:
        return body, ""
    return body[: found.start()].rstrip(), found[0].strip()


def wave_in(body: str) -> tuple[str, int] | None:
    """The review and the number of its wave that a body is of."""
    found = _REVIEW.search(split(body)[1])
    return (found[1], int(found[2])) if found else None


def fingerprint_in(body: str) -> str | None:
    """The fingerprint of the finding that a comment says."""
    found = _FINDING.search(split(body)[1])
    return found[1] if found else None


def fingerprints_in(bodies: Iterable[str]) -> frozenset[str]:
    """The fingerprints of the findings that comments say."""
    return frozenset(found for body in bodies if (found := fingerprint_in(body)) is not None)


def is_resolved_note(body: str) -> bool:
    """Whether a comment says that its code is gone."""
    return RESOLVED_MARK in split(body)[1]
