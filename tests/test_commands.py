from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.commands import Command, Unknown, parse


@pytest.mark.parametrize("name", ["/sluice", "@sluice", "/Sluice", "@SLUICE"])
@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("review", Command.REVIEW),
        ("again", Command.REVIEW),
        ("rerun", Command.REVIEW),
        ("REVIEW", Command.REVIEW),
        ("stop", Command.STOP),
        ("cancel", Command.STOP),
        ("Stop.", Command.STOP),
    ],
)
def test_a_name_and_a_word_are_a_command(name, word, command):
    assert parse(f"{name} {word}") is command


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!\n\n/sluice stop\nSee above.",
        "Thanks!\r\n/sluice stop\r\n",
        "Thanks!\r/sluice stop",
        "   /sluice \t stop please",
        "> an answer to a quote\n\n/sluice stop",
        "```\ncode\n```\n/sluice stop",
        "~~~~ python\n~~~\n~~~~~  \n/sluice stop",
        "```not a fence`\n/sluice stop",
        "``\n/sluice stop",
    ],
)
def test_a_command_is_found_on_a_line_of_its_own(text):
    assert parse(text) is Command.STOP


@pytest.mark.parametrize(
    "text",
    [
        "",
        "review",
        "please /sluice review",
        "`/sluice review`",
        "- /sluice review",
        "> /sluice review",
        "   > /sluice review",
        ">/sluice review",
        "    /sluice review",
        "\t/sluice review",
        "/sluicereview",
        "/sluice-review",
        "@sluicebot review",
        "//sluice review",
        "/\u017fluice review",
        "a\u2028/sluice review",
        "```\n/sluice review\n```",
        "~~~\n/sluice review\n```\n/sluice review",
        "````\n```\n/sluice review\n```\n````",
        "```\n``` python\n/sluice review\n```",
        "```\n/sluice review",
    ],
)
def test_what_is_no_line_of_its_own_is_no_command(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/sluice explain this", "explain"),
        ("@sluice thanks!", "thanks"),
        ("/sluice", ""),
        ("/sluice  ", ""),
        ("/sluice one\n/sluice two", "one"),
    ],
)
def test_an_unknown_word_is_told(text, word):
    assert parse(text) == Unknown(word)


def test_the_first_known_command_counts():
    assert parse("/sluice what\n/sluice stop\n/sluice review") is Command.STOP


@given(st.text(st.sampled_from("`~> \t\r\n/@sluicereview\0")))
def test_any_text_is_read(text):
    found = parse(text)
    assert found is None or isinstance(found, Command | Unknown)
