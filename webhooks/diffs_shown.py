"""A kept diff as a page loads it: not all of a large one at once.

It is text from the start, written in pieces: millions of lines as objects, or one call over them all, would
keep every other thread from running for seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

MOST_LINES = 4_000
"""Lines that are shown without being asked for by file."""


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a diff as the API shows it.

    Attributes:
        about: all but its hunks, as a JSON object.
        lines: how many its hunks hold.
        hunks: writes them, as JSON in pieces.
    """

    path: str
    about: str
    lines: int
    hunks: Callable[[], Iterable[str]]

    def pieces(self, *, whole: bool = True) -> Iterator[str]:
        """Its JSON; if it is not to be whole, then without hunks."""
        yield f'{self.about[:-1]}, "hunks": '
        yield from self.hunks() if whole else ("null",)
        yield "}"


def cut(files: Iterable[ShownFile], most: int = MOST_LINES) -> bytes:
    """The JSON of all files, of which those behind so many lines have no hunks."""
    shown: list[Iterator[str]] = []
    lines, truncated = 0, False
    for file in files:
        lines += file.lines
        over = lines > most and file.lines > 0
        truncated |= over
        shown.append(file.pieces(whole=not over))
    return _json(shown, truncated=truncated)


def one_file(files: Iterable[ShownFile], path: str) -> bytes | None:
    """The JSON of one file with its hunks; None if there is none at that path."""
    found = [file.pieces() for file in files if file.path == path]
    return _json(found, truncated=False) if found else None


def _json(files: list[Iterator[str]], *, truncated: bool) -> bytes:
    return b"".join(_written(files, "true" if truncated else "false"))


def _written(files: list[Iterator[str]], truncated: str) -> Iterator[bytes]:
    yield b'{"files": ['
    for number, pieces in enumerate(files):
        if number:
            yield b", "
        for piece in pieces:
            yield piece.encode()
    yield f'], "truncated": {truncated}}}'.encode()
