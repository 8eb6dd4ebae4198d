"""Shows each chunk what encloses its hunks, as far as the head's files can be read cheaply."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Self

from reviewer.core.chunks import Chunk
from reviewer.core.headers import FileStatus
from reviewer.core.plan import Limits
from reviewer.core.scopes import Scopes, understands
from reviewer.core.surroundings import surround
from reviewer.definitions import Definitions, Spare
from reviewer.errors import SluiceError
from reviewer.ports import Sources

LARGEST_READ = 500_000
"""Bytes of a file that is read for context at most."""

# Of a new file the diff shows all, of a removed one there is no head
_PARTLY_SHOWN = {FileStatus.MODIFIED, FileStatus.RENAMED, FileStatus.COPIED}


class Context:
    """The surroundings of one review's chunks, each file read once; an async context manager.

    Args:
        sources: the head's files.
        limits: those that the chunks were cut to.
        spare: where a process that parses may be ready.

    Attributes:
        notes: for people, why chunks have no surroundings.
    """

    def __init__(self, sources: Sources, limits: Limits, spare: Spare | None = None) -> None:
        self._sources = sources
        self._limits = limits
        self._left = sources.cheap_reads
        self._definitions = Definitions(spare)
        self.notes: tuple[str, ...] = ()
        self._known: dict[str, tuple[str, Scopes] | None] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._definitions.__aexit__(*error)

    async def around(self, chunk: Chunk) -> Chunk:
        """The chunk with its surroundings, or as it is where none can be had."""
        if chunk.file.status not in _PARTLY_SHOWN or not understands(chunk.path):
            return chunk
        async with self._reading[chunk.path]:
            if chunk.path not in self._known:
                self._known[chunk.path] = await self._read(chunk)
        known = self._known[chunk.path]
        return chunk if known is None else await asyncio.to_thread(surround, chunk, *known, self._limits)

    async def _read(self, chunk: Chunk) -> tuple[str, Scopes] | None:
        """The head's file and its definitions, if the diff speaks of that very file."""
        if self._left <= 0:
            return None
        self._left -= 1
        try:
            content = await self._sources.read(chunk.path)
        except SluiceError as error:
            if error.retryable:
                raise
            self._left = 0  # the next would meet the same
            self.notes = (f"Reviewed without what encloses the changes: {error}",)
            return None
        if content is None or len(content) > LARGEST_READ:
            return None
        text = content.decode("utf-8", "surrogateescape")
        if not await asyncio.to_thread(chunk.file.agrees_with, text):
            return None
        scopes = await self._definitions.read(text, chunk.path)
        return None if scopes is None else (text, scopes)
