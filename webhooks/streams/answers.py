"""The streams that are open: what each is sent, how many a caller has, and how they end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from reviewer.core.events import TERMINAL_TYPES
from reviewer.grace import outlast
from reviewer.store.feed import Entry, PostgresFeed, Tail
from webhooks.api.metrics import Metrics
from webhooks.callers import Caller
from webhooks.streams import events as stream_events
from webhooks.streams.courses import Checks, Course, Rights
from webhooks.streams.cursors import Cursors

PING_SECONDS = 15
CHECK_SECONDS = 5.0
"""How often a stream asks anew what its caller may see: a token that is revoked ends within seconds."""

STALL_SECONDS = 60.0
"""A client that takes nothing in for so long is cut off; it resumes where it was."""

FAREWELL_SECONDS = 1.0
"""How long a stop waits for streams to take leave."""

PIECE_BYTES = 65_536
"""Of a replay so much is handed over at once: a client that does not read holds no more than that."""

_DONE = object()
_PING = ServerSentEvent(comment="ping")
_log = structlog.get_logger("sluice.streams")


class Streams:
    """All streams of a process."""

    def __init__(
        self,
        feed: PostgresFeed,
        access: Rights,
        cursors: Cursors,
        metrics: Metrics,
        *,
        per_caller: int,
        check_seconds: float = CHECK_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._feed = feed
        self._access = access
        self._cursors = cursors
        self._metrics = metrics
        self._per_caller = per_caller
        self._check_seconds = check_seconds
        self._stall_seconds = stall_seconds
        self._open: Counter[str] = Counter()
        self._tails: set[Tail] = set()
        self._closing = False

    def answer(
        self,
        course: Course,
        *,
        headers: Mapping[str, str] | None = None,
        on_leave: Callable[[], Awaitable[None]] | None = None,
    ) -> EventSourceResponse:
        """The answer that tells a course.

        Raises:
            HTTPException: 429, the caller has as many streams open as may be.
        """
        self.require_room(course.caller)
        return _Answer(self, course, self._stall_seconds, headers, on_leave)

    def require_room(self, caller: Caller) -> None:
        """Raises 429, as `answer` does, where it would be one stream too many."""
        if self._open[caller.id] >= self._per_caller:
            raise HTTPException(
                429,
                f"{self._per_caller} event streams of yours are open already; close one, or use one for all",
                headers={"Retry-After": "10"},
            )

    async def close(self) -> None:
        """Let all streams take leave, since the process stops; new ones do so at once."""
        self._closing = True
        for tail in self._tails:
            tail.bell.set()
        end = asyncio.get_running_loop().time() + FAREWELL_SECONDS
        while self._open.total() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - uvicorn polls too
            await asyncio.sleep(0.02)

    def enter(self, caller: Caller) -> None:
        """A stream of a caller has begun."""
        self._open[caller.id] += 1
        self._metrics.streams.inc()

    def leave(self, caller: Caller) -> None:
        """It has ended."""
        self._metrics.streams.dec()
        self._open[caller.id] -= 1
        if not self._open[caller.id]:
            del self._open[caller.id]

    async def tell(
        self, course: Course, take: Callable[[Sequence[Entry]], bool] | None = None
    ) -> AsyncIterator[bytes]:
        """What a stream sends, in pieces that hold whole events.

        News that comes while all has been told is given to `take`, and told here only if that gives False.
        """
        if course.opening:
            yield course.opening
        following = self._feed.follow(course.after, course.wanted, from_memory=course.follow)
        with following as tail, self._checks(course, tail) as checks:
            tail.take = take
            while True:
                if checks.due and not await checks.still_allowed():
                    yield stream_events.revoked()
                    return
                entries = await tail.read()
                self.sent(len(entries))
                for piece, last in self._pieces(entries):
                    course.ended = course.audience is not None and last.type in TERMINAL_TYPES
                    yield piece
                    if course.ended:
                        return
                if not (course.follow or tail.more or tail.away):
                    course.ended = True
                    return
                if self._closing:
                    course.ended = True
                    yield stream_events.farewell()
                    return
                await tail.pause()

    @contextmanager
    def _checks(self, course: Course, tail: Tail) -> Generator[Checks]:
        self._tails.add(tail)
        checks = Checks(self._access, course, tail, self._check_seconds)
        try:
            yield checks
        finally:
            checks.stop()
            self._tails.discard(tail)

    def piece(self, entries: Sequence[Entry]) -> bytes:
        """Their bytes, if they are few and nothing ends with them; else nothing."""
        if len(entries) == 1 and entries[0].wire and entries[0].type not in TERMINAL_TYPES:
            return entries[0].wire
        (piece, last), *more = self._pieces(entries)
        return b"" if more or last.type in TERMINAL_TYPES else piece

    def sent(self, count: int) -> None:
        """So many events were sent."""
        self._metrics.events_sent.inc(count)

    def _pieces(self, entries: Iterable[Entry]) -> Iterable[tuple[bytes, Entry]]:
        """Their bytes, and the last entry of each piece; a terminal event is always the last of one."""
        piece: list[bytes] = []
        size, last = 0, None
        for entry in entries:
            wire = entry.wire or self._encode(entry)
            piece.append(wire)
            size, last = size + len(wire), entry
            if size >= PIECE_BYTES or entry.type in TERMINAL_TYPES:
                yield b"".join(piece), entry
                piece, size = [], 0
        if piece and last is not None:
            yield b"".join(piece), last

    def _encode(self, entry: Entry) -> bytes:
        entry.wire = ServerSentEvent(
            entry.text, event=entry.type, id=self._cursors.write(entry.position)
        ).encode()
        return entry.wire


class _Answer(EventSourceResponse):
    """A stream, which is counted while it is open, and cut off when its client takes nothing in."""

    def __init__(
        self,
        streams: Streams,
        course: Course,
        stall_seconds: float,
        headers: Mapping[str, str] | None,
        on_leave: Callable[[], Awaitable[None]] | None,
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            streams.tell(course, self._take),
            headers=headers,
            ping=PING_SECONDS,
            ping_message_factory=lambda: _PING,
        )
        self._streams = streams
        self._course = course
        self._on_leave = on_leave
        self._own_send: Send
        self._stall_seconds = stall_seconds
        self._sending_since: float | None = None
        self._stalled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, and tell if the client has gone before its end."""
        caller, task = self._course.caller, asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        scope.setdefault("state", {})["is_stream"] = True
        self._own_send = scope["state"].get("send", send)
        self._streams.enter(caller)
        watch = asyncio.create_task(self._watch(task), name="stall watch")
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self._stalled:
                raise
            task.uncancel()
            _log.info("cut off a client that does not read", caller=caller.id)
        finally:
            watch.cancel()
            self._streams.leave(caller)
            if self._on_leave is not None and not self._course.ended:
                await outlast(_awaited(self._on_leave))

    def _take(self, entries: Sequence[Entry]) -> bool:
        """Send news at once; False, and nothing is sent, if that is for the stream's own task to do.

        A turn of the task takes several times as long as what it sends.
        """
        piece = self._streams.piece(entries)
        if not piece:
            return False
        message = {"type": "http.response.body", "body": piece, "more_body": True}
        try:
            steps = self._own_send(message).__await__()
            waits = next(steps, _DONE) is not _DONE
        except (OSError, RuntimeError):
            return False  # which the task will meet too
        if waits:
            steps.close()  # nothing is lost: uvicorn waits for a slow client before it writes
            return False
        self._streams.sent(len(entries))
        return True

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """Only note since when: a timer for each of thousands of sends a second costs more than the send."""
        if self._sending_since is None:
            self._sending_since = asyncio.get_running_loop().time()
        await send(message)
        self._sending_since = None

    async def _watch(self, task: asyncio.Task[Any]) -> None:
        while not self._stalled:
            await asyncio.sleep(self._stall_seconds / 4)
            since = self._sending_since
            self._stalled = (
                since is not None and asyncio.get_running_loop().time() - since > self._stall_seconds
            )
        task.cancel()


async def _awaited(call: Callable[[], Awaitable[None]]) -> None:
    await call()
