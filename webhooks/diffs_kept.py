"""Diffs as the dashboard shows them, with findings set in at their lines."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice

import psycopg
import structlog

from reviewer.core.diff import Diff, FileChange, parse, readable
from reviewer.core.hunks import Hunk, line_of
from reviewer.errors import BadInput
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.diffs_shown import ShownFile

MOST_BYTES = 5_000_000
"""A diff that is larger when compressed is not kept for showing."""

_LEVEL = 6
_LINES = 1_000  # written in one go: one call over fifty megabytes would keep every other thread from running
_PIECE = 65_536
_BEGINNINGS = (b'["+", ', b'["-", ', b'[" ", ')
"""Of lines; in a text each quotation mark has a backslash before it."""

_SQL = ("webhooks.sql", "diffs_kept.sql")

_log = structlog.get_logger("sluice.diffs")


class KeptDiffs:
    """The table of diffs. One that was posted is kept as it came, and read anew to be shown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, review: str, diff: Diff) -> None:
        """Keep the diff of a review, if it is not too large; whatever else may go wrong, nobody waits for it.

        Raises:
            StoreUnavailable: the database is away.
        """
        shown = await asyncio.to_thread(pack, diff, MOST_BYTES)
        if shown is None:
            _log.info("a diff is too large to be shown", review=review)
            return
        try:
            async with self._database.connection() as connection:
                values = {"review": review, "shown": shown}
                await connection.execute(query(*_SQL, "keep"), values)
        except psycopg.Error as error:
            _log.warning("a diff was not kept", review=review, reason=str(error).strip())

    async def read(self, review: str) -> list[ShownFile] | None:
        """The files of a review's diff as the API shows them, hunks and all; None if it is not kept."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "read"), {"review": review})
            row = await cursor.fetchone()
        shown, posted = row or (None, None)
        if shown is not None:
            return await asyncio.to_thread(unpack, shown)
        if posted is None or len(posted) > MOST_BYTES:
            return None
        return await asyncio.to_thread(_files_of, posted)


def pack(diff: Diff, most: int) -> bytes | None:
    """A diff as it is kept: a JSON object a line for each file, compressed; None if over `most` bytes."""
    packer = zlib.compressobj(_LEVEL)
    packed = bytearray()
    for file in diff.files:
        for piece in chain(_shown(file).pieces(), ("\n",)):
            packed += packer.compress(piece.encode())
            if len(packed) > most:
                return None
    packed += packer.flush()
    return bytes(packed) if len(packed) <= most else None


def unpack(packed: bytes) -> list[ShownFile]:
    """What `pack` made this of, as the API shows it."""
    # A line of code may hold what other ways of splitting take for the end of a line
    return [_unpacked(line) for line in zlib.decompress(packed).split(b"\n") if line]


def _unpacked(line: bytes) -> ShownFile:
    # Within a text no quotation mark stands behind a blank
    about, _, hunks = line.partition(b', "hunks": ')
    told = about.decode() + "}"

    def written() -> Iterator[str]:
        for start in range(0, len(hunks) - 1, _PIECE):
            yield hunks[start : min(start + _PIECE, len(hunks) - 1)].decode()

    return ShownFile(json.loads(told)["path"], told, sum(map(hunks.count, _BEGINNINGS)), written)


def _files_of(posted: bytes) -> list[ShownFile] | None:
    try:
        diff = parse(zlib.decompress(posted))
    except BadInput:  # by the rules of an older version it was one
        return None
    return [_shown(file) for file in diff.files]


def _shown(file: FileChange) -> ShownFile:
    told = {
        "path": readable(file.path),
        "old_path": None if file.old_path is None else readable(file.old_path),
        "status": file.status.value,
        "added": file.added,
        "removed": file.removed,
        "binary": file.binary,
    }
    lines = sum(hunk.count for hunk in file.hunks)
    return ShownFile(readable(file.path), json.dumps(told), lines, partial(_hunks, file))


def _hunks(file: FileChange) -> Iterator[str]:
    """The JSON of a file's hunks, in pieces of bounded length."""
    yield "["
    for number, hunk in enumerate(file.hunks):
        yield f'{", " if number else ""}{{"header": {json.dumps(readable(hunk.header))}, "lines": ['
        lines = _lines(hunk)
        comma = ""
        while some := list(islice(lines, _LINES)):
            yield comma + json.dumps(some)[1:-1]
            comma = ", "
        yield "]}"
    yield "]"


def _lines(hunk: Hunk) -> Iterator[list[str | int | None]]:
    """Kind, number on each side, and text; git's remark on a missing newline has no number."""
    old, new = hunk.old_start, hunk.new_start
    for row in hunk.rows():
        line = line_of(row, old, new)
        if line is None:
            yield ["\\", None, None, readable(row[1:].strip())]
            continue
        yield [line.kind.value, line.old, line.new, readable(line.text)]
        old += line.old is not None
        new += line.new is not None
