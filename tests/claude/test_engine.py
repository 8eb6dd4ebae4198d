"""What a batch is asked in, what its answer may look like, and what it costs."""

from __future__ import annotations

import asyncio

import pytest

from reviewer.core.batches import Batch
from reviewer.core.budget import Amount, Cap, Caps
from reviewer.core.events import Usage
from reviewer.core.routing import Route
from reviewer.errors import (
    NotReported,
    OverBudget,
    PromptTooLarge,
)
from reviewer.ports import Malformed
from tests.claude.stories import (
    BATCH,
    FALLBACK,
    MAX_TOKENS,
    TWO,
    Told,
    batch_of,
    by_model,
    cut,
    engine,
    review,
)
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.fakes.clock import jumping
from tests.fakes.work import MODEL, task


async def test_a_finding_is_told_while_the_message_is_being_written():
    answer = Answer.findings(*TWO, delay=0.01)

    story = await review([answer])

    assert story.told.titles == ["first", "second"]
    assert answer.ended_at is not None
    assert story.told.found_at[0] < answer.ended_at - 0.2
    assert story.done.usage == Usage(input=1000, output=len(answer.text) // 4)
    assert story.done.cost == pytest.approx((1000 * 2 + len(answer.text) // 4 * 10) / 1e6)
    assert story.done.time_to_first_token is not None


async def test_a_call_is_kept_on_account_with_all_that_is_known_of_it():
    story = await review([Answer.findings(*TWO)])

    (call,) = story.budgets.calls
    assert (call.model, call.chunks, call.route) == (MODEL, (BATCH.chunks[0].id,), "code")
    assert (call.usage, call.cost) == (story.done.usage, story.done.cost)
    assert (call.stop_reason, call.error, call.certain) == ("tool_use", None, True)
    assert call.time_to_first_token is not None
    assert call.time_to_first_token <= call.seconds


async def test_what_the_cache_gave_and_took_is_priced_as_such():
    story = await review([Answer(input_tokens=10, cache_written=400, cache_read=3_000)])

    assert story.done.usage.model_dump() == {
        "input": 10,
        "cached": 3_000,
        "cache_writes": 400,
        "output": len(Answer().text) // 4,
    }
    expected = 10 * 2 + 400 * 2.5 + 3_000 * 0.1 + len(Answer().text) // 4 * 10
    assert story.done.cost == pytest.approx(expected / 1e6)


async def test_the_request_offers_the_tool_and_forces_nothing():
    story = await review([Answer()])

    body = story.server.requests[0].body
    assert body["tool_choice"] == {"type": "auto"}
    assert body["tools"][0]["strict"] is True
    assert body["tools"][0]["eager_input_streaming"] is True
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert story.server.requests[0].headers["Authorization"] == "Bearer sk-ant-made-up"


async def test_a_model_that_can_be_made_to_use_a_tool_is():
    batch = Batch("b", BATCH.chunks, Route("claude-opus-5", "code"))
    story = await review([Answer()], batch)

    assert story.server.requests[0].body["tool_choice"] == {"type": "tool", "name": "report_findings"}


async def test_an_unknown_model_is_asked_for_nothing_special_unless_the_operator_knows_better():
    batch = Batch("b", BATCH.chunks, Route("qwen-local", "code"))
    plain = await review([Answer()], batch)
    told = {"qwen-local": {"strict": True, "price": {"input": 1, "output": 1}}}
    known = await review([Answer()], batch, capabilities=told)

    body = plain.server.requests[0].body
    assert "strict" not in body["tools"][0]
    assert "eager_input_streaming" not in body["tools"][0]
    assert "cache_control" not in body["system"][0]
    assert plain.done.cost is None
    assert known.server.requests[0].body["tools"][0]["strict"] is True
    assert known.done.cost is not None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(f"```json\n{Answer.findings(*TWO).text}\n```", as_text=True, stop_reason="end_turn"),
        Answer.findings(*TWO, chars=100_000),
        Answer.findings(*TWO, chars=1),
        Answer.findings(*TWO, thinking=("so many thoughts",), prose="I shall report."),
        Answer.findings(*TWO, strange=True, done_mark=True),
        Answer.findings(*TWO, whole=True),
        Answer(Answer.findings(*TWO).text, as_text=True, whole=True, stop_reason="end_turn"),
        Answer.findings(*TWO, no_usage=True),
    ],
    ids=["text", "one delta", "bytewise", "thinking", "strange", "whole", "whole text", "no usage"],
)
async def test_the_same_report_in_another_form_is_read(answer):
    story = await review([answer])

    assert story.told.titles == ["first", "second"]
    assert len(story.server.requests) == 1
    assert story.done.failed == {}
    assert story.done.usage.total > 0


@jumping
async def test_a_model_that_answers_in_words_is_asked_once_more_and_then_the_fallback():
    words = Answer("All is well.", as_text=True, stop_reason="end_turn")
    alone = await review([words])
    script = by_model(claude_sonnet_5_5=[words], claude_haiku_5_5=[Answer.findings(*TWO)])
    helped = await review(script, fallback=FALLBACK)

    assert alone.told.titles == []
    assert isinstance(alone.error, NotReported)
    assert not alone.error.retryable
    assert alone.asked == [MODEL] * 2
    assert helped.asked == [MODEL] * 2 + [FALLBACK]
    assert helped.told.titles == ["first", "second"]


async def test_an_element_off_the_schema_is_told_as_such_and_the_rest_stands():
    story = await review([Answer.findings(finding("good"), finding(line=-1))])

    assert story.told.titles == ["good"]
    reasons = [news.reason for news in story.told.news if isinstance(news, Malformed)]
    assert reasons == ["off the schema: line"]


async def test_json_that_breaks_in_the_middle_of_the_tool_costs_no_further_try():
    story = await review([Answer('{"findings": [{"path": "x.py", "line": 1 2}]}')])

    assert [news.reason for news in story.told.news if isinstance(news, Malformed)] == ["no valid JSON"]
    assert len(story.server.requests) == 1


async def test_nothing_is_asked_that_the_review_can_not_pay_for():
    story = await review([Answer()], caps=Caps(review=Cap(tokens=1_000)))

    assert isinstance(story.error, OverBudget)
    assert story.server.requests == []


@jumping
async def test_each_try_is_paid_for_and_the_money_may_end_between_two():
    caps = Caps(review=Cap(micros=110_000))  # one cut try is charged some 0.05 USD
    story = await review([cut("cut")], caps=caps)

    assert isinstance(story.error, OverBudget)
    assert len(story.server.requests) == 2
    assert sum(Amount.of(0, call.cost).micros for call in story.budgets.calls) <= 110_000


async def test_the_cap_of_a_request_bounds_the_answer_it_may_ask_for():
    by_tokens = await review([Answer()], request_cap=Cap(tokens=7_000))
    by_money = await review([Answer()], request_cap=Cap(micros=30_000))

    for story in (by_tokens, by_money):
        (request,) = story.server.requests
        assert 1_000 <= request.body["max_tokens"] < MAX_TOKENS
        assert story.done.failed == {}


@pytest.mark.parametrize("cap", [Cap(tokens=2_000), Cap(micros=1_000)])
async def test_a_request_that_leaves_no_room_for_an_answer_is_not_sent(cap):
    story = await review([Answer()], request_cap=cap)

    assert isinstance(story.error, PromptTooLarge)
    assert "BUDGET_REQUEST" in str(story.error)
    assert story.server.requests == []


@jumping
async def test_the_first_call_warms_the_cache_before_the_others_go():
    told = Told()
    async with (
        ScriptedClaude([Answer(hang=2, first_token=4)]) as server,
        engine(server) as reviewer,
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(4):
            tasks.create_task(reviewer.review(task(batch_of(f"{number}.py")), told))

    first, *others = sorted(request.at for request in server.requests)
    assert [other - first for other in others] == [2, 2, 2]  # they wait for its beginning, not for its end


@jumping
async def test_a_first_call_that_hangs_keeps_nobody_for_long():
    told = Told()
    script = iter([Answer(hang=100)])
    async with (
        ScriptedClaude(lambda _: next(script, Answer())) as server,
        engine(server) as reviewer,
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(3):
            tasks.create_task(reviewer.review(task(batch_of(f"{number}.py")), told))

    first, *others = sorted(request.at for request in server.requests)
    assert 14 < min(others) - first < 17


@jumping
async def test_while_a_long_call_goes_on_a_cold_prefix_is_led_by_the_next_one():
    slow = Answer.findings(*TWO, first_token=100, delay=3)
    script = iter([slow])
    async with (
        ScriptedClaude(lambda _: next(script, Answer())) as server,
        engine(server) as reviewer,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(reviewer.review(task(BATCH), Told()))
        await asyncio.sleep(280)
        began = asyncio.get_running_loop().time()
        await reviewer.review(task(batch_of("later.py")), Told())
        took = asyncio.get_running_loop().time() - began

    assert len(server.requests) == 2
    assert took < 1


async def test_usage_that_is_no_count_is_charged_as_untold():
    story = await review([Answer(input_tokens=-1_000_000, output_tokens=-5)])

    assert not story.budgets.calls[0].certain
    assert story.done.usage.total > 0
