"""Model text made safe to render.

A finding's text is written by a model that has read whatever the pull request's author wrote: it may hold
images that call home, links that lure, mentions that ring people, comments that pose as our markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_CODE = re.compile(
    r"(^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^(?P=fence)[^\n]*$|\Z)|`[^`\n]+`)", re.DOTALL | re.MULTILINE
)
_IMAGE = re.compile(r"!\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_MENTION = re.compile(r"(?<![\w`])@(?=[\w-])")
# C0 and C1 controls but tab and newline, and the marks that change the direction of text (CVE-2021-42574)
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def neutral(text: str) -> str:
    """Text without images, link targets, HTML comments, mentions that ring, or invisible characters.

    Code spans and fenced blocks stay as they are, but for invisible characters; a fence left open is closed.
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
    plain = _COMMENT.sub("", plain)
    plain = _IMAGE.sub(r"\1", plain)
    plain = _LINK.sub(r"\1", plain)
    return _MENTION.sub("@\u2060", plain)


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
        if fence and not match[0].rstrip().endswith("\n" + fence):
            return f"{text.rstrip()}\n{fence}"
    return text
