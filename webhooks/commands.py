"""What people can tell the app in a comment: `/sluice review`, `@sluice stop`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

KNOWN = "review and stop"
"""The commands, for people."""


class Command(StrEnum):
    """What is asked of the app."""

    REVIEW = "review"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Unknown:
    """The app is addressed, with a word it does not know; empty: with none."""

    word: str


_WORDS = {
    "review": Command.REVIEW,
    "again": Command.REVIEW,
    "rerun": Command.REVIEW,
    "stop": Command.STOP,
    "cancel": Command.STOP,
}
_ADDRESSED = re.compile(r" {0,3}[/@]sluice(?:[ \t]+(?P<word>\S+).*|[ \t]*)", re.IGNORECASE | re.ASCII)
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_LINE_END = re.compile(r"\r\n|\r|\n")  # what ends a line in Markdown; str.splitlines knows more
_PUNCTUATION = ".,;:!?"


def parse(text: str) -> Command | Unknown | None:
    """The first command of a comment, or else the first unknown word said to the app; None: neither.

    A command begins a line of its own, outside quotes and code; what follows its word does not matter.
    """
    unknown: Unknown | None = None
    for line in _prose(text):
        addressed = _ADDRESSED.fullmatch(line)
        if addressed is None:
            continue
        word = (addressed["word"] or "").rstrip(_PUNCTUATION)
        command = _WORDS.get(word.lower())
        if command is not None:
            return command
        unknown = unknown or Unknown(word)
    return unknown


def _prose(text: str) -> Iterator[str]:
    """Lines outside code fences: https://spec.commonmark.org/0.31.2/#fenced-code-blocks."""
    open_fence = ""
    for line in _LINE_END.split(text):
        found = _FENCE.fullmatch(line)
        if open_fence:
            if found and _closes(found, open_fence):
                open_fence = ""
        elif found and not (found["fence"].startswith("`") and "`" in found["info"]):
            open_fence = found["fence"]
        else:
            yield line


def _closes(found: re.Match[str], open_fence: str) -> bool:
    return found["fence"].startswith(open_fence) and not found["info"].strip()
