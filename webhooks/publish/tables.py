"""Texts by others in one line of Markdown: cells of a table, code, and rows within a bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from reviewer.core.markdown import neutral

_SPAN = re.compile(r"(`[^`\n]+`)")
# A backslash before a pipe is read in different ways; what is written as a number is always just itself
_IN_TEXT = {ord(c): f"&#{ord(c)};" for c in "&<>|`\\[]"}
_IN_CODE = {ord(c): f"&#{ord(c)};" for c in "&<>|`\\*_[]~$"}


def one_line(text: str) -> str:
    """Text without line breaks or runs of blanks."""
    return " ".join(text.split())


def code(text: str) -> str:
    """Text as code within a line, also of a table; unlike backticks, it can't be closed from inside."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in one_line(text))
    return f"<code>{shown.translate(_IN_CODE)}</code>"


def cell(text: str) -> str:
    """Any text in one line, also of a table: code spans are kept, nothing else opens anything."""
    parts = _SPAN.split(neutral(one_line(text)))
    return "".join(code(part[1:-1]) if n % 2 else part.translate(_IN_TEXT) for n, part in enumerate(parts))


def fitted(rows: Sequence[str], room: int, rest: Callable[[int], str]) -> list[str]:
    """As many rows, joined by newlines, as `room` characters hold; `rest` tells how many more there are."""
    if _size(rows) <= room:
        return list(rows)
    room -= len(rest(len(rows))) + 1
    kept: list[str] = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            break
        kept.append(row)
    return [*kept, rest(len(rows) - len(kept))]


def _size(rows: Iterable[str]) -> int:
    return sum(len(row) + 1 for row in rows)
