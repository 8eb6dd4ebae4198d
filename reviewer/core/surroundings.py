"""What encloses a chunk's hunks, taken from the head's file: the definition's name and its first lines."""

from __future__ import annotations

from dataclasses import replace

from reviewer.core.chunks import Chunk, Piece, Surroundings
from reviewer.core.hunks import Hunk, LineKind
from reviewer.core.plan import Limits
from reviewer.core.scopes import Scope, Scopes

MOST_LINES = 10
"""Lines shown of a definition above a hunk: reviewers find less, not more, with whole files before them."""

_LONGEST_LINE = 200  # characters


def surround(chunk: Chunk, text: str, scopes: Scopes, limits: Limits) -> Chunk:
    """The chunk with the surroundings of its hunks, as far as the limit leaves room for them.

    Args:
        chunk: of a file that agrees with `text`.
        text: the head's file.
        scopes: the definitions in it.
        limits: those that the chunk was cut to.
    """
    lines = text.split("\n")
    measure = limits.measure()
    pieces = list(chunk.pieces)
    tokens = chunk.tokens
    for at, piece in enumerate(pieces):
        found = _surroundings(piece, lines, scopes)
        if found is None:
            continue
        wider = replace(piece, surroundings=found)
        more = measure.estimator.tokens(wider.size - piece.size)
        if tokens + more > limits.chunk:
            continue
        pieces[at], tokens = wider, tokens + more
    return replace(chunk, pieces=tuple(pieces), tokens=tokens)


def _surroundings(piece: Piece, lines: list[str], scopes: Scopes) -> Surroundings | None:
    """None where nothing encloses the change, or the hunk shows the definition's beginning itself."""
    shown_from = piece.first_new - len(piece.lead)
    scope = scopes.around(_first_change(piece.hunk))
    if scope is None or scope.first >= shown_from:
        return None
    return Surroundings(scope.name, tuple((n, _short(lines[n - 1])) for n in _head(scope, shown_from)))


def _head(scope: Scope, before: int) -> range:
    last = min(scope.signature_last, scope.first + MOST_LINES - 1, before - 1)
    return range(scope.first, last + 1)


def _first_change(hunk: Hunk) -> int:
    """The new-side number of the first changed line, or of what follows a removed one."""
    following = hunk.new_start
    for line in hunk.lines():
        if line.kind is LineKind.ADDED:
            return line.new or following
        if line.kind is LineKind.REMOVED:
            return following
        following = (line.new or following) + 1
    return following


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + "…"
