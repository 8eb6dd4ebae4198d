"""What the scripted Claude says: each answer as steps that need no network to be looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

CHARS_PER_TOKEN = 4


class Act(Enum):
    """A step that is neither words nor a wait."""

    RESET = auto()  # the connection is torn down
    CLOSE = auto()  # the connection is closed in order, but the answer is not
    ENDED = auto()  # nothing: all is said but the message's own end


@dataclass(frozen=True)
class Wait:
    """A silence, broken by a ping every so many seconds."""

    seconds: float
    ping_every: float | None = None


Step = bytes | Wait | Act


@dataclass
class Answer:
    """How one request is answered: seconds and characters of what, in the order of a message.

    Attributes:
        hang: silence before the headers.
        drop: the connection is closed in place of the headers.
        status: other than 200 refuses, with an error of type `error` that says `message` and bears `code`;
            `body`, text or JSON, stands in place of that.
        headers: added to the refusal, or to the stream.
        first_token: silence before the first block.
        thinking: a thinking block for each text; an empty text is one that is not shown.
        prose: a text block before the tool call.
        text: streamed as the tool's input, or as plain text when `as_text`.
        also: inputs of further tool calls.
        chars: characters of one delta; None: all in one.
        delay: silence after each delta.
        strange: puts in an event, a block and a delta of unknown types.
        fail_after: characters of the text after which `failure` happens; 0: before the first delta; -1: after
            the headers, before the message.
        failure: `error` event of type `error`; `cut`, a reset connection; `fin`, one that is closed; `stall`
            of `stall` seconds, after which all goes on; `eof`, a clean end; `half` an event and a clean end.
        ping_every: seconds between pings in the silences of `first_token` and `stall`; None: no pings.
        stop_reason: any word; `stop_details` go with it.
        honour_max_tokens: ends the text where the request's `max_tokens` does, and says so.
        input_tokens: read and not cached; `cache_read` and `cache_written` tokens are told if they are given.
        output_tokens: None: as many as were written.
        cumulative: the end's usage tells the input once more.
        late_input_tokens: what the end's usage tells of the input, in place of what was told before.
        no_usage: nothing tells any usage.
        whole: one message as JSON, although a stream was asked for.
        done_mark: adds `data: [DONE]`, as vLLM does.
        ended_at: the loop's time when all was said, last.
    """

    text: str = '{"findings": []}'
    as_text: bool = False
    chars: int | None = CHARS_PER_TOKEN
    delay: float = 0.0
    status: int = 200
    error: str = "overloaded_error"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    fail_after: int | None = None
    failure: str = "error"
    stop_reason: str | None = "tool_use"
    input_tokens: int = 1000
    hang: float = 0.0
    drop: bool = False
    message: str | None = None
    code: str | None = None
    body: Any = None
    first_token: float = 0.0
    thinking: tuple[str, ...] = ()
    prose: str = ""
    also: tuple[str, ...] = ()
    strange: bool = False
    stall: float = 30.0
    ping_every: float | None = None
    stop_details: dict[str, Any] | None = None
    honour_max_tokens: bool = False
    cache_read: int | None = None
    cache_written: int | None = None
    output_tokens: int | None = None
    cumulative: bool = True
    late_input_tokens: int | None = None
    no_usage: bool = False
    whole: bool = False
    done_mark: bool = False
    ended_at: float | None = None

    @classmethod
    def findings(cls, *findings: dict[str, Any], **options: Any) -> Answer:
        """An answer that reports these findings."""
        return cls(text=json.dumps({"findings": list(findings)}), **options)

    def refusal(self) -> bytes:
        """The body of a status other than 200."""
        if isinstance(self.body, str):
            return self.body.encode()
        error = {"type": self.error, "message": self.message or f"scripted {self.error}"}
        if self.code is not None:
            error |= {"details": {"error_code": self.code}}
        usual = {"type": "error", "error": error, "request_id": "req_made_up"}
        return json.dumps(usual if self.body is None else self.body).encode()

    def message_of(self, request: dict[str, Any]) -> dict[str, Any]:
        """The whole answer as one message."""
        output = max(len(self.text) // CHARS_PER_TOKEN, 1)
        block: dict[str, Any] = {"type": "text", "text": self.text}
        if not self.as_text:
            tool = {"type": "tool_use", "id": "toolu_made_up", "name": "report_findings"}
            block = tool | {"input": json.loads(self.text)}
        return {
            "id": "msg_made_up",
            "type": "message",
            "role": "assistant",
            "model": request["model"],
            "content": [block],
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": self.input_tokens, "output_tokens": output},
        }

    def steps(self, request: dict[str, Any]) -> Iterator[Step]:
        """The stream that answers this request."""
        return _Message(self, request).steps()


def event(name: str, **data: Any) -> bytes:
    """A server-sent event as it stands on the wire."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


class _Message:
    """One streamed message, being made; the parts say whether the message goes on after them."""

    def __init__(self, answer: Answer, request: dict[str, Any]) -> None:
        self._answer = answer
        self._model = request["model"]
        self._index = -1
        self._text = answer.text
        self._stop_reason = answer.stop_reason
        before = "".join([*answer.thinking, answer.prose])
        room = max(request["max_tokens"] * CHARS_PER_TOKEN - len(before), 0)
        if answer.honour_max_tokens and len(self._text) > room:
            self._text, self._stop_reason = self._text[:room], "max_tokens"
        self._written = before + self._text + "".join(answer.also)

    def steps(self) -> Iterator[Step]:
        answer = self._answer
        if answer.fail_after is not None and answer.fail_after < 0 and not (yield from self._trouble()):
            return
        yield self._start()
        yield event("ping")
        if answer.first_token:
            yield Wait(answer.first_token, answer.ping_every)
        yield from self._before()
        if not (yield from self._main()):
            return
        for text in answer.also:
            yield from self._block(self._tool(), *self._deltas(text))
        yield from self._end()

    def _before(self) -> Iterator[Step]:
        for text in self._answer.thinking:
            shown = [{"type": "thinking_delta", "thinking": text}] if text else []
            signed = {"type": "signature_delta", "signature": "bWFkZSB1cA=="}
            yield from self._block({"type": "thinking", "thinking": "", "signature": ""}, *shown, signed)
        if self._answer.strange:
            yield from self._block({"type": "hologram", "depth": 3}, {"type": "hologram_delta", "turn": 1})
        if self._answer.prose:
            delta = {"type": "text_delta", "text": self._answer.prose}
            yield from self._block({"type": "text", "text": ""}, delta)

    def _main(self) -> Iterator[Step]:
        """The block that `text` is told in, up to where it fails."""
        answer = self._answer
        yield self._open({"type": "text", "text": ""} if answer.as_text else self._tool())
        at = min(max(answer.fail_after or 0, 0), len(self._text))
        yield from self._pieces(self._text[:at])
        if answer.strange:
            yield event("weather", sky="clear")
            yield self._delta({"type": "hologram_delta", "turn": 2})
        if answer.fail_after is not None and answer.fail_after >= 0 and not (yield from self._trouble()):
            return False
        yield from self._pieces(self._text[at:])
        yield self._shut()
        return True

    def _pieces(self, text: str) -> Iterator[Step]:
        for delta in self._deltas(text):
            yield self._delta(delta)
            if self._answer.delay:
                yield Wait(self._answer.delay)

    def _deltas(self, text: str) -> Iterator[dict[str, Any]]:
        size = self._answer.chars or len(text) or 1
        for start in range(0, len(text), size):
            piece = text[start : start + size]
            if self._answer.as_text:
                yield {"type": "text_delta", "text": piece}
            else:
                yield {"type": "input_json_delta", "partial_json": piece}

    def _trouble(self) -> Iterator[Step]:
        match self._answer.failure:
            case "error":
                told = {
                    "type": self._answer.error,
                    "message": self._answer.message or "scripted, in mid-stream",
                }
                if self._answer.code is not None:
                    told |= {"details": {"error_code": self._answer.code}}
                yield event("error", error=told)
            case "cut":
                yield Act.RESET
            case "fin":
                yield Act.CLOSE
            case "stall":
                yield Wait(self._answer.stall, self._answer.ping_every)
                return True
            case "half":
                yield self._delta({"type": "input_json_delta", "partial_json": "never read"})[:-20]
            case "eof":
                pass
            case unknown:
                raise ValueError(unknown)
        return False

    def _start(self) -> bytes:
        message: dict[str, Any] = {
            "id": "msg_made_up",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }
        if not self._answer.no_usage:
            message["usage"] = self._read() | {"output_tokens": 1}
        return event("message_start", message=message)

    def _end(self) -> Iterator[Step]:
        answer = self._answer
        output = answer.output_tokens
        if output is None:
            output = max(len(self._written) // CHARS_PER_TOKEN, 1)
        delta = {"stop_reason": self._stop_reason, "stop_sequence": None, "stop_details": answer.stop_details}
        usage = (self._read() if answer.cumulative else {}) | {"output_tokens": output}
        if answer.late_input_tokens is not None:
            usage |= {"input_tokens": answer.late_input_tokens}
        yield event("message_delta", delta=delta, **({} if answer.no_usage else {"usage": usage}))
        yield Act.ENDED
        yield event("message_stop")
        if answer.done_mark:
            yield b"data: [DONE]\n\n"

    def _read(self) -> dict[str, int]:
        told = {
            "input_tokens": self._answer.input_tokens,
            "cache_read_input_tokens": self._answer.cache_read,
            "cache_creation_input_tokens": self._answer.cache_written,
        }
        return {name: count for name, count in told.items() if count is not None}

    def _tool(self) -> dict[str, Any]:
        return {
            "type": "tool_use",
            "id": f"toolu_made_up_{self._index}",
            "name": "report_findings",
            "input": {},
        }

    def _block(self, block: dict[str, Any], *deltas: dict[str, Any]) -> Iterator[Step]:
        yield self._open(block)
        yield from map(self._delta, deltas)
        yield self._shut()

    def _open(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        return event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return event("content_block_delta", index=self._index, delta=delta)

    def _shut(self) -> bytes:
        return event("content_block_stop", index=self._index)
