"""One try's answer: fed with the stream's events, gives findings as they close, and knows how it ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

from reviewer.core.events import Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.stream import Element, FindingsScanner
from reviewer.core.tokens import size
from reviewer.errors import EngineRefused, NotReported, StreamCut

_NO_ELEMENTS: Sequence[Element] = ()

# An empty array that is all of the text, or is named, is a report; any other is a pair of brackets in prose
_NOTHING = re.compile(r"\A\s*(?:```\w*)?\s*\[\s*\]\s*(?:```)?\s*\Z|\"findings\"\s*:\s*\[\s*\]")
_BEGINNING = re.compile(r"\{\s*\"findings\"\s*:")


class Ending(Enum):
    """How an answer that came to its end ended."""

    COMPLETE = auto()
    OUT_OF_ROOM = auto()
    """It asked for more output than it was allowed."""
    WINDOW_FULL = auto()
    """Prompt and answer filled the context window."""


class Answer:
    """Feed it with `hear`; then `ending` says how it ended.

    Attributes:
        usage: as far as the server has told it.
        told_input: the server has told what the prompt took.
        told_output: the server has told what the answer took.
        written: characters of report so far.
        heard: bytes of them.
        unseen: it has begun a block of which not all is shown, such as thinking.
        stop_reason: in the server's word.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self.told_input = self.told_output = False
        self.written = self.heard = 0
        self.unseen = False
        self.stop_reason: str | None = None
        self._stopped = False
        self._refusal: str | None = None
        self._scanners: dict[int, FindingsScanner] = {}
        self._prose = FindingsScanner()
        self._text: list[str] = []
        self._found = 0

    @property
    def whole(self) -> bool:
        """The server has said that the message is complete."""
        return self._stopped

    def hear(self, event: Any) -> Sequence[Element]:
        """The findings that one event of the stream completes; unknown events are passed over.

        Raises:
            StreamCut: an event lacks what the Messages API promises of it.
        """
        try:
            if event.type == "content_block_delta":
                return self._delta(event.index, event.delta)
            self._frame(event)
        except (AttributeError, TypeError) as error:
            raise StreamCut("the answer is not in the form of the Messages API") from error
        return _NO_ELEMENTS

    def _frame(self, event: Any) -> None:
        """What stands round the blocks of a message."""
        kind = event.type
        if kind == "message_start":
            self._learn(getattr(event.message, "usage", None))
        elif kind == "message_delta":
            told = event.delta.stop_reason
            self.stop_reason = told if isinstance(told, str) else None
            self._refusal = getattr(getattr(event.delta, "stop_details", None), "category", None)
            usage = getattr(event, "usage", None)
            self._learn(usage)
            self.told_output = _is_count(getattr(usage, "output_tokens", None))
        elif kind == "message_stop":
            self._stopped = True
        elif kind == "content_block_start":
            self.unseen |= getattr(event.content_block, "type", None) not in _SHOWN

    def ending(self) -> Ending:
        """How it ended.

        Raises:
            StreamCut: the message is not complete.
            EngineRefused: the model declined.
            NotReported: it is complete, and reports nothing, not even that there is nothing.
        """
        if not self._stopped:
            raise StreamCut("the model's answer ended before its end")
        match self.stop_reason:
            case "refusal":
                about = f" ({self._refusal})" if self._refusal else ""
                raise EngineRefused(f"the model declined to review this text{about}")
            case "max_tokens":
                return Ending.OUT_OF_ROOM
            case "model_context_window_exceeded":
                return Ending.WINDOW_FULL
            case _:
                # Whatever the word, also one not known yet: a report that was closed is a report
                if not self._reported():
                    said = (
                        f" ({self.stop_reason})" if self.stop_reason not in {"end_turn", "tool_use"} else ""
                    )
                    raise NotReported(f"the model answered without reporting through its tool{said}")
                return Ending.COMPLETE

    def close(self) -> Sequence[Element]:
        """What is left when no more comes: invalid elements of reports that ended inside one."""
        return [element for scanner in (*self._scanners.values(), self._prose) for element in scanner.close()]

    def mended(self) -> Sequence[Element]:
        """The findings of a report behind prose whose brackets hid it; none if anything was found before."""
        if self._reported():
            return _NO_ELEMENTS
        text = "".join(self._text)
        begin = max((match.start() for match in _BEGINNING.finditer(text)), default=None)
        if begin is None:
            return _NO_ELEMENTS
        elements = FindingsScanner().feed(text[begin:])
        self._found += len(elements)
        return elements

    def _reported(self) -> bool:
        """Whether there is a report; in mere text, what is off the schema may be code in prose."""
        tools = any(scanner.seen or scanner.reported for scanner in self._scanners.values())
        return tools or self._found > 0 or _NOTHING.search("".join(self._text)) is not None

    def _delta(self, index: int, delta: Any) -> Sequence[Element]:
        kind = delta.type
        if kind == "input_json_delta":
            scanner = self._scanners.get(index) or self._scanners.setdefault(index, FindingsScanner())
            self._count(delta.partial_json)
            return scanner.feed(delta.partial_json)
        if kind != "text_delta":
            return _NO_ELEMENTS
        self._text.append(delta.text)
        self._count(delta.text)
        elements = self._prose.feed(delta.text)
        self._found += sum(isinstance(element, ReportedFinding) for element in elements)
        return elements

    def _count(self, text: str) -> None:
        self.written += len(text)
        self.heard += size(text)

    def _learn(self, usage: Any) -> None:
        """Take in what the server tells; some tell of the prompt only at the end, some of no cache."""
        told = {
            ours: value for ours, theirs in _USAGE.items() if _is_count(value := getattr(usage, theirs, None))
        }
        self.told_input |= bool(told.keys() - {"output"}) and any(
            count for name, count in told.items() if name != "output"
        )
        # Counts are cumulative, and a zero behind a count says only that this event does not tell it
        known = {name: count for name, count in told.items() if count}
        self.usage = self.usage.model_copy(update=known)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST_TOKENS


_MOST_TOKENS = 1_000_000_000  # more is no count, and no account could hold it
_SHOWN = {"text", "tool_use"}
_USAGE = {
    "input": "input_tokens",
    "cached": "cache_read_input_tokens",
    "cache_writes": "cache_creation_input_tokens",
    "output": "output_tokens",
}
