from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import pytest

from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.clock import jumping

TEXT = '{"findings": [' + ", ".join(f'{{"title": "{number:04}"}}' for number in range(20)) + "]}"
READ_TIMEOUT = 20.0


@dataclass
class Heard:
    """What a client heard of one answer."""

    events: list[Any] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    error: Exception | None = None

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    @property
    def blocks(self) -> list[str]:
        return [event.content_block.type for event in self.events if event.type == "content_block_start"]

    @property
    def deltas(self) -> list[Any]:
        return [event.delta for event in self.events if event.type == "content_block_delta"]

    @property
    def json(self) -> str:
        return "".join(delta.partial_json for delta in self.deltas if delta.type == "input_json_delta")

    def of(self, kind: str) -> Any:
        return next(event for event in self.events if event.type == kind)

    def at_first(self, kind: str) -> float:
        return self.at[self.types.index(kind)]


@asynccontextmanager
async def client(server: ScriptedClaude):
    timeout = httpx2.Timeout(READ_TIMEOUT)
    async with anthropic.AsyncAnthropic(
        api_key="sk-ant-made-up",
        base_url=server.url,
        max_retries=0,
        open_telemetry=False,
        timeout=timeout,
        http_client=anthropic.DefaultAioHttpClient(timeout=timeout),
    ) as made:
        yield made


async def listen(server: ScriptedClaude, *, max_tokens: int = 1000) -> Heard:
    heard = Heard()
    ask = {"model": "m", "max_tokens": max_tokens, "messages": [{"role": "user", "content": "?"}]}
    async with client(server) as asking:
        create: Any = asking.messages.create
        try:
            async with await create(**ask, stream=True) as stream:
                async for event in stream:
                    heard.events.append(event)
                    heard.at.append(asyncio.get_running_loop().time())
        except (anthropic.APIError, httpx2.HTTPError) as error:
            heard.error = error
    heard.at.append(asyncio.get_running_loop().time())
    return heard


async def hear(answer: Answer, **options: Any) -> Heard:
    async with ScriptedClaude([answer]) as server:
        return await listen(server, **options)


@jumping
async def test_an_answer_is_told_whole_and_in_order():
    heard = await hear(Answer(TEXT))

    assert heard.error is None
    assert heard.json == TEXT
    assert {len(delta.partial_json) for delta in heard.deltas[:-1]} == {4}
    assert list(dict.fromkeys(heard.types)) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(
    ("failure", "error", "kind"),
    [
        ("error", anthropic.APIStatusError, "overloaded_error"),
        ("cut", httpx2.ReadError, None),
        ("fin", httpx2.ReadError, None),
        ("stall", httpx2.ReadTimeout, None),
        ("eof", type(None), None),
        ("half", type(None), None),
    ],
)
@jumping
async def test_a_stream_fails_after_exactly_so_many_characters(failure, error, kind):
    heard = await hear(Answer(TEXT, fail_after=101, failure=failure))

    assert type(heard.error) is error
    assert getattr(heard.error, "type", None) == kind
    assert heard.json == TEXT[:101]
    assert "message_stop" not in heard.types
    assert heard.at[-1] == pytest.approx(READ_TIMEOUT if failure == "stall" else 0, abs=0.01)


@pytest.mark.parametrize(("after", "types"), [(-1, []), (0, ["message_start", "content_block_start"])])
@jumping
async def test_a_stream_can_fail_before_its_first_words(after, types):
    heard = await hear(Answer(TEXT, fail_after=after, failure="eof"))

    assert heard.types == types


@jumping
async def test_a_stream_can_fail_after_its_last_words():
    heard = await hear(Answer(TEXT, fail_after=len(TEXT), failure="eof"))

    assert heard.json == TEXT
    assert "content_block_stop" not in heard.types


@jumping
async def test_pings_keep_a_stalled_stream_alive_until_it_goes_on():
    answer = Answer(TEXT, chars=None, fail_after=100, failure="stall", stall=600, ping_every=15)

    heard = await hear(answer)

    assert heard.error is None
    assert heard.json == TEXT
    assert heard.at_first("message_stop") == 600
    assert answer.ended_at == 600


@jumping
async def test_the_first_token_can_be_long_in_coming():
    heard = await hear(Answer(TEXT, first_token=90, ping_every=10))

    assert (heard.at_first("message_start"), heard.at_first("content_block_start")) == (0, 90)


@jumping
async def test_silence_before_the_headers_times_out_as_a_connection():
    heard = await hear(Answer(hang=60))

    assert isinstance(heard.error, anthropic.APITimeoutError)
    assert heard.at[-1] == READ_TIMEOUT


@jumping
async def test_a_connection_dropped_before_the_headers_is_no_answer():
    heard = await hear(Answer(drop=True, hang=3))

    assert type(heard.error) is anthropic.APIConnectionError
    assert heard.at[-1] == 3


@jumping
async def test_a_refusal_bears_its_code_message_and_headers():
    code = "enforced_spend_limit_reached"
    headers = {"retry-after-ms": "700", "x-should-retry": "false"}
    answer = Answer(status=429, error="rate_limit_error", code=code, message="no more", headers=headers)

    error = (await hear(answer)).error

    assert isinstance(error, anthropic.RateLimitError)
    assert (error.type, error.error_code, error.api_message) == ("rate_limit_error", code, "no more")
    assert headers.items() <= dict(error.response.headers).items()


@jumping
async def test_a_refusal_can_be_a_proxys_page():
    error = (await hear(Answer(status=502, body="<h1>Bad Gateway</h1>"))).error

    assert isinstance(error, anthropic.InternalServerError)
    assert error.response.text == "<h1>Bad Gateway</h1>"


@jumping
async def test_thinking_and_prose_come_before_the_tool_call():
    heard = await hear(Answer(TEXT, thinking=("hm", ""), prose="I report:", also=('{"findings": []}',)))

    assert heard.blocks == ["thinking", "thinking", "text", "tool_use", "tool_use"]
    assert [delta.type for delta in heard.deltas[:4]] == [
        "thinking_delta",
        "signature_delta",
        "signature_delta",
        "text_delta",
    ]
    assert heard.json == TEXT + '{"findings": []}'
    assert len({event.index for event in heard.events if event.type == "content_block_start"}) == 5


@jumping
async def test_the_whole_array_can_come_in_one_delta_of_text():
    heard = await hear(Answer(TEXT, chars=None, as_text=True))

    assert [delta.text for delta in heard.deltas] == [TEXT]


@jumping
async def test_strange_things_reach_the_client_and_harm_nothing():
    heard = await hear(Answer(TEXT, strange=True, fail_after=50, failure="stall", stall=0, done_mark=True))

    assert heard.error is None
    assert "weather" in heard.types
    assert heard.blocks == ["hologram", "tool_use"]
    assert [delta.type for delta in heard.deltas].count("hologram_delta") == 2
    assert heard.json == TEXT
    assert heard.types[-1] == "message_stop"


@jumping
async def test_usage_is_told_with_the_cache_or_without():
    heard = await hear(Answer(TEXT, cache_read=70, cache_written=5, output_tokens=44))
    local = await hear(Answer(TEXT, cumulative=False))

    usage = heard.of("message_delta").usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (70, 5)
    assert (usage.input_tokens, usage.output_tokens) == (1000, 44)
    assert heard.of("message_start").message.usage.cache_read_input_tokens == 70
    assert "cache_read_input_tokens" not in local.of("message_start").message.usage.model_fields_set
    assert local.of("message_delta").usage.model_fields_set == {"output_tokens"}


@pytest.mark.parametrize("reason", ["max_tokens", "pause_turn", "model_context_window_exceeded", "bored"])
@jumping
async def test_the_stop_reason_is_any_word(reason):
    heard = await hear(Answer(TEXT, stop_reason=reason))

    assert heard.of("message_delta").delta.stop_reason == reason


@jumping
async def test_a_refusal_in_a_message_tells_its_category():
    details = {"type": "refusal", "category": "cyber", "explanation": "made up"}

    heard = await hear(Answer("", stop_reason="refusal", stop_details=details))

    assert heard.of("message_delta").delta.stop_details.category == "cyber"


@jumping
async def test_max_tokens_are_honoured_if_asked():
    asked = Answer(TEXT, thinking=("hmmm",), honour_max_tokens=True)

    short = await hear(asked, max_tokens=11)
    enough = await hear(asked, max_tokens=1000)
    unasked = await hear(Answer(TEXT), max_tokens=11)

    assert short.json == TEXT[:40]
    assert short.of("message_delta").delta.stop_reason == "max_tokens"
    assert short.of("message_delta").usage.output_tokens == 11
    assert (enough.json, enough.of("message_delta").delta.stop_reason) == (TEXT, "tool_use")
    assert unasked.json == TEXT


@jumping
async def test_a_client_that_goes_away_is_seen_to():
    async with ScriptedClaude([Answer(TEXT, delay=1)]) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.5):
                await listen(server)
        await asyncio.sleep(1)
    (asked,) = server.requests

    assert (asked.at, asked.cut_at, asked.ended_at) == (0, 5.5, None)


@jumping
async def test_a_client_that_goes_away_before_the_headers_is_seen_to():
    async with ScriptedClaude([Answer(hang=60)]) as server:
        await listen(server)
        await asyncio.sleep(1)

    assert server.requests[0].cut_at == READ_TIMEOUT


@jumping
async def test_a_client_that_stays_is_not_called_gone():
    async with ScriptedClaude([Answer(TEXT), Answer(TEXT, fail_after=9, failure="cut")]) as server:
        await listen(server)
        await listen(server)

    assert [request.cut_at for request in server.requests] == [None, None]
    assert server.requests[0].ended_at == 0


@jumping
async def test_a_client_that_still_waits_when_the_server_stops_is_not_called_gone():
    async with ScriptedClaude([Answer(hang=10)]) as server:
        waiting = asyncio.create_task(listen(server))
        await asyncio.sleep(5)
    heard = await waiting

    assert heard.error is not None
    assert (server.requests[0].ended_at, server.requests[0].cut_at) == (None, None)


@jumping
async def test_a_cut_connection_is_reset_and_a_closed_one_is_not():
    async def read_all(failure: str) -> bytes:
        async with ScriptedClaude([Answer(TEXT, fail_after=50, failure=failure)]) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            body = b'{"model": "m", "max_tokens": 9}'
            head = (
                b"POST /v1/messages HTTP/1.1\r\nHost: made.up\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n"
            )
            writer.write(head % len(body) + body)
            try:
                return await reader.read()
            finally:
                writer.close()

    assert not (await read_all("fin")).endswith(b"0\r\n\r\n")
    assert (await read_all("eof")).endswith(b"0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await read_all("cut")


@jumping
async def test_a_callable_chooses_by_the_request_and_a_script_ends_with_its_last_answer():
    async with ScriptedClaude(lambda body: Answer(body["model"] + str(body["max_tokens"]))) as server:
        chosen = await listen(server, max_tokens=7)
    async with ScriptedClaude([Answer("a"), Answer("b")]) as server:
        told = [(await listen(server)).json for _ in range(3)]

    assert chosen.json == "m7"
    assert told == ["a", "b", "b"]
