"""Claude as an engine: one streamed call a batch, each finding told at its closing brace."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING, Any

import backoff

from reviewer.claude.models import cost, lookup
from reviewer.core import prompt
from reviewer.core.batches import Batch
from reviewer.core.events import Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.preflight import judge
from reviewer.core.prompt import Prompt
from reviewer.core.stream import FindingsScanner, InvalidElement
from reviewer.core.tokens import Estimator
from reviewer.errors import EngineError, EngineRefused, EngineUnavailable, StreamCut
from reviewer.ports import BatchDone, Malformed, Progress, Reported, Retrying, Sample, Sources, Tell

if TYPE_CHECKING:
    import anthropic

MAX_TRIES = 3
COUNT_SECONDS = 10.0
"""How long the server's count of tokens is waited for; an estimate stands in for it."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
_PROGRESS_SECONDS = 0.5
_BYTES_PER_OUTPUT_TOKEN = 3  # for progress only; usage comes from the server


class ClaudeEngine:
    """Reviews by a model; `aclose` it."""

    name = "claude"
    reads_files = False

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        model: str,
        max_tokens: int,
        window: int | None = None,
        idle_seconds: float = 120.0,
        total_seconds: float = 600.0,
    ) -> None:
        self.model = model
        self.version = prompt.edition()
        self._api_key = api_key
        self._base_url = base_url
        self._model = lookup(model)
        self._max_tokens = min(max_tokens, self._model.max_output)
        self._window = window or self._model.context_window
        self._counts = True
        self._idle_seconds = idle_seconds
        self._total_seconds = total_seconds

    def price(self, tokens: int) -> float | None:
        """What `tokens` of input cost in USD."""
        return cost(self._model, Usage(input=tokens))

    async def aclose(self) -> None:
        """Close the connections, if any were opened."""
        if "_client" in self.__dict__:
            await self._client.close()

    async def review(self, batch: Batch, sources: Sources, tell: Tell) -> BatchDone:  # noqa: ARG002 - the port's
        """Review a batch in at most three tries; a try repeats nothing that was told before."""
        built = prompt.build(batch)
        room = await self._room(batch)
        call = _Call(built, tell)

        async def announce(details: Any) -> None:
            error = details["exception"]
            await tell(Retrying(details["tries"], details["wait"], str(error)))

        @backoff.on_exception(
            _waits,
            EngineError,
            max_tries=MAX_TRIES,
            giveup=lambda error: not getattr(error, "retryable", False),
            on_backoff=announce,
            jitter=None,  # backoff's own jitter would wait less than the server asked for
        )
        async def attempt() -> None:
            await self._attempt(call, room)

        await attempt()
        return call.done(cost(self._model, call.usage))

    async def count(self, batch: Batch) -> int | None:
        """Tokens of the prompt for a batch by the server's own count; None where it gives none."""
        import anthropic  # noqa: PLC0415 - as `_client`

        from reviewer.claude.failures import FOREIGN  # noqa: PLC0415 - as `_client`

        if not self._counts:
            return None
        request = self._request(prompt.build(batch), 1)
        asked = {name: request[name] for name in ("model", "system", "messages", "tools", "tool_choice")}
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                answer: Any = await self._client.messages.count_tokens(**asked)
        except anthropic.APIStatusError as error:
            # A server of one's own may lack the route: it is not asked again
            self._counts = error.status_code not in {404, 405, 501}
            return None
        except (*FOREIGN, TimeoutError):
            return None
        counted = getattr(answer, "input_tokens", None)
        return counted if isinstance(counted, int) and counted > 0 else None

    async def _room(self, batch: Batch) -> int:
        """Output tokens that the window leaves; what can't fit is refused before it is sent."""
        estimated = batch.tokens + Estimator().tokens(prompt.overhead().call)
        fits = partial(judge, window=self._window, max_tokens=self._max_tokens)
        room = fits(estimated)
        if room is None:
            counted = await self.count(batch)
            room = fits(estimated if counted is None else counted, sure=True)
        return self._max_tokens if room is None else room

    async def _attempt(self, call: _Call, room: int) -> None:
        from reviewer.claude.failures import FOREIGN, translate  # noqa: PLC0415 - as `_client`

        call.begin()
        try:
            async with asyncio.timeout(self._total_seconds):
                await self._stream(call, room)
        except TimeoutError as error:
            raise StreamCut(f"the model did not finish within {self._total_seconds:.0f} s") from error
        except FOREIGN as error:
            raise translate(error) from error
        finally:
            call.end()

    async def _stream(self, call: _Call, room: int) -> None:
        create: Any = self._client.messages.create  # its overloads can't be told apart for a mapping
        stream = await create(**self._request(call.prompt, room))
        async with stream:
            async for event in stream:
                await call.hear(event)
        if not call.stopped:
            raise StreamCut("the model's answer ended before its end")
        await call.finish()

    def _request(self, built: Prompt, max_tokens: int) -> dict[str, Any]:
        tool = dict(prompt.tool())
        if self._model.strict:
            tool["strict"] = True
        if self._model.eager:
            tool["eager_input_streaming"] = True
        return {
            "model": self.model,
            "max_tokens": max_tokens,
            "system": [{"type": "text", "text": built.system, "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": built.user}],
            "tools": [tool],
            # Forcing the tool is refused by current models
            "tool_choice": {"type": "auto"},
            "stream": True,
        }

    @cached_property
    def _client(self) -> anthropic.AsyncAnthropic:
        import anthropic  # noqa: PLC0415 - takes 0.8 s, which `sluice plan` does not owe
        import httpx2  # noqa: PLC0415 - as above

        timeout = httpx2.Timeout(self._idle_seconds, connect=10.0)
        return anthropic.AsyncAnthropic(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,
            open_telemetry=False,
            timeout=timeout,
            http_client=anthropic.DefaultAioHttpClient(timeout=timeout),
        )


def _waits() -> Generator[float, Any, None]:
    """Seconds before each further try: exactly what the server named, else 1, 2, 4 … less some jitter."""
    error = yield 0.0  # backoff throws the first value away, and sends the error for each that follows
    for number in count():
        named = error.retry_after if isinstance(error, EngineUnavailable) else None
        own = FIRST_WAIT_SECONDS * 2**number * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret
        error = yield min(own if named is None else named, LONGEST_WAIT_SECONDS)


@dataclass(slots=True)
class _Call:
    """One batch's call over all its tries."""

    prompt: Prompt
    tell: Tell
    usage: Usage = field(default_factory=Usage)
    first_token: float | None = None
    stopped: bool = False
    _told: set[tuple[object, ...]] = field(default_factory=set[tuple[object, ...]])
    _began: float = 0.0
    _progress_at: float = 0.0
    _written: int = 0
    _blocks: dict[int, str] = field(default_factory=dict[int, str])
    _tool: FindingsScanner = field(default_factory=FindingsScanner)
    _text: FindingsScanner = field(default_factory=FindingsScanner)
    _now: Usage = field(default_factory=Usage)
    _stop_reason: str | None = None
    _notes: list[str] = field(default_factory=list[str])

    def begin(self) -> None:
        """Start a try."""
        self._began = time.monotonic()
        self._blocks, self._tool, self._text = {}, FindingsScanner(), FindingsScanner()
        self._now, self._stop_reason, self._written, self.stopped = Usage(), None, 0, False

    def end(self) -> None:
        """A try has ended, well or badly: what it used is paid for."""
        self.usage += self._now

    async def hear(self, event: Any) -> None:
        """Take in one event of the stream; unknown ones are passed over."""
        match event.type:
            case "message_start":
                self._now = _usage(event.message.usage)
            case "content_block_start":
                self._blocks[event.index] = event.content_block.type
            case "content_block_delta":
                await self._delta(event.index, event.delta)
            case "message_delta":
                self._stop_reason = event.delta.stop_reason
                self._now = self._now.model_copy(update={"output": event.usage.output_tokens})
            case "message_stop":
                self.stopped = True
            case _:
                pass

    async def finish(self) -> None:
        """The message is complete: what it says of itself decides."""
        if self._stop_reason == "refusal":
            raise EngineRefused("the model declined to review this text")
        rest = [*self._tool.close(), *self._text.close()]
        for element in rest:
            await self._element(element)
        if self._stop_reason == "max_tokens":
            self._notes.append("the model ran out of room: findings may be missing (LLM_MAX_TOKENS)")
        elif self._stop_reason == "model_context_window_exceeded":
            self._notes.append("the change filled the model's context window: findings may be missing")
        if "tool_use" not in self._blocks.values() and not self._text.seen:
            self._notes.append("the model answered without reporting through its tool")

    def done(self, price: float | None) -> BatchDone:
        """The batch's end."""
        read = self._now.input + self._now.cached + self._now.cache_writes
        sample = Sample(self.prompt.size, read)
        return BatchDone(self.usage, price, self.first_token, tuple(self._notes), sample)

    async def _delta(self, index: int, delta: Any) -> None:
        if self.first_token is None:
            self.first_token = round(time.monotonic() - self._began, 3)
        if delta.type == "input_json_delta" and self._blocks.get(index) == "tool_use":
            scanner, piece = self._tool, delta.partial_json
        elif delta.type == "text_delta":
            scanner, piece = self._text, delta.text
        else:
            return
        for element in scanner.feed(piece):
            await self._element(element)
        self._written += len(piece)
        if time.monotonic() - self._progress_at >= _PROGRESS_SECONDS:
            self._progress_at = time.monotonic()
            await self.tell(Progress(self._written // _BYTES_PER_OUTPUT_TOKEN))

    async def _element(self, element: ReportedFinding | InvalidElement) -> None:
        if isinstance(element, InvalidElement):
            await self.tell(Malformed(element.reason))
            return
        key = (element.path, element.side, element.line, element.title)
        if key not in self._told:
            self._told.add(key)
            await self.tell(Reported(element))


def _usage(usage: Any) -> Usage:
    """The SDK's usage as ours; a server of one's own may leave the cache out."""
    return Usage(
        input=usage.input_tokens,
        cached=usage.cache_read_input_tokens or 0,
        cache_writes=usage.cache_creation_input_tokens or 0,
        output=usage.output_tokens,
    )
