"""Model text made safe to render.

A finding's text is written by a model that has read whatever the pull request's author wrote: it may hold
images that call home, links that lure, mentions that ring people, comments that pose as our markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# As GitHub reads code, or less: https://spec.commonmark.org/0.31.2/#fenced-code-blocks and #code-spans.
# Whatever else opens code there is taken out, so that nothing is shown as text that was taken for code here
_CODE = re.compile(
    r"""
    ^(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*
        (?:\n(?:.*?\n)??\ {0,3}(?P=fence)(?P<closed>(?<=`)`*|(?<=~)~*)[ \t]*$|.*\Z)
    | (?<![\\`])(?P<ticks>`+)(?!`)[^\n]+?(?<!`)(?P=ticks)(?!`)
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_IMAGE = re.compile(r"!\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])")
_TARGET = re.compile(r"^([\s>*+.)\d-]*\[[^\]]+\]):", re.MULTILINE)
_TILDES = re.compile(r"~{3,}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_MENTION = re.compile(r"(?<![\w`])@(?=[\w-])")
# C0 and C1 controls but tab and newline, and the marks that change the direction of text (CVE-2021-42574)
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def neutral(text: str) -> str:
    """Text without images, link targets, HTML comments, mentions that ring, or invisible characters.

    Code spans and fenced blocks stay as they are, but for invisible characters; a fence left open is closed,
    and backticks that belong to none become apostrophes.
    """
    visible = _SURROGATES.sub("\ufffd", _INVISIBLE.sub("", text))
    return _closed(_outside_code(visible, _disarmed))


def escaped(text: str) -> str:
    """Neutral text for GitHub, where raw HTML is rendered: none is left outside code."""
    return _outside_code(text, lambda plain: plain.replace("&", "&amp;").replace("<", "&lt;"))


def fenced(code: str, language: str = "") -> str:
    """`code` in a fence longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def _disarmed(plain: str) -> str:
    plain = _TILDES.sub("~~", plain.replace("`", "'"))
    original, before = plain, None
    while plain != before:  # what is taken out may have stood between the halves of another
        before = plain
        plain = _LINK.sub(r"\1", _IMAGE.sub(r"\1", _COMMENT.sub(_line_end, plain)))
    plain = _TARGET.sub(r"\1 :", plain).replace("](", "] (")
    if original and plain[-1:] in {"", "\\"}:
        plain += " "  # or code on both sides would run together, or not begin after it
    return _MENTION.sub("@\u2060", plain)


def _line_end(comment: re.Match[str]) -> str:
    """What is left of a comment: the end of a line, so that a fence after it still begins one."""
    return "\n" if "\n" in comment[0] else ""


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    position = 0
    for match in _CODE.finditer(text):
        parts += [change(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*parts, change(text[position:])])


def _closed(text: str) -> str:
    for match in _CODE.finditer(text):
        fence = match["fence"]
        if fence and match["closed"] is None:
            return f"{text.rstrip()}\n{fence}"
    return text
