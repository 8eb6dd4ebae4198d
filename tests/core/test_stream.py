from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.core.findings import ReportedFinding
from reviewer.core.stream import FindingsScanner, InvalidElement


def finding(title: str = "t", **changes: Any) -> dict[str, Any]:
    return {
        "path": "x.py",
        "line": 1,
        "quote": 'a "quoted" } ] {',
        "severity": "low",
        "category": "bug",
        "title": title,
        "message": 'm \\ " 😀 é',
        **changes,
    }


def titles(pieces: list[str]) -> list[str]:
    scanner = FindingsScanner()
    elements = [element for piece in pieces for element in scanner.feed(piece)]
    return [e.title if isinstance(e, ReportedFinding) else e.reason for e in [*elements, *scanner.close()]]


TWO = [finding("first"), finding("second")]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_cut_at_any_place_changes_nothing(ascii_only):
    text = json.dumps({"findings": TWO, "summary": "{}"}, ensure_ascii=ascii_only)
    for cut in range(len(text)):
        assert titles([text[:cut], text[cut:]]) == ["first", "second"]
    assert titles(list(text)) == ["first", "second"]


@given(st.lists(st.text(min_size=1, max_size=40), max_size=4), st.integers(1, 7))
def test_any_text_survives_any_stride(texts, stride):
    text = json.dumps({"findings": [finding(title) for title in texts]})
    told = titles([text[i : i + stride] for i in range(0, len(text), stride)])
    assert told == [title.replace("\0", "\ufffd") for title in texts]


def test_a_character_whose_halves_come_in_two_pieces_is_whole_again():
    head, tail = json.dumps({"findings": [finding("a smile: @!")]}).split("@")

    assert titles([head + "\ud83d", "\ude00" + tail]) == ["a smile: 😀!"]
    assert titles([head + "\ud83d", tail]) == ["a smile: \ufffd!"]


def test_an_element_comes_with_its_closing_brace_and_not_before():
    scanner = FindingsScanner()
    element = json.dumps(finding())

    assert not scanner.feed('{"findings": [' + element[:-1])
    assert len(scanner.feed("}")) == 1


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TWO),
        json.dumps({"summary": 'so "it" [goes] {', "findings": TWO}),
        "Here you are:\n```json\n" + json.dumps({"findings": TWO}, indent=2) + '\n```\nThat\'s "all".',
    ],
)
def test_other_shapes_of_the_same_answer_are_read(text):
    assert titles([text]) == ["first", "second"]


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (json.dumps(finding(line=0)), "line"),
        (json.dumps(finding(severity="awful")), "severity"),
        (json.dumps({"title": "x"}), "path"),
        ('{"line": NaN}', "off the schema"),
        ('{"line": 1 2}', "no valid JSON"),
    ],
)
def test_an_element_off_the_schema_is_told_and_the_rest_stands(element, reason):
    first, second = titles([f'{{"findings": [{element}, {json.dumps(finding("good"))}]}}'])

    assert reason in first
    assert second == "good"


def test_an_answer_cut_inside_an_element_gives_no_half_of_it():
    text = json.dumps({"findings": TWO})[:-40]

    assert titles([text]) == ["first", "the answer ended inside a finding"]


def test_reasons_never_repeat_the_models_text():
    scanner = FindingsScanner()
    (element,) = scanner.feed('[{"path": "made-up-secret", "line": "made-up-secret"}]')

    assert isinstance(element, InvalidElement)
    assert "made-up-secret" not in element.reason
