from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.claude.answer import Answer, Ending
from reviewer.core.events import Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.stream import Element, InvalidElement
from reviewer.errors import EngineError, EngineRefused, NotReported, StreamCut
from tests.core.test_stream import finding

TWO = (finding("first"), finding("second"))
REPORT = json.dumps({"findings": TWO})


def event(kind: str, **fields: Any) -> Any:
    text = json.dumps({"type": kind, **fields})
    return json.loads(text, object_hook=lambda pairs: SimpleNamespace(**pairs))


def tool(piece: str, index: int = 0) -> Any:
    delta = {"type": "input_json_delta", "partial_json": piece}
    return event("content_block_delta", index=index, delta=delta)


def text(piece: str, index: int = 0) -> Any:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})


def end(stop_reason: str | None = "tool_use", **delta: Any) -> list[Any]:
    told = {"stop_reason": stop_reason, "stop_details": None, **delta}
    return [event("message_delta", delta=told, usage={"output_tokens": 9}), event("message_stop")]


def heard(*events: Any) -> tuple[Answer, list[str]]:
    answer = Answer()
    elements = [element for each in events for element in answer.hear(each)]
    return answer, titles(elements)


def titles(elements: list[Element]) -> list[str]:
    return [e.title if isinstance(e, ReportedFinding) else e.reason for e in elements]


def test_a_report_by_tool_is_complete():
    answer, told = heard(tool(""), tool(REPORT[:100]), tool(REPORT[100:]), *end())

    assert told == ["first", "second"]
    assert answer.ending() is Ending.COMPLETE


@pytest.mark.parametrize(
    "said",
    [
        REPORT,
        f"Here you are:\n```json\n{REPORT}\n```\nThat is all.",
        json.dumps(TWO),
        '{"findings": []}',
        "```json\n[]\n```",
        "[]",
    ],
)
def test_a_report_in_text_is_complete_also_when_it_is_empty(said):
    answer, told = heard(text(said), *end("end_turn"))

    assert answer.ending() is Ending.COMPLETE
    assert told in (["first", "second"], [])


@pytest.mark.parametrize(
    "said",
    [
        "All is well.",
        "",
        "The change reads items[] and frees { int a[3]; } twice.",
        "It calls f([{a: 1}]) in a loop.",
    ],
)
@pytest.mark.parametrize("stop_reason", ["end_turn", "pause_turn", "a_word_of_tomorrow", None])
def test_words_are_no_report_whatever_the_stop_reason(said, stop_reason):
    answer, _ = heard(text(said), *end(stop_reason))

    with pytest.raises(NotReported):
        answer.ending()


@pytest.mark.parametrize(
    "stop_reason", ["end_turn", "pause_turn", "stop_sequence", "a_word_of_tomorrow", None]
)
def test_a_closed_report_counts_whatever_the_stop_reason(stop_reason):
    answer, told = heard(tool(REPORT), *end(stop_reason))

    assert told == ["first", "second"]
    assert answer.ending() is Ending.COMPLETE


def test_a_tool_call_without_findings_is_no_report():
    answer, _ = heard(tool("{}"), *end())

    with pytest.raises(NotReported):
        answer.ending()


def test_a_report_behind_prose_with_open_brackets_is_found_at_the_end():
    answer, told = heard(text(f"See a[1 and {{: the report is {REPORT}"), *end("end_turn"))

    assert told == []
    assert titles(list(answer.mended())) == ["first", "second"]
    assert answer.ending() is Ending.COMPLETE
    assert list(answer.mended()) == []


def test_several_tool_calls_are_one_report():
    one, other = (json.dumps({"findings": [each]}) for each in TWO)
    _, told = heard(tool(one, 0), tool(other, 1), *end())

    assert told == ["first", "second"]


@pytest.mark.parametrize(
    ("stop_reason", "ending"),
    [("max_tokens", Ending.OUT_OF_ROOM), ("model_context_window_exceeded", Ending.WINDOW_FULL)],
)
def test_an_answer_out_of_room_keeps_what_was_whole(stop_reason, ending):
    answer, told = heard(tool(REPORT[:-40]), *end(stop_reason))

    assert told == ["first"]
    assert answer.ending() is ending
    (left,) = answer.close()
    assert isinstance(left, InvalidElement)


@pytest.mark.parametrize(
    ("events", "error", "words"),
    [
        ([tool(REPORT)], StreamCut, "ended before its end"),
        ([tool(REPORT), *end()[:1]], StreamCut, "ended before its end"),
        (end("refusal"), EngineRefused, "declined"),
        (end("refusal", stop_details={"type": "refusal", "category": "cyber"}), EngineRefused, "cyber"),
    ],
)
def test_an_answer_that_is_none_says_why(events: list[Any], error: type[EngineError], words: str):
    answer, _ = heard(*events)

    with pytest.raises(error, match=words):
        answer.ending()


def test_what_is_unknown_is_passed_over():
    strange = [
        event("content_block_start", index=0, content_block={"type": "hologram"}),
        event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": REPORT}),
        event("content_block_delta", index=0, delta={"type": "hologram_delta"}),
        event("aurora"),
    ]
    answer, told = heard(*strange, tool(REPORT, 1), *end())

    assert told == ["first", "second"]
    assert answer.ending() is Ending.COMPLETE


def start(**usage: Any) -> Any:
    return event("message_start", message={"usage": usage})


@pytest.mark.parametrize(
    ("begin", "late", "usage", "told"),
    [
        ({"input_tokens": 5, "output_tokens": 1}, {"output_tokens": 9}, Usage(input=5, output=9), True),
        (
            {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3},
            {"output_tokens": 9},
            Usage(input=5, cached=7, cache_writes=3, output=9),
            True,
        ),
        (
            {"input_tokens": 5, "cache_read_input_tokens": None},
            {"output_tokens": 9},
            Usage(input=5, output=9),
            True,
        ),
        ({"input_tokens": 0}, {"input_tokens": 5, "output_tokens": 9}, Usage(input=5, output=9), True),
        ({"input_tokens": 0}, {"output_tokens": 9}, Usage(output=9), False),
    ],
)
def test_usage_is_what_the_server_tells_first_or_last(begin, late, usage, told):
    answer, _ = heard(start(**begin), event("message_delta", delta={"stop_reason": "tool_use"}, usage=late))

    assert answer.usage == usage
    assert (answer.told_input, answer.told_output) == (told, True)


def test_an_answer_cut_before_its_last_usage_has_not_told_its_output():
    answer, _ = heard(start(input_tokens=5, output_tokens=1), tool(REPORT))

    assert answer.told_input
    assert not answer.told_output


@given(st.text(max_size=60), st.integers(1, 9))
def test_prose_of_any_kind_round_a_report_hides_nothing(prose, stride):
    said = f"{prose}\n{REPORT}"
    pieces = [text(said[at : at + stride]) for at in range(0, len(said), stride)]
    answer, told = heard(*pieces, *end("end_turn"))
    told += titles(list(answer.mended()))

    assert {"first", "second"} <= set(told)
