"""One call: its cost is reserved, its answer told as it comes, and what it took settled, however it ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from reviewer.claude.answer import Answer, Ending
from reviewer.claude.client import Client, is_cached, request
from reviewer.claude.models import Model
from reviewer.claude.warmth import Warmth
from reviewer.claude.watchdog import Patience, Watchdog, watching
from reviewer.claude.work import Work
from reviewer.core.batches import Batch
from reviewer.core.budget import Amount
from reviewer.core.events import Usage
from reviewer.core.prompt import Prompt
from reviewer.core.tokens import Estimator
from reviewer.errors import EngineError, StreamCut
from reviewer.grace import finish, outlast
from reviewer.ports import CallRecord, Reservation, Sample

CANCELLED = "cancelled"

_MARGIN = 1.25
_AHEAD = 100  # tokens, on their way when the connection closes
_FASTEST = 500  # tokens a second, several times of what any Claude writes

_log = structlog.get_logger("sluice.claude")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one model is asked.

    Attributes:
        tokens: estimate of the prompt, or the server's count.
        max_tokens: of the answer.
    """

    part: Batch
    name: str
    model: Model
    prompt: Prompt
    tokens: int
    max_tokens: int

    @property
    def ceiling(self) -> Amount:
        """The most that it can take."""
        return Amount.of(self.tokens + self.max_tokens, self.model.ceiling(self.tokens, self.max_tokens))

    def request(self) -> dict[str, Any]:
        """As the Messages API takes it."""
        return request(self.name, self.model, self.prompt, self.max_tokens)


class Caller:
    """Makes calls to one server."""

    def __init__(self, client: Client, patience: Patience) -> None:
        self._client = client
        self._patience = patience
        self._warmth = Warmth()

    async def call(self, work: Work, asked: Asked) -> Ending:
        """Ask once, and tell what the answer reports.

        Raises:
            EngineError: there is no answer, or no whole one.
            OverBudget: there is no money for it; nothing was asked.
        """
        async with self._turn(asked) as begun:
            reservation = await work.task.purse.reserve(asked.ceiling)
            work.begin_try()
            conversation = _Conversation(work, asked, reservation)
            async with conversation.settled():
                await self._listen(conversation, begun)
                return await conversation.ending()

    async def _listen(self, conversation: _Conversation, begun: Callable[[], None]) -> None:
        from reviewer.claude.failures import (  # noqa: PLC0415 - imports the SDK, which takes 0.8 s
            FOREIGN,
            never_sent,
            spent_nothing,
            translate,
        )

        try:
            conversation.spent_nothing = False
            async with (
                watching(self._patience) as watchdog,
                self._client.stream(conversation.asked.request()) as events,
            ):
                begun()
                async for event in events:
                    said = conversation.hear(event, watchdog)
                    if said is not None:
                        await said
        except asyncio.CancelledError as error:
            conversation.spent_nothing = never_sent(error)
            raise
        except (AttributeError, KeyError, TypeError) as error:  # no event, or no message
            raise StreamCut("the answer is not in the form of the Messages API") from error
        except FOREIGN as error:
            conversation.spent_nothing = spent_nothing(error)
            raise translate(error) from error

    @asynccontextmanager
    async def _turn(self, asked: Asked) -> AsyncGenerator[Callable[[], None]]:
        if not is_cached(asked.model, asked.prompt):
            yield lambda: None
            return
        key = f"{asked.name}\0{asked.prompt.system}\0{asked.prompt.examples}"
        async with self._warmth.turn(key) as begun:
            yield begun


class _Conversation:
    """The answer to one call, as it comes."""

    def __init__(self, work: Work, asked: Asked, reservation: Reservation) -> None:
        self.asked = asked
        self.spent_nothing = True  # until it is asked
        self._work = work
        self._reservation = reservation
        self._answer = Answer()
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._first_token: float | None = None

    def hear(self, event: Any, watchdog: Watchdog) -> Awaitable[None] | None:
        """Take in one event; what is given, if anything, tells what came of it. Most events have nothing."""
        now = self._clock()
        token = event.type == "content_block_delta"
        watchdog.heard(now, token=token)
        if token and self._first_token is None:
            self._first_token = round(now - self._began, 3)
            self._work.wrote(now)
        elements = self._answer.hear(event)
        if elements:
            return self._work.report(elements, self.asked.name)
        if token and now >= self._work.progress_due:
            return self._work.progress(self._answer.written, now)
        return None

    async def ending(self) -> Ending:
        """How it ended, once it has; what is left of it is told."""
        await self._work.report(self._answer.mended(), self.asked.name)
        ending = self._answer.ending()
        if ending is Ending.COMPLETE:
            await self._work.report(self._answer.close(), self.asked.name)
        return ending

    @asynccontextmanager
    async def settled(self) -> AsyncGenerator[None]:
        """The conversation within the block; one that is cancelled, or ends by our fault, is settled too."""
        try:
            yield
        except EngineError as error:
            await outlast(self._settle(str(error)))
            raise
        except (asyncio.CancelledError, Exception) as error:  # the stream is closed by now
            cancelled = isinstance(error, asyncio.CancelledError)
            await self._settle_soon(CANCELLED if cancelled else f"stopped by {type(error).__name__}")
            raise
        except BaseException:
            self._work.task.purse.abandon(self._reservation)
            raise
        await outlast(self._settle(None))

    async def _settle_soon(self, error: str) -> None:
        """Settle a call that was stopped; if that can't be done soon, what was set aside stays charged."""
        failure = await finish(asyncio.create_task(self._settle(error, stopped=True)))
        if failure is not None:
            self._work.task.purse.abandon(self._reservation)
            _log.warning("a stopped call stays charged in full", reason=str(failure) or repr(failure))

    async def _settle(self, error: str | None, *, stopped: bool = False) -> None:
        usage, certain = self._spent(stopped=stopped)
        cost = self.asked.model.cost(usage)
        self._work.spend(usage, cost, certain=certain)
        if self._answer.whole and self._answer.told_input:
            read = usage.input + usage.cached + usage.cache_writes
            self._work.learn(Sample(self.asked.model.family, self.asked.prompt.size, read))
        record = CallRecord(
            repository=self._work.task.repository,
            model=self.asked.name,
            chunks=tuple(chunk.id for chunk in self.asked.part.chunks),
            route=self.asked.part.route.reason,
            usage=usage,
            cost=cost,
            certain=certain,
            time_to_first_token=self._first_token,
            seconds=round(self._clock() - self._began, 3),
            stop_reason=self._answer.stop_reason,
            error=error,
        )
        await self._work.task.purse.settle(self._reservation, record)

    def _spent(self, *, stopped: bool) -> tuple[Usage, bool]:
        """What the call took, at most where the server did not tell; and whether it told all."""
        if self.spent_nothing:
            return Usage(), True
        answer, asked = self._answer, self.asked
        usage = answer.usage
        if not answer.told_input:
            # Writing to a cache is the dearest way to read a prompt
            name = "cache_writes" if is_cached(asked.model, asked.prompt) else "input"
            usage = usage.model_copy(update={name: asked.tokens})
        if not answer.told_output:
            most = asked.max_tokens
            if answer.whole:
                most = min(Estimator().tokens(answer.written), most)
            elif stopped:
                most = min(max(self._written_by_now(), usage.output), most)
            usage = usage.model_copy(update={"output": most})
        return usage, answer.told_input and answer.told_output

    def _written_by_now(self) -> int:
        """Output tokens at most of an answer that was stopped.

        The provider stops writing when the connection closes, but may have been ahead of what was read: so a
        margin. What is not shown, such as thinking, or a tool's input that is sent value by value, can be
        bounded by time only.
        """
        answer = self._answer
        heard = math.ceil(Estimator().tokens(answer.heard) * _MARGIN) + _AHEAD
        if answer.heard and self.asked.model.eager and not answer.unseen:
            return heard
        return max(heard, math.ceil((self._clock() - self._began) * _FASTEST))
