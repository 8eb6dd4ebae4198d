"""Lets the first call of a prefix begin to stream before others follow, which then read the cache it wrote.

A cache entry can be read only once the response that writes it has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

LIFETIME_SECONDS = 270.0
"""The provider keeps an entry for five minutes from the start of the request that read it last."""

LONGEST_WAIT_SECONDS = 15.0
"""A cache saves money, not time: who has waited so long goes on without."""


@dataclass(slots=True)
class _Prefix:
    warm_until: float = 0.0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    leader: object | None = None


class Warmth:
    """Which prefixes are warm, in this process."""

    def __init__(self) -> None:
        self._prefixes: dict[str, _Prefix] = {}

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncGenerator[Callable[[], None]]:
        """A call with that prefix within the block; call what is given when its response has begun."""
        loop = asyncio.get_running_loop()
        prefix = self._prefixes.setdefault(key, _Prefix())
        call = object()
        await self._wait(prefix, call)
        started = loop.time()

        def begun() -> None:
            prefix.warm_until = max(prefix.warm_until, started + LIFETIME_SECONDS)
            _stand_down(prefix, call)

        try:
            yield begun
        finally:
            # If it never began, whoever waits next takes its place
            _stand_down(prefix, call)

    async def _wait(self, prefix: _Prefix, call: object) -> None:
        """Wait while another call leads, unless that takes too long; else lead."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_WAIT_SECONDS
        while loop.time() >= prefix.warm_until:
            if prefix.leader is None:
                prefix.leader, prefix.begun = call, asyncio.Event()
                return
            if loop.time() >= deadline:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await prefix.begun.wait()


def _stand_down(prefix: _Prefix, call: object) -> None:
    if prefix.leader is call:
        prefix.leader = None
        prefix.begun.set()
