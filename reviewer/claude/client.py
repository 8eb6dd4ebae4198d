"""The SDK: requests in its form, its streams, its count of tokens. Retries are not its business."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from reviewer.claude.models import Model
from reviewer.core import prompt
from reviewer.core.prompt import Prompt
from reviewer.core.tokens import Estimator, size

if TYPE_CHECKING:
    import anthropic

COUNT_SECONDS = 10.0
"""How long the server's count of tokens is waited for; an estimate stands in for it."""

CONNECT_SECONDS = 10.0
_EPHEMERAL = {"type": "ephemeral"}


class Client:
    """One server that speaks the Messages API; `aclose` it.

    Args:
        api_key: sent as a bearer token.
        base_url: without `/v1`; None is Anthropic's own.
        read_seconds: how long the transport waits for a byte; the watchdog is stricter.
    """

    def __init__(self, *, api_key: str, base_url: str | None, read_seconds: float) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._read_seconds = read_seconds
        self._counts = True

    async def aclose(self) -> None:
        """Close the connections, if any were opened."""
        if "_sdk" in self.__dict__:
            await self._sdk.close()

    @asynccontextmanager
    async def stream(self, request: dict[str, Any]) -> AsyncGenerator[AsyncIterator[Any]]:
        """The raw events of one answer; leaving early closes the connection.

        A server that answers in one piece, though a stream was asked for, is heard like one that streams.
        """
        create: Any = self._sdk.messages.create  # its overloads can't be told apart for a mapping
        stream = await create(**request, stream=True)
        async with stream:
            if stream.response.headers.get("content-type", "").startswith("application/json"):
                yield _events_of(json.loads(await stream.response.aread()))
            else:
                yield aiter(stream)

    async def count(self, request: dict[str, Any]) -> int | None:
        """The server's count of a request's input; None where it gives none."""
        import anthropic  # noqa: PLC0415 - as `_sdk`

        from reviewer.claude.failures import FOREIGN  # noqa: PLC0415 - as `_sdk`

        if not self._counts:
            return None
        asked = {name: request[name] for name in ("model", "system", "messages", "tools", "tool_choice")}
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                answer: Any = await self._sdk.messages.count_tokens(**asked)
        except anthropic.APIStatusError as error:
            # A server of one's own may lack the route: it is not asked again
            self._counts = error.status_code not in {404, 405, 501}
            return None
        except (*FOREIGN, TimeoutError):
            return None
        counted = getattr(answer, "input_tokens", None)
        return counted if isinstance(counted, int) and counted > 0 else None

    @cached_property
    def _sdk(self) -> anthropic.AsyncAnthropic:
        import anthropic  # noqa: PLC0415 - takes 0.8 s, which `sluice plan` does not owe
        import httpx2  # noqa: PLC0415 - as above

        timeout = httpx2.Timeout(self._read_seconds, connect=CONNECT_SECONDS)
        return anthropic.AsyncAnthropic(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,
            open_telemetry=False,
            timeout=timeout,
            # A redirect would be followed for every call, and a loop of them twenty times
            http_client=anthropic.DefaultAioHttpClient(timeout=timeout, follow_redirects=False),
        )


async def _events_of(message: Any) -> AsyncIterator[Any]:
    """A whole message as the events of a stream, as far as `Answer` listens to them."""
    yield _event("message_start", message={"usage": message["usage"]})
    for index, block in enumerate(message["content"]):
        if block["type"] == "tool_use":
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            delta = {"type": "text_delta", "text": block.get("text", "")}
        yield _event("content_block_delta", index=index, delta=delta)
    delta = {"stop_reason": message["stop_reason"], "stop_details": message.get("stop_details")}
    yield _event("message_delta", delta=delta, usage=message["usage"])
    yield _event("message_stop")


def _event(type_: str, **fields: Any) -> Any:
    text = json.dumps({"type": type_, **fields})
    return json.loads(text, object_hook=lambda pairs: SimpleNamespace(**pairs))


def request(name: str, model: Model, built: Prompt, max_tokens: int) -> dict[str, Any]:
    """A prompt as the Messages API takes it; what a model does not know is not asked of it."""
    tool = dict(prompt.tool())
    if model.strict:
        tool["strict"] = True
    if model.eager:
        tool["eager_input_streaming"] = True
    # Most current models refuse to be forced; the prompt tells them to use the tool
    choice = {"type": "tool", "name": tool["name"]} if model.forced_tool else {"type": "auto"}
    cached = {"cache_control": _EPHEMERAL} if is_cached(model, built) else {}
    system = [{"type": "text", "text": text, **cached} for text in (built.system, built.examples) if text]
    return {
        "model": name,
        "max_tokens": max_tokens,
        "system": system,
        "messages": [{"role": "user", "content": built.user}],
        "tools": [tool],
        "tool_choice": choice,
    }


def is_cached(model: Model, built: Prompt) -> bool:
    """Whether the model keeps the part of a prompt that is the same for every batch."""
    if model.cache_minimum is None:
        return False
    # An upper estimate: a breakpoint too many does no harm
    return Estimator().tokens(built.size - size(built.user)) >= model.cache_minimum
