"""The body of a request as the diff it holds, read no further than it may be long."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from webhooks.posted.refusals import Refusal

MOST_SECONDS = 120.0
"""Who takes longer to send a diff holds a place that others need."""

_GZIP = 16 + zlib.MAX_WBITS
_PLAIN = {"", "identity"}


async def read_body(request: Request, most: int) -> bytes:
    """The body, unpacked where it is gzip.

    Raises:
        Refusal: 413 over `most` bytes, unpacked or not; 415 packed otherwise; 400 broken; 408 too slow.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {*_PLAIN, "gzip"}:
        raise Refusal(
            415,
            f"the content encoding {encoding!r} can't be read; send it plain or as gzip",
            accept="gzip",
        )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await (_unpacked(request, most) if encoding == "gzip" else _plain(request, most))
    except TimeoutError as error:
        raise Refusal(408, f"the diff took longer than {MOST_SECONDS:g} s to come; post it again") from error


async def _plain(request: Request, most: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


async def _unpacked(request: Request, most: int) -> bytes:
    gunzip = Gunzip(most)
    try:
        async for piece in request.stream():
            # A small piece may hold much
            await asyncio.to_thread(gunzip.feed, piece)
        return gunzip.close()
    except zlib.error as error:
        raise Refusal(400, "the body is not the gzip that its Content-Encoding promises") from error


class Gunzip:
    """Unpacks gzip, one or more members, as it comes, and never more than it may."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._member = zlib.decompressobj(_GZIP)
        self._body = bytearray()
        self._began = False

    @property
    def size(self) -> int:
        """Bytes unpacked so far."""
        return len(self._body)

    def feed(self, piece: bytes) -> None:
        """Take in a piece.

        Raises:
            Refusal: 413: it is over the limit.
            zlib.error: it is no gzip.
        """
        while piece:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._began = True
            self._body += self._member.decompress(piece, self._most - len(self._body) + 1)
            if len(self._body) > self._most:
                raise _too_large(self._most)
            piece = self._member.unconsumed_tail or self._member.unused_data

    def close(self) -> bytes:
        """All of it.

        Raises:
            zlib.error: the end is missing.
        """
        if self._began and not self._member.eof:
            raise zlib.error("the end is missing")
        return bytes(self._body)


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        f"the diff is over the limit of {most:,} bytes; review a smaller range, or raise "
        "SLUICE_MAX_DIFF_BYTES",
    )
