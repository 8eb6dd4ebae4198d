"""Events about a stream itself, beside those of reviews."""

from __future__ import annotations

import json
import random

from sse_starlette import ServerSentEvent


def revoked() -> bytes:
    """The last words to whoever may see nothing any more."""
    return _stream_event("revoked", "your access has ended")


def _stream_event(name: str, reason: str, *, retry: int | None = None, **more: int) -> bytes:
    """An event about the stream itself. It has no id: what a client has seen of the feed stays as it is."""
    text = json.dumps({"reason": reason, **more})
    return ServerSentEvent(text, event=f"stream.{name}", retry=retry).encode()


def farewell() -> bytes:
    """The last words of a server that stops; its clients come back one after the other."""
    return _stream_event(
        "closing",
        "the server stops; come back",
        retry=random.randint(1_000, 3_000),  # noqa: S311
    )


def expired(days: int) -> bytes:
    """What is told first to whoever comes back after too long."""
    reason = "events between your position and now are no longer kept; the stream goes on with what is"
    return _stream_event("expired", reason, kept_days=days)


def bookmark(cursor: str) -> bytes:
    """Where a stream begins, so that a client that is cut off before its first event misses none."""
    return ServerSentEvent(id=cursor).encode()
