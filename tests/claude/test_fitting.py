"""Prompts and answers that do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from reviewer.core import prompt
from reviewer.core.tokens import Estimator, Family
from reviewer.errors import (
    AnswerUnfinished,
    NotReported,
    PromptTooLarge,
)
from reviewer.ports import Malformed, Sample
from tests.claude.stories import (
    BATCH,
    TWO,
    Told,
    batch_of,
    big_batch,
    engine,
    review,
)
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.clock import jumping
from tests.fakes.work import MODEL, task


def many(count: int) -> list[dict[str, Any]]:
    return [finding(f"number {n}", line=n + 1) for n in range(count)]


@jumping
async def test_an_answer_out_of_room_is_asked_for_again_with_more_and_told_once():
    answer = Answer.findings(*many(30), honour_max_tokens=True)
    story = await review([answer], max_tokens=1_000)

    assert [request.body["max_tokens"] for request in story.server.requests] == [1_000, 2_000]
    assert story.told.titles == [f"number {n}" for n in range(30)]
    assert [news for news in story.told.news if isinstance(news, Malformed)] == []
    assert story.done.failed == {}
    assert "more of it" in story.told.retries[0].reason


@pytest.mark.parametrize("stop_reason", ["max_tokens", "model_context_window_exceeded"])
@jumping
async def test_what_does_not_fit_into_one_answer_is_asked_about_in_halves(stop_reason):
    def choose(body: dict[str, Any]) -> Answer:
        several = body["messages"][0]["content"].count("path=") > 1
        return Answer(stop_reason=stop_reason) if several else Answer()

    batch = batch_of("a.py", "b.py", "c.py", "d.py")
    story = await review(choose, batch)

    texts = [request.body["messages"][0]["content"] for request in story.server.requests]
    alone = [text for text in texts if text.count("path=") == 1]
    assert len(alone) == 4
    assert story.done.failed == {}
    assert all(
        sum(f'path="{name}"' in text for text in alone) == 1 for name in ("a.py", "b.py", "c.py", "d.py")
    )


@pytest.mark.parametrize("stop_reason", ["max_tokens", "model_context_window_exceeded"])
@jumping
async def test_an_answer_that_never_ends_is_no_endless_loop(stop_reason):
    story = await review([Answer.findings(*TWO, stop_reason=stop_reason)], big_batch(20_000))

    assert isinstance(story.error, AnswerUnfinished)
    assert len(story.server.requests) < 200
    assert story.told.titles == ["first", "second"]


@pytest.mark.parametrize("stop_reason", ["pause_turn", "a_word_of_tomorrow"])
@jumping
async def test_an_unknown_stop_reason_neither_loops_nor_loses_a_report(stop_reason):
    whole = await review([Answer.findings(*TWO, stop_reason=stop_reason)])
    words = await review([Answer("Let me think.", as_text=True, stop_reason=stop_reason)])

    assert whole.told.titles == ["first", "second"]
    assert whole.done.failed == {}
    assert len(words.server.requests) == 2
    assert isinstance(words.error, NotReported)


@jumping
async def test_a_prompt_the_server_finds_too_long_is_asked_about_in_halves():
    def choose(body: dict[str, Any]) -> Answer:
        if body["messages"][0]["content"].count("path=") > 1:
            return Answer(
                status=400, error="invalid_request_error", message="prompt is too long: 9 tokens > 8 maximum"
            )
        return Answer()

    story = await review(choose, batch_of("a.py", "b.py"))

    assert len(story.server.requests) == 3
    assert story.done.failed == {}


BIG = big_batch(18_000)
WINDOW = BIG.tokens + Estimator().tokens(prompt.overhead().call) + 1_200
"""A window that the batch's prompt fills, by estimate, but for a small answer."""

SMALL = {MODEL: {"context_window": WINDOW}}


@pytest.mark.parametrize(("left", "room"), [(1_500, 1_500), (3_500, 3_500), (6_000, 4_000)])
async def test_near_the_window_the_servers_count_says_what_room_is_left(left, room):
    async with (
        ScriptedClaude([Answer()], count=lambda _: WINDOW - left) as server,
        engine(server, capabilities=SMALL) as reviewer,
    ):
        await reviewer.review(task(BIG), Told())

    assert server.requests[0].body["max_tokens"] == room
    (asked,) = server.counted
    assert asked.body["messages"] == server.requests[0].body["messages"]
    assert asked.body["tools"] == server.requests[0].body["tools"]


async def test_what_the_count_says_can_not_fit_is_asked_about_in_halves():
    async with (
        ScriptedClaude([Answer()], count=lambda _: WINDOW - 300) as server,
        engine(server, capabilities=SMALL) as reviewer,
    ):
        done = await reviewer.review(task(BIG), Told())

    assert len(server.requests) == 2
    assert done.failed == {}


async def test_a_line_that_can_not_fit_is_refused_and_not_sent():
    async with (
        ScriptedClaude([Answer()], count=lambda _: WINDOW - 300) as server,
        engine(server, capabilities={MODEL: {"context_window": 1_500}}) as reviewer,
    ):
        done = await reviewer.review(task(BATCH), Told())

    assert isinstance(next(iter(done.failed.values())), PromptTooLarge)
    assert server.requests == []


async def test_a_server_that_can_not_count_is_asked_once_and_the_estimate_holds():
    async with ScriptedClaude([Answer()]) as server, engine(server, capabilities=SMALL) as reviewer:
        for _ in range(2):
            await reviewer.review(task(BIG), Told())

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
    story = await review([Answer(input_tokens=1234)])

    assert story.done.samples == (Sample(Family.CLAUDE_5, prompt.build(BATCH).size, 1234),)


async def test_a_server_that_tells_the_prompts_tokens_last_is_believed():
    story = await review([Answer(input_tokens=0, late_input_tokens=900)])

    assert story.done.usage.input == 900
    assert story.budgets.calls[0].certain
