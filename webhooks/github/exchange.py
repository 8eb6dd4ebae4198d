"""A request through the gate of its installation, and what its answer means for the requests after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from reviewer.errors import ForgeRateLimited, ForgeRefused
from webhooks.github import kept, limits, wire
from webhooks.github.kept import KeptAnswers
from webhooks.github.limits import Gates, Passage
from webhooks.github.transport import Reading, Transport, Writing
from webhooks.github.wire import Answer

Explain = Callable[[ForgeRefused, Answer], ForgeRefused]
"""A refusal in better words, or as it is."""


class Check(Protocol):
    """Raises where an answer is not a good one; see `wire.check`."""

    def __call__(self, answer: Answer, *, now: float, unnamed: float) -> Any:
        """See `wire.check`."""
        ...


class Exchange:
    """Requests under the limits of whom they are for: an installation, or 0 for the app itself."""

    def __init__(self, transport: Transport, gates: Gates) -> None:
        self._transport = transport
        self._gates = gates
        self._kept = KeptAnswers()

    async def get(self, place: int, token: str, reading: Reading, explain: Explain) -> Answer:
        """The answer to a GET, from what is kept where GitHub says that nothing has changed.

        Raises:
            ForgeError: see `wire.check` and `Gates.passing`.
        """
        key = kept.key_of(place, reading.path, reading.accept, reading.params)
        known = self._kept.find(key)
        if known is not None and len(known.body) <= reading.max_bytes:
            reading = replace(reading, etag=known.headers["etag"])
        async with self._gates.passing(place) as passage:
            answer = await self._transport.get(reading, token)
            if answer.status == 304 and known is not None:
                answer = kept.unchanged(known, answer)
            self._kept.keep(key, answer)
            return await _settle(passage, answer, wire.check, explain)

    async def send(
        self,
        place: int,
        token: str,
        writing: Writing,
        explain: Explain,
        *,
        points: int = limits.WRITE_POINTS,
        paced: bool = True,
        check: Check = wire.check,
    ) -> Answer:
        """The answer to a request with a body; a `paced` one waits for its turn among the writes.

        Raises:
            ForgeError: see `check`, `Transport.send` and `Gates.passing`.
        """
        async with self._gates.passing(place, points=points, write=paced) as passage:
            answer = await self._transport.send(writing, token)
            return await _settle(passage, answer, check, explain)


async def _settle(passage: Passage, answer: Answer, check: Check, explain: Explain) -> Answer:
    now = time.time()
    try:
        check(answer, now=now, unnamed=passage.penalty)
    except ForgeRateLimited as error:
        await passage.limited(error.retry_after, named=wire.named_wait(answer, now=now) is not None)
        raise
    except ForgeRefused as error:
        await passage.done(wire.spent(answer, now=now))
        raise explain(error, answer) from error
    await passage.done(wire.spent(answer, now=now))
    return answer
