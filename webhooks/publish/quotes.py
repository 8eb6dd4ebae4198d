"""Whether a line that a finding quoted still stands in a diff."""

from __future__ import annotations

import re

from reviewer.core.chunks import TRIMMED
from reviewer.core.diff import FileChange, readable
from reviewer.core.findings import Side
from reviewer.core.hunks import Line
from reviewer.core.redact import redact

SHORTEST_TELLING = 20
"""Characters from which on a part of a line tells the line, and a line is told from others in its file."""

# A model may copy the place and mark that are printed before a line
_PRINTED = re.compile(r"^(?:[RLC]\d+\s+)?[-+|]?\s*")
_REDACTED = "[redacted"


def stands_in(file: FileChange, side: str, quote: str) -> bool:
    """Whether a line of that side of the diff may be the quoted one; a quote of nothing always is.

    A removed line counts as LEFT, every other as RIGHT. Secrets in quotes are redacted, so lines are compared
    as they would read then.
    """
    readings = _readings(quote)
    if not readings:
        return True
    hidden = any(_REDACTED in reading for reading in readings)
    return any(_holds(line, readings, hidden) for line in file.lines() if _side(line) == side)


def same(one: str, other: str) -> bool:
    """Whether two quotes are of the same text, blanks aside."""
    return _first(one) == _first(other)


def is_telling(quote: str) -> bool:
    """Whether a quote is long enough to be of one line only, most likely."""
    return len(_first(quote)) >= SHORTEST_TELLING


def _side(line: Line) -> str:
    return Side.LEFT if line.new is None else Side.RIGHT


def _holds(line: Line, readings: tuple[str, ...], hidden: bool) -> bool:
    text = readable(line.text)
    normal = _normal(redact(text) if hidden else text)
    return any(
        normal == reading or (len(reading) >= SHORTEST_TELLING and reading in normal) for reading in readings
    )


def _readings(quote: str) -> tuple[str, ...]:
    first = _first(quote)
    bare = _PRINTED.sub("", first)
    return tuple(dict.fromkeys(reading for reading in (first, bare) if reading))


def _first(quote: str) -> str:
    """The first line that is not blank; of one that was shown without its middle, the beginning."""
    first = next((normal for line in quote.split("\n") if (normal := _normal(line))), "")
    return TRIMMED.split(first)[0].strip() or first


def _normal(text: str) -> str:
    return " ".join(text.split())
