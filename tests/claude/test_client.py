from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from reviewer.claude.client import ClaudeEngine
from reviewer.core import diff, prompt
from reviewer.core.batches import Batch
from reviewer.core.chunks import Measure, split
from reviewer.core.events import Usage
from reviewer.core.tokens import Estimator
from reviewer.errors import EngineMisconfigured, EngineRefused, EngineUnavailable, PromptTooLarge, StreamCut
from reviewer.local import NoFiles
from reviewer.ports import EngineNews, Malformed, Reported, Retrying, Sample
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude

BATCH = Batch(
    "b",
    split(
        diff.parse("diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -0,0 +1 @@\n+x\n").files[0],
        Measure(9000),
    ),
)
TWO = (finding("first"), finding("second"))
SOON = {"retry-after": "0.05"}


class Told:
    """What an engine has told, and when."""

    def __init__(self) -> None:
        self.news: list[EngineNews] = []
        self.found_at: list[float] = []

    async def __call__(self, news: EngineNews) -> None:
        self.news.append(news)
        if isinstance(news, Reported):
            self.found_at.append(time.monotonic())

    @property
    def titles(self) -> list[str]:
        return [news.finding.title for news in self.news if isinstance(news, Reported)]

    @property
    def retries(self) -> list[Retrying]:
        return [news for news in self.news if isinstance(news, Retrying)]


@asynccontextmanager
async def engine(server: ScriptedClaude, **options: Any) -> AsyncIterator[ClaudeEngine]:
    made = ClaudeEngine(
        api_key="sk-ant-made-up",
        base_url=server.url,
        model=options.pop("model", "claude-sonnet-5-5"),
        max_tokens=4000,
        **options,
    )
    try:
        yield made
    finally:
        await made.aclose()


async def review(answers: list[Answer], **options: Any):
    told = Told()
    async with ScriptedClaude(answers) as server, engine(server, **options) as reviewer:
        done = await reviewer.review(BATCH, NoFiles(), told)
    return told, done, server


async def test_a_finding_is_told_while_the_message_is_being_written():
    answer = Answer.findings(*TWO, delay=0.01)

    told, done, _ = await review([answer])

    assert told.titles == ["first", "second"]
    assert answer.ended_at is not None
    assert told.found_at[0] < answer.ended_at - 0.2
    assert done.usage == Usage(input=1000, output=len(answer.text) // 4)
    assert done.cost == pytest.approx((1000 * 2 + len(answer.text) // 4 * 10) / 1e6)
    assert done.time_to_first_token is not None


async def test_the_request_offers_the_tool_and_forces_nothing():
    _, _, server = await review([Answer()])

    body = server.requests[0].body
    assert body["tool_choice"] == {"type": "auto"}
    assert body["tools"][0]["strict"] is True
    assert body["tools"][0]["eager_input_streaming"] is True
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert server.requests[0].headers["Authorization"] == "Bearer sk-ant-made-up"


async def test_an_unknown_model_is_asked_for_nothing_special():
    _, done, server = await review([Answer()], model="qwen-local")

    assert "strict" not in server.requests[0].body["tools"][0]
    assert done.cost is None


@pytest.mark.parametrize(
    "bad",
    [
        Answer(status=529, headers=SOON),
        Answer(status=500, error="api_error", headers=SOON),
        Answer(status=429, error="rate_limit_error", headers=SOON),
        Answer.findings(*TWO, fail_after=300, failure="error"),
        Answer.findings(*TWO, fail_after=300, failure="cut"),
        Answer.findings(*TWO, fail_after=300, failure="eof"),
    ],
    ids=["529", "500", "429", "error in mid-stream", "cut", "end without message_stop"],
)
async def test_passing_trouble_is_tried_again_and_nothing_is_told_twice(bad):
    told, done, server = await review([bad, Answer.findings(*TWO)])

    assert told.titles == ["first", "second"]
    assert len(server.requests) == 2
    assert [retry.attempt for retry in told.retries] == [1]
    assert done.usage.input == (1000 if bad.status != 200 else 2000)


async def test_the_wait_a_server_names_is_kept_exactly():
    told, _, server = await review([Answer(status=529, headers={"retry-after": "0.3"}), Answer()])

    assert told.retries[0].wait == 0.3
    assert server.requests[1].at - server.requests[0].at >= 0.3


async def test_three_tries_and_no_more():
    told = Told()
    async with ScriptedClaude([Answer(status=529, headers=SOON)]) as server, engine(server) as reviewer:
        with pytest.raises(EngineUnavailable, match="overloaded"):
            await reviewer.review(BATCH, NoFiles(), told)

    assert len(server.requests) == 3


async def test_a_stalled_stream_is_given_up():
    stalled = Answer.findings(*TWO, fail_after=300, failure="stall")

    told, _, server = await review([stalled, Answer.findings(*TWO)], idle_seconds=0.3)

    assert "stood still" in told.retries[0].reason
    assert told.titles == ["first", "second"]
    assert len(server.requests) == 2


async def test_a_stream_that_never_ends_is_given_up():
    with pytest.raises(StreamCut, match="did not finish"):
        await review([Answer.findings(*TWO, delay=0.05)], total_seconds=0.2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=401, error="authentication_error"), EngineMisconfigured),
        (Answer(status=404, error="not_found_error"), EngineMisconfigured),
        (Answer(status=400, error="invalid_request_error"), EngineMisconfigured),
        (Answer(status=529, headers={"x-should-retry": "false"}), EngineMisconfigured),
        (Answer(stop_reason="refusal"), EngineRefused),
    ],
)
async def test_lasting_trouble_is_final_at_once(answer, error):
    told = Told()
    async with ScriptedClaude([answer]) as server, engine(server) as reviewer:
        with pytest.raises(error):
            await reviewer.review(BATCH, NoFiles(), told)

    assert len(server.requests) == 1


async def test_text_instead_of_a_tool_call_is_read():
    text = f"```json\n{Answer.findings(*TWO).text}\n```"

    told, done, _ = await review([Answer(text, as_text=True, stop_reason="end_turn")])

    assert told.titles == ["first", "second"]
    assert done.notes == ()


async def test_prose_is_no_finding_but_a_note():
    told, done, _ = await review([Answer("All is well.", as_text=True, stop_reason="end_turn")])

    assert told.titles == []
    assert done.notes == ("the model answered without reporting through its tool",)


async def test_an_element_off_the_schema_is_told_as_such_and_the_rest_stands():
    told, _, _ = await review([Answer.findings(finding("good"), finding(line=-1))])

    assert told.titles == ["good"]
    assert [news.reason for news in told.news if isinstance(news, Malformed)] == ["off the schema: line"]


async def test_an_answer_out_of_room_keeps_what_is_whole_and_says_so():
    text = Answer.findings(*TWO).text[:-30]

    told, done, _ = await review([Answer(text, stop_reason="max_tokens")])

    assert told.titles == ["first"]
    assert "ran out of room" in done.notes[0]


def big_batch(size: int) -> Batch:
    """A batch whose diff has so many bytes."""
    line = f"+{'x' * 99}\n"
    head = f"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,{size // 100} @@\n"
    file = diff.parse(head + line * (size // 100)).files[0]
    return Batch("b", split(file, Measure(1_000_000)))


async def test_a_call_far_from_the_window_is_sent_without_counting():
    async with ScriptedClaude([Answer()], count=lambda _: 1) as server, engine(server) as reviewer:
        await reviewer.review(big_batch(20_000), NoFiles(), Told())

    assert server.counted == []
    assert server.requests[0].body["max_tokens"] == 4000


BIG = big_batch(18_000)
WINDOW = BIG.tokens + Estimator().tokens(prompt.overhead().call) + 1_200
"""A window that the batch's prompt fills, by estimate, but for a small answer."""


@pytest.mark.parametrize(("left", "room"), [(1_500, 1_500), (3_500, 3_500), (6_000, 4_000)])
async def test_near_the_window_the_servers_count_says_what_room_is_left(left, room):
    async with (
        ScriptedClaude([Answer()], count=lambda _: WINDOW - left) as server,
        engine(server, window=WINDOW) as reviewer,
    ):
        await reviewer.review(BIG, NoFiles(), Told())

    assert server.requests[0].body["max_tokens"] == room
    (asked,) = server.counted
    assert asked.body["messages"] == server.requests[0].body["messages"]
    assert asked.body["tools"] == server.requests[0].body["tools"]


async def test_what_the_count_says_can_not_fit_is_refused_and_not_sent():
    async with (
        ScriptedClaude([Answer()], count=lambda _: WINDOW - 300) as server,
        engine(server, window=WINDOW) as reviewer,
    ):
        with pytest.raises(PromptTooLarge, match=f"{WINDOW - 300:,}"):
            await reviewer.review(BIG, NoFiles(), Told())

    assert server.requests == []


async def test_a_server_that_can_not_count_is_asked_once_and_the_estimate_holds():
    async with ScriptedClaude([Answer()]) as server, engine(server, window=WINDOW) as reviewer:
        for _ in range(2):
            await reviewer.review(BIG, NoFiles(), Told())

    assert len(server.counted) == 1
    assert [request.body["max_tokens"] for request in server.requests] == [1_200, 1_200]


async def test_a_count_that_fails_in_passing_is_asked_for_again():
    answers = iter([web.HTTPServiceUnavailable(), 9_000])

    def count(_: dict[str, Any]) -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with ScriptedClaude([Answer()], count=count) as server, engine(server) as reviewer:
        counts = [await reviewer.count(BATCH) for _ in range(2)]

    assert counts == [None, 9_000]


async def test_a_finished_call_tells_what_its_prompt_took():
    _, done, _ = await review([Answer(input_tokens=1234)])

    assert done.sample == Sample(prompt.build(BATCH).size, 1234)
