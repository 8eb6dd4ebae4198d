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
    led: bool = False


class Warmth:
    """Which prefixes are warm, in this process."""

    def __init__(self) -> None:
        self._prefixes: dict[str, _Prefix] = {}

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncGenerator[Callable[[], None]]:
        """A call with that prefix within the block; call what is given when its response has begun."""
        loop = asyncio.get_running_loop()
        prefix = self._prefixes.setdefault(key, _Prefix())
        leads = await self._wait(prefix)
        started = loop.time()

        def begun() -> None:
            prefix.warm_until = max(prefix.warm_until, started + LIFETIME_SECONDS)
            prefix.begun.set()

        try:
            yield begun
        finally:
            if leads:
                # If it failed, whoever waits next takes its place
                prefix.led = False
                prefix.begun.set()

    async def _wait(self, prefix: _Prefix) -> bool:
        """Wait while another call leads; whether this one does now."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_WAIT_SECONDS
        while loop.time() >= prefix.warm_until:
            if not prefix.led:
                prefix.led, prefix.begun = True, asyncio.Event()
                return True
            if loop.time() >= deadline:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await prefix.begun.wait()
        return False
