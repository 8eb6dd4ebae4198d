"""Every way in which a provider fails: how often it is asked, how long is waited, what is told, what paid."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from reviewer.claude.watchdog import Patience
from reviewer.claude.work import UNCERTAIN
from reviewer.core.budget import Cap, Caps
from reviewer.core.events import Usage
from reviewer.errors import (
    EngineError,
    EngineMisconfigured,
    EngineRefused,
    EngineUnavailable,
    PromptTooLarge,
    SpendLimitReached,
)
from reviewer.ports import Reported
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

CYBER = {"type": "refusal", "category": "cyber"}
IN_STREAM = Usage(input=1000, output=MAX_TOKENS)
"""Charged for a try that was cut after its prompt's tokens were told: the most it can have written."""


@pytest.mark.parametrize(
    ("bad", "charged"),
    [
        (Answer(status=529), Usage()),
        (Answer(status=503, error="api_error"), Usage()),
        (Answer(status=500, error="api_error"), Usage()),
        (Answer(status=501, error="api_error"), Usage()),
        (Answer(status=504, error="timeout_error"), Usage()),
        (Answer(status=429, error="rate_limit_error"), Usage()),
        (Answer(status=408, error="timeout_error"), Usage()),
        (Answer(status=409, error="conflict_error"), Usage()),
        (Answer(status=400, error="invalid_request_error", headers={"x-should-retry": "true"}), Usage()),
        (cut("error"), IN_STREAM),
        (cut("error", error="rate_limit_error"), IN_STREAM),
        (cut("error", error="api_error"), IN_STREAM),
        (cut("error", error="timeout_error"), IN_STREAM),
        (cut("cut"), IN_STREAM),
        (cut("fin"), IN_STREAM),
        (cut("eof"), IN_STREAM),
        (cut("half"), IN_STREAM),
        (cut("stall", stall=900), IN_STREAM),
        (cut("stall", stall=900, ping_every=5), IN_STREAM),
        (Answer.findings(*TWO, first_token=900), IN_STREAM),
        (Answer.findings(*TWO, first_token=900, ping_every=5), IN_STREAM),
        (Answer(drop=True), None),
        (Answer(hang=900), None),
    ],
    ids=lambda value: getattr(value, "failure", "") + str(getattr(value, "status", "")),
)
@jumping
async def test_passing_trouble_is_tried_again_and_nothing_is_told_or_charged_twice(bad, charged):
    story = await review([bad, Answer.findings(*TWO)])

    assert story.told.titles == ["first", "second"]
    assert len(story.server.requests) == 2
    assert [retry.attempt for retry in story.told.retries] == [1]
    assert story.done.failed == {}
    good = Usage(input=1000, output=len(Answer.findings(*TWO).text) // 4)
    if charged is None:  # nobody knows whether the request was read: what was set aside stays charged
        charged = story.budgets.calls[0].usage
        assert charged.cache_writes > 1_000
        assert charged.output == MAX_TOKENS
    assert story.done.usage == charged + good
    assert story.done.cost == pytest.approx(
        sum((u.input * 2 + u.cache_writes * 2.5 + u.output * 10) / 1e6 for u in (charged, good))
    )
    assert [call.usage for call in story.budgets.calls] == [charged, good]
    assert story.done.notes == (() if charged == Usage() else (UNCERTAIN.format(1),))


@pytest.mark.parametrize("bad", [Answer(status=529), cut("cut"), cut("eof"), Answer(drop=True)])
@jumping
async def test_three_tries_and_no_more_with_growing_waits(bad):
    story = await review([bad])

    assert len(story.server.requests) == 3
    first, second = story.waits
    assert 0.5 <= first <= 1.2
    assert 1.0 <= second <= 2.2
    assert [retry.attempt for retry in story.told.retries] == [1, 2]
    assert story.error is not None
    assert story.error.retryable


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "2500"}, 2.5), ({"retry-after": "0"}, 0.0)],
)
@jumping
async def test_the_wait_a_server_names_is_kept_exactly(headers, wait):
    story = await review([Answer(status=529, headers=headers), Answer()])

    assert story.told.retries[0].wait == wait
    assert story.waits == [pytest.approx(wait, abs=0.3)]


@jumping
async def test_a_wait_named_as_a_date_is_kept():
    at = datetime.now(UTC) + timedelta(seconds=20)
    story = await review(
        [Answer(status=529, headers={"retry-after": format_datetime(at, usegmt=True)}), Answer()]
    )

    assert 18 < story.waits[0] < 21


@jumping
async def test_a_server_that_wants_more_than_the_longest_wait_is_not_asked_again():
    bad = Answer(status=429, error="rate_limit_error", headers={"retry-after": "61"})
    story = await review([bad])

    assert len(story.server.requests) == 1
    assert isinstance(story.error, EngineUnavailable)
    assert story.error.retry_after == 61


@pytest.mark.parametrize(
    ("bad", "patience", "seconds", "words"),
    [
        (Answer(hang=900), Patience(first_token=90), 90, "no first token came for 90 s"),
        (Answer(first_token=900), Patience(first_token=90), 90, "no first token came for 90 s"),
        (Answer(first_token=900, ping_every=2), Patience(first_token=90), 90, "no first token came for 90 s"),
        (cut("stall", stall=900), Patience(idle=20), 20, "stood still for 20 s"),
        (cut("stall", stall=900, ping_every=2), Patience(idle=20), 20, "stood still for 20 s"),
        (Answer.findings(*TWO, delay=5), Patience(total=70), 70, "did not finish within 70 s"),
    ],
)
@jumping
async def test_a_try_that_stands_still_is_given_up_in_time_whatever_the_pings(bad, patience, seconds, words):
    began = asyncio.get_running_loop().time()
    story = await review([bad, Answer()], patience=patience)

    assert words in story.told.retries[0].reason
    waited = story.server.requests[1].at - began - story.told.retries[0].wait
    assert waited == pytest.approx(seconds, abs=1)


@jumping
async def test_a_model_that_thinks_long_before_it_writes_is_not_taken_for_dead():
    answer = Answer.findings(*TWO, first_token=170, ping_every=10, thinking=("",))
    story = await review([answer])

    assert len(story.server.requests) == 1
    assert story.told.titles == ["first", "second"]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(status=400, error="invalid_request_error"), EngineMisconfigured, "400"),
        (Answer(status=401, error="authentication_error"), EngineMisconfigured, "check ANTHROPIC_API_KEY"),
        (Answer(status=402, error="billing_error"), EngineMisconfigured, "billing"),
        (Answer(status=403, error="permission_error"), EngineMisconfigured, "ANTHROPIC_API_KEY"),
        (Answer(status=404, error="not_found_error"), EngineMisconfigured, "check LLM_MODEL"),
        (Answer(status=422, error="invalid_request_error"), EngineMisconfigured, "422"),
        (Answer(status=413, error="request_too_large"), PromptTooLarge, "too long"),
        (Answer(status=529, headers={"x-should-retry": "false"}), EngineMisconfigured, "529"),
        (
            Answer(status=429, error="rate_limit_error", code="enforced_spend_limit_reached"),
            SpendLimitReached,
            "spending cap",
        ),
        (
            Answer(status=429, error="rate_limit_error", code="contract_spend_limit_reached"),
            SpendLimitReached,
            "spending cap",
        ),
        (cut("error", error="invalid_request_error"), EngineMisconfigured, "scripted"),
        (Answer(stop_reason="refusal"), EngineRefused, "declined"),
        (
            Answer(stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber"}),
            EngineRefused,
            "cyber",
        ),
    ],
)
@jumping
async def test_lasting_trouble_is_final_at_once_and_no_fallback_is_asked(answer, error, words):
    story = await review([answer], fallback=FALLBACK)

    told = story.error
    assert isinstance(told, EngineError)
    assert isinstance(told, error)
    assert words in str(told)
    assert not told.retryable
    assert story.asked == [MODEL]
    assert list(story.done.failed) == [BATCH.chunks[0].id]


@jumping
async def test_one_chunk_that_is_declined_takes_no_other_along():
    def choose(body: dict[str, Any]) -> Answer:
        return Answer(stop_reason="refusal") if "exploit.py" in body["messages"][0]["content"] else Answer()

    batch = batch_of("a.py", "b.py", "exploit.py", "c.py")
    story = await review(choose, batch)

    assert [chunk.path for chunk in batch.chunks if chunk.id in story.done.failed] == ["exploit.py"]
    assert isinstance(story.error, EngineRefused)
    assert len(story.server.requests) == 5  # all, its two halves, and the halves of one of these


@jumping
async def test_after_three_tries_the_fallback_is_asked_for_the_same_chunks():
    script = by_model(claude_sonnet_5_5=[Answer(status=529)], claude_haiku_5_5=[Answer.findings(*TWO)])
    story = await review(script, fallback=FALLBACK)

    assert story.asked == [MODEL] * 3 + [FALLBACK]
    assert story.told.titles == ["first", "second"]
    assert {news.source for news in story.told.news if isinstance(news, Reported)} == {FALLBACK}
    assert story.told.retries[-1].model == FALLBACK
    assert story.done.by_fallback == {BATCH.chunks[0].id}
    assert story.done.failed == {}
    bodies = [request.body["messages"] for request in story.server.requests]
    assert bodies[0] == bodies[-1]


@pytest.mark.parametrize(
    ("bad", "tries"), [(Answer(status=529), 1), (Answer(status=429, error="rate_limit_error"), 3)]
)
@jumping
async def test_set_so_the_fallback_is_asked_at_once_on_overload_and_only_then(bad, tries):
    script = by_model(claude_sonnet_5_5=[bad], claude_haiku_5_5=[Answer()])
    story = await review(script, fallback=FALLBACK, fallback_on_overload=True)

    assert story.asked == [MODEL] * tries + [FALLBACK]


@jumping
async def test_overload_without_a_fallback_gets_its_three_tries_however_it_is_set():
    story = await review([Answer(status=529)], fallback_on_overload=True)

    assert len(story.server.requests) == 3


@pytest.mark.parametrize(
    ("second", "passing"),
    [
        (Answer(status=529, headers={"retry-after": "9"}), True),
        (Answer(status=404, error="not_found_error"), True),
        (Answer(stop_reason="refusal"), True),
    ],
)
@jumping
async def test_when_the_fallback_fails_too_the_trouble_of_the_wanted_model_decides(second, passing):
    script = by_model(claude_sonnet_5_5=[Answer(status=529)], claude_haiku_5_5=[second])
    story = await review(script, fallback=FALLBACK)

    assert story.error is not None
    assert story.error.retryable is passing
    assert "overloaded" in str(story.error)
    assert FALLBACK in str(story.error)


@jumping
async def test_a_finding_told_before_the_cut_is_not_told_again_by_the_fallback_in_other_words():
    script = by_model(
        claude_sonnet_5_5=[cut("cut")],
        claude_haiku_5_5=[Answer.findings(finding("the first, in other words"), finding("third", line=3))],
    )
    story = await review(script, fallback=FALLBACK)

    assert story.told.titles == ["first", "third"]


async def test_two_things_about_one_line_in_one_answer_are_both_told():
    story = await review([Answer.findings(finding("one"), finding("other"), finding("one"))])

    assert story.told.titles == ["one", "other"]


@jumping
async def test_a_dead_provider_is_not_hammered_by_every_chunk():
    told = Told()
    async with ScriptedClaude([Answer(status=529)]) as server, engine(server) as reviewer:
        done = [await reviewer.review(task(batch_of(f"{number}.py")), told) for number in range(20)]
        asked = len(server.requests)
        await asyncio.sleep(30)
        await reviewer.review(task(BATCH), told)

    assert all(each.failed for each in done)
    assert asked == 8
    assert len(server.requests) == 9  # one call finds out whether it is back


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "soon", "Wed, 21 Oct 2015 07:28:00 +999999999999999"])
@jumping
async def test_a_wait_that_is_none_is_passed_over(value):
    story = await review([Answer(status=529, headers={"retry-after": value}), Answer()])

    assert len(story.server.requests) == 2
    assert story.waits[0] < 2


@jumping
async def test_a_redirect_is_refused_with_the_remedy():
    story = await review([Answer(status=302, headers={"location": "/v1/messages"})])

    assert len(story.server.requests) == 1
    assert "check ANTHROPIC_BASE_URL" in str(story.error)


@jumping
async def test_an_error_in_mid_stream_of_a_kind_not_known_yet_is_tried_again():
    story = await review([cut("error", error="error_of_tomorrow"), Answer.findings(*TWO)])

    assert story.told.titles == ["first", "second"]
    assert len(story.server.requests) == 2


@jumping
async def test_an_outage_stays_an_outage_when_there_is_no_money_for_the_fallback():
    script = by_model(claude_sonnet_5_5=[Answer(status=529)], claude_haiku_5_5=[Answer()])
    capabilities = {FALLBACK: {"price": {"input": 1_000, "output": 1_000}}}
    story = await review(
        script, fallback=FALLBACK, caps=Caps(review=Cap(micros=1_000_000)), capabilities=capabilities
    )

    assert story.asked == [MODEL] * 3
    assert story.error is not None
    assert story.error.retryable


@jumping
async def test_something_else_about_a_line_is_told_by_a_later_try_that_repeats_the_first():
    first, other = finding("first"), finding("other of the line")
    story = await review(
        [Answer.findings(first, fail_after=300, failure="cut"), Answer.findings(first, other)]
    )

    assert story.told.titles == ["first", "other of the line"]
