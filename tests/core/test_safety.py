from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from reviewer.core.markdown import escaped, fenced, neutral
from reviewer.core.redact import redact

MADE_UP = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "ghs_123_" + "ey.Jh-bG_" * 20,
    "sk-ant-" + "made-up-key-of-a-test",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIBmade\nup\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "someone.made-up@example.com",
    "4111 1111 1111 1111",
]


@pytest.mark.parametrize("secret", MADE_UP)
def test_secrets_and_personal_data_are_taken_out(secret):
    cleaned = redact(f"before {secret} after")

    assert secret not in cleaned
    assert cleaned.startswith("before [redacted")
    assert cleaned.endswith("] after")


def test_an_assigned_password_goes_and_its_name_stays():
    assert redact('db_password = "hunter2hunter2"') == 'db_password = "[redacted]"'
    assert redact("postgres://app:made-up@host/db") == "postgres://[redacted password]@host/db"


@pytest.mark.parametrize(
    "text", ["order 4111 1111 1111 1112", "line 12345678901234567890", "a@b", "ghs_short"]
)
def test_what_is_no_secret_stays(text):
    assert text == redact(text)


def test_links_images_comments_and_mentions_lose_their_teeth():
    text = neutral(
        "![x](https://evil.example/?q=1) [click](https://evil.example) <!-- sluice:finding:1 --> @team"
    )

    assert "evil.example" not in text
    assert "sluice:finding" not in text
    assert "@team" not in text
    assert "click" in text


def test_code_stays_as_it_is():
    assert neutral("`@decorator` and\n```\n[a](b) @x\n```") == "`@decorator` and\n```\n[a](b) @x\n```"


@pytest.mark.parametrize("bad", ["![x](https://evil.example)", "<img src=x>", "@team"])
@pytest.mark.parametrize(
    "text",
    [
        "``{}`",
        "\\`{}\\`",
        "```x`\n{}\n",
        "```\na\n```x\nb\n```\n{}",
        "```\na\n````\n{}",
        "```\na\n  ```\n{}\n```\nb\n```",
        "- ```\n  a\n  ```\n{}",
        "[a](`{}`)",
        "`a`<!-- -->`{}``b`",
        "\\<!-- -->`{}`",
        "- ~~~\n  a\n  ~~~\n{}",
        "```\na\n```~\nb\n```\n{}",
        "a <!--\n\n```\n{}\n\n```\n",
        "`a\n`{}`\nb`",
    ],
)
def test_what_github_does_not_read_as_code_is_not_spared_as_code(text, bad):
    said = escaped(neutral(text.format(bad)))
    shown = re.sub(r"<code.*?</code>", "", MarkdownIt("commonmark").render(said), flags=re.DOTALL)

    assert "<img" not in shown
    assert "@team" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "[a[b](c)](https://evil.example)",
        "![a![b![c](d)](e)](https://evil.example)",
        "![a]\n\n[a]: https://evil.example",
        "> [a]: https://evil.example",
    ],
)
def test_no_link_is_left_when_one_inside_it_is_taken_out(text):
    said = neutral(text)

    assert "](https" not in said
    assert "]: https" not in said


@pytest.mark.parametrize(
    "text",
    ["``a`b @x``", "````\n```\n@x\n````", "~~~py\n@x\n~~~", "```\n```\ntext", "```\n@x\n````  \nafter"],
)
def test_code_of_every_form_stays_as_it_is(text):
    assert neutral(text) == text


def test_a_fence_left_open_is_closed():
    assert neutral("see\n```py\nx = 1\n") == "see\n```py\nx = 1\n```"


def test_invisible_and_reversing_characters_go():
    assert neutral("a\u202e\u200b\x07b") == "ab"


def test_html_is_escaped_outside_code_only():
    assert escaped("<b> `<b>`") == "&lt;b> `<b>`"


def test_a_fence_is_longer_than_any_inside():
    assert fenced("a ```` b").startswith("`````\n")
