"""Claude as an engine: a batch is asked about until it is answered in whole, or it is clear that it can't be.

From inside out: a try is one call; a model gets at most three; then the fallback model gets as many; and what
does not fit into one answer is asked about in halves.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Generator
from functools import partial
from itertools import count
from typing import Any

import backoff

from reviewer.claude.answer import Ending
from reviewer.claude.breaker import Breaker
from reviewer.claude.call import Asked, Caller
from reviewer.claude.client import Client, request
from reviewer.claude.models import Catalogue, Model
from reviewer.claude.watchdog import Patience
from reviewer.claude.work import Work
from reviewer.core import prompt
from reviewer.core.batches import Batch, halve
from reviewer.core.budget import MICROS, Cap
from reviewer.core.chunks import Measure
from reviewer.core.events import Usage
from reviewer.core.preflight import SMALLEST_ANSWER, WINDOW_REMEDY, judge
from reviewer.core.tokens import Estimator
from reviewer.errors import (
    AnswerUnfinished,
    EngineError,
    EngineOverloaded,
    EnginePaused,
    EngineRefused,
    EngineUnavailable,
    NotReported,
    OverBudget,
    PromptTooLarge,
)
from reviewer.ports import BatchDone, Health, Task, Tell

MAX_TRIES = 3
"""Calls to one model about the same text."""

MOST_REPORTLESS = 2
"""Answers in mere words after which a model is not asked again: it has nothing to say, or no tool."""

MOST_HALVINGS = 6
"""One batch becomes 64 parts at most, each asked about twice if its answers run out of room."""

FIRST_WAIT_SECONDS = 1.0


class ClaudeEngine:
    """Reviews by models of one server.

    Args:
        client: the server.
        catalogue: what its models can do and cost.
        max_tokens: output tokens to ask for; more where an answer needs it and the model gives it.
        patience: how long the server is waited for.
        request_cap: what one call may take at most.
        fallback_on_overload: ask the fallback model at once when the provider is overloaded.
    """

    name = "claude"
    reads_files = False

    def __init__(
        self,
        client: Client,
        catalogue: Catalogue,
        *,
        max_tokens: int,
        patience: Patience | None = None,
        request_cap: Cap | None = None,
        fallback_on_overload: bool = False,
    ) -> None:
        self.version = prompt.edition()
        self._client = client
        self._catalogue = catalogue
        self._max_tokens = max_tokens
        self._patience = patience or Patience()
        self._request_cap = request_cap or Cap()
        self._fallback_on_overload = fallback_on_overload
        self._caller = Caller(client, self._patience)
        self._breakers: defaultdict[str, Breaker] = defaultdict(
            lambda: Breaker(lambda: asyncio.get_running_loop().time())
        )

    def health(self) -> Health:
        """Whether a model is left alone, and for how long."""
        waits = {name: breaker.paused for name, breaker in sorted(self._breakers.items())}
        told = [
            f"{name} keeps failing and is left alone for {wait:.0f} s" if wait else f"{name} is tried again"
            for name, wait in waits.items()
            if wait is not None
        ]
        return Health("paused", "; ".join(told)) if told else Health("ok")

    def price(self, model: str, tokens: int) -> float | None:
        """What `tokens` of input cost in USD."""
        return self._catalogue.lookup(model).cost(Usage(input=tokens))

    async def count(self, batch: Batch) -> int | None:
        """Tokens of the prompt for a batch by the server's own count; None where it gives none."""
        name = batch.route.model
        return await self._client.count(request(name, self._catalogue.lookup(name), prompt.build(batch), 1))

    async def review(self, task: Task, tell: Tell) -> BatchDone:
        """Review a batch; what can't be reviewed is named in what is returned, with the reason."""
        work = Work(task, tell)
        await self._cover(work, task.batch, self._max_tokens, MOST_HALVINGS)
        return work.done()

    async def _cover(self, work: Work, part: Batch, room: int, halvings: int) -> None:
        """Get a part answered in whole: with more room, or in halves."""
        try:
            ending, asked = await self._ask(work, part, room)
        except PromptTooLarge as error:
            await self._cover_halves(work, part, room, halvings, error)
        except EngineRefused as error:
            # One chunk that trips a model must not take its fellows along
            several = len(part.chunks) > 1
            await self._cover_halves(work, part, room, halvings if several else 0, error)
        except EngineError as error:
            work.fail(part, error)
        else:
            if ending is Ending.COMPLETE:
                return
            more = min(2 * self._max_tokens, asked.model.max_output)
            if ending is Ending.OUT_OF_ROOM and asked.max_tokens < more and room < more:
                await work.again("the answer ran out of room: asked again with more of it", asked.name)
                await self._cover(work, part, more, halvings)
            else:
                error = AnswerUnfinished("the answer never came to its end: findings may be missing")
                await self._cover_halves(work, part, room, halvings, error)

    async def _cover_halves(
        self, work: Work, part: Batch, room: int, halvings: int, error: EngineError
    ) -> None:
        # Estimated at the cautious first rate
        measure = Measure(limit=0, frame=prompt.overhead().chunk)
        halves = halve(part, measure) if halvings > 0 else None
        if halves is None:
            work.fail(part, error)
            return
        await work.again(f"{error}: asked again in two parts", part.route.model)
        for half in halves:
            await self._cover(work, half, room, halvings - 1)

    async def _ask(self, work: Work, part: Batch, room: int) -> tuple[Ending, Asked]:
        """Ask the model that the part is routed to, then the fallback."""
        wanted, fallback = part.route.model, work.task.fallback
        if fallback is None or fallback == wanted:
            return await self._try(work, part, wanted, room, alone=True)
        try:
            return await self._try(work, part, wanted, room, alone=False)
        except EngineError as error:
            if not (error.retryable or isinstance(error, NotReported)):
                raise
            first = error
        await work.again(str(first), fallback)
        try:
            answered = await self._try(work, part, fallback, room, alone=True)
        except EngineError as second:
            if isinstance(second, (OverBudget, PromptTooLarge)) and not first.retryable:
                raise
            raise _both(first, second, fallback) from second
        work.answered_by_fallback(part)
        return answered

    async def _try(
        self, work: Work, part: Batch, name: str, room: int, *, alone: bool
    ) -> tuple[Ending, Asked]:
        """Ask one model, at most three times; `alone` if no other can be asked instead."""
        asked = await self._asked(part, name, room)
        reportless = count(1)

        def gives_up(error: Exception) -> bool:
            match error:
                case NotReported():
                    return next(reportless) >= MOST_REPORTLESS
                case EnginePaused():
                    return True
                case EngineOverloaded() if self._fallback_on_overload and not alone:
                    return True
                case EngineUnavailable(retry_after=float(wait)):
                    # Asking sooner than it wants is of no use, and waiting for it here helps nobody
                    return wait > self._patience.longest_wait
                case EngineError():
                    return not error.retryable
                case _:
                    return True

        async def announce(details: Any) -> None:
            await work.again(str(details["exception"]), name, wait=details["wait"])

        @backoff.on_exception(
            partial(_waits, self._patience.longest_wait),
            EngineError,
            max_tries=MAX_TRIES,
            giveup=gives_up,
            on_backoff=announce,
            jitter=None,  # backoff's own jitter would wait less than the server asked for
        )
        async def attempt() -> Ending:
            with self._breakers[name].call():
                return await self._caller.call(work, asked)

        return await attempt(), asked

    async def _asked(self, part: Batch, name: str, room: int) -> Asked:
        """The request for a part, with what output the window and the cap of a request leave.

        Raises:
            PromptTooLarge: it does not fit; it is not sent.
        """
        model = self._catalogue.lookup(name)
        built = prompt.build(part)
        tokens = part.tokens + Estimator().tokens(prompt.overhead().call)
        cap = self._request_cap
        bounds = [(model.context_window, WINDOW_REMEDY), (cap.tokens, "raise BUDGET_REQUEST_TOKENS")]
        window, remedy = min((bound, remedy) for bound, remedy in bounds if bound is not None)
        fits = partial(judge, window=window, max_tokens=min(room, model.max_output), remedy=remedy)
        left = fits(tokens)
        if left is None:
            counted = await self._client.count(request(name, model, built, 1))
            tokens = tokens if counted is None else counted
            left = fits(tokens, sure=True)
        if left is None:
            raise AssertionError("a sure count leaves no doubt")
        return Asked(part, name, model, built, tokens, _affordable(model, cap, tokens, left))


def _affordable(model: Model, cap: Cap, tokens: int, wanted: int) -> int:
    """Output tokens that the money for one request pays for.

    Raises:
        PromptTooLarge: too few for an answer.
    """
    prompt_cost = model.ceiling(tokens, 0)
    if cap.micros is None or prompt_cost is None:
        return wanted
    each = ((model.ceiling(tokens, 1_000) or 0.0) - prompt_cost) / 1_000
    if each <= 0:
        return wanted
    room = int((cap.micros / MICROS - prompt_cost) / each)
    if room < min(wanted, SMALLEST_ANSWER):
        raise PromptTooLarge(
            f"a prompt of {tokens:,} tokens leaves too little of what one request may cost for an answer; "
            "raise BUDGET_REQUEST_USD"
        )
    return min(wanted, room)


def _both(first: EngineError, second: EngineError, fallback: str) -> EngineError:
    """What to say when the fallback fails too: whether trying later helps is what the first says."""
    said = f"{first}; {fallback}, asked instead: {second}"
    if not (first.retryable or second.retryable):
        return NotReported(said)
    named = [error.retry_after for error in (first, second) if isinstance(error, EngineUnavailable)]
    waits = [wait for wait in named if wait is not None]
    return EngineUnavailable(said, retry_after=min(waits, default=None))


def _waits(longest: float) -> Generator[float, Any, None]:
    """Seconds before each further try: exactly what the server named, else 1, 2, 4 … less some jitter."""
    error = yield 0.0  # backoff throws the first value away, and sends the error for each that follows
    for number in count():
        named = error.retry_after if isinstance(error, EngineUnavailable) else None
        own = FIRST_WAIT_SECONDS * 2**number * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret
        error = yield min(own, longest) if named is None else named
